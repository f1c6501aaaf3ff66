//go:build upto_1_13 && !upto_1_12

package release

import (
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/resources/security"
)

// MoreNamespaces are those that not every minor has.
func MoreNamespaces() []resource.Namespace { return []resource.Namespace{security.NamespaceName} }
