//go:build !upto_1_10

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
)

func init() {
	resourceTypes = append(resourceTypes,
		&block.SwapStatus{},
		&block.ZswapStatus{},
		&runtime.BootedEntry{},
		&runtime.KernelCmdline{},
		&runtime.LoadedKernelModule{},
		&runtime.SBOMItem{},
		&secrets.EncryptionSalt{},
	)
}
