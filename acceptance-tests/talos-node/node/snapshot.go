package node

import (
	"maps"
	"strings"
)

// Snapshot is what the control side tells of a machine.
type Snapshot struct {
	Name              string            `json:"name"`
	Hostname          string            `json:"hostname"`
	Up                bool              `json:"up"`
	Maintenance       bool              `json:"maintenance"`
	Stage             string            `json:"stage"`
	Ready             bool              `json:"ready"`
	Version           string            `json:"version"`
	UUID              string            `json:"uuid"`
	BootID            string            `json:"boot_id"`
	Boots             int               `json:"boots"`
	BootFailure       string            `json:"boot_failure"`
	ActiveVersion     string            `json:"active_version"`
	PersistentVersion string            `json:"persistent_version"`
	ActiveSHA256      string            `json:"active_sha256"`
	PersistedSHA256   string            `json:"persisted_sha256"`
	TryPending        bool              `json:"try_pending"`
	Modules           map[string]string `json:"modules"`
	Sysctls           map[string]string `json:"sysctls"`
	Services          map[string]string `json:"services"`
	Calls             map[string]int    `json:"calls"`
	Held              []string          `json:"held"`
}

// Snapshot tells the machine's state at this moment.
func (m *Machine) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()

	s := Snapshot{
		Name: m.Name, Hostname: m.Hostname, Up: m.up, Maintenance: m.maintenance, Stage: m.stage.String(),
		Ready: m.events.ready, Version: m.tag, UUID: m.uuid, BootID: m.bootID, Boots: m.boots, BootFailure: m.failed,
		PersistedSHA256: digest(m.persisted), TryPending: m.rollback != nil,
		Modules: map[string]string{}, Sysctls: map[string]string{}, Services: map[string]string{},
		Calls: maps.Clone(m.calls), Held: []string{},
	}

	if res, err := getConfig(m.state, activeID); err == nil {
		s.ActiveVersion = res.Metadata().Version().String()

		data, err := res.Provider().Bytes()
		must(err)

		s.ActiveSHA256 = digest(data)
	}

	if res, err := getConfig(m.state, persistentID); err == nil {
		s.PersistentVersion = res.Metadata().Version().String()
	}

	for name, running := range m.kernel.modules {
		s.Modules[name] = running.state
	}

	for path, value := range m.kernel.values {
		if key, ok := strings.CutPrefix(path, "/proc/sys/"); ok {
			s.Sysctls[strings.ReplaceAll(key, "/", ".")] = value
		}
	}

	for id, service := range m.services {
		s.Services[id] = service.state()
	}

	return s
}

// Tag is the version that the machine says it runs.
func (m *Machine) Tag() string {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.tag
}

// HasConfig tells whether there is a running configuration with a machine in it.
func (m *Machine) HasConfig() bool {
	m.mu.Lock()
	defer m.mu.Unlock()

	cfg := m.active()

	return cfg != nil && cfg.Machine() != nil
}
