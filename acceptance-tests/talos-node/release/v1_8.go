//go:build upto_1_8

package release

// What the release 1.8.0 of Talos says of itself and ships.
const (
	Minor  = 8
	Tag    = "v1.8.0"
	Kernel = "6.6.52-talos"

	driverLTS        = "535.183.06"
	driverProduction = "550.90.07"
	toolkit          = "v1.16.1"
)
