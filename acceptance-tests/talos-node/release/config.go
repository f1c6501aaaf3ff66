// Package release holds all that differs between the minors of Talos this program is built for. The rest of the
// program is one source for all: it asks here. A file's build tag upto_1_N means "Talos 1.N or older"; the tags are
// cumulative, and a build without a tag is the newest minor.
package release

import (
	"os"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config"
)

// Module is a kernel module as the configuration asks for it.
type Module struct {
	Name       string
	Parameters []string
}

// Customization is a fragment of the CRI's configuration.
type Customization struct {
	Name    string
	Content string
}

// File is an entry of machine.files.
type File struct {
	Path        string
	Op          string
	Permissions os.FileMode
	Content     string
}

// Modules are the configured kernel modules in Talos's own order, documents and v1alpha1 field together.
func Modules(cfg config.Provider) []Module { return modulesOf(cfg) }

// Sysctls are the configured sysctls as Talos merges them.
func Sysctls(cfg config.Provider) map[string]string { return sysctlsOf(cfg) }

// Sysfs are the configured sysfs settings as Talos merges them.
func Sysfs(cfg config.Provider) map[string]string { return sysfsOf(cfg) }

// Files are the entries of machine.files.
func Files(cfg config.Provider) ([]File, error) {
	if cfg.Machine() == nil {
		return nil, nil
	}

	files, err := cfg.Machine().Files()
	if err != nil {
		return nil, err
	}

	var out []File

	for _, f := range files {
		out = append(out, File{Path: f.Path(), Op: f.Op(), Permissions: f.Permissions(), Content: f.Content()})
	}

	return out, nil
}

// Diff is the text that Talos shows for a change of configuration, in the format of this minor.
func Diff(running, next config.Encoder) (string, error) { return diffConfigs(running, next) }

// ParamID is the id of the resource that stands for a sysctl: the key as it is written, not normalised.
func ParamID(key string) string { return "proc.sys." + key }

// ModuleFileName is the kernel's own name of a module.
func ModuleFileName(name string) string { return strings.ReplaceAll(name, "-", "_") }
