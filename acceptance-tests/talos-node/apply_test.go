package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"talos-node/release"
)

type mode = machine.ApplyConfigurationRequest_Mode

const (
	reboot   = machine.ApplyConfigurationRequest_REBOOT
	auto     = machine.ApplyConfigurationRequest_AUTO
	noReboot = machine.ApplyConfigurationRequest_NO_REBOOT
	staged   = machine.ApplyConfigurationRequest_STAGED
	try      = machine.ApplyConfigurationRequest_TRY
)

const modulesPatch = `machine:
  kernel:
    modules:
      - name: nvidia
      - name: nvidia_uvm
      - name: nvidia_drm
      - name: nvidia_modeset
`

const filesPatch = `machine:
  files:
    - path: /etc/cri/conf.d/20-customization.part
      op: create
      permissions: 0o600
      content: |
        [plugins."io.containerd.cri.v1.runtime".containerd]
          default_runtime_name = "nvidia"
`

func apply(ctx context.Context, c *client.Client, data []byte, m mode, dry bool) (*machine.ApplyConfiguration, error) {
	reply, err := c.ApplyConfiguration(ctx, &machine.ApplyConfigurationRequest{Data: data, Mode: m, DryRun: dry})
	if err != nil {
		return nil, err
	}

	return reply.Messages[0], nil
}

// patched is what the minor's own configpatcher makes of a configuration.
func patched(t *testing.T, data []byte, patch string) []byte {
	t.Helper()

	p, err := configpatcher.LoadPatch([]byte(patch))
	must(t, err)

	out, err := configpatcher.Apply(configpatcher.WithBytes(data), []configpatcher.Patch{p})
	must(t, err)

	result, err := out.Bytes()
	must(t, err)

	return result
}

func TestEveryModeLeavesTheConfigurationsThatTalosLeaves(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)

	original, version := running(t, ctx, c)
	want(t, "version at boot", version, "1")
	noPersistent(t, ctx, c)

	changed := patched(t, original, modulesPatch)

	reply, err := apply(ctx, c, changed, noReboot, true)
	must(t, err)
	want(t, "dry run mode", reply.Mode, noReboot)

	if !strings.HasPrefix(reply.ModeDetails, "Dry run summary:\nApplied configuration without a reboot (skipped in dry-run).\nConfig diff:\n\n--- a\n+++ b\n") {
		t.Fatal(reply.ModeDetails)
	}

	reply, err = apply(ctx, c, original, auto, true)
	must(t, err)
	want(t, "dry run of nothing", reply.ModeDetails,
		"Dry run summary:\nApplied configuration without a reboot (skipped in dry-run).\nConfig diff:\n\nNo changes.")

	// TRY before anything was persisted.
	reply, err = apply(ctx, c, changed, try, false)
	must(t, err)
	want(t, "try details", reply.ModeDetails, "Applied configuration without a reboot\n"+
		"The config is applied in 'try' mode and will be automatically reverted back in 1m0s")
	wantRunning(t, ctx, c, changed, "2")
	noPersistent(t, ctx, c)
	p.ask("POST", "/nodes/"+gpuNode+"/rollback", "")
	wantRunning(t, ctx, c, original, "3")
	noPersistent(t, ctx, c)

	// An ordinary apply, and one more of the same bytes.
	for _, v := range []string{"4", "5"} {
		reply, err = apply(ctx, c, changed, auto, false)
		must(t, err)
		want(t, "auto becomes", reply.Mode, noReboot)
		want(t, "auto details", reply.ModeDetails, "Applied configuration without a reboot")
		wantRunning(t, ctx, c, changed, v)
	}

	wantPersisted(t, p, ctx, c, changed, "2")

	reply, err = apply(ctx, c, original, staged, false)
	must(t, err)
	want(t, "staged details", reply.ModeDetails, "Staged configuration to be applied after the next reboot")
	wantRunning(t, ctx, c, changed, "5")
	wantPersisted(t, p, ctx, c, original, "3")

	// The staged one runs after a reboot, where everything starts anew.
	must(t, c.Reboot(ctx))
	wantRunning(t, ctx, c, original, "1")
	noPersistent(t, ctx, c)
}

func TestASecondTryGoesBackToTheFirst(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)
	first := append(bytes.Clone(original), "\n# first\n"...)
	second := append(bytes.Clone(original), "\n# second\n"...)

	for _, data := range [][]byte{first, second} {
		_, err := c.ApplyConfiguration(ctx, &machine.ApplyConfigurationRequest{
			Data: data, Mode: try, TryModeTimeout: durationpb.New(patience),
		})
		must(t, err)
	}

	p.ask("POST", "/nodes/"+gpuNode+"/rollback", "")
	wantRunning(t, ctx, c, first, "4")
}

func TestARefusedApplyAndAPendingTry(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)
	tried := append(bytes.Clone(original), "\n# tried\n"...)

	_, err := apply(ctx, c, tried, try, false)
	must(t, err)

	_, err = apply(ctx, c, tried, try, true)
	must(t, err)
	want(t, "pending after a dry try", p.state(gpuNode)["try_pending"], any(true))

	_, err = apply(ctx, c, []byte("machine: ["), noReboot, false)
	want(t, "refused", err != nil, true)
	want(t, "pending after a refused apply", p.state(gpuNode)["try_pending"], any(release.LateCancel))
}

func TestWhatNeedsAReboot(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)
	changed := patched(t, original, filesPatch)

	if release.NeverReboots {
		for _, dry := range []bool{true, false} {
			_, err := apply(ctx, c, original, reboot, dry)
			wantError(t, err, codes.Unimplemented, "the REBOOT mode is not supported, please use AUTO or NO_REBOOT modes instead")
		}

		reply, err := apply(ctx, c, changed, auto, false)
		must(t, err)
		want(t, "mode", reply.Mode, noReboot)
		want(t, "warning", strings.Contains(strings.Join(reply.Warnings, "\n"), ".machine.files is deprecated; use dedicated configuration documents instead"), true)

		return
	}

	for _, m := range []mode{noReboot, try} {
		for _, dry := range []bool{true, false} {
			_, err := apply(ctx, c, changed, m, dry)
			wantError(t, err, codes.InvalidArgument, "this config change can't be applied in immediate mode\ndiff:\n--- a\n+++ b\n@@ …")
		}
	}

	reply, err := apply(ctx, c, changed, auto, true)
	must(t, err)
	want(t, "auto dry", reply.Mode, reboot)
	want(t, "auto dry details", strings.HasPrefix(reply.ModeDetails, "Dry run summary:\nApplied configuration with a reboot (skipped in dry-run).\n"), true)

	before := p.state(gpuNode)["boot_id"]
	reply, err = apply(ctx, c, changed, auto, false)
	must(t, err)
	want(t, "auto", reply.Mode, reboot)
	want(t, "auto details", strings.HasPrefix(reply.ModeDetails, "Applied configuration with a reboot: this config change can't be applied in immediate mode\ndiff:\n"), true)
	wantRunning(t, ctx, c, changed, "1")
	want(t, "another boot", p.state(gpuNode)["boot_id"] != before, true)

	text, err := read(t, ctx, c, "/etc/cri/conf.d/20-customization.part")
	must(t, err)
	want(t, "fragment", text, "[plugins.\"io.containerd.cri.v1.runtime\".containerd]\n  default_runtime_name = \"nvidia\"\n")

	// Mode 0 is REBOOT.
	reply, err = apply(ctx, c, original, 0, false)
	must(t, err)
	want(t, "mode left out", reply.ModeDetails, "Applied configuration with a reboot")
	wantRunning(t, ctx, c, original, "1")
}

func TestNoApplyBetweenAnApplyThatRebootsAndItsReboot(t *testing.T) {
	t.Parallel()

	p := start(t, worker(`, "reboot": {"lingers": 2}`))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)

	if release.NeverReboots {
		return // Nothing to wait for: no apply reboots.
	}

	_, err := apply(ctx, c, original, reboot, false)
	must(t, err)

	_, err = apply(ctx, c, original, noReboot, false)
	if release.ApplyMutex {
		wantError(t, err, codes.FailedPrecondition,
			"configuration was already applied and node is rebooting, cannot apply more configuration changes until next reboot")
	} else {
		must(t, err)
	}
}

func TestTheTextsOfRefusedConfigurations(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)
	with := func(doc string) []byte { return []byte(string(original) + "\n---\n" + doc) }

	type refusal struct {
		name string
		data []byte
		text string
	}

	cases := []refusal{
		{"empty", nil, "config not found"},
	}

	// A fragment is a v1alpha1 document by its top key; what is missing in it is said by the validator.
	fragment := refusal{"fragment", []byte("machine:\n  type: worker\n"), "2 errors occurred:\n\t* cluster instructions are required\n\t* …"}
	if release.Minor >= 12 {
		fragment.text = "1 error occurred:\n\t* …"
	}

	cases = append(cases, fragment)

	if release.Minor >= 14 {
		kmod := "apiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n"
		cases = append(cases,
			refusal{"reserved", with("apiVersion: v1alpha1\nkind: CRICustomizationConfig\nname: customization\ncontent: x\n"),
				"1 error occurred:\n\t* CRICustomizationConfig/customization: name \"customization\" is reserved for the legacy CRI customization\n\n"},
			refusal{"no name", with("apiVersion: v1alpha1\nkind: KernelModuleConfig\n"), "1 error occurred:\n\t* KernelModuleConfig/: name is required\n\n"},
			refusal{"duplicate", with(kmod + "---\n" + kmod), "duplicate document v1alpha1/KernelModuleConfig/nvidia is not allowed (line …"},
		)
	} else if release.Minor == 13 {
		cases = append(cases, refusal{"new kind", with("apiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n"),
			"error decoding document v1alpha1/KernelModuleConfig/nvidia (line …"})
	} else {
		cases = append(cases, refusal{"new kind", with("apiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n"),
			`"KernelModuleConfig" "v1alpha1": not registered`})
	}

	if release.Minor >= 13 {
		cases = append(cases,
			refusal{"text", []byte("hello"), "expected a YAML document at line 1"},
			refusal{"unknown key", []byte("machine:\n  kernel:\n    modulez: []\n"), "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\nmachine:\n    kernel:\n        modulez: []\n"})
	} else {
		cases = append(cases, refusal{"unknown key", []byte("machine:\n  kernel:\n    modulez: []\n"), "unknown keys found during decoding:\nmachine:\n    kernel:\n        modulez: []\n"})
	}

	if release.NeedsV1Alpha1 {
		cases = append(cases, refusal{"no v1alpha1", []byte("apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: x\nurl: tcp://1.2.3.4:5\n"),
			"the applied machine configuration doesn't contain v1alpha1 config, did you mean to patch the machine config instead?"})
	}

	for _, one := range cases {
		_, err := apply(ctx, c, one.data, noReboot, false)
		t.Run(one.name, func(t *testing.T) { wantError(t, err, codes.InvalidArgument, one.text) })
	}

	wantRunning(t, ctx, c, original, "1")
}

func wantRunning(t *testing.T, ctx context.Context, c *client.Client, data []byte, version string) {
	t.Helper()

	got, v := running(t, ctx, c)
	want(t, "running version", v, version)
	want(t, "running bytes", string(got), string(data))
}

func noPersistent(t *testing.T, ctx context.Context, c *client.Client) {
	t.Helper()

	_, err := machineConfig(ctx, c, "persistent")
	wantError(t, err, codes.NotFound, "resource MachineConfigs.config.talos.dev(config/persistent@undefined) doesn't exist")
}

func wantPersisted(t *testing.T, p *program, ctx context.Context, c *client.Client, data []byte, version string) {
	t.Helper()
	want(t, "persisted bytes", string(p.ask("GET", "/nodes/"+gpuNode+"/config?id=persistent", "")), string(data))

	if !release.HasPersistent {
		text, err := read(t, ctx, c, "/system/state/config.yaml")
		must(t, err)
		want(t, "bytes on STATE", text, string(data))

		return
	}

	res, err := machineConfig(ctx, c, "persistent")
	must(t, err)
	want(t, "persistent version", res.Metadata().Version().String(), version)
}
