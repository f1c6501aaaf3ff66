package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/google/uuid"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"talos-node/release"
)

// chunkSize is what Talos sends of a file at a time.
const chunkSize = 1024

func register(server *grpc.Server) {
	machine.RegisterMachineServiceServer(server, machineService{})
	registerState(server)
}

// machineService is machine.MachineService; which machine it is stands in the call's context.
type machineService struct {
	machine.UnimplementedMachineServiceServer
}

func (machineService) Version(ctx context.Context, _ *emptypb.Empty) (*machine.VersionResponse, error) {
	c := callOf(ctx)
	if c.inMaint && !release.MaintenanceIsAPID {
		return nil, status.Error(codes.Unimplemented, "API is not implemented in maintenance mode")
	}

	reply := &machine.Version{
		Version: &machine.VersionInfo{
			Tag: c.target.machine.Tag(), Sha: "undefined", Built: "", GoVersion: "go1.26.8", Os: "linux", Arch: "amd64",
		},
		Platform: &machine.PlatformInfo{Name: "metal", Mode: "metal"},
	}

	if c.target.machine.HasConfig() {
		reply.Features = &machine.FeaturesInfo{Rbac: true}
	}

	return &machine.VersionResponse{Messages: []*machine.Version{reply}}, nil
}

func (machineService) ApplyConfiguration(ctx context.Context, in *machine.ApplyConfigurationRequest) (*machine.ApplyConfigurationResponse, error) {
	c := callOf(ctx)
	if c.inMaint {
		return c.target.machine.ApplyInMaintenance(ctx, in)
	}

	return c.target.machine.Apply(ctx, in, c.admin)
}

func (machineService) Hostname(ctx context.Context, _ *emptypb.Empty) (*machine.HostnameResponse, error) {
	return &machine.HostnameResponse{Messages: []*machine.Hostname{{Hostname: callOf(ctx).target.machine.Hostname}}}, nil
}

func (machineService) Reboot(ctx context.Context, _ *machine.RebootRequest) (*machine.RebootResponse, error) {
	callOf(ctx).target.machine.AskReboot()

	return &machine.RebootResponse{Messages: []*machine.Reboot{{ActorId: uuid.NewString()}}}, nil
}

func (machineService) ServiceList(ctx context.Context, _ *emptypb.Empty) (*machine.ServiceListResponse, error) {
	return &machine.ServiceListResponse{
		Messages: []*machine.ServiceList{{Services: callOf(ctx).target.machine.ServiceList()}},
	}, nil
}

func (machineService) ServiceRestart(ctx context.Context, in *machine.ServiceRestartRequest) (*machine.ServiceRestartResponse, error) {
	if err := callOf(ctx).target.machine.ServiceOperation(in.GetId(), "restart"); err != nil {
		return nil, err
	}

	return &machine.ServiceRestartResponse{
		Messages: []*machine.ServiceRestart{{Resp: fmt.Sprintf("Service %q restarted", in.GetId())}},
	}, nil
}

func (machineService) ServiceStart(ctx context.Context, in *machine.ServiceStartRequest) (*machine.ServiceStartResponse, error) {
	if err := callOf(ctx).target.machine.ServiceOperation(in.GetId(), "start"); err != nil {
		return nil, err
	}

	return &machine.ServiceStartResponse{
		Messages: []*machine.ServiceStart{{Resp: fmt.Sprintf("Service %q started", in.GetId())}},
	}, nil
}

func (machineService) ServiceStop(ctx context.Context, in *machine.ServiceStopRequest) (*machine.ServiceStopResponse, error) {
	if err := callOf(ctx).target.machine.ServiceOperation(in.GetId(), "stop"); err != nil {
		return nil, err
	}

	return &machine.ServiceStopResponse{
		Messages: []*machine.ServiceStop{{Resp: fmt.Sprintf("Service %q stopped", in.GetId())}},
	}, nil
}

func (machineService) Read(in *machine.ReadRequest, stream machine.MachineService_ReadServer) error {
	text, err := callOf(stream.Context()).target.machine.Read(in.GetPath())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return status.Error(codes.NotFound, err.Error())
		}

		return err
	}

	return sendChunks(text, stream.Send)
}

func sendChunks(text string, send func(*common.Data) error) error {
	for len(text) > 0 {
		size := min(chunkSize, len(text))
		if err := send(&common.Data{Bytes: []byte(text[:size])}); err != nil {
			return err
		}

		text = text[size:]
	}

	return nil
}

func (machineService) List(in *machine.ListRequest, stream machine.MachineService_ListServer) error {
	root := "/" + strings.Trim(in.GetRoot(), "/")

	depth := 0
	if in.GetRecurse() {
		depth = int(in.GetRecursionDepth())
		if depth == 0 {
			depth = -1
		}
	}

	items, err := callOf(stream.Context()).target.machine.List(root, depth)
	if err != nil {
		return err
	}

	for _, item := range items {
		if !wantedType(in.GetTypes(), item.Mode) {
			continue
		}

		if err := stream.Send(&machine.FileInfo{
			Name: item.FullPath, RelativeName: item.RelPath, Link: item.Link, Size: item.Size,
			Mode: uint32(item.Mode), IsDir: item.Mode.IsDir(),
		}); err != nil {
			return err
		}
	}

	return nil
}

func wantedType(types []machine.ListRequest_Type, mode fs.FileMode) bool {
	if len(types) == 0 {
		return true
	}

	for _, t := range types {
		switch t {
		case machine.ListRequest_REGULAR:
			if mode.IsRegular() {
				return true
			}
		case machine.ListRequest_DIRECTORY:
			if mode.IsDir() {
				return true
			}
		case machine.ListRequest_SYMLINK:
			if mode&fs.ModeSymlink != 0 {
				return true
			}
		}
	}

	return false
}

func (machineService) Events(in *machine.EventsRequest, stream machine.MachineService_EventsServer) error {
	return callOf(stream.Context()).target.machine.Events(stream.Context(), int(in.GetTailEvents()), stream.Send)
}

func (machineService) Dmesg(in *machine.DmesgRequest, stream machine.MachineService_DmesgServer) error {
	// Read from its end, a ring buffer has nothing to say yet.
	if !in.GetTail() {
		for _, line := range callOf(stream.Context()).target.machine.Dmesg() {
			if err := stream.Send(&common.Data{Bytes: []byte(line)}); err != nil {
				return err
			}
		}
	}

	if in.GetFollow() {
		<-stream.Context().Done()

		return stream.Context().Err()
	}

	return nil
}

func (machineService) Logs(in *machine.LogsRequest, stream machine.MachineService_LogsServer) error {
	if in.GetNamespace() != "system" && in.GetId() != "kubelet" {
		return fmt.Errorf("container %q not found", in.GetId())
	}

	text, err := callOf(stream.Context()).target.machine.Log(in.GetId())
	if err != nil {
		return err
	}

	// Talos takes a negative number for all lines, zero for none.
	if lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n"); in.GetTailLines() >= 0 && text != "" {
		text = strings.Join(lines[max(0, len(lines)-int(in.GetTailLines())):], "")
		if text != "" {
			text += "\n"
		}
	}

	if err := sendChunks(text, stream.Send); err != nil {
		return err
	}

	if in.GetFollow() {
		<-stream.Context().Done()

		return stream.Context().Err()
	}

	return nil
}
