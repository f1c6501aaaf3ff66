package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/protobuf/server"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func registerState(s *grpc.Server) { v1alpha1.RegisterStateServer(s, stateService{}) }

// stateService is cosi.resource.State over the real COSI server of the machine that a call is for.
type stateService struct {
	v1alpha1.UnimplementedStateServer
}

func stateOf(ctx context.Context) *server.State {
	st := callOf(ctx).target.machine.State()

	return server.NewState(state.WrapCore(state.Filter(st, accessPolicy(st))))
}

// accessPolicy says in Talos's words what a client may see.
func accessPolicy(st state.State) state.FilteringRule {
	return func(ctx context.Context, access state.Access) error {
		if !access.Verb.Readonly() {
			return status.Error(codes.PermissionDenied, "write access is not allowed")
		}

		definition, err := safe.StateGet[*meta.ResourceDefinition](ctx, st, resource.NewMetadata(
			meta.NamespaceName, meta.ResourceDefinitionType, strings.ToLower(access.ResourceType), resource.VersionUndefined))
		if state.IsNotFoundError(err) {
			return status.Error(codes.PermissionDenied, fmt.Sprintf("resource type %q is not supported", access.ResourceType))
		}

		if err != nil {
			return err
		}

		if definition.TypedSpec().Sensitivity == meta.Sensitive && !callOf(ctx).roles.Includes(role.Admin) {
			return errNotAuthorized
		}

		_, err = safe.StateGet[*meta.Namespace](ctx, st, resource.NewMetadata(
			meta.NamespaceName, meta.NamespaceType, access.ResourceNamespace, resource.VersionUndefined))
		if state.IsNotFoundError(err) {
			return status.Error(codes.PermissionDenied, fmt.Sprintf("namespace %q is not supported", access.ResourceNamespace))
		}

		return err
	}
}

func (stateService) Get(ctx context.Context, in *v1alpha1.GetRequest) (*v1alpha1.GetResponse, error) {
	return stateOf(ctx).Get(ctx, in)
}

func (stateService) List(in *v1alpha1.ListRequest, stream v1alpha1.State_ListServer) error {
	return stateOf(stream.Context()).List(in, stream)
}

func (stateService) Create(ctx context.Context, in *v1alpha1.CreateRequest) (*v1alpha1.CreateResponse, error) {
	return stateOf(ctx).Create(ctx, in)
}

func (stateService) Update(ctx context.Context, in *v1alpha1.UpdateRequest) (*v1alpha1.UpdateResponse, error) {
	return stateOf(ctx).Update(ctx, in)
}

func (stateService) Destroy(ctx context.Context, in *v1alpha1.DestroyRequest) (*v1alpha1.DestroyResponse, error) {
	return stateOf(ctx).Destroy(ctx, in)
}

func (stateService) Watch(in *v1alpha1.WatchRequest, stream v1alpha1.State_WatchServer) error {
	return stateOf(stream.Context()).Watch(in, stream)
}
