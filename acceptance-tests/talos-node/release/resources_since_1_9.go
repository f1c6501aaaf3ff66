//go:build !upto_1_8

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/resources/cri"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

func init() {
	resourceTypes = append(resourceTypes,
		&cri.ImageCacheConfig{},
		&cri.RegistriesConfig{},
		&k8s.AuthorizationConfig{},
		&network.NodeAddressSortAlgorithm{},
	)
}
