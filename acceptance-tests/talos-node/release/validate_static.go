//go:build upto_1_8

package release

import (
	"context"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
)

// Validate is what a client can check of a configuration.
func Validate(cfg config.Provider, mode validation.RuntimeMode) ([]string, error) {
	return cfg.Validate(mode)
}

// ValidateOnNode needs no state up to 1.8.
func ValidateOnNode(_ context.Context, cfg config.Provider, _ state.State) ([]string, error) {
	return cfg.Validate(Metal{})
}
