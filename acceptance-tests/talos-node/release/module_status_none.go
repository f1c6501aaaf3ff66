//go:build upto_1_10

package release

import "github.com/cosi-project/runtime/pkg/resource"

// LoadedOwner has no controller up to 1.10.
const LoadedOwner = ""

// LoadedModule has no resource up to 1.10: /proc/modules is all there is.
func LoadedModule(LoadedModuleInfo) []resource.Resource { return nil }

// LoadedModuleTypes are none.
func LoadedModuleTypes() []resource.Type { return nil }
