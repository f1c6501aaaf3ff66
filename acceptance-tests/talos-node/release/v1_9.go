//go:build upto_1_9 && !upto_1_8

package release

// What the release 1.9.5 of Talos says of itself and ships.
const (
	Minor  = 9
	Tag    = "v1.9.5"
	Kernel = "6.12.18-talos"

	driverLTS        = "535.216.03"
	driverProduction = "550.127.08"
	toolkit          = "v1.17.2"
)
