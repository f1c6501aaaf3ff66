package node

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"talos-node/release"
)

// bootResources writes what is true for a whole boot.
func (m *Machine) bootResources() {
	m.putExtensions()
	m.systemInformation()
	m.putDefaultParams()

	security := runtime.NewSecurityStateSpec(runtime.NamespaceName)
	release.SetIfPresent(security.TypedSpec(), "BootedWithUKI", true)
	release.SetIfPresent(security.TypedSpec(), "ModuleSignatureEnforced", true)
	m.put(security, "runtime.SecurityStateController")

	for res, owner := range release.BootResources(m.bootID, m.tag, m.schematic()) {
		m.put(res, owner)
	}

	if m.maintenance {
		m.publishStatus()

		return
	}

	name := k8s.NewNodename(k8s.NamespaceName, k8s.NodenameID)
	name.TypedSpec().Nodename = m.Hostname
	name.TypedSpec().HostnameVersion = "1"
	m.put(name, "k8s.NodenameController")

	status := k8s.NewNodeStatus(k8s.NamespaceName, m.Hostname)
	status.TypedSpec().Nodename = m.Hostname
	status.TypedSpec().NodeReady = true
	status.TypedSpec().Labels = map[string]string{"kubernetes.io/hostname": m.Hostname, "kubernetes.io/os": "linux"}
	status.TypedSpec().Annotations = map[string]string{}

	for _, e := range m.extensions() {
		status.TypedSpec().Labels["extensions.talos.dev/"+e.Name] = e.Version
	}

	m.put(status, "k8s.NodeStatusController")
}

// reconcile is one round of all controllers.
func (m *Machine) reconcile() {
	m.failing = false
	cfg := m.active()
	m.reconcileModules(cfg)
	m.reconcileParams(cfg)
	m.reconcileCRI(cfg)
	m.settleServices()
}

// writeUserFiles is the boot's task of that name. Its failure leaves the machine booting for 35 minutes, with its API
// up and without its services.
func (m *Machine) writeUserFiles(cfg config.Provider) {
	if err := m.userFiles(cfg); err != nil {
		m.failed = err.Error()
		m.logs.kernel("[talos] task writeUserFiles (1/1): failed: %s", oneLine(err))
		m.logs.kernel("[talos] task writeUserFiles (1/1): writeUserFiles failed, rebooting in 35 minutes. "+
			"You can use talosctl apply-config or talosctl edit mc to fix the issues, error:\n%s", err)

		for id := range m.services {
			if id != "apid" && id != "machined" && id != "containerd" && id != "udevd" {
				delete(m.services, id)
			}
		}

		m.stage = runtime.MachineStageBooting
	}
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", " ") }

func (m *Machine) userFiles(cfg config.Provider) error {
	list, err := release.Files(cfg)
	if err != nil {
		return fmt.Errorf("error generating extra files: %w", err)
	}

	var problems *multierror.Error

	for _, f := range list {
		fatal, err := m.userFile(f)
		if fatal {
			return err
		}

		if err != nil {
			problems = multierror.Append(problems, err)
		}
	}

	return problems.ErrorOrNil()
}

func (m *Machine) userFile(f release.File) (fatal bool, err error) {
	if f.Path == legacyCRIPart {
		return false, m.injectCRI(f)
	}

	text := f.Content
	tree := m.tree()
	old, exists := tree.lookup(f.Path)

	switch f.Op {
	case "create":
		if !strings.HasPrefix(f.Path, "/var/") {
			return true, fmt.Errorf("create operation not allowed outside of /var: %q", f.Path)
		}
	case "overwrite", "append":
		if !exists {
			return false, fmt.Errorf("file must exist: %q", f.Path)
		}

		if !old.mode.IsRegular() {
			return false, fmt.Errorf("invalid mode: %q", old.mode.String())
		}

		if f.Op == "append" {
			text = old.text + "\n" + f.Content
		}
	default:
		return false, fmt.Errorf("unknown operation for file %q: %q", f.Path, f.Op)
	}

	m.written[path.Clean(f.Path)] = text

	return false, nil
}

// injectCRI hands the legacy CRI fragment to the controllers at boot. From 1.14 on they read it from the configuration
// themselves, and the boot leaves it to them. The operation is looked at all the same.
func (m *Machine) injectCRI(f release.File) error {
	if !slices.Contains([]string{"create", "overwrite", "append"}, f.Op) {
		return fmt.Errorf("unknown operation for file %q: %q", f.Path, f.Op)
	}

	if release.LiveCRI {
		return nil
	}

	if f.Op != "create" {
		if _, exists := m.tree().lookup(f.Path); !exists {
			return fmt.Errorf("file must exist: %q", f.Path)
		}
	}

	if m.cri.injectedOnce {
		return fmt.Errorf("resource EtcFileSpecs.files.talos.dev(files/%s@1) already exists", legacyCRIPartID)
	}

	m.cri.injectedOnce, m.cri.injected = true, f.Content
	m.putEtcFile(legacyCRIPartID, f.Content, nil, "")
	m.cri.started = false
	m.reconcileCRI(m.active())
	m.cri.started = true

	if _, _, err := mergeParts(map[string]part{"20-customization.part": {origin: legacyCRIPart, text: f.Content}}); err != nil {
		return fmt.Errorf("error waiting for file %q to be updated: context deadline exceeded", criConfig)
	}

	return nil
}
