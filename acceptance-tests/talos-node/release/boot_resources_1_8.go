//go:build upto_1_9

package release

import "github.com/cosi-project/runtime/pkg/resource"

// BootResources are none up to 1.9.
func BootResources(_, _, _ string) map[resource.Resource]string { return nil }
