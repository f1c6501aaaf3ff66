package node

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/uuid"
	"github.com/siderolabs/talos/pkg/machinery/extensions"
	"github.com/siderolabs/talos/pkg/machinery/kernel"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"talos-node/release"
	"talos-node/script"
)

// defaultSchematic is the id of a schematic that somebody made in the Image Factory.
const defaultSchematic = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"

// driverInfo is what the kernel module extension brings: kind is "open", "proprietary" or "" for none.
type driverInfo struct {
	kind    string
	version string
	talos   string
}

var driverVersion = regexp.MustCompile(`^(\d+\.\d+(?:\.\d+)?)-(.+)$`)

// driver is the driver of the first kernel module extension.
func (m *Machine) driver() driverInfo {
	for _, e := range m.extensions() {
		kind := ""

		switch {
		case strings.HasPrefix(e.Name, "nvidia-open-gpu-kernel-modules"):
			kind = "open"
		case strings.HasPrefix(e.Name, "nonfree-kmod-nvidia"):
			kind = "proprietary"
		default:
			continue
		}

		if parts := driverVersion.FindStringSubmatch(e.Version); parts != nil {
			return driverInfo{kind: kind, version: parts[1], talos: parts[2]}
		}

		return driverInfo{kind: kind, version: e.Version}
	}

	return driverInfo{}
}

// hasToolkit tells whether the container toolkit extension is installed, which brings the ext-nvidia services.
func (m *Machine) hasToolkit() bool {
	for _, e := range m.extensions() {
		if strings.HasPrefix(e.Name, "nvidia-container-toolkit") {
			return true
		}
	}

	return false
}

// extensions are the installed extensions without the pseudo ones.
func (m *Machine) extensions() []script.Extension {
	if m.spec.Extensions != nil {
		return *m.spec.Extensions
	}

	var out []script.Extension

	for _, e := range release.Extensions(m.spec.Flavour, m.tag) {
		out = append(out, script.Extension{
			Name: e[0], Version: e[1], Author: "Sidero Labs",
			Description: "[" + "extra" + "] This system extension provides NVIDIA software built for Talos.",
		})
	}

	return out
}

func (m *Machine) schematic() string {
	if m.spec.Schematic != nil {
		return *m.spec.Schematic
	}

	return defaultSchematic
}

// putExtensions writes the extension statuses as an Image Factory image has them: numbered, with the pseudo-extensions
// at the end.
func (m *Machine) putExtensions() {
	const owner = "runtime.ExtensionStatusController"

	write := func(id string, metadata extensions.Metadata) {
		status := runtime.NewExtensionStatus(runtime.NamespaceName, id)
		status.TypedSpec().Image = id + ".sqsh"
		status.TypedSpec().Metadata = metadata
		m.put(status, owner)
	}

	count := 0

	for _, e := range m.extensions() {
		metadata := extensions.Metadata{
			Name: e.Name, Version: e.Version, Author: e.Author, Description: e.Description, ExtraInfo: e.ExtraInfo,
		}
		metadata.Compatibility.Talos.Version = ">= v1.2.0"
		write(fmt.Sprint(count), metadata)
		count++
	}

	if id := m.schematic(); id != "" {
		write(fmt.Sprint(count), extensions.Metadata{
			Name: "schematic", Version: id, Author: "Image Factory (https://factory.talos.dev)",
			Description: "Virtual extension which specifies the schematic of the image built with Image Factory.",
			ExtraInfo:   "customization: {}\n",
		})
	}

	if m.driver().kind != "" {
		write("modules.dep", extensions.Metadata{
			Name: "modules.dep", Version: release.Kernel, Author: "Talos Machinery",
			Description: "Combined modules.dep for all extensions",
		})
	}
}

// gpu is a script's GPU with its defaults filled in.
type gpu struct {
	address, productID, product, uuid, driver, firmware, bios string
	minor                                                     int
}

func (m *Machine) gpus() []gpu {
	list := []script.GPU{{}}
	if m.spec.GPUs != nil {
		list = *m.spec.GPUs
	}

	var out []gpu

	for i, g := range list {
		one := gpu{
			address: g.PCIAddress, productID: g.ProductID, product: g.Product, uuid: g.UUID.Value,
			driver: g.Driver.Value, firmware: g.Firmware, bios: g.VideoBIOS, minor: i,
		}

		if one.address == "" {
			one.address = fmt.Sprintf("0000:%02x:00.0", i+1)
		}

		if one.productID == "" {
			one.productID = "0x2331"
		}

		if one.product == "" {
			one.product = "GH100 [H100 PCIe]"
		}

		if !g.UUID.Set {
			one.uuid = "GPU-" + uuid.NewSHA1(uuid.NameSpaceDNS, []byte(m.Name+one.address)).String()
		}

		if !g.Driver.Set {
			one.driver = "nvidia"
		}

		if g.Minor != nil {
			one.minor = *g.Minor
		}

		if one.firmware == "" {
			one.firmware = m.driver().version
		}

		if one.bios == "" {
			one.bios = "96.00.74.00.1c"
		}

		out = append(out, one)
	}

	return out
}

func (m *Machine) hasBindableGPU() bool {
	for _, g := range m.gpus() {
		if g.driver == "nvidia" {
			return true
		}
	}

	return false
}

// bound is the driver that a GPU is bound to at this moment.
func (m *Machine) bound(g gpu) string {
	if g.driver == "nvidia" && m.kernel.modules["nvidia"] == nil {
		return ""
	}

	return g.driver
}

// boundGPUs are the GPUs that the nvidia driver has.
func (m *Machine) boundGPUs() []gpu {
	var out []gpu

	for _, g := range m.gpus() {
		if m.bound(g) == "nvidia" {
			out = append(out, g)
		}
	}

	return out
}

// scanPCI writes the PCI devices. Talos does it once a boot, so the driver of a module that is loaded later stays
// empty there.
func (m *Machine) scanPCI() {
	const owner = "hardware.PCIDevicesController"

	bridge := hardware.NewPCIDeviceInfo("0000:00:00.0")
	*bridge.TypedSpec() = hardware.PCIDeviceSpec{
		Class: "Bridge", Subclass: "Host bridge", Vendor: "Intel Corporation", Product: "82G33/G31/P35/P31 Express DRAM Controller",
		ClassID: "0x06", SubclassID: "0x00", VendorID: "0x8086", ProductID: "0x29c0",
	}
	m.put(bridge, owner)

	for _, g := range m.gpus() {
		device := hardware.NewPCIDeviceInfo(g.address)
		*device.TypedSpec() = hardware.PCIDeviceSpec{
			Class: "Display controller", Subclass: "3D controller", Vendor: "NVIDIA Corporation", Product: g.product,
			ClassID: "0x03", SubclassID: "0x02", VendorID: "0x10de", ProductID: g.productID,
		}
		release.SetIfPresent(device.TypedSpec(), "Driver", m.bound(g))
		m.put(device, owner)
	}
}

func (m *Machine) systemInformation() {
	info := hardware.NewSystemInformation(hardware.SystemInformationID)
	info.TypedSpec().Manufacturer = "Supermicro"
	info.TypedSpec().ProductName = "SYS-521GE-TNRT"
	info.TypedSpec().Version = "0123456789"
	info.TypedSpec().UUID = m.uuid
	info.TypedSpec().WakeUpType = "Power Switch"
	m.put(info, "hardware.SystemInfoController")
}

func pathOf(id string) string { return (&kernel.Param{Key: id}).Path() }
