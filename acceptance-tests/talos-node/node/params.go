package node

import (
	"maps"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"talos-node/release"
)

const (
	paramSpecController   = "runtime.KernelParamSpecController"
	paramConfigController = "runtime.KernelParamConfigController"
	paramDefaults         = "runtime.KernelParamDefaultsController"
)

// reconcileParams is what Talos makes of sysctls and sysfs settings.
func (m *Machine) reconcileParams(cfg config.Provider) {
	wanted := map[string]string{}

	if cfg != nil {
		for key, value := range release.Sysctls(cfg) {
			wanted[release.ParamID(key)] = value
		}

		for key, value := range release.Sysfs(cfg) {
			wanted["sys."+key] = value
		}
	}

	keep := map[string]bool{}

	for id, value := range wanted {
		spec := runtime.NewKernelParamSpec(runtime.NamespaceName, id)
		spec.TypedSpec().Value = value
		m.put(spec, paramConfigController)
		keep[id] = true
	}

	m.drop(runtime.NamespaceName, runtime.KernelParamSpecType, paramConfigController, keep)

	m.kernel.unsettled = !maps.Equal(m.kernel.wanted, wanted)
	m.kernel.wanted = wanted
	m.writeParams(wanted)
}

// writeParams writes the configured values, then every default that no configured value has the same id as. Two ways
// to write one key are two ids, so a default can win over a key with slashes: that is how Talos behaves.
func (m *Machine) writeParams(wanted map[string]string) {
	touched := map[string]bool{}

	var failures *multierror.Error

	write := func(id, value string) {
		if err := m.writeParam(id, value); err != nil {
			failures = multierror.Append(failures, err)
		} else {
			touched[id] = true
		}
	}

	for _, id := range sorted(wanted) {
		write(id, wanted[id])
	}

	for _, id := range sorted(defaultParams) {
		if !touched[id] {
			write(id, defaultParams[id])
		}
	}

	for _, id := range sorted(m.kernel.written) {
		if !touched[id] {
			m.resetParam(id)
		}
	}

	if err := failures.ErrorOrNil(); err != nil {
		m.failing = true
		m.logs.failed(paramSpecController, err)
	} else {
		m.logs.worked(paramSpecController)
	}
}

func (m *Machine) writeParam(id, value string) error {
	if _, known := m.kernel.prior[id]; !known {
		if prior, ok := m.kernel.value(pathOf(id)); ok {
			m.kernel.prior[id] = prior
		}
	}

	// A value that is already what the controller wrote last is written again in Talos only when something about the
	// settings changes; a change behind its back so stays until then.
	if m.kernel.written[id] != value || m.kernel.unsettled {
		if err := m.kernel.write(id, value); err != nil {
			return err
		}
	}

	m.kernel.written[id] = value

	status := runtime.NewKernelParamStatus(runtime.NamespaceName, id)
	status.TypedSpec().Current = value
	status.TypedSpec().Default = strings.TrimSpace(m.kernel.prior[id])
	m.put(status, paramSpecController)

	return nil
}

func (m *Machine) resetParam(id string) {
	if prior, ok := m.kernel.prior[id]; ok {
		m.kernel.values[pathOf(id)] = prior
	}

	delete(m.kernel.prior, id)
	delete(m.kernel.written, id)
	m.drop(runtime.NamespaceName, runtime.KernelParamStatusType, paramSpecController, setOf(sorted(m.kernel.written)))
}

func setOf(ids []string) map[string]bool {
	out := map[string]bool{}
	for _, id := range ids {
		out[id] = true
	}

	return out
}

// putDefaultParams writes the defaults once a boot.
func (m *Machine) putDefaultParams() {
	for _, id := range sorted(defaultParams) {
		spec := runtime.NewKernelParamDefaultSpec(runtime.NamespaceName, id)
		spec.TypedSpec().Value = defaultParams[id]
		m.put(spec, paramDefaults)
	}
}

// defaultParams are the settings that Talos makes by itself: hardening and what Kubernetes wants.
var defaultParams = func() map[string]string {
	out := map[string]string{
		"proc.sys.kernel.kptr_restrict":                "1",
		"proc.sys.kernel.dmesg_restrict":               "1",
		"proc.sys.kernel.perf_event_paranoid":          "3",
		"proc.sys.kernel.yama.ptrace_scope":            "1",
		"proc.sys.user.max_user_namespaces":            "0",
		"proc.sys.kernel.unprivileged_bpf_disabled":    "1",
		"proc.sys.net.core.bpf_jit_harden":             "2",
		"proc.sys.net.ipv4.ip_forward":                 "1",
		"proc.sys.net.bridge.bridge-nf-call-iptables":  "1",
		"proc.sys.net.bridge.bridge-nf-call-ip6tables": "1",
		"proc.sys.net.ipv6.conf.default.forwarding":    "1",
		"proc.sys.net.ipv6.conf.default.accept_ra":     "2",
		"proc.sys.net.ipv4.tcp_keepalive_time":         "600",
		"proc.sys.net.ipv4.tcp_keepalive_intvl":        "60",
		"proc.sys.kernel.panic":                        "10",
		"proc.sys.kernel.pid_max":                      "262144",
		"proc.sys.vm.overcommit_memory":                "1",
		"proc.sys.fs.inotify.max_user_instances":       "8192",
		"proc.sys.fs.aio-max-nr":                       "1048576",
	}

	if release.Minor >= 12 {
		for id, value := range map[string]string{
			"proc.sys.dev.tty.ldisc_autoload":                     "0",
			"proc.sys.dev.tty.legacy_tiocsti":                     "0",
			"proc.sys.fs.protected_symlinks":                      "1",
			"proc.sys.fs.protected_hardlinks":                     "1",
			"proc.sys.fs.protected_fifos":                         "2",
			"proc.sys.fs.protected_regular":                       "2",
			"proc.sys.fs.suid_dumpable":                           "0",
			"proc.sys.kernel.kptr_restrict":                       "2",
			"proc.sys.kernel.randomize_va_space":                  "2",
			"proc.sys.kernel.yama.ptrace_scope":                   "2",
			"proc.sys.vm.unprivileged_userfaultfd":                "0",
			"proc.sys.net.ipv4.icmp_ignore_bogus_error_responses": "1",
			"proc.sys.net.ipv4.icmp_echo_ignore_broadcasts":       "1",
			"proc.sys.net.ipv4.ip_local_reserved_ports":           "50000,50001",
		} {
			out[id] = value
		}
	}

	if release.Minor >= 13 {
		out["proc.sys.kernel.ctrl-alt-del"] = "0"
	}

	if release.Minor >= 14 {
		out["proc.sys.net.ipv4.conf.all.send_redirects"] = "0"
		out["proc.sys.net.ipv4.conf.default.send_redirects"] = "0"
	}

	return out
}()
