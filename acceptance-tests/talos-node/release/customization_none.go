//go:build upto_1_13

package release

import "github.com/cosi-project/runtime/pkg/resource"

// CustomizationResource has no type up to 1.13.
func CustomizationResource(Customization) resource.Resource { return nil }

// CustomizationTypes are none.
func CustomizationTypes() []resource.Type { return nil }
