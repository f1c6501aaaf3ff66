//go:build upto_1_11 && !upto_1_10

package release

// What the release 1.11.6 of Talos says of itself and ships.
const (
	Minor  = 11
	Tag    = "v1.11.6"
	Kernel = "6.12.57-talos"

	driverLTS        = "535.247.01"
	driverProduction = "570.172.08"
	toolkit          = "v1.17.8"
)
