package node

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/siderolabs/talos/pkg/machinery/kernel"
)

//go:embed sysctls.txt
var sysctlNames string

// sysctlDefaults are the files under /proc/sys with the values of a kernel that nobody has set up yet.
var sysctlDefaults = sync.OnceValue(func() map[string]string {
	out := map[string]string{}

	for line := range strings.Lines(sysctlNames) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		out["/proc/sys/"+name] = value
	}

	return out
})

// kernelState is what a boot leaves behind nothing of: loaded modules and values under /proc/sys and /sys.
type kernelState struct {
	modules map[string]*module
	order   []string
	values  map[string]string
	// written and prior are the two memories of Talos's KernelParamSpecController.
	written map[string]string
	prior   map[string]string
	// unsettled: the settings changed, so the controller writes every value anew.
	unsettled bool
	wanted    map[string]string
}

// module is a loaded module.
type module struct {
	name       string
	parameters string
	state      string
	size       int
	position   int
}

func newKernelState(extra map[string]string) kernelState {
	k := kernelState{
		modules: map[string]*module{}, values: map[string]string{},
		written: map[string]string{}, prior: map[string]string{},
	}

	for key, value := range extra {
		k.values[(&kernel.Param{Key: "proc.sys." + key}).Path()] = value
	}

	return k
}

// value reads a kernel value.
func (k *kernelState) value(path string) (string, bool) {
	if value, ok := k.values[path]; ok {
		return value, true
	}

	value, ok := sysctlDefaults()[path]

	return value, ok
}

// write sets a kernel value with the errors of a kernel: no such file, or a value that is no number.
func (k *kernelState) write(key, value string) error {
	path := (&kernel.Param{Key: key}).Path()

	old, ok := k.value(path)
	if !ok {
		return missing{path}
	}

	value = strings.TrimSpace(value)

	if _, err := strconv.ParseInt(old, 10, 64); err == nil {
		number, err := strconv.ParseInt(value, 0, 64)
		if err != nil || (path == "/proc/sys/net/core/bpf_jit_harden" && (number < 0 || number > 2)) {
			return fmt.Errorf("write %s: invalid argument", path)
		}

		value = strconv.FormatInt(number, 10)
	}

	k.values[path] = value

	return nil
}

type missing struct{ path string }

func (e missing) Error() string { return "open " + e.path + ": no such file or directory" }

// needs are the modules that a module pulls in, each in the order that the kernel loads them.
var needs = map[string][]string{
	"nvidia_modeset": {"nvidia"},
	"nvidia_uvm":     {"nvidia"},
	"nvidia_drm":     {"nvidia", "nvidia_modeset"},
	"nvidia_peermem": {"ib_core", "nvidia"},
	"nvidia_fs":      {"nvidia"},
	"gdrdrv":         {"nvidia"},
	"ib_umad":        {"ib_core"},
	"iscsi_tcp":      {"libiscsi"},
	"nvme_tcp":       {"nvme_fabrics"},
	"vfio_pci":       {"vfio", "vfio_pci_core"},
}

// inTree are modules of Talos's own kernel that load without an extension.
var inTree = map[string]int{
	"ib_core": 327680, "ib_umad": 40960, "libiscsi": 69632, "iscsi_tcp": 20480, "nvme_fabrics": 32768,
	"nvme_tcp": 53248, "vfio": 57344, "vfio_pci_core": 77824, "vfio_pci": 16384, "i2c_dev": 24576,
	"dm_thin_pool": 86016, "dm_raid": 49152, "usb_storage": 81920, "nbd": 61440, "rbd": 126976, "tun": 61440,
}

// builtin are modules that are part of the kernel: loading them succeeds and changes nothing.
var builtin = []string{"br_netfilter", "overlay", "loop", "ext4", "xfs", "nvme", "nf_conntrack", "ip_vs", "bridge", "dm_mod"}

// ofNVIDIA are the modules that a kernel module extension brings, with their sizes.
var ofNVIDIA = map[string]int{
	"nvidia": 14381056, "nvidia_modeset": 1814528, "nvidia_uvm": 4087808, "nvidia_drm": 135168,
	"nvidia_peermem": 16384, "nvidia_fs": 270336, "gdrdrv": 24576,
}

// users are the loaded modules that use one, newest first, as the kernel lists them.
func (k *kernelState) users(name string) []string {
	var out []string

	for _, other := range slices.Backward(k.order) {
		if slices.Contains(needs[other], name) {
			out = append(out, other)
		}
	}

	return out
}

// loaded are the modules newest first, as in /proc/modules.
func (k *kernelState) loaded() []*module {
	var out []*module

	for _, name := range slices.Backward(k.order) {
		out = append(out, k.modules[name])
	}

	return out
}

// address is a made-up but stable place of a module in the kernel's memory.
func (m *module) address() string {
	return fmt.Sprintf("0x%016x", 0xffffffffc0000000+uint64(m.position)*0x4000000)
}

func (k *kernelState) add(m *module) {
	m.position = len(k.order) + 1
	k.modules[m.name] = m
	k.order = append(k.order, m.name)
}

func (k *kernelState) remove(name string) {
	delete(k.modules, name)
	k.order = slices.DeleteFunc(k.order, func(other string) bool { return other == name })
}

// sorted are a map's keys in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
