//go:build upto_1_13 && !upto_1_12

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configdiff"
)

func diffConfigs(running, next config.Encoder) (string, error) {
	return configdiff.DiffConfigs(running, next)
}
