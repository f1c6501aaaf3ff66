package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/merge"
	rescri "github.com/siderolabs/talos/pkg/machinery/resources/cri"
	"github.com/siderolabs/talos/pkg/machinery/resources/files"

	"talos-node/release"
)

const (
	criConfig        = "cri/conf.d/cri.toml"
	criDir           = "/etc/cri/conf.d/"
	legacyCRIPart    = "/etc/cri/conf.d/20-customization.part"
	legacyCRIPartID  = "cri/conf.d/20-customization.part"
	etcFileOwner     = "files.EtcFileController"
	registriesPartID = "cri/conf.d/01-registries.part"
)

// criState is the CRI's merged configuration and, up to 1.13, the fragment that the boot wrote as a file.
type criState struct {
	text     string
	injected string
	// injectedOnce tells a boot that injects twice, which fails.
	injectedOnce bool
	started      bool
}

// part is a TOML fragment and where the header says it is from.
type part struct {
	name, origin, text string
}

const basePart = `version = 3

[plugins."io.containerd.cri.v1.images"]
  discard_unpacked_layers = true
`

const cdiPart = `
[plugins."io.containerd.cri.v1.runtime"]
  enable_cdi = true
  cdi_spec_dirs = ["/run/cdi"]
`

const registriesPart = `[plugins]
  [plugins.'io.containerd.cri.v1.images']
    [plugins.'io.containerd.cri.v1.images'.registry]
      config_path = '/etc/cri/conf.d/hosts'
      [plugins.'io.containerd.cri.v1.images'.registry.configs]
`

// nvidiaPart is the runtime handler that the container toolkit extension brings.
const nvidiaPart = `[plugins]
  [plugins."io.containerd.cri.v1.runtime"]
    [plugins."io.containerd.cri.v1.runtime".containerd]
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes]
        [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.nvidia]
          privileged_without_host_devices = false
          runtime_engine = ""
          runtime_root = ""
          runtime_type = "io.containerd.runc.v2"
          [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.nvidia.options]
            BinaryName = "/usr/local/bin/nvidia-container-runtime"
`

// physicalParts are the fragments that lie in the image, in the order of their names.
func (m *Machine) physicalParts() []part {
	base := basePart
	if release.HasCDI {
		base += cdiPart
	}

	parts := []part{{name: "00-base.part", text: base}}
	if !release.LiveCRI {
		parts = append(parts, part{name: "01-registries.part", text: registriesPart})
	}

	if m.hasToolkit() {
		parts = append(parts, part{name: "10-nvidia-container-runtime.part", text: nvidiaPart})
	}

	return parts
}

// reconcileCRI merges the fragments and, where the CRI lives with that, restarts it.
func (m *Machine) reconcileCRI(cfg config.Provider) {
	parts := map[string]part{}

	for _, p := range m.physicalParts() {
		p.origin = criDir + p.name
		if release.NamesParts {
			p.origin = "file " + p.origin
		}

		parts[p.name] = p
	}

	if release.LiveCRI {
		parts["01-registries.part"] = part{origin: "in-memory registries", text: registriesPart}
		m.addCustomizations(cfg, parts)
	} else if m.cri.injectedOnce {
		parts["20-customization.part"] = part{origin: legacyCRIPart, text: m.cri.injected}
	}

	text, checksums, err := mergeParts(parts)
	if err != nil {
		m.failedCRI(err)

		return
	}

	m.logs.worked(criController())

	if text == m.cri.text {
		return
	}

	m.cri.text = text
	m.putEtcFile(criConfig, text, checksums, criController())

	if m.cri.started {
		m.restartCRI()
	}
}

func (m *Machine) addCustomizations(cfg config.Provider, parts map[string]part) {
	const owner = "cri.CustomizationConfigController"

	keep := map[string]bool{}

	if cfg != nil {
		for _, c := range release.CRICustomizations(cfg) {
			m.put(release.CustomizationResource(c), owner)
			keep[c.Name] = true
			parts["20-"+c.Name+".part"] = part{origin: fmt.Sprintf("in-memory customization %q", c.Name), text: c.Content}
		}
	}

	for _, kind := range release.CustomizationTypes() {
		m.drop(rescri.NamespaceName, kind, owner, keep)
	}
}

func criController() string {
	if release.LiveCRI {
		return "files.CRIConfigController"
	}

	return "files.CRIConfigPartsController"
}

func (m *Machine) failedCRI(err error) {
	if release.LiveCRI {
		err = fmt.Errorf("error merging CRI config: %w", err)
	}

	m.failing = true
	m.logs.failed(criController(), err)
}

// merges are merged fragments by what they were made of: nodes of one kind have the same.
var merges sync.Map

type mergeResult struct {
	text      string
	checksums map[string]string
	err       error
}

func mergeParts(parts map[string]part) (string, map[string]string, error) {
	key := digest(fmt.Append(nil, parts))
	if found, ok := merges.Load(key); ok {
		result := found.(mergeResult)

		return result.text, result.checksums, result.err
	}

	text, checksums, err := merged(parts)
	merges.Store(key, mergeResult{text: text, checksums: checksums, err: err})

	return text, checksums, err
}

// merged merges fragments in the order of their names with Talos's own merge.
func merged(parts map[string]part) (string, map[string]string, error) {
	var header strings.Builder

	merged := map[string]any{}
	checksums := map[string]string{}

	for _, name := range sorted(parts) {
		one := parts[name]
		partial := map[string]any{}

		shown := name
		if !release.NamesParts {
			shown = one.origin
		}

		if err := toml.Unmarshal([]byte(one.text), &partial); err != nil {
			return "", nil, fmt.Errorf("error decoding %q: %w", shown, err)
		}

		if err := merge.Merge(merged, partial); err != nil {
			return "", nil, fmt.Errorf("error merging %q: %w", shown, err)
		}

		sum := sha256.Sum256([]byte(one.text))
		checksums[one.origin] = hex.EncodeToString(sum[:])

		if release.HeaderHashes {
			fmt.Fprintf(&header, "## %s (sha256:%s)\n", one.origin, checksums[one.origin])
		} else {
			fmt.Fprintf(&header, "## %s\n", one.origin)
		}
	}

	var out bytes.Buffer
	if err := toml.NewEncoder(&out).SetIndentTables(true).Encode(merged); err != nil {
		return "", nil, fmt.Errorf("error encoding merged config: %w", err)
	}

	return header.String() + "\n" + out.String(), checksums, nil
}

// putEtcFile writes a file below /etc with its spec and its status. The writer's finalizer makes a version of its own.
func (m *Machine) putEtcFile(id, text string, checksums map[string]string, owner string) {
	spec := files.NewEtcFileSpec(files.NamespaceName, id)
	spec.TypedSpec().Contents = []byte(text)
	spec.TypedSpec().Mode = 0o600
	release.SetIfPresent(spec.TypedSpec(), "SelinuxLabel", "system_u:object_r:etc_t:s0")

	if release.HeaderHashes && !release.LiveCRI {
		for origin, sum := range checksums {
			spec.Metadata().Annotations().Set("talos.dev/source-file:"+origin, sum)
		}
	}

	m.put(spec, owner)
	must(m.state.AddFinalizer(m.bootCtx, spec.Metadata(), etcFileOwner))

	now, err := m.state.Get(m.bootCtx, spec.Metadata())
	must(err)

	status := files.NewEtcFileStatus(files.NamespaceName, id)
	status.TypedSpec().SpecVersion = now.Metadata().Version().String()
	m.put(status, etcFileOwner)
	m.written["/etc/"+id] = text
}
