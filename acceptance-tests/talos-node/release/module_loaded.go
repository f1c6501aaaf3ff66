//go:build !upto_1_10

package release

import (
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

func loaded(m LoadedModuleInfo) resource.Resource {
	res := runtime.NewLoadedKernelModule(runtime.NamespaceName, m.Name)
	res.TypedSpec().Size = m.Size
	res.TypedSpec().ReferenceCount = m.References
	res.TypedSpec().Dependencies = m.Users
	res.TypedSpec().State = m.State
	res.TypedSpec().Address = m.Address

	return res
}
