//go:build upto_1_13 && !upto_1_12

package release

// What the release 1.13.9 of Talos says of itself and ships.
const (
	Minor  = 13
	Tag    = "v1.13.9"
	Kernel = "6.18.44-talos"

	driverLTS        = "580.178.04"
	driverProduction = "595.91.07"
	toolkit          = "v1.19.1"
)
