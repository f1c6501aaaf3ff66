//go:build upto_1_10 && !upto_1_9

package release

// What the release 1.10.0 of Talos says of itself and ships.
const (
	Minor  = 10
	Tag    = "v1.10.0"
	Kernel = "6.12.25-talos"

	driverLTS        = "535.230.02"
	driverProduction = "570.124.06"
	toolkit          = "v1.17.5"
)
