//go:build !upto_1_13

package release

import (
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

// LoadedOwner is the controller that writes the state of loaded modules.
const LoadedOwner = "runtime.KernelModuleStatusController"

// LoadedModule is what the node reports of a module of its kernel: both resources, the older one for dynamic modules.
func LoadedModule(m LoadedModuleInfo) []resource.Resource {
	status := runtime.NewKernelModuleStatus(runtime.NamespaceName, m.Name)
	if m.Builtin {
		status.TypedSpec().Type = runtime.KernelModuleTypeBuiltin
		status.TypedSpec().State = runtime.KernelModuleStateBuiltin

		return []resource.Resource{status}
	}

	status.TypedSpec().Type = runtime.KernelModuleTypeDynamic
	status.TypedSpec().Size = m.Size
	status.TypedSpec().ReferenceCount = m.References
	status.TypedSpec().Dependencies = m.Users
	status.TypedSpec().Address = m.Address
	status.TypedSpec().State = runtime.KernelModuleStateLive

	switch m.State {
	case "Loading":
		status.TypedSpec().State = runtime.KernelModuleStateLoading
	case "Unloading":
		status.TypedSpec().State = runtime.KernelModuleStateUnloading
	}

	return []resource.Resource{loaded(m), status}
}

// LoadedModuleTypes are the resource types that LoadedModule makes.
func LoadedModuleTypes() []resource.Type {
	return []resource.Type{runtime.LoadedKernelModuleType, runtime.KernelModuleStatusType}
}
