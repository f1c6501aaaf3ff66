//go:build upto_1_13

package release

import "github.com/siderolabs/talos/pkg/machinery/config"

// Up to 1.13 modules, sysctls and the CRI fragment are fields of the v1alpha1 document and nothing else.

func modulesOf(cfg config.Provider) []Module {
	if cfg.Machine() == nil {
		return nil
	}

	var out []Module

	for _, m := range cfg.Machine().Kernel().Modules() {
		out = append(out, Module{Name: m.Name(), Parameters: m.Parameters()})
	}

	return out
}

func sysctlsOf(cfg config.Provider) map[string]string {
	if cfg.Machine() == nil {
		return nil
	}

	return cfg.Machine().Sysctls()
}

func sysfsOf(cfg config.Provider) map[string]string {
	if cfg.Machine() == nil {
		return nil
	}

	return cfg.Machine().Sysfs()
}

// CRICustomizations is empty: up to 1.13 the fragment is a file that is written at boot.
func CRICustomizations(config.Provider) []Customization { return nil }
