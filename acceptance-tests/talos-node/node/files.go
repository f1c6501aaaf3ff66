package node

import (
	"fmt"
	"path"
	"strings"

	"talos-node/release"
)

// tree builds the machine's files.
func (m *Machine) tree() tree {
	t := tree{}
	t.dir("/")

	for _, dir := range []string{"/dev", "/run/cdi", "/var/log", "/tmp", "/sys/bus/pci/drivers", "/sys/module", "/usr/local/bin"} {
		t.dir(dir)
	}

	m.procFiles(t)
	m.pciFiles(t)
	m.moduleFiles(t)
	m.driverFiles(t)
	m.etcFiles(t)

	for name, text := range m.written {
		t.file(name, text)
	}

	for name, text := range m.spec.Files {
		if text == nil {
			t.remove(path.Clean(name))
		} else {
			t.file(path.Clean(name), *text)
		}
	}

	return t
}

func (m *Machine) procFiles(t tree) {
	var modules strings.Builder

	for _, running := range m.kernel.loaded() {
		users := m.kernel.users(running.name)

		// Up to 1.8 the kernel cannot unload modules and keeps no counts.
		count, by := "-", "-"
		if release.UnloadableModules {
			count = fmt.Sprint(len(users))
			if len(users) > 0 {
				by = strings.Join(users, ",") + ","
			}
		}

		fmt.Fprintf(&modules, "%s %d %s %s %s %s%s\n", running.name, running.size, count, by, running.state,
			running.address(), m.taint(running.name))
	}

	t.file("/proc/modules", modules.String())
	t.file("/proc/cmdline", "talos.platform=metal console=tty0 init_on_alloc=1 slab_nomerge pti=on\n")
	t.file("/proc/version", "Linux version "+release.Kernel+" (talos@buildkitsandbox)\n")

	for name, value := range sysctlDefaults() {
		t.file(name, value+"\n")
	}

	for name, value := range m.kernel.values {
		t.file(name, value+"\n")
	}

	t.file("/proc/sys/kernel/random/boot_id", m.bootID+"\n")
	t.file("/proc/sys/kernel/hostname", m.Hostname+"\n")
	t.file("/proc/sys/kernel/osrelease", release.Kernel+"\n")
}

func (m *Machine) taint(name string) string {
	if _, ours := ofNVIDIA[name]; !ours {
		return ""
	}

	if m.driver().kind == "proprietary" {
		return " (PO)"
	}

	return " (O)"
}

func (m *Machine) pciFiles(t tree) {
	const bus = "/sys/bus/pci/devices/"

	for _, g := range m.gpus() {
		device := "/sys/devices/pci0000:00/" + g.address
		t.file(device+"/vendor", "0x10de\n")
		t.file(device+"/device", g.productID+"\n")
		t.file(device+"/class", "0x030200\n")
		t.symlink(bus+g.address, "../../../devices/pci0000:00/"+g.address)

		if driver := m.bound(g); driver != "" {
			dir := "/sys/bus/pci/drivers/" + driver
			t.symlink(device+"/driver", "../../../bus/pci/drivers/"+driver)
			t.symlink(dir+"/"+g.address, "../../../../devices/pci0000:00/"+g.address)
		}
	}

	if m.kernel.modules["nvidia"] != nil {
		for _, name := range []string{"bind", "unbind", "new_id", "remove_id", "uevent"} {
			t.file(driverDir+"/"+name, "")
		}

		t.symlink(driverDir+"/module", "../../../../module/nvidia")
	}
}

func (m *Machine) moduleFiles(t tree) {
	for _, running := range m.kernel.loaded() {
		dir := "/sys/module/" + running.name
		t.file(dir+"/initstate", strings.ToLower(running.state)+"\n")
		t.file(dir+"/coresize", fmt.Sprintf("%d\n", running.size))

		if release.UnloadableModules {
			t.file(dir+"/refcnt", fmt.Sprintf("%d\n", len(m.kernel.users(running.name))))
		}

		if taint := strings.Trim(m.taint(running.name), " ()"); taint != "" {
			t.file(dir+"/taint", taint+"\n")
			t.file(dir+"/version", m.driver().version+"\n")
		}

		if running.name == "nvidia_drm" {
			t.file(dir+"/parameters/modeset", "Y\n")
		}

		for parameter := range strings.FieldsSeq(running.parameters) {
			key, value, _ := strings.Cut(parameter, "=")
			t.file(dir+"/parameters/"+key, value+"\n")
		}

		for _, user := range m.kernel.users(running.name) {
			t.symlink(dir+"/holders/"+user, "../../"+user)
		}
	}

	if m.kernel.modules["nvidia"] != nil {
		t.symlink("/sys/module/nvidia/drivers/pci:nvidia", "../../../bus/pci/drivers/nvidia")
	}
}

func (m *Machine) driverFiles(t tree) {
	if m.kernel.modules["nvidia"] == nil {
		return
	}

	driver := m.driver()

	line := "NVRM version: NVIDIA UNIX x86_64 Kernel Module  " + driver.version + "  Tue Jan 27 01:35:34 UTC 2026"
	if driver.kind == "open" {
		line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  " + driver.version +
			"  Release Build  (buildkit@buildkitsandbox)  Tue Jan 27 01:35:34 UTC 2026"
	}

	t.file("/proc/driver/nvidia/version", line+"\nGCC version:  gcc version 15.2.0 (GCC)\n")
	t.file("/proc/driver/nvidia/params", "ResmanDebugLevel: 4294967295\nModifyDeviceFiles: 1\n")
	t.dir("/proc/driver/nvidia/gpus")
	t.device("/dev/nvidiactl")

	if m.kernel.modules["nvidia_uvm"] != nil {
		t.device("/dev/nvidia-uvm")
		t.device("/dev/nvidia-uvm-tools")
	}

	if m.kernel.modules["nvidia_modeset"] != nil {
		t.device("/dev/nvidia-modeset")
	}

	var cdi strings.Builder

	cdi.WriteString("---\ncdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n")

	for i, g := range m.boundGPUs() {
		t.file("/proc/driver/nvidia/gpus/"+g.address+"/information", m.information(g, i))
		t.file("/proc/driver/nvidia/gpus/"+g.address+"/registry", "Binary: \"\"\n")
		t.device(fmt.Sprintf("/dev/nvidia%d", g.minor))
		fmt.Fprintf(&cdi, "    - name: \"%d\"\n      containerEdits:\n        deviceNodes:\n            - path: /dev/nvidia%d\n", i, g.minor)
	}

	if gen := m.services["ext-nvidia-cdi-gen"]; gen != nil && gen.state() == "Finished" {
		t.file("/run/cdi/nvidia.yaml", cdi.String())
	}
}

func (m *Machine) information(g gpu, number int) string {
	lines := []string{
		"Model: \t\t NVIDIA " + g.product,
		fmt.Sprintf("IRQ:   \t\t %d", 120+number),
	}

	if g.uuid != "" {
		lines = append(lines, "GPU UUID: \t "+g.uuid)
	}

	lines = append(lines,
		"Video BIOS: \t "+g.bios,
		"Bus Type: \t PCIe",
		"DMA Size: \t 52 bits",
		"DMA Mask: \t 0xfffffffffffff",
		"Bus Location: \t "+g.address,
		fmt.Sprintf("Device Minor: \t %d", g.minor),
		"GPU Firmware: \t "+g.firmware,
		"GPU Excluded:\t No",
	)

	return strings.Join(lines, "\n") + "\n"
}

func (m *Machine) etcFiles(t tree) {
	t.file("/etc/os-release", "NAME=\"Talos\"\nID=talos\nVERSION_ID="+m.tag+"\nPRETTY_NAME=\"Talos ("+m.tag+")\"\n")
	t.file("/etc/hostname", m.Hostname+"\n")

	for _, p := range m.physicalParts() {
		t.file(criDir+p.name, p.text)
	}

	if m.driver().kind != "" {
		t.file("/usr/local/lib/modprobe.d/nvidia.conf",
			"blacklist nvidia\nblacklist nvidia_uvm\nblacklist nvidia_drm\nblacklist nvidia_modeset\n")
	}

	if m.hasToolkit() {
		for _, name := range []string{"nvidia-container-runtime", "nvidia-ctk", "nvidia-smi", "nvidia-persistenced"} {
			t.file("/usr/local/bin/"+name, "\x7fELF")
		}
	}

	// Up to 1.9 the STATE partition stays mounted and is the only place that shows a staged configuration.
	if !release.HasPersistent && !m.maintenance {
		t.file("/system/state/config.yaml", string(m.persisted))
	}
}
