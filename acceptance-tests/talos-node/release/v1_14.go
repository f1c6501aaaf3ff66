//go:build !upto_1_13

package release

// What the release 1.14.1 of Talos says of itself and ships.
const (
	Minor  = 14
	Tag    = "v1.14.1"
	Kernel = "6.18.48-talos"

	driverLTS        = "580.178.04"
	driverProduction = "595.91.07"
	toolkit          = "v1.19.1"
)
