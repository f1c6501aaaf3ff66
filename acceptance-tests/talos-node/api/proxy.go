package api

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
)

// unary is where every unary call comes in.
func (e *Endpoint) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	targets, many, err := e.route(ctx, info.FullMethod)
	if err != nil {
		e.refuse(ctx, info.FullMethod, req, err)

		return nil, err
	}

	var total proto.Message

	for _, t := range targets {
		var reply any

		err := e.newCall(ctx, t, info.FullMethod, req).run(ctx, func(ctx context.Context) (err error) {
			reply, err = handler(ctx, req)

			return err
		})

		if !many {
			return reply, err
		}

		part, _ := reply.(proto.Message)
		if err != nil {
			part = newReply(info.FullMethod)
			appendError(part, t.name, err)
		} else {
			nameMessages(part, t.name)
		}

		if total == nil {
			total = part
		} else {
			proto.Merge(total, part)
		}
	}

	return total, nil
}

// refuse logs a call that no machine saw.
func (e *Endpoint) refuse(ctx context.Context, method string, req any, err error) {
	e.newCall(ctx, target{name: e.machine.Name}, method, req).log(err)
}

// stream is where every stream comes in. Its request is only known when the handler reads it, so that is where the
// call meets its machine.
func (e *Endpoint) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	targets, many, err := e.route(ss.Context(), info.FullMethod)
	if err != nil {
		e.refuse(ss.Context(), info.FullMethod, nil, err)

		return err
	}

	request := &sharedRequest{stream: ss}

	if !many {
		return e.streamOne(srv, ss, info, handler, targets[0], request, nil)
	}

	var (
		group   sync.WaitGroup
		sending sync.Mutex
	)

	for _, t := range targets {
		group.Go(func() {
			if err := e.streamOne(srv, ss, info, handler, t, request, &sending); err != nil {
				sending.Lock()
				defer sending.Unlock()

				part := newReply(info.FullMethod)
				setMetadata(part.ProtoReflect(), errorMetadata(t.name, err))
				_ = ss.SendMsg(part) // The client is gone when this fails, and the stream ends by itself.
			}
		})
	}

	group.Wait()

	return nil
}

func (e *Endpoint) streamOne(
	srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
	t target, request *sharedRequest, sending *sync.Mutex,
) error {
	// The request's type is the method's: it is read here, so that faults and log can speak of it.
	message := newRequest(info.FullMethod)
	if err := request.read(message); err != nil {
		return err
	}

	c := e.newCall(ss.Context(), t, info.FullMethod, message)
	c.streaming = true

	return c.run(ss.Context(), func(ctx context.Context) error {
		return handler(srv, &machineStream{ServerStream: ss, ctx: ctx, request: request, target: t, sending: sending})
	})
}

// sharedRequest is the one request of a stream that may go to many machines.
type sharedRequest struct {
	stream grpc.ServerStream
	mu     sync.Mutex
	bytes  []byte
	err    error
	done   bool
}

func (r *sharedRequest) read(into proto.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()

	if !r.done {
		r.done = true

		if r.err = r.stream.RecvMsg(into); r.err == nil {
			r.bytes, r.err = proto.Marshal(into)
		}

		return r.err
	}

	if r.err != nil {
		return r.err
	}

	return proto.Unmarshal(r.bytes, into)
}

// machineStream is the stream that one machine's handler sees.
type machineStream struct {
	grpc.ServerStream

	ctx     context.Context //nolint:containedctx // gRPC's interface wants it so.
	request *sharedRequest
	target  target
	sending *sync.Mutex
}

func (s *machineStream) Context() context.Context { return s.ctx }

func (s *machineStream) RecvMsg(m any) error {
	message, _ := m.(proto.Message)

	return s.request.read(message)
}

func (s *machineStream) SendMsg(m any) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}

	if s.sending == nil {
		return s.ServerStream.SendMsg(m)
	}

	s.sending.Lock()
	defer s.sending.Unlock()

	if message, ok := m.(proto.Message); ok {
		setMetadata(message.ProtoReflect(), &common.Metadata{Hostname: s.target.name})
	}

	return s.ServerStream.SendMsg(m)
}

func methodDescriptor(method string) protoreflect.MethodDescriptor {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")

	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		panic(err) // Only registered methods come here.
	}

	return found.(protoreflect.MethodDescriptor)
}

func newMessage(d protoreflect.MessageDescriptor) proto.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(err)
	}

	return kind.New().Interface()
}

func newRequest(method string) proto.Message { return newMessage(methodDescriptor(method).Input()) }

func newReply(method string) proto.Message { return newMessage(methodDescriptor(method).Output()) }

func errorMetadata(name string, err error) *common.Metadata {
	return &common.Metadata{Hostname: name, Error: err.Error(), Status: status.Convert(err).Proto()}
}

// setMetadata fills the field "metadata" that every message of Talos's API has.
func setMetadata(m protoreflect.Message, metadata *common.Metadata) {
	if field := m.Descriptor().Fields().ByName("metadata"); field != nil {
		m.Set(field, protoreflect.ValueOfMessage(metadata.ProtoReflect()))
	}
}

// nameMessages says in each message of a reply which machine it is from.
func nameMessages(reply proto.Message, name string) {
	field := reply.ProtoReflect().Descriptor().Fields().ByName("messages")
	if field == nil {
		return
	}

	list := reply.ProtoReflect().Mutable(field).List()
	for i := range list.Len() {
		setMetadata(list.Get(i).Message(), &common.Metadata{Hostname: name})
	}
}

// appendError puts a machine's failure among the messages of a reply.
func appendError(reply proto.Message, name string, err error) {
	field := reply.ProtoReflect().Descriptor().Fields().ByName("messages")
	if field == nil {
		return
	}

	list := reply.ProtoReflect().Mutable(field).List()
	one := list.NewElement()
	setMetadata(one.Message(), errorMetadata(name, err))
	list.Append(one)
}
