package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"talos-node/release"
)

// talosctlVariable names the real talosctl 1.12; test.sh sets it.
const talosctlVariable = "TALOSCTL"

// talosctl runs the real program on the GPU node and returns what it says on both streams.
func (p *program) talosctl(args ...string) (string, error) {
	p.t.Helper()

	path := os.Getenv(talosctlVariable)
	if path == "" {
		p.t.Fatal("no talosctl: set " + talosctlVariable + " to a talosctl 1.12, which `make tools` builds")
	}

	var out bytes.Buffer

	command := exec.Command(path, append([]string{"--talosconfig", filepath.Join(p.dir, "talosconfig"), "-n", gpuNode}, args...)...)
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()

	return out.String(), err
}

func (p *program) mustTalosctl(args ...string) string {
	p.t.Helper()

	out, err := p.talosctl(args...)
	if err != nil {
		p.t.Fatalf("talosctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}

	return out
}

// Every node answers talosctl's reading commands, whatever its minor.
func TestTalosctlReads(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))

	for _, step := range []struct{ args, says string }{
		{"version", "Tag:         " + release.Tag},
		{"get mc -o yaml", "id: v1alpha1"},
		{"get extensions", "nvidia-open-gpu-kernel-modules-lts"},
		{"get machinestatus", "booting"},
		{"read /proc/sys/net/core/bpf_jit_harden", "2"},
		{"list /sys/bus/pci", "devices"},
		{"services", `Waiting for service`},
		{"service cri", "STATE    Running"},
		{"dmesg", "Linux version " + release.Kernel},
		{"get rd", "machineconfigs.config.talos.dev"},
	} {
		out := p.mustTalosctl(strings.Fields(step.args)...)
		want(t, step.args+" says "+step.says+" in:\n"+out, strings.Contains(out, step.says), true)
	}

	out, err := p.talosctl("logs", "nosuch")
	want(t, "logs of nobody: "+out, strings.Contains(out, `log "nosuch" was not registered`), true)
	want(t, "and it is an error", err != nil || strings.Contains(out, "ERROR"), true)
}

// talosctl 1.12 can patch nodes of 1.12 and 1.13. Up to 1.11 it misreads the configuration, from 1.14 on it does not
// know the documents: with those minors their own client patches, in the other tests.
func TestTalosctlPatches(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	patch := filepath.Join(p.dir, "patch.yaml")
	must(t, os.WriteFile(patch, []byte(modulesPatch), 0o600))

	reason := map[bool]string{true: "not registered", false: "missing kind"}[release.Minor > 13]
	if release.Minor < 12 || release.Minor > 13 {
		out, err := p.talosctl("patch", "mc", "--patch", "@"+patch)
		want(t, reason+" in "+out, err != nil && strings.Contains(out, reason), true)

		return
	}

	for _, step := range []struct{ mode, says string }{
		{"auto", "Applied configuration without a reboot"},
		{"no-reboot", "Applied configuration without a reboot"},
		{"staged", "Staged configuration to be applied after the next reboot"},
		{"try", "The config is applied in 'try' mode and will be automatically reverted back in 1m0s"},
		{"reboot", "Applied configuration with a reboot"},
	} {
		out := p.mustTalosctl("patch", "mc", "--patch", "@"+patch, "--mode", step.mode)
		want(t, step.mode+" says "+step.says+" in:\n"+out, strings.Contains(out, step.says), true)
	}

	out := p.mustTalosctl("patch", "mc", "--patch", "@"+patch, "--mode", "no-reboot", "--dry-run")
	want(t, "dry run: "+out, strings.Contains(out, "Dry run summary:\nApplied configuration without a reboot (skipped in dry-run)."), true)

	must(t, os.WriteFile(patch, []byte(filesPatch), 0o600))

	out, err := p.talosctl("patch", "mc", "--patch", "@"+patch, "--mode", "no-reboot")
	want(t, "files: "+out, err != nil && strings.Contains(out, "this config change can't be applied in immediate mode"), true)

	out = p.mustTalosctl("read", "/proc/modules")
	want(t, "modules: "+out, strings.Contains(out, "nvidia_uvm "), true)
}
