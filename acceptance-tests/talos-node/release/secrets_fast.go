//go:build !upto_1_13

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
)

// NewSecrets avoids the RSA key of the service accounts, which takes most of the time of a start.
func NewSecrets(contract *config.VersionContract) (*secrets.Bundle, error) {
	return secrets.NewBundle(secrets.NewClock(), contract, secrets.WithECDSAServiceAccountKey())
}
