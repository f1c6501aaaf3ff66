//go:build upto_1_12

package release

import "github.com/cosi-project/runtime/pkg/resource"

// MoreNamespaces are none up to 1.12.
func MoreNamespaces() []resource.Namespace { return nil }
