//go:build upto_1_13 && !upto_1_8

package release

import (
	"context"
	"slices"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
)

// Validate is what a client can check of a configuration.
func Validate(cfg config.Provider, mode validation.RuntimeMode) ([]string, error) {
	return cfg.Validate(mode)
}

// ValidateOnNode is what the node checks before it takes a configuration: the same, then what needs its state.
func ValidateOnNode(ctx context.Context, cfg config.Provider, st state.State) ([]string, error) {
	warnings, err := cfg.Validate(Metal{})
	if err != nil {
		return nil, err
	}

	more, err := cfg.RuntimeValidate(ctx, st, Metal{})

	return slices.Concat(warnings, more), err
}
