//go:build !upto_1_12

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/security"
)

func init() {
	resourceTypes = append(resourceTypes,
		&k8s.KubeletKubeconfig{},
		&network.RoutingRuleSpec{},
		&network.RoutingRuleStatus{},
		&runtime.APIServiceConfig{},
		&runtime.Environment{},
		&runtime.ServicePID{},
		&security.ImageVerificationRule{},
		&security.TUFTrustedRoot{},
	)
}
