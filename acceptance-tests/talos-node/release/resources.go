package release

import "github.com/cosi-project/runtime/pkg/resource/meta"

// resourceTypes are all the types that this minor registers: what is not among them is "not supported" to a client.
// The files resources_*.go fill it, one file for each span of minors.
var resourceTypes []meta.ResourceWithRD

// ResourceTypes are the resource types of this minor.
func ResourceTypes() []meta.ResourceWithRD { return resourceTypes }
