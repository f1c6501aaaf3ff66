//go:build !upto_1_13

package release

import (
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/resources/containers"
	"github.com/siderolabs/talos/pkg/machinery/resources/security"
	"github.com/siderolabs/talos/pkg/machinery/resources/storage"
)

// MoreNamespaces are those that not every minor has.
func MoreNamespaces() []resource.Namespace {
	return []resource.Namespace{containers.NamespaceName, security.NamespaceName, storage.NamespaceName}
}
