// Package node is one Talos machine: its configuration, its kernel, its files, its services and its resources, and
// what Talos's controllers make of them. It knows nothing of gRPC servers, of who calls or of faults.
//
// Controllers run synchronously: when a call that changes something returns, everything that follows from it has
// happened. Tests so need no sleeps. Talos itself takes up to some seconds.
package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/google/uuid"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"talos-node/release"
	"talos-node/script"
)

// Machine is one node.
type Machine struct {
	Name     string
	Hostname string

	// BusyMu is what one ApplyConfiguration holds, where the minor has the mutex.
	BusyMu sync.Mutex

	mu    sync.Mutex
	spec  script.Node
	tag   string
	dir   string
	begun time.Time

	initial     []byte
	persisted   []byte
	state       state.State
	bootCtx     context.Context
	endBoot     context.CancelFunc
	bootID      string
	boots       int
	uuid        string
	up          bool
	maintenance bool
	leaveAfter  int
	rebootedBy  bool
	pending     *script.Reboot
	comeBack    script.Reboot
	refused     int
	bootingLeft int
	// failing: a controller of the last round failed, so it is tried again at the next call.
	failing bool

	rollback   *time.Timer
	rollbackTo config.Provider

	kernel   kernelState
	written  map[string]string
	services map[string]*service
	stage    runtime.MachineStage
	failed   string
	cri      criState
	logs     logs
	calls    map[string]int
	events   events

	// OnDown is told when the machine stops answering, and OnExec what program it comes back as.
	OnDown func()
	OnExec func(path string)
	// OnBoot is told of every boot.
	OnBoot func(bootID string)
}

// New makes a machine that is still off.
func New(spec script.Node, dir string, initial []byte) (*Machine, error) {
	m := &Machine{
		Name: spec.Name, Hostname: spec.Hostname, spec: spec, dir: dir, initial: initial,
		tag: release.Tag, calls: map[string]int{}, written: map[string]string{},
		OnDown: func() {}, OnExec: func(string) {}, OnBoot: func(string) {},
	}

	if m.Hostname == "" {
		m.Hostname = hostnameOf(spec.Name)
	}

	if spec.Version != "" {
		m.tag = spec.Version
	}

	m.uuid = spec.UUID
	if m.uuid == "" {
		m.uuid = uuid.NewSHA1(uuid.NameSpaceDNS, []byte(spec.Name)).String()
	}

	m.comeBack = spec.Reboot

	kept, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	switch {
	case err == nil:
		m.persisted = kept
	case os.IsNotExist(err):
		m.persisted = initial
		m.maintenance = spec.Maintenance != nil && spec.Maintenance.On
	default:
		return nil, err
	}

	if m.maintenance {
		m.leaveAfter = spec.Maintenance.UntilCall
	}

	if kept, err := os.ReadFile(filepath.Join(dir, "uuid")); err == nil && spec.UUID == "" {
		m.uuid = string(kept)
	}

	return m, m.boot()
}

// Context ends with the current boot: calls that are under way are cut off by a reboot.
func (m *Machine) Context() context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.bootCtx
}

// State is the resource state of the current boot.
func (m *Machine) State() state.State {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.state
}

// boot starts the machine from its disk.
func (m *Machine) boot() error {
	st, err := newState()
	if err != nil {
		return err
	}

	if m.endBoot != nil {
		m.endBoot()
	}

	m.bootCtx, m.endBoot = context.WithCancel(context.Background())
	m.state = st
	m.bootID = uuid.NewString()
	m.boots++
	m.begun = time.Now()
	m.up, m.refused, m.rebootedBy, m.pending, m.failed = true, 0, false, nil, ""
	m.stopRollback()
	m.kernel = newKernelState(m.spec.Sysctls)
	m.cri = criState{}
	m.written = map[string]string{}
	m.logs.reset()
	m.events.reset()
	m.services = map[string]*service{}
	m.stage = runtime.MachineStageBooting

	m.logs.kernel("Linux version %s (talos@buildkitsandbox)", release.Kernel)

	if m.maintenance {
		m.stage = runtime.MachineStageMaintenance
		m.bootResources()
		m.reconcile()
		m.OnBoot(m.bootID)

		return nil
	}

	// Bytes that the running minor cannot read leave the real node without a configuration; here it is an error of
	// the test's setup.
	cfg, err := parseShared(m.persisted)
	if err != nil {
		return fmt.Errorf("node %s: its configuration cannot be read by Talos %s: %w", m.Name, release.Tag, err)
	}

	m.logs.kernel("[talos] phase config (1/1): done")
	m.bootResources()
	m.setConfig(activeID, cfg)
	m.startOwnServices()
	m.reconcile()
	m.writeUserFiles(cfg)
	m.reconcile()
	m.scanPCI()
	m.OnBoot(m.bootID)

	return nil
}

// parsed are configurations by their digest: a thousand nodes that begin with one text share what Talos made of it.
var parsed sync.Map

func parseShared(data []byte) (config.Provider, error) {
	key := digest(data)
	if cfg, ok := parsed.Load(key); ok {
		return cfg.(config.Provider), nil
	}

	cfg, err := configloader.NewFromBytes(data)
	if err == nil {
		parsed.Store(key, cfg)
	}

	return cfg, err
}

// persist writes the configuration to the disk.
func (m *Machine) persist(data []byte) {
	m.persisted = data

	if m.dir == "" {
		return
	}

	must(os.MkdirAll(m.dir, 0o755))
	// The rename keeps a killed node's disk whole: a real one has a filesystem that does.
	path := filepath.Join(m.dir, "config.yaml")
	must(os.WriteFile(path+".new", data, 0o600))
	must(os.Rename(path+".new", path))
}

// active is the running configuration, nil in maintenance mode.
func (m *Machine) active() config.Provider {
	res, err := getConfig(m.state, activeID)
	if err != nil {
		return nil
	}

	return res.Provider()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)

	return hex.EncodeToString(sum[:])
}

func hostnameOf(name string) string {
	out := []byte("talos-" + name)
	for i, c := range out {
		if c == '.' || c == ':' {
			out[i] = '-'
		}
	}

	return string(out)
}
