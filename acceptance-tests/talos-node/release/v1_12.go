//go:build upto_1_12 && !upto_1_11

package release

// What the release 1.12.0 of Talos says of itself and ships.
const (
	Minor  = 12
	Tag    = "v1.12.0"
	Kernel = "6.18.1-talos"

	driverLTS        = "580.105.08"
	driverProduction = "570.195.03"
	toolkit          = "v1.18.1"
)
