//go:build !upto_1_13

package release

import (
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/resources/cri"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

// BootResources are what only this span of minors tells of a boot: boot id, version, schematic; each with its owner.
func BootResources(bootID, tag, schematic string) map[resource.Resource]string {
	boot := runtime.NewBootID()
	boot.TypedSpec().BootID = bootID

	version := runtime.NewVersion()
	version.TypedSpec().Version = tag
	version.TypedSpec().Name = "Talos"

	out := map[resource.Resource]string{boot: "runtime.BootIDController", version: "runtime.VersionController"}

	if schematic != "" {
		factory := runtime.NewImageFactorySchematic(runtime.NamespaceName, runtime.ImageFactorySchematicID)
		factory.TypedSpec().SchematicID = schematic
		out[factory] = "runtime.ImageFactorySchematicController"
	}

	return out
}

// CustomizationResource is the resource of one CRI fragment.
func CustomizationResource(c Customization) resource.Resource {
	res := cri.NewCustomizationConfig(c.Name)
	res.TypedSpec().Content = c.Content

	return res
}

// CustomizationTypes are the resource types of CRI fragments.
func CustomizationTypes() []resource.Type { return []resource.Type{cri.CustomizationConfigType} }
