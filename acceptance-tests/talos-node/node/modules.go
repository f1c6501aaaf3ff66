package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"talos-node/release"
	"talos-node/script"
)

const moduleSpecController = "runtime.KernelModuleSpecController"

// reconcileModules is the work of three controllers of Talos: configuration to specs, specs to the kernel, kernel to
// statuses. A module that is not wanted any more keeps running: Talos never unloads.
func (m *Machine) reconcileModules(cfg config.Provider) {
	const owner = "runtime.KernelModuleConfigController"

	keep := map[string]bool{}

	if cfg != nil {
		for _, wanted := range release.Modules(cfg) {
			spec := runtime.NewKernelModuleSpec(runtime.NamespaceName, wanted.Name)
			spec.TypedSpec().Name = wanted.Name
			spec.TypedSpec().Parameters = wanted.Parameters
			m.put(spec, owner)
			keep[wanted.Name] = true
		}
	}

	m.drop(runtime.NamespaceName, runtime.KernelModuleSpecType, owner, keep)
	m.loadModules(cfg, keep)
	m.reportModules()
}

func (m *Machine) loadModules(cfg config.Provider, specs map[string]bool) {
	parameters := map[string]string{}

	if cfg != nil {
		for _, wanted := range release.Modules(cfg) {
			parameters[wanted.Name] = strings.Join(wanted.Parameters, " ")
		}
	}

	var failures error

	for _, name := range sorted(specs) {
		if err := m.load(release.ModuleFileName(name), parameters[name]); err != nil {
			failures = errors.Join(failures, fmt.Errorf("error loading module %q: %w", name, err))
		}
	}

	if failures != nil {
		m.failing = true
		m.logs.failed(moduleSpecController, failures)
	} else {
		m.logs.worked(moduleSpecController)
	}
}

// load loads a module and what it needs. Parameters reach only the module itself, and only when it is loaded now.
func (m *Machine) load(name, parameters string) error {
	scripted := m.spec.Modules[name]
	if running := m.kernel.modules[name]; running != nil {
		running.state = stateOf(scripted)

		return nil
	}

	if slices.Contains(builtin, name) || scripted.Builtin {
		return nil
	}

	if _, known := m.shipped(name); !known {
		return errors.New("module not found")
	}

	for _, needed := range append(slices.Clone(needs[name]), name) {
		if m.kernel.modules[needed] != nil {
			continue
		}

		size, known := m.shipped(needed)
		if !known {
			return errors.New("module not found")
		}

		if reason := m.refuses(needed); reason != "" {
			return fmt.Errorf("load %s failed: %s", needed, reason)
		}

		own := parameters
		if needed != name {
			own = ""
		}

		m.kernel.add(&module{name: needed, parameters: own, size: size, state: stateOf(m.spec.Modules[needed])})
		m.logs.kernel("%s: loading out-of-tree module taints kernel.", needed)
	}

	return nil
}

func stateOf(scripted script.Module) string {
	if scripted.Stays != "" {
		return scripted.Stays
	}

	return "Live"
}

// shipped tells whether the machine's image has a module's file, and its size.
func (m *Machine) shipped(name string) (int, bool) {
	scripted := m.spec.Modules[name]
	if scripted.Missing {
		return 0, false
	}

	size := 65536
	if scripted.Size != 0 {
		size = int(scripted.Size)
	}

	if known, ok := inTree[name]; ok {
		return max(known, int(scripted.Size)), true
	}

	if known, ok := ofNVIDIA[name]; ok && m.driver().kind != "" && (name != "gdrdrv" || m.driver().kind == "open") {
		if scripted.Size != 0 {
			known = size
		}

		return known, true
	}

	// Whoever scripts a module's failure wants its file to be there.
	return size, scripted.Available || scripted.Fails != "" || scripted.Stays != ""
}

// refuses is the kernel's reason not to take a module, empty when it takes it.
func (m *Machine) refuses(name string) string {
	scripted, isScripted := m.spec.Modules[name]
	if scripted.Fails != "" {
		if scripted.FailsUntil == 0 {
			return scripted.Fails
		}

		scripted.FailsUntil--
		if scripted.FailsUntil == 0 {
			delete(m.spec.Modules, name)
		} else {
			m.spec.Modules[name] = scripted
		}

		return scripted.Fails
	}

	if isScripted && scripted.Available {
		return ""
	}

	if _, ours := ofNVIDIA[name]; !ours {
		return ""
	}

	driver := m.driver()

	switch {
	case driver.talos != m.tag:
		// Modules are signed with a key that only the kernel of their own build trusts.
		return "key was rejected by service"
	case name == "nvidia" && !m.hasBindableGPU():
		return "no such device"
	case name == "nvidia_peermem":
		return "invalid argument"
	}

	return ""
}

func (m *Machine) reportModules() {
	types := release.LoadedModuleTypes()
	if len(types) == 0 {
		return
	}

	keep := map[string]bool{}

	for _, running := range m.kernel.loaded() {
		users := m.kernel.users(running.name)
		m.putLoaded(release.LoadedModuleInfo{
			Name: running.name, Size: running.size, References: len(users), Users: users,
			State: running.state, Address: running.address(),
		}, keep)
	}

	for _, name := range builtin {
		m.putLoaded(release.LoadedModuleInfo{Name: name, Builtin: true}, keep)
	}

	for name, scripted := range m.spec.Modules {
		if scripted.Builtin {
			m.putLoaded(release.LoadedModuleInfo{Name: name, Builtin: true}, keep)
		}
	}

	for _, kind := range types {
		m.drop(runtime.NamespaceName, kind, release.LoadedOwner, keep)
	}
}

func (m *Machine) putLoaded(info release.LoadedModuleInfo, keep map[resource.ID]bool) {
	for _, res := range release.LoadedModule(info) {
		m.put(res, release.LoadedOwner)
	}

	keep[info.Name] = true
}

// SetModule changes how the kernel takes a module while the machine runs.
func (m *Machine) SetModule(name string, how script.Module) {
	m.mu.Lock()
	defer m.mu.Unlock()

	name = release.ModuleFileName(name)

	if how.Unload {
		m.kernel.remove(name)
		m.reportModules()
		m.settleServices()

		return
	}

	modules := map[string]script.Module{name: how}

	for other, scripted := range m.spec.Modules {
		if other != name {
			modules[other] = scripted
		}
	}

	m.spec.Modules = modules
	m.reconcile()
}

// SetSysctl changes a value of the kernel behind Talos's back.
func (m *Machine) SetSysctl(key, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.kernel.write("proc.sys."+key, value)
}
