//go:build !upto_1_12

package release

// OneToManyText is why a method is not sent to many nodes, empty when it is.
func OneToManyText(method, service string) string {
	switch service {
	case "machine.MachineService", "cluster.ClusterService", "inspect.InspectService", "storage.StorageService", "time.TimeService":
		return ""
	}

	return "one-2-many proxying is not supported for method " + method
}
