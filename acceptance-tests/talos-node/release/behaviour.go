package release

// What a minor does, in words that the rest of the program can ask. Each is read from that minor's source; the builds
// are fixed patch releases (1.12.0 has no apply mutex, 1.12.9 has).
const (
	// HasPersistent: the persisted configuration is a resource; before, a file on the STATE partition.
	HasPersistent = Minor >= 10
	// HasMaintenanceConfig: MachineConfigs has an id "maintenance".
	HasMaintenanceConfig = Minor <= 12
	// NeedsV1Alpha1: a configuration without the v1alpha1 document is refused.
	NeedsV1Alpha1 = Minor >= 11
	// ApplyMutex: a second apply at the same time is refused, and one after a REBOOT apply.
	ApplyMutex = Minor >= 13
	// NeverReboots: no apply reboots; mode REBOOT is refused.
	NeverReboots = Minor >= 14
	// LateCancel: a pending TRY rollback is cancelled only by an apply that is carried out, not by one that is
	// refused or dry.
	LateCancel = Minor >= 14
	// LiveCRI: CRI fragments are merged while the node runs.
	LiveCRI = Minor >= 14
	// MaintenanceIsAPID: maintenance mode is the ordinary API with everybody a reader; before, a server with few calls.
	MaintenanceIsAPID = Minor >= 13
	// TLS13Only: the API takes no TLS 1.2.
	TLS13Only = Minor >= 13
	// HasCDI: the toolkit extension writes /run/cdi/nvidia.yaml.
	HasCDI = Minor >= 13
	// WatchNeedsOptions: COSI's server panics on a Watch without the message "options".
	WatchNeedsOptions = Minor <= 12
	// UnloadableModules: the kernel has CONFIG_MODULE_UNLOAD, so /proc/modules has counts and users.
	UnloadableModules = Minor >= 9
	// HeaderHashes: the header of cri.toml has the hash of each part.
	HeaderHashes = Minor >= 11
	// NamesParts: the header of cri.toml says what kind of part each is.
	NamesParts = Minor >= 14
)

// Extensions are the NVIDIA extensions of this release for a flavour: name and version.
func Extensions(flavour, tag string) [][2]string {
	channel, driver := "lts", driverLTS

	switch flavour {
	case "none":
		return nil
	case "open-production", "proprietary-production":
		channel, driver = "production", driverProduction
	}

	modules := "nvidia-open-gpu-kernel-modules-" + channel
	if flavour == "proprietary-lts" || flavour == "proprietary-production" {
		modules = "nonfree-kmod-nvidia-" + channel
	}

	return [][2]string{
		{modules, driver + "-" + tag},
		{"nvidia-container-toolkit-" + channel, driver + "-" + toolkit},
	}
}

// LiveFeatures are the fields of machine.features that some minors, not all, follow while the node runs.
func LiveFeatures() []string {
	if Minor >= 9 {
		return []string{"ImageCacheSupport", "FeatureNodeAddressSortAlgorithm"}
	}

	return nil
}
