package api

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"talos-node/node"
	"talos-node/pki"
	"talos-node/script"
)

// Front is all machines of the process and what is played on them.
type Front struct {
	Log *Log
	PKI *pki.PKI
	// Exec replaces the process, Kill ends it.
	Exec func(path string)
	Kill func()

	mu        sync.Mutex
	machines  map[string]*node.Machine
	names     []string
	specs     map[string]script.Node
	faults    []*script.Fault
	held      map[string]*hold
	endpoints []*Endpoint
	paused    atomic.Bool
}

// hold is where held calls of one node wait.
type hold struct {
	calls   []string
	release chan struct{}
}

// NewFront makes an empty front.
func NewFront(log *Log, secrets *pki.PKI) *Front {
	return &Front{
		Log: log, PKI: secrets, machines: map[string]*node.Machine{}, specs: map[string]script.Node{},
		held: map[string]*hold{}, Exec: func(string) {}, Kill: func() {},
	}
}

// Add makes a machine known, with the faults of its script.
func (f *Front) Add(m *node.Machine, spec script.Node) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.machines[m.Name] == nil {
		f.names = append(f.names, m.Name)
	}

	f.machines[m.Name] = m
	f.specs[m.Name] = spec

	// The callbacks run with the machine's lock held: they may not ask the machine anything.
	m.OnDown = func() { f.down(m) }
	m.OnExec = func(path string) { f.Exec(path) }
	m.OnBoot = func(id string) { f.Log.Add(Entry{Event: "boot", Node: m.Name, Detail: id}) }

	for i := range spec.Faults {
		fault := spec.Faults[i]
		fault.Node = m.Name
		f.faults = append(f.faults, &fault)
	}
}

// AddFault adds a fault whose calls are counted from now on.
func (f *Front) AddFault(fault script.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.faults = append(f.faults, &fault)
}

// Find is the machine of an address or a hostname, nil when there is none.
func (f *Front) Find(name string) *node.Machine {
	f.mu.Lock()
	defer f.mu.Unlock()

	if m := f.machines[name]; m != nil {
		return m
	}

	for _, m := range f.machines {
		if m.Hostname == name {
			return m
		}
	}

	return nil
}

// Names are the machines in the order of the script.
func (f *Front) Names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()

	return append([]string(nil), f.names...)
}

func (f *Front) forwards(m *node.Machine) bool {
	f.mu.Lock()
	spec := f.specs[m.Name]
	f.mu.Unlock()

	if spec.Forwards != nil {
		return *spec.Forwards
	}

	return spec.Type != "worker"
}

func (f *Front) down(m *node.Machine) {
	f.mu.Lock()
	endpoints := append([]*Endpoint(nil), f.endpoints...)
	f.mu.Unlock()

	for _, e := range endpoints {
		if e.machine == m {
			e.renew()
		}
	}
}

// fire counts the call on every fault that matches and returns those whose turn it is.
func (f *Front) fire(name, method, resource string) []*script.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()

	var out []*script.Fault

	for _, fault := range f.faults {
		if fault.Matches(name, method, resource) && fault.Fires() {
			out = append(out, fault)
		}
	}

	return out
}

// Pause stops accepting for good: connections wait in the backlog for the next program that has the sockets.
func (f *Front) Pause() {
	f.paused.Store(true)

	f.mu.Lock()
	defer f.mu.Unlock()

	for _, e := range f.endpoints {
		if tcp, ok := e.listener.(*net.TCPListener); ok {
			_ = tcp.SetDeadline(time.Now()) // It wakes Accept; a socket that is closed already needs no waking.
		}
	}
}

// wait holds a call until Release or until its client gives up.
func (f *Front) wait(ctx context.Context, name, call string) error {
	f.mu.Lock()

	h := f.held[name]
	if h == nil {
		h = &hold{release: make(chan struct{})}
		f.held[name] = h
	}

	h.calls = append(h.calls, call)
	f.mu.Unlock()

	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-h.release:
		return nil
	}
}

// Held are the calls of a node that wait.
func (f *Front) Held(name string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()

	if h := f.held[name]; h != nil {
		return append([]string{}, h.calls...)
	}

	return []string{}
}

// Release lets the held calls of a node go, and says how many there were.
func (f *Front) Release(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()

	h := f.held[name]
	if h == nil {
		return 0
	}

	delete(f.held, name)
	close(h.release)

	return len(h.calls)
}
