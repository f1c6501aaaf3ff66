package node

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	resconfig "github.com/siderolabs/talos/pkg/machinery/resources/config"

	"talos-node/script"
)

// Change is somebody else's edit of the running configuration, made as text.
func (m *Machine) Change(w *script.Write) error {
	data, err := m.ConfigBytes(activeID)
	if err != nil {
		return err
	}

	if w.File != "" {
		if data, err = os.ReadFile(w.File); err != nil {
			return err
		}
	}

	if len(w.Replace) == 2 {
		if !bytes.Contains(data, []byte(w.Replace[0])) {
			return fmt.Errorf("the configuration has no %q to replace", w.Replace[0])
		}

		data = bytes.Replace(data, []byte(w.Replace[0]), []byte(w.Replace[1]), 1)
	}

	for _, key := range sorted(w.Sysctl) {
		data = withSysctl(data, key, w.Sysctl[key])
	}

	data = append(bytes.Clone(data), w.Append...)

	return m.Write(data, w.Mode)
}

var (
	machineLine = regexp.MustCompile(`(?m)^machine:[ \t]*(#.*)?$`)
	sysctlsLine = regexp.MustCompile(`(?m)^( +)sysctls:[ \t]*(#.*)?$`)
)

// withSysctl sets a key in machine.sysctls of a configuration in block style, by lines.
func withSysctl(data []byte, key, value string) []byte {
	present := regexp.MustCompile(`(?m)^( +)"?` + regexp.QuoteMeta(key) + `"?:.*$`)
	if present.Match(data) {
		return present.ReplaceAll(data, []byte(`${1}`+key+`: "`+value+`"`))
	}

	if at := sysctlsLine.FindSubmatchIndex(data); at != nil {
		indent := strings.Repeat(" ", 2*(at[3]-at[2]))

		return insert(data, at[1], "\n"+indent+key+`: "`+value+`"`)
	}

	if at := machineLine.FindIndex(data); at != nil {
		return insert(data, at[1], "\n    sysctls:\n        "+key+`: "`+value+`"`)
	}

	return data
}

func insert(data []byte, at int, text string) []byte {
	return append(append(bytes.Clone(data[:at]), text...), data[at:]...)
}

// ConflictError is what two applies at once end in where Talos has no mutex: the plain error of the state.
func (m *Machine) ConflictError() error {
	m.mu.Lock()
	defer m.mu.Unlock()

	version := "1"
	if res, err := getConfig(m.state, activeID); err == nil {
		version = res.Metadata().Version().String()
	}

	return fmt.Errorf("resource %s update conflict: expected version %q, actual version %q",
		resource.NewMetadata(resconfig.NamespaceName, resconfig.MachineConfigType, activeID, resource.VersionUndefined),
		version, version+"+1")
}
