//go:build !upto_1_9

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

func init() {
	resourceTypes = append(resourceTypes,
		&block.MountRequest{},
		&block.MountStatus{},
		&block.Symlink{},
		&block.VolumeMountRequest{},
		&block.VolumeMountStatus{},
		&hardware.PCIDriverRebindConfig{},
		&hardware.PCIDriverRebindStatus{},
		&hardware.PCRStatus{},
		&network.EthernetSpec{},
		&network.EthernetStatus{},
		&runtime.Version{},
	)
}
