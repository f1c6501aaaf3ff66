//go:build !upto_1_13

package release

import (
	"context"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
)

// Validate is what a client can check of a configuration.
func Validate(cfg config.Provider, mode validation.RuntimeMode) ([]string, error) {
	return cfg.ValidateAsClient(mode)
}

// ValidateOnNode is what the node checks before it takes a configuration.
func ValidateOnNode(ctx context.Context, cfg config.Provider, st state.State) ([]string, error) {
	return cfg.ValidateAtRuntime(ctx, st, Metal{})
}
