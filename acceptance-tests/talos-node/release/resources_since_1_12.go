//go:build !upto_1_11

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

func init() {
	resourceTypes = append(resourceTypes,
		&network.LinkAliasSpec{},
		&network.PlatformConfig{},
		&runtime.OOMAction{},
	)
}
