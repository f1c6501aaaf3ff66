package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	"github.com/siderolabs/talos/pkg/machinery/resources/files"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc/codes"

	"talos-node/release"
)

func get[T resource.Resource](ctx context.Context, c *client.Client, ns resource.Namespace, kind resource.Type, id string) (T, error) {
	return safe.StateGet[T](ctx, c.COSI, resource.NewMetadata(ns, kind, id, resource.VersionUndefined))
}

func TestTheNodeSaysWhatItIs(t *testing.T) {
	t.Parallel()

	p := start(t, worker(`, "uuid": "11111111-2222-3333-4444-555555555555"`))
	c, ctx := p.client("talosconfig-reader"), p.context(gpuNode)

	version, err := c.Version(ctx)
	must(t, err)
	want(t, "tag", version.Messages[0].Version.Tag, release.Tag)
	want(t, "rbac", version.Messages[0].Features.Rbac, true)
	want(t, "platform", version.Messages[0].Platform.Mode, "metal")

	info, err := get[*hardware.SystemInformation](ctx, c, hardware.NamespaceName, hardware.SystemInformationType, hardware.SystemInformationID)
	must(t, err)
	want(t, "uuid", info.TypedSpec().UUID, "11111111-2222-3333-4444-555555555555")

	list, err := safe.StateListAll[*runtime.ExtensionStatus](ctx, c.COSI)
	must(t, err)

	names := map[string]string{}
	for i := range list.Len() {
		names[list.Get(i).TypedSpec().Metadata.Name] = list.Get(i).TypedSpec().Metadata.Version
	}

	driver, tag, _ := strings.Cut(names["nvidia-open-gpu-kernel-modules-lts"], "-")
	want(t, "kmod is of this Talos", tag, release.Tag)
	want(t, "toolkit is of this driver", strings.HasPrefix(names["nvidia-container-toolkit-lts"], driver+"-v1."), true)
	want(t, "schematic", names["schematic"] != "", true)

	device, err := get[*hardware.PCIDevice](ctx, c, hardware.NamespaceName, hardware.PCIDeviceType, "0000:01:00.0")
	must(t, err)
	want(t, "vendor", device.TypedSpec().VendorID, "0x10de")
}

func TestModulesLoadLiveAndStayUntilTheReboot(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)

	wantStage(t, ctx, c, runtime.MachineStageBooting)

	_, err := apply(ctx, c, patched(t, original, modulesPatch), noReboot, false)
	must(t, err)

	text, err := read(t, ctx, c, "/proc/modules")
	must(t, err)

	line := "nvidia 14381056 3 nvidia_uvm,nvidia_drm,nvidia_modeset, Live "
	if !release.UnloadableModules {
		line = "nvidia 14381056 - - Live "
	}

	want(t, "line of nvidia in "+text, strings.Contains(text, "\n"+line) || strings.HasPrefix(text, line), true)
	wantStage(t, ctx, c, runtime.MachineStageRunning)

	version, err := read(t, ctx, c, "/proc/driver/nvidia/version")
	must(t, err)
	want(t, "open flavour", strings.HasPrefix(version, "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  "), true)

	information, err := read(t, ctx, c, "/proc/driver/nvidia/gpus/0000:01:00.0/information")
	must(t, err)
	want(t, "uuid line", strings.Contains(information, "GPU UUID: \t GPU-"), true)

	_, err = read(t, ctx, c, "/run/cdi/nvidia.yaml")
	want(t, "CDI", err == nil, release.HasCDI)

	// Out of the configuration they stay in the kernel, and the intent is gone.
	_, err = apply(ctx, c, original, noReboot, false)
	must(t, err)

	_, err = get[*runtime.KernelModuleSpec](ctx, c, runtime.NamespaceName, runtime.KernelModuleSpecType, "nvidia")
	wantError(t, err, codes.NotFound, "resource KernelModuleSpecs.runtime.talos.dev(runtime/nvidia@undefined) doesn't exist")

	text, err = read(t, ctx, c, "/proc/modules")
	must(t, err)
	want(t, "still loaded", strings.Contains(text, "nvidia_uvm "), true)

	must(t, c.Reboot(ctx))

	text, err = read(t, ctx, c, "/proc/modules")
	must(t, err)
	want(t, "gone after the reboot", text, "")
	wantStage(t, ctx, c, runtime.MachineStageBooting)
}

func wantStage(t *testing.T, ctx context.Context, c *client.Client, stage runtime.MachineStage) {
	t.Helper()

	status, err := get[*runtime.MachineStatus](ctx, c, runtime.NamespaceName, runtime.MachineStatusType, runtime.MachineStatusID)
	must(t, err)
	want(t, "stage", status.TypedSpec().Stage, stage)
	want(t, "ready", status.TypedSpec().Status.Ready, true)
}

func TestTheControllerLogNamesWhyModulesDoNotLoad(t *testing.T) {
	t.Parallel()

	p := start(t, worker(`, "modules": {"nvidia_drm": {"fails": "invalid argument"}}`))
	c, ctx := p.client("talosconfig-reader"), p.context(gpuNode)
	admin := p.client("talosconfig")
	original, _ := running(t, ctx, admin)

	_, err := apply(ctx, admin, patched(t, original, modulesPatch+"      - name: foo\n"), noReboot, false)
	must(t, err)

	text := logText(t, ctx, c, "system", "controller-runtime")
	want(t, "line in "+text, strings.Contains(text, "\x1b[31mERROR\x1b[0m controller failed {\"component\": \"controller-runtime\", "+
		"\"controller\": \"runtime.KernelModuleSpecController\", \"error\": \"error loading module \\\"foo\\\": module not found\\n"+
		"error loading module \\\"nvidia_drm\\\": load nvidia_drm failed: invalid argument\"}\n"), true)

	stream, err := c.Logs(ctx, "system", common.ContainerDriver_CONTAINERD, "nosuch", false, -1)
	must(t, err)

	_, err = stream.Recv()
	wantError(t, err, codes.Unknown, `log "nosuch" was not registered`)
}

func logText(t *testing.T, ctx context.Context, c *client.Client, namespace, id string) string {
	t.Helper()

	stream, err := c.Logs(ctx, namespace, common.ContainerDriver_CONTAINERD, id, false, -1)
	must(t, err)

	var out strings.Builder

	for {
		data, err := stream.Recv()
		if err == io.EOF {
			return out.String()
		}

		must(t, err)
		out.Write(data.Bytes)
	}
}

func TestSysctlsLiveBothWays(t *testing.T) {
	t.Parallel()

	const file = "/proc/sys/net/core/bpf_jit_harden"

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)

	for _, step := range []struct{ patch, value string }{
		{"", "2\n"},
		{"machine:\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n", "1\n"},
		{"", "2\n"},
		// Slashes are another id: the default is written after it.
		{"machine:\n  sysctls:\n    net/core/bpf_jit_harden: \"1\"\n", "2\n"},
	} {
		data := original
		if step.patch != "" {
			data = patched(t, original, step.patch)
		}

		_, err := apply(ctx, c, data, noReboot, false)
		must(t, err)

		value, err := read(t, ctx, c, file)
		must(t, err)
		want(t, "value after "+step.patch, value, step.value)
	}

	status, err := get[*runtime.KernelParamStatus](ctx, c, runtime.NamespaceName, runtime.KernelParamStatusType, "proc.sys.net/core/bpf_jit_harden")
	must(t, err)
	want(t, "the slashed one says", status.TypedSpec().Current, "1")

	_, err = apply(ctx, c, patched(t, original, "machine:\n  sysctls:\n    no.such.key: \"1\"\n"), noReboot, false)
	must(t, err)

	text := logText(t, ctx, c, "system", "controller-runtime")
	want(t, "reason in "+text, strings.Contains(text, "open /proc/sys/no/such/key: no such file or directory"), true)
}

func TestTheCRIFragment(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)

	before, err := get[*files.EtcFileStatus](ctx, c, files.NamespaceName, files.EtcFileStatusType, "cri/conf.d/cri.toml")
	must(t, err)
	want(t, "spec version", before.TypedSpec().SpecVersion, "2")

	data := patched(t, original, filesPatch)
	if release.LiveCRI {
		data = []byte(string(original) + "\n---\napiVersion: v1alpha1\nkind: CRICustomizationConfig\nname: nvidia-default-runtime\ncontent: |\n" +
			"  [plugins.\"io.containerd.cri.v1.runtime\".containerd]\n    default_runtime_name = \"nvidia\"\n")
	}

	_, err = apply(ctx, c, data, auto, false)
	must(t, err)

	text, err := read(t, ctx, c, "/etc/cri/conf.d/cri.toml")
	must(t, err)
	want(t, "merged", strings.Contains(text, "default_runtime_name = 'nvidia'"), true)

	if !release.LiveCRI {
		want(t, "header in "+text, strings.Contains(text, "## /etc/cri/conf.d/20-customization.part"), true)

		return
	}

	for _, line := range []string{"## file /etc/cri/conf.d/00-base.part (sha256:", "## in-memory registries (sha256:",
		"## in-memory customization \"nvidia-default-runtime\" (sha256:"} {
		want(t, line+" in "+text, strings.Contains(text, line), true)
	}

	after, err := get[*files.EtcFileStatus](ctx, c, files.NamespaceName, files.EtcFileStatusType, "cri/conf.d/cri.toml")
	must(t, err)
	want(t, "spec version", after.TypedSpec().SpecVersion, "3")

	services, err := c.ServiceInfo(ctx, "cri")
	must(t, err)

	var states []string
	for _, e := range services[0].Service.Events.Events {
		states = append(states, e.State)
	}

	want(t, "cri's events", strings.Contains(fmt.Sprint(states), "Stopping Finished Starting"), true)

	_, err = read(t, ctx, c, "/etc/cri/conf.d/20-customization.part")
	wantError(t, err, codes.NotFound, "stat /etc/cri/conf.d/20-customization.part: no such file or directory")

	_, err = apply(ctx, c, []byte(strings.ReplaceAll(string(data), `default_runtime_name = "nvidia"`, "= broken")), auto, false)
	must(t, err)

	log := logText(t, ctx, c, "system", "controller-runtime")
	want(t, "reason in "+log, strings.Contains(log, `error merging CRI config: error decoding \"20-nvidia-default-runtime.part\": toml: `), true)
}

func TestABootThatFailsOnItsFiles(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)

	_, err := apply(ctx, c, patched(t, original, strings.ReplaceAll(filesPatch, "/etc/cri/conf.d/20-customization.part", "/etc/foo")), staged, false)
	must(t, err)
	must(t, c.Reboot(ctx))
	want(t, "failure", p.state(gpuNode)["boot_failure"], any(`create operation not allowed outside of /var: "/etc/foo"`))
	want(t, "stage", p.state(gpuNode)["stage"], any("booting"))
}

func TestReadAndListFailAsTalosDoes(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)

	_, err := read(t, ctx, c, "/x")
	wantError(t, err, codes.NotFound, "stat /x: no such file or directory")

	_, err = read(t, ctx, c, "/proc")
	wantError(t, err, codes.Unknown, "path must be a regular file")

	_, err = list(t, ctx, c, "/x")
	wantError(t, err, codes.Unknown, "lstat /x: no such file or directory")

	names, err := list(t, ctx, c, "/proc/modules")
	must(t, err)
	want(t, "a file as root", fmt.Sprint(names), "[/proc/modules modules]")

	original, _ := running(t, ctx, c)
	_, err = apply(ctx, c, patched(t, original, modulesPatch), noReboot, false)
	must(t, err)

	names, err = list(t, ctx, c, "/sys/bus/pci/devices/0000:01:00.0/driver")
	must(t, err)
	want(t, "a link as root is followed", names[0], "/sys/bus/pci/drivers/nvidia .")
	want(t, "the GPU is bound", strings.Contains(fmt.Sprint(names), "/sys/bus/pci/drivers/nvidia/0000:01:00.0 0000:01:00.0"), true)
}

func list(t *testing.T, ctx context.Context, c *client.Client, root string) ([]string, error) {
	t.Helper()

	stream, err := c.LS(ctx, &machine.ListRequest{Root: root})
	must(t, err)

	var out []string

	for {
		item, err := stream.Recv()
		if err == io.EOF {
			return out, nil
		}

		if err != nil {
			return out, err
		}

		out = append(out, item.Name+" "+item.RelativeName)
	}
}

func TestServicesThatTheAPIDoesNotRestart(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)

	for _, id := range []string{"cri", "apid"} {
		_, err := c.ServiceRestart(ctx, id)
		wantError(t, err, codes.Unknown, fmt.Sprintf("service %q doesn't support restart operation via API", id))
	}

	_, err := c.ServiceRestart(ctx, "kubelet")
	must(t, err)
}
