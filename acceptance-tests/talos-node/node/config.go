package node

import (
	"context"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/config"
	resconfig "github.com/siderolabs/talos/pkg/machinery/resources/config"

	"talos-node/release"
)

const (
	activeID     = "v1alpha1"
	persistentID = "persistent"
	tryTimeout   = time.Minute
)

func getConfig(st state.State, id string) (*resconfig.MachineConfig, error) {
	return safe.StateGet[*resconfig.MachineConfig](context.Background(), st,
		resource.NewMetadata(resconfig.NamespaceName, resconfig.MachineConfigType, id, resource.VersionUndefined))
}

// setConfig writes a configuration resource. Identical bytes are a new version too, as in Talos.
func (m *Machine) setConfig(id string, cfg config.Provider) {
	ctx := context.Background()
	res := resconfig.NewMachineConfigWithID(cfg, id)

	old, err := m.state.Get(ctx, res.Metadata())
	if state.IsNotFoundError(err) {
		must(m.state.Create(ctx, res))

		return
	}

	must(err)
	res.Metadata().SetVersion(old.Metadata().Version())
	must(m.state.Update(ctx, res))
}

// setPersisted writes the configuration to the disk, and shows it as a resource where the minor has one.
func (m *Machine) setPersisted(cfg config.Provider) {
	data, err := cfg.Bytes()
	must(err)
	m.persist(data)

	if release.HasPersistent {
		m.setConfig(persistentID, cfg)
	}
}

// armRollback starts the timer of a tried configuration. A second try takes the first tried configuration as what it
// goes back to.
func (m *Machine) armRollback(after time.Duration) {
	m.stopRollback()
	m.rollbackTo = m.active()

	var timer *time.Timer

	timer = time.AfterFunc(after, func() {
		m.mu.Lock()
		defer m.mu.Unlock()

		if m.rollback == timer {
			m.fireRollback()
		}
	})
	m.rollback = timer
}

func (m *Machine) fireRollback() {
	m.logs.kernel("[talos] rolling back the configuration")
	back := m.rollbackTo
	m.stopRollback()
	m.setConfig(activeID, back)
	m.reconcile()
}

func (m *Machine) stopRollback() {
	if m.rollback != nil {
		m.rollback.Stop()
	}

	m.rollback, m.rollbackTo = nil, nil
}
