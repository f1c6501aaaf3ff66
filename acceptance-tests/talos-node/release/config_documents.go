//go:build !upto_1_13

package release

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configdiff"
)

// From 1.14 on Talos merges the old v1alpha1 fields with documents of their own, and answers through the container.

func modulesOf(cfg config.Provider) []Module {
	var out []Module

	for _, m := range cfg.KernelModuleConfigs() {
		out = append(out, Module{Name: m.Name(), Parameters: m.Parameters()})
	}

	return out
}

func sysctlsOf(cfg config.Provider) map[string]string { return cfg.SysctlConfig() }

func sysfsOf(cfg config.Provider) map[string]string { return cfg.SysfsConfig() }

// CRICustomizations are the fragments that 1.14 merges live, the legacy file among them.
func CRICustomizations(cfg config.Provider) []Customization {
	var out []Customization

	for _, c := range cfg.CRICustomizationConfigs() {
		out = append(out, Customization{Name: c.Name(), Content: c.Content()})
	}

	return out
}

func diffConfigs(running, next config.Encoder) (string, error) {
	return configdiff.DiffConfigs(running, next)
}
