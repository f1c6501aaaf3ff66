//go:build upto_1_13 && !upto_1_10

package release

import (
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

// LoadedOwner is the controller that writes the state of loaded modules.
const LoadedOwner = "runtime.LoadedKernelModuleController"

// LoadedModule is what the node reports of a dynamic module of its kernel.
func LoadedModule(m LoadedModuleInfo) []resource.Resource {
	if m.Builtin {
		return nil
	}

	return []resource.Resource{loaded(m)}
}

// LoadedModuleTypes are the resource types that LoadedModule makes.
func LoadedModuleTypes() []resource.Type { return []resource.Type{runtime.LoadedKernelModuleType} }
