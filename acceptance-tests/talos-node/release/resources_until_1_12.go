//go:build upto_1_12

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
)

func init() {
	resourceTypes = append(resourceTypes,
		&secrets.MaintenanceServiceCerts{},
	)
}
