// Package pki makes the secrets of a test cluster with Talos's own generator: its CA, the client certificates and the
// talosconfigs that carry them. Everything is made at run time and lies in the node's own folder.
package pki

import (
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"

	"talos-node/release"
)

// NewSecrets makes the secrets of a new cluster.
func NewSecrets() (*secrets.Bundle, error) {
	contract, err := config.ParseContractFromVersion(release.Tag)
	if err != nil {
		return nil, err
	}

	return release.NewSecrets(contract)
}

// Generate makes a machine configuration as `talosctl gen config` of this minor does.
func Generate(bundle *secrets.Bundle, machineType string, comments bool) ([]byte, error) {
	contract, err := config.ParseContractFromVersion(release.Tag)
	if err != nil {
		return nil, err
	}

	kind, err := machine.ParseType(machineType)
	if err != nil {
		return nil, fmt.Errorf("machine type: %w", err)
	}

	in, err := generate.NewInput("demo", "https://127.0.0.1:6443", constants.DefaultKubernetesVersion,
		generate.WithSecretsBundle(bundle),
		generate.WithVersionContract(contract),
		generate.WithInstallDisk("/dev/sda"),
	)
	if err != nil {
		return nil, err
	}

	cfg, err := in.Config(kind)
	if err != nil {
		return nil, err
	}

	flags := encoder.CommentsDisabled
	if comments {
		flags = encoder.CommentsAll
	}

	return cfg.EncodeBytes(encoder.WithComments(flags))
}
