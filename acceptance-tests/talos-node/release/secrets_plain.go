//go:build upto_1_13

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
)

// NewSecrets makes the secrets of a cluster as 1.6 did: that is the last contract whose key for service accounts is no
// RSA key, which takes most of the time of a start. Nothing else in the secrets has changed since.
func NewSecrets(*config.VersionContract) (*secrets.Bundle, error) {
	contract, err := config.ParseContractFromVersion("v1.6")
	if err != nil {
		return nil, err
	}

	return secrets.NewBundle(secrets.NewClock(), contract)
}
