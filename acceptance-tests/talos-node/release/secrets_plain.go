//go:build upto_1_13

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
)

// NewSecrets makes the secrets of a cluster; up to 1.13 the generator takes no options.
func NewSecrets(contract *config.VersionContract) (*secrets.Bundle, error) {
	return secrets.NewBundle(secrets.NewClock(), contract)
}
