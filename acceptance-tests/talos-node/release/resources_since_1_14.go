//go:build !upto_1_13

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"github.com/siderolabs/talos/pkg/machinery/resources/containers"
	"github.com/siderolabs/talos/pkg/machinery/resources/cri"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/storage"
	"github.com/siderolabs/talos/pkg/machinery/resources/time"
)

func init() {
	resourceTypes = append(resourceTypes,
		&block.FSScrubSchedule{},
		&block.FSScrubStatus{},
		&block.VolumeTrimSchedule{},
		&containers.ContainerImageStatus{},
		&containers.ContainerInstanceSpec{},
		&containers.ContainerInstanceStatus{},
		&containers.ContainerLifecycle{},
		&containers.ContainerMountStatus{},
		&containers.ContainerSpec{},
		&cri.BaseRuntimeSpecConfig{},
		&cri.CustomizationConfig{},
		&hardware.CPUCore{},
		&k8s.AuthenticationConfig{},
		&k8s.EtcdEncryptionConfig{},
		&k8s.KubeletStatus{},
		&network.BGPInstanceConfig{},
		&network.BGPPeerStatus{},
		&network.StaticHost{},
		&runtime.BootID{},
		&runtime.ImageFactorySchematic{},
		&runtime.KernelModuleStatus{},
		&runtime.RebootRequest{},
		&runtime.UnattendedInstallStatus{},
		&storage.LVMLogicalVolumeSpec{},
		&storage.LVMLogicalVolumeStatus{},
		&storage.LVMPhysicalVolumeSpec{},
		&storage.LVMPhysicalVolumeStatus{},
		&storage.LVMRefreshRequest{},
		&storage.LVMValidationError{},
		&storage.LVMVolumeGroupSpec{},
		&storage.LVMVolumeGroupStatus{},
		&storage.MDArraySpec{},
		&storage.MDArrayStatus{},
		&storage.MDRefreshRequest{},
		&time.NTPStatus{},
	)
}
