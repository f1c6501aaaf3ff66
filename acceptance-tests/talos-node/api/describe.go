package api

import (
	"strings"
	"unicode"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// resourceOf is what a request is about, in the words of the log and of faults.
func resourceOf(request any) string {
	switch in := request.(type) {
	case *v1alpha1.GetRequest:
		return in.GetType() + "/" + in.GetId()
	case *v1alpha1.ListRequest:
		return in.GetType()
	case *v1alpha1.WatchRequest:
		if in.Id == nil {
			return in.GetType()
		}

		return in.GetType() + "/" + in.GetId()
	case *machine.ApplyConfigurationRequest:
		if in.GetDryRun() {
			return "DRY_RUN"
		}

		return in.GetMode().String()
	case *machine.ReadRequest:
		return in.GetPath()
	case *machine.ListRequest:
		return in.GetRoot()
	case *machine.LogsRequest:
		return in.GetId()
	case interface{ GetId() string }:
		return in.GetId()
	}

	return ""
}

// sizeOf is the length of an applied configuration; the bytes themselves are never logged.
func sizeOf(request any) int {
	if in, ok := request.(*machine.ApplyConfigurationRequest); ok {
		return len(in.GetData())
	}

	return 0
}

// codeName turns FailedPrecondition into FAILED_PRECONDITION, which is what gRPC parses.
func codeName(name string) string {
	if strings.ToUpper(name) == name {
		return name
	}

	var out strings.Builder

	for i, c := range name {
		if i > 0 && unicode.IsUpper(c) {
			out.WriteByte('_')
		}

		out.WriteRune(unicode.ToUpper(c))
	}

	return out.String()
}

func trimmed(text string) string { return strings.TrimSpace(text) }

// mayCallInMaintenance are the calls that the older server of maintenance mode has.
func mayCallInMaintenance(method string) bool {
	switch method {
	case "/machine.MachineService/ApplyConfiguration", "/machine.MachineService/Version":
		return true
	}

	return strings.HasPrefix(method, "/cosi.resource.State/")
}
