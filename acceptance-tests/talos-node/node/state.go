package node

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/cosi-project/runtime/pkg/state/registry"
	"github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/cri"
	"github.com/siderolabs/talos/pkg/machinery/resources/etcd"
	"github.com/siderolabs/talos/pkg/machinery/resources/files"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/kubespan"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/perf"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"

	"talos-node/release"
)

// definitions is the namespace "meta", which is the same on every node of a minor and shared by all of them: a thousand
// nodes need no thousand copies of some 200 resource definitions.
var definitions = sync.OnceValues(func() (state.CoreState, error) {
	core := inmem.NewState(meta.NamespaceName)
	st := state.WrapCore(namespaced.NewState(func(ns string) state.CoreState {
		if ns == meta.NamespaceName {
			return core
		}

		return inmem.NewState(ns)
	}))

	ctx := context.Background()
	namespaces := registry.NewNamespaceRegistry(st)
	types := registry.NewResourceRegistry(st)

	if err := namespaces.RegisterDefault(ctx); err != nil {
		return nil, err
	}

	if err := types.RegisterDefault(ctx); err != nil {
		return nil, err
	}

	for _, name := range append([]resource.Namespace{
		v1alpha1.NamespaceName, cluster.NamespaceName, cluster.RawNamespaceName, config.NamespaceName,
		etcd.NamespaceName, files.NamespaceName, hardware.NamespaceName, k8s.NamespaceName,
		k8s.ControlPlaneNamespaceName, kubespan.NamespaceName, network.NamespaceName, network.ConfigNamespaceName,
		cri.NamespaceName, secrets.NamespaceName, perf.NamespaceName,
	}, release.MoreNamespaces()...) {
		if err := namespaces.Register(ctx, name, ""); err != nil {
			return nil, err
		}
	}

	for _, t := range release.ResourceTypes() {
		if err := types.Register(ctx, t); err != nil {
			return nil, err
		}
	}

	return core, nil
})

// newState is the resource state of one boot of one node, with Talos's own history sizes.
func newState() (state.State, error) {
	core, err := definitions()
	if err != nil {
		return nil, fmt.Errorf("register resource types: %w", err)
	}

	return state.WrapCore(namespaced.NewState(func(ns string) state.CoreState {
		if ns == meta.NamespaceName {
			return core
		}

		return inmem.NewStateWithOptions(
			inmem.WithHistoryInitialCapacity(8),
			inmem.WithHistoryMaxCapacity(1024),
			inmem.WithHistoryGap(4),
		)(ns)
	})), nil
}

// put creates a resource or changes it; one that is equal is left alone, as a controller's Modify does.
func (m *Machine) put(res resource.Resource, owner string) resource.Resource {
	ctx := context.Background()

	old, err := m.state.Get(ctx, res.Metadata())
	if state.IsNotFoundError(err) {
		must(m.state.Create(ctx, res, state.WithCreateOwner(owner)))
	} else {
		must(err)

		if !reflect.DeepEqual(old.Spec(), res.Spec()) || !reflect.DeepEqual(
			old.Metadata().Annotations().Raw(), res.Metadata().Annotations().Raw()) {
			annotations := res.Metadata().Annotations().Raw()
			*res.Metadata() = old.Metadata().Copy()

			for key := range old.Metadata().Annotations().Raw() {
				res.Metadata().Annotations().Delete(key)
			}

			for key, value := range annotations {
				res.Metadata().Annotations().Set(key, value)
			}

			must(m.state.Update(ctx, res, state.WithUpdateOwner(owner)))
		}
	}

	now, err := m.state.Get(ctx, res.Metadata())
	must(err)

	return now
}

// drop removes what is not in keep from a type.
func (m *Machine) drop(ns resource.Namespace, kind resource.Type, owner string, keep map[string]bool) {
	ctx := context.Background()

	list, err := m.state.List(ctx, resource.NewMetadata(ns, kind, "", resource.VersionUndefined))
	must(err)

	for _, res := range list.Items {
		if !keep[res.Metadata().ID()] {
			must(m.state.Destroy(ctx, res.Metadata(), state.WithDestroyOwner(owner)))
		}
	}
}

// must stops the program: an in-memory state that refuses its own controllers is a bug here, not a fault to play.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
