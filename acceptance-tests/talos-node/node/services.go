package node

import (
	"fmt"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"talos-node/release"
)

// keptEvents is how many events Talos keeps of a service.
const keptEvents = 10

// driverDir is what the NVIDIA services of the toolkit wait for.
const driverDir = "/sys/bus/pci/drivers/nvidia"

// service is one service of the machine.
type service struct {
	id      string
	events  []serviceEvent
	healthy bool
	unknown bool
	message string
	changed time.Time
	// waits are the services and files that it waits for before it runs; ends tells one that runs to its end.
	waits    []string
	ends     bool
	scripted bool
}

type serviceEvent struct {
	state, message string
	at             time.Time
}

func (s *service) state() string {
	if len(s.events) == 0 {
		return "Initialized"
	}

	return s.events[len(s.events)-1].state
}

func (s *service) say(state, format string, args ...any) {
	s.events = append(s.events, serviceEvent{state: state, message: fmt.Sprintf(format, args...), at: time.Now()})
	if len(s.events) > keptEvents {
		s.events = s.events[len(s.events)-keptEvents:]
	}
}

func (s *service) run() {
	s.say("Starting", "Starting service")
	s.say("Preparing", "Running pre state")
	s.say("Preparing", "Creating service runner")
	s.say("Running", "Started task %s (PID %d) for container %s", s.id, 1000+len(s.id), s.id)

	s.changed = time.Now()
	if !s.unknown {
		s.healthy = true
		s.say("Running", "Health check successful")
	}
}

// startOwnServices starts what Talos starts by itself, and registers what the extensions bring.
func (m *Machine) startOwnServices() {
	names := []string{"apid", "auditd", "containerd", "cri", "dashboard", "kubelet", "machined", "syslogd", "udevd"}
	if m.isControlPlane() {
		names = append(names, "etcd", "trustd")
	}

	for _, name := range names {
		s := &service{id: name, unknown: name == "dashboard"}
		m.services[name] = s

		if m.failed == "" {
			s.run()
		}
	}

	m.cri.started = true

	if !m.hasToolkit() {
		return
	}

	waits := []string{`service "udevd" to be "up"`, fmt.Sprintf("file %q to exist", driverDir)}
	if !release.HasCDI {
		waits = append([]string{`service "cri" to be "up"`}, waits...)
	}

	m.services["ext-nvidia-persistenced"] = &service{id: "ext-nvidia-persistenced", unknown: true, waits: waits}

	if release.HasCDI {
		m.services["ext-nvidia-cdi-gen"] = &service{
			id: "ext-nvidia-cdi-gen", unknown: true, ends: true,
			waits: []string{`service "ext-nvidia-persistenced" to be "up"`},
		}
	}

	for _, e := range m.extensions() {
		if strings.HasPrefix(e.Name, "nvidia-fabricmanager") {
			m.services["ext-nvidia-fabricmanager"] = &service{id: "ext-nvidia-fabricmanager", unknown: true, waits: waits}
		}
	}
}

// settleServices moves the waiting services on, then the machine's stage.
func (m *Machine) settleServices() {
	if m.failed == "" && !m.maintenance {
		for _, name := range sorted(m.services) {
			if s := m.services[name]; s.scripted || len(s.waits) == 0 {
				continue
			} else if m.mayStart(s) {
				m.startWaiting(s)
			} else if s.state() != "Waiting" && s.state() != "Running" {
				s.say("Starting", "Starting service")
				s.say("Waiting", "Waiting for %s", strings.Join(s.waits, ", "))
			}
		}

		// ext-nvidia-cdi-gen stands before ext-nvidia-persistenced in the alphabet, and behind it in time.
		if gen := m.services["ext-nvidia-cdi-gen"]; gen != nil && !gen.scripted && m.mayStart(gen) {
			m.startWaiting(gen)
		}
	}

	m.applyScriptedServices()
	m.putServices()
	m.publishStatus()
}

func (m *Machine) mayStart(s *service) bool {
	if s.ends {
		before := m.services["ext-nvidia-persistenced"]

		return before != nil && before.state() == "Running"
	}

	return m.kernel.modules["nvidia"] != nil
}

func (m *Machine) startWaiting(s *service) {
	switch s.state() {
	case "Running", "Finished", "Failed", "Stopping":
		return
	}

	if s.ends {
		s.say("Starting", "Starting service")
		s.say("Preparing", "Running pre state")
		s.say("Preparing", "Creating service runner")
		s.say("Running", "Started task %s (PID %d) for container %s", s.id, 1000+len(s.id), s.id)
		s.say("Finished", "Service finished successfully")

		return
	}

	s.run()
}

// restartCRI is what 1.14 does when the merged configuration changes.
func (m *Machine) restartCRI() {
	s := m.services["cri"]
	if s == nil {
		return
	}

	s.say("Stopping", "Sending SIGTERM to Process([\"/bin/containerd\" \"--address\" \"/run/containerd/containerd.sock\"])")
	s.say("Finished", "Service finished successfully")
	s.healthy = false
	m.putServices()
	s.run()
	m.putServices()
}

func (m *Machine) applyScriptedServices() {
	for _, want := range m.spec.Services {
		if want.Remove {
			delete(m.services, want.ID)

			continue
		}

		s := m.services[want.ID]
		if s == nil {
			s = &service{id: want.ID}
			m.services[want.ID] = s
		}

		if s.scripted {
			continue
		}

		s.scripted, s.unknown, s.healthy = true, want.Unknown, want.State == "Running"
		if want.Healthy != nil {
			s.healthy = *want.Healthy
		}

		s.message = want.Message
		s.say(want.State, "%s", want.Message)
	}
}

// putServices writes the resources: a service has one exactly while it runs.
func (m *Machine) putServices() {
	const owner = "v1alpha1.ServiceController"

	keep := map[string]bool{}

	for id, s := range m.services {
		if s.state() != "Running" {
			continue
		}

		res := v1alpha1.NewService(id)
		res.TypedSpec().Running = true
		res.TypedSpec().Healthy = s.healthy
		res.TypedSpec().Unknown = s.unknown
		m.put(res, owner)

		keep[id] = true
	}

	m.drop(v1alpha1.NamespaceName, v1alpha1.ServiceType, owner, keep)
}

// settled tells whether every service is up or has ended well, which is what the boot waits for.
func (m *Machine) settled() bool {
	for _, s := range m.services {
		switch s.state() {
		case "Finished", "Skipped":
		case "Running":
			if !s.unknown && !s.healthy {
				return false
			}
		default:
			return false
		}
	}

	return m.failed == "" && m.bootingLeft == 0
}

// ServiceList is the reply of the API.
func (m *Machine) ServiceList() []*machine.ServiceInfo {
	m.mu.Lock()
	defer m.mu.Unlock()

	var out []*machine.ServiceInfo

	for _, name := range sorted(m.services) {
		s := m.services[name]
		info := &machine.ServiceInfo{
			Id: name, State: s.state(), Events: &machine.ServiceEvents{},
			Health: &machine.ServiceHealth{
				Unknown: s.unknown, Healthy: s.healthy, LastMessage: s.message, LastChange: timestamppb.New(s.changed),
			},
		}

		for _, e := range s.events {
			info.Events.Events = append(info.Events.Events, &machine.ServiceEvent{
				Msg: e.message, State: e.state, Ts: timestamppb.New(e.at),
			})
		}

		out = append(out, info)
	}

	return out
}

// restartable are the services that the API may restart; extension services may be too.
func restartable(id string) bool {
	switch id {
	case "kubelet", "etcd", "trustd", "udevd":
		return true
	}

	return strings.HasPrefix(id, "ext-")
}

// ServiceOperation is start, stop or restart by the API; the error is the plain one of Talos's service manager.
func (m *Machine) ServiceOperation(id, operation string) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	s := m.services[id]
	if s == nil {
		return fmt.Errorf("service %q not defined", id)
	}

	running := s.state() == "Running" || s.state() == "Waiting"

	switch {
	case operation == "start" && running, operation == "stop" && !running:
		return nil
	case operation == "restart" && !running:
		operation = "start"
	}

	if !restartable(id) || (id != "kubelet" && !strings.HasPrefix(id, "ext-") && operation != "restart") {
		return fmt.Errorf("service %q doesn't support %s operation via API", id, operation)
	}

	if operation != "start" {
		s.say("Stopping", "Sending SIGTERM to task %s", id)
		s.say("Finished", "Service finished successfully")
		s.healthy = false
	}

	if operation != "stop" {
		s.scripted = true

		if len(s.waits) == 0 || m.mayStart(s) {
			s.run()
		} else {
			s.scripted = false
			s.say("Waiting", "Waiting for %s", strings.Join(s.waits, ", "))
		}
	} else {
		s.scripted = true
	}

	m.putServices()
	m.publishStatus()

	return nil
}

func (m *Machine) isControlPlane() bool {
	cfg := m.active()

	return cfg != nil && cfg.Machine() != nil && cfg.Machine().Type().IsControlPlane()
}

// publishStatus writes the machine's stage and whether it is ready. Ready says that the core services run; it can be
// true while the boot still waits for a service of an extension.
func (m *Machine) publishStatus() {
	if m.stage == runtime.MachineStageBooting && m.settled() {
		m.stage = runtime.MachineStageRunning
		m.logs.kernel("[talos] boot sequence: done")
	}

	status := runtime.NewMachineStatus()
	status.TypedSpec().Stage = m.stage
	status.TypedSpec().Status.Ready = true

	if m.stage == runtime.MachineStageBooting || m.stage == runtime.MachineStageRunning {
		var problems []string

		required := []string{"apid", "machined", "kubelet"}
		if m.isControlPlane() {
			required = append(required, "etcd", "trustd")
		}

		for _, id := range sorted(m.services) {
			if s := m.services[id]; s.state() == "Running" && !s.unknown && !s.healthy {
				problems = append(problems, id+" not healthy")
			}
		}

		for _, id := range required {
			if s := m.services[id]; s == nil || s.state() != "Running" {
				problems = append(problems, id+" not running")
			}
		}

		if len(problems) > 0 {
			status.TypedSpec().Status.Ready = false
			status.TypedSpec().Status.UnmetConditions = []runtime.UnmetCondition{
				{Name: "services", Reason: strings.Join(problems, ", ")},
			}
		}
	}

	m.put(status, "runtime.MachineStatusController")
	m.events.status(status.TypedSpec())
}
