//go:build upto_1_13 && !upto_1_9

package release

import (
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

// BootResources are what only this span of minors tells of a boot: the version.
func BootResources(_, tag, _ string) map[resource.Resource]string {
	version := runtime.NewVersion()
	version.TypedSpec().Version = tag
	SetIfPresent(version.TypedSpec(), "Name", "Talos")

	return map[resource.Resource]string{version: "runtime.VersionController"}
}
