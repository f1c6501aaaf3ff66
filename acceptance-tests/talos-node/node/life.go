package node

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"talos-node/script"
)

// Arrival is what a call or a connection meets at a machine.
type Arrival int

// What it can meet.
const (
	Answers Arrival = iota
	Dead
	InMaintenance
)

// Arrive counts one call or connection. It is where time passes for a machine: what a script puts off for a number of
// calls, and what a controller of Talos would try again after a while, moves on here.
func (m *Machine) Arrive() Arrival {
	m.mu.Lock()
	defer m.mu.Unlock()

	if m.pending != nil {
		if m.pending.Lingers > 0 {
			m.pending.Lingers--
		} else {
			m.down()
		}
	}

	if !m.up {
		if m.comeBack.Never || m.comeBack.Waits || m.refused < m.comeBack.Refuse {
			m.refused++

			return Dead
		}

		m.start()
	}

	if m.maintenance {
		if m.leaveAfter > 0 {
			m.leaveAfter--
			if m.leaveAfter == 0 {
				m.leaveMaintenance()

				return InMaintenance
			}
		}

		return InMaintenance
	}

	if m.bootingLeft > 0 {
		m.bootingLeft--
		m.failing = true
	}

	if m.failing {
		m.reconcile()
	}

	return Answers
}

// Peek tells what a call would meet, without counting one.
func (m *Machine) Peek() Arrival {
	m.mu.Lock()
	defer m.mu.Unlock()

	switch {
	case !m.up:
		return Dead
	case m.maintenance:
		return InMaintenance
	}

	return Answers
}

// Count counts a call of a method that reached the machine.
func (m *Machine) Count(method string) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.calls[method]++
}

// AskReboot lets the machine reboot when the current call is over: at the next arrival or at Settle.
func (m *Machine) askReboot() {
	how := m.spec.Reboot
	m.pending = &how
	m.stage = runtime.MachineStageRebooting
	m.publishStatus()
}

// Settle carries out a reboot that a call asked for, once that call is over.
func (m *Machine) Settle() {
	m.mu.Lock()
	defer m.mu.Unlock()

	if m.pending != nil && m.pending.Lingers == 0 {
		m.down()
	}
}

// Reboot takes the machine down now. Nil is the way that the node's script says.
func (m *Machine) Reboot(how *script.Reboot) {
	m.mu.Lock()
	defer m.mu.Unlock()

	if how == nil {
		how = &m.spec.Reboot
	}

	own := *how
	m.pending = &own
	m.down()
}

// Stop takes the machine down until Start.
func (m *Machine) Stop() { m.Reboot(&script.Reboot{Waits: true}) }

// Start boots a machine that is down.
func (m *Machine) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()

	if !m.up {
		m.start()
	}
}

func (m *Machine) down() {
	m.comeBack = *m.pending
	m.pending = nil
	m.up, m.refused = false, 0
	m.endBoot()
	m.stopRollback()

	if m.comeBack.UUID != "" {
		m.setUUID(m.comeBack.UUID)
	}

	m.OnDown()

	if m.comeBack.Exec != "" {
		m.OnExec(m.comeBack.Exec)
	}

	if !m.comeBack.Never && !m.comeBack.Waits && m.comeBack.Refuse == 0 {
		m.start()
	}
}

func (m *Machine) start() {
	m.bootingLeft = m.comeBack.BootingCalls
	m.comeBack = m.spec.Reboot
	must(m.boot())
}

// Maintenance puts the machine into maintenance mode, or out of it with the configuration on its disk.
func (m *Machine) Maintenance(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()

	if on {
		m.maintenance, m.leaveAfter = true, 0
		m.OnDown()
		must(m.boot())
	} else if m.maintenance {
		m.leaveMaintenance()
	}
}

func (m *Machine) leaveMaintenance() {
	m.maintenance, m.leaveAfter = false, 0
	m.OnDown()
	must(m.boot())
}

// SetUUID makes it another machine.
func (m *Machine) SetUUID(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.setUUID(id)
	m.systemInformation()
}

func (m *Machine) setUUID(id string) {
	m.uuid = id

	if m.dir != "" {
		must(os.MkdirAll(m.dir, 0o755))
		must(os.WriteFile(filepath.Join(m.dir, "uuid"), []byte(id), 0o600))
	}
}

// Rollback lets the timer of a tried configuration fire now. It says whether one was pending.
func (m *Machine) Rollback() bool {
	m.mu.Lock()
	defer m.mu.Unlock()

	if m.rollback == nil {
		return false
	}

	m.fireRollback()

	return true
}

// Write is somebody else's write: parsed, not validated.
func (m *Machine) Write(data []byte, mode string) error {
	cfg, err := configloader.NewFromBytes(data)
	if err != nil {
		return err
	}

	m.mu.Lock()
	defer m.mu.Unlock()

	if m.maintenance || !m.up {
		m.persist(data)

		return nil
	}

	switch mode {
	case "", "active":
		m.stopRollback()
		m.setPersisted(cfg)
		m.setConfig(activeID, cfg)
	case "staged":
		m.stopRollback()
		m.setPersisted(cfg)
	case "try":
		m.armRollback(tryTimeout)
		m.setConfig(activeID, cfg)
	default:
		return fmt.Errorf("mode is active, staged or try, not %q", mode)
	}

	m.reconcile()

	return nil
}

// ConfigBytes are the running or the persisted bytes.
func (m *Machine) ConfigBytes(id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	if id == "persistent" {
		return m.persisted, nil
	}

	cfg := m.active()
	if cfg == nil {
		return nil, fmt.Errorf("no active configuration")
	}

	return cfg.Bytes()
}

// Respecify changes what the script says of a machine that runs. Its configuration stays.
func (m *Machine) Respecify(spec script.Node) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.spec = spec

	for _, s := range m.services {
		if s.scripted {
			s.scripted = false
		}
	}

	if spec.UUID != "" {
		m.setUUID(spec.UUID)
		m.systemInformation()
	}

	if spec.Version != "" {
		m.tag = spec.Version
	}

	m.reconcile()
}
