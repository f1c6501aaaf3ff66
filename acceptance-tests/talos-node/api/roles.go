package api

import (
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var errNotAuthorized = status.Error(codes.PermissionDenied, "not authorized")

var (
	everybody = role.MakeSet(role.Admin, role.Operator, role.Reader)
	operators = role.MakeSet(role.Admin, role.Operator)
	admins    = role.MakeSet(role.Admin)
)

// allowed are the roles of each method. What is not here is for admins.
var allowed = map[string]role.Set{
	// The handler looks at the role itself: in maintenance mode everybody may apply.
	"/machine.MachineService/ApplyConfiguration": everybody,
	"/machine.MachineService/Version":            everybody,
	"/machine.MachineService/List":               everybody,
	"/machine.MachineService/ServiceList":        everybody,
	"/machine.MachineService/Events":             everybody,
	"/machine.MachineService/Dmesg":              everybody,
	"/machine.MachineService/Logs":               everybody,
	"/machine.MachineService/LogsContainers":     everybody,
	"/machine.MachineService/Hostname":           everybody,
	"/machine.MachineService/CPUInfo":            everybody,
	"/machine.MachineService/Containers":         everybody,
	"/machine.MachineService/DiskStats":          everybody,
	"/machine.MachineService/DiskUsage":          everybody,
	"/machine.MachineService/ImageList":          everybody,
	"/machine.MachineService/LoadAvg":            everybody,
	"/machine.MachineService/Memory":             everybody,
	"/machine.MachineService/Mounts":             everybody,
	"/machine.MachineService/NetworkDeviceStats": everybody,
	"/machine.MachineService/Netstat":            everybody,
	"/machine.MachineService/Processes":          everybody,
	"/machine.MachineService/Stats":              everybody,
	"/machine.MachineService/SystemStat":         everybody,
	"/machine.MachineService/ServiceRestart":     operators,
	"/machine.MachineService/ServiceStart":       operators,
	"/machine.MachineService/ServiceStop":        operators,
	"/machine.MachineService/Reboot":             operators,
	"/machine.MachineService/Restart":            operators,
	"/machine.MachineService/Shutdown":           operators,
	"/machine.MachineService/ImagePull":          operators,
	"/machine.MachineService/PacketCapture":      operators,
	"/cosi.resource.State/Get":                   everybody,
	"/cosi.resource.State/List":                  everybody,
	"/cosi.resource.State/Watch":                 everybody,
}

func mayCall(method string, roles role.Set) bool {
	wanted, known := allowed[method]
	if !known {
		wanted = admins
	}

	return roles.IncludesAny(wanted)
}

func roleNames(roles role.Set) string { return strings.Join(roles.Strings(), ",") }
