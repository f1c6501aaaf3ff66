//go:build upto_1_12

package release

import "strings"

// OneToManyText is why a method is not sent to many nodes, empty when it is.
func OneToManyText(method, _ string) string {
	if strings.HasPrefix(method, "/cosi.") {
		return "one-2-many proxying is not supported for COSI methods"
	}

	return ""
}
