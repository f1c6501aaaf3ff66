package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"talos-node/node"
	"talos-node/release"
	"talos-node/script"
)

// call is one call to one machine, from its arrival to its line in the log.
type call struct {
	front   *Front
	target  target
	method  string
	request any
	roles   role.Set
	conn    *conn
	peer    string
	fault   string
	inMaint bool
	admin   bool
	// streaming calls end when their boot ends, whatever they say themselves.
	streaming bool
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)

	return c
}

// errDropped ends a call whose connection is gone.
var errDropped = status.Error(codes.Unavailable, "connection dropped by script")

// newCall reads who calls from the connection.
func (e *Endpoint) newCall(ctx context.Context, t target, method string, request any) *call {
	c := &call{front: e.front, target: t, method: method, request: request, roles: role.Zero}

	if p, ok := peer.FromContext(ctx); ok {
		c.peer = p.Addr.String()

		if info, ok := p.AuthInfo.(authInfo); ok {
			c.conn = info.conn

			if chain := info.State.PeerCertificates; len(chain) > 0 {
				c.roles, _ = role.Parse(chain[0].Subject.Organization)
			}
		}
	}

	return c
}

// run lets the call meet its machine: faults before, the machine's own state, the role, the work, faults after.
func (c *call) run(ctx context.Context, work func(context.Context) error) (err error) {
	defer func() { c.log(err) }()

	name, resource := c.target.name, resourceOf(c.request)
	if c.target.machine != nil {
		name = c.target.machine.Name
	}

	var due []*script.Fault

	// A call that nobody answers is no call of the machine's: faults are not counted by it.
	if c.target.machine != nil && c.target.machine.Peek() != node.Dead {
		due = c.front.fire(name, c.method, resource)
	}

	if err := c.play(ctx, due, "before"); err != nil {
		return err
	}

	if err := c.arrive(); err != nil {
		return err
	}

	settle(ctx, c.target.machine)

	if !mayCall(c.method, c.roles) {
		return errNotAuthorized
	}

	c.target.machine.Count(c.method)

	boot := c.target.machine.Context()
	inner, cancel := context.WithCancel(context.WithValue(ctx, callKey{}, c))
	stop := context.AfterFunc(boot, cancel)
	err = recovered(func() error { return work(inner) })

	stop()
	cancel()

	// What the work says after its machine went down is not what a client hears.
	if boot.Err() != nil && (err != nil || c.streaming) && ctx.Err() == nil {
		err = status.Error(codes.Unavailable, cutText)
	}

	if played := c.play(ctx, due, "after"); played != nil {
		return played
	}

	return err
}

// recovered turns a panic into what Talos's servers answer. COSI's server up to 1.12 panics on a Watch without options.
func recovered(work func() error) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = status.Errorf(codes.Internal, "%v", caught)
		}
	}()

	return work()
}

func (c *call) arrive() error {
	if c.target.machine == nil {
		return status.Error(codes.Unavailable, deadText(c.target.name))
	}

	switch c.target.machine.Arrive() {
	case node.Dead:
		if !c.target.forwarded {
			c.drop()
		}

		return status.Error(codes.Unavailable, deadText(c.target.name))
	case node.InMaintenance:
		if c.target.forwarded {
			return status.Error(codes.Unavailable, maintenanceText)
		}

		c.inMaint = true
		c.roles = role.MakeSet(role.Reader)

		// The older server of maintenance mode is another one, which knows few calls and does not look at roles.
		if !release.MaintenanceIsAPID && !mayCallInMaintenance(c.method) {
			return status.Errorf(codes.Unimplemented, "%s is not implemented in maintenance mode", c.method)
		}
	}

	c.admin = c.roles.Includes(role.Admin)

	return nil
}

func (c *call) drop() {
	if c.conn != nil {
		reset(c.conn.Conn)
	}
}

// play carries out what a script planned for this call. An error is the call's answer.
func (c *call) play(ctx context.Context, due []*script.Fault, when string) error {
	for _, fault := range due {
		if fault.When != when {
			continue
		}

		c.fault += when + " " + fault.Do + " "

		if err := c.do(ctx, fault); err != nil {
			return err
		}
	}

	return nil
}

func (c *call) do(ctx context.Context, fault *script.Fault) error {
	m := c.target.machine

	switch fault.Do {
	case "unavailable":
		return status.Error(codes.Unavailable, deadText(c.target.name))
	case "drop":
		c.drop()

		return errDropped
	case "busy":
		return status.Error(codes.FailedPrecondition, node.BusyText)
	case "conflict":
		return m.ConflictError()
	case "denied":
		return errNotAuthorized
	case "error":
		return faultError(fault)
	case "write":
		if err := m.Change(fault.Write); err != nil {
			return status.Errorf(codes.Internal, "talos-node: the scripted write failed: %s", err)
		}
	case "reboot":
		m.Reboot(fault.Reboot)
	case "stop":
		m.Stop()
	case "exec":
		m.Reboot(&script.Reboot{Exec: fault.Path, Waits: true})
	case "kill":
		c.front.Kill()
	case "hold":
		return c.front.wait(ctx, m.Name, c.method)
	case "uuid":
		m.SetUUID(fault.UUID)
	case "maintenance":
		m.Maintenance(true)
	case "leave_maintenance":
		m.Maintenance(false)
	case "module":
		m.SetModule(fault.Module, *fault.Is)
	case "rollback":
		m.Rollback()
	}

	return nil
}

func faultError(fault *script.Fault) error {
	var code codes.Code
	if err := code.UnmarshalJSON([]byte(fmt.Sprintf("%q", codeName(fault.Code)))); err != nil {
		return status.Errorf(codes.Internal, "talos-node: unknown code %q in the script", fault.Code)
	}

	return status.Error(code, fault.Message)
}

func (c *call) log(err error) {
	entry := Entry{
		Event: "call", Peer: c.peer, Node: c.target.name, Method: c.method, Resource: resourceOf(c.request),
		Role: roleNames(c.roles), Code: codes.OK.String(), Bytes: sizeOf(c.request), Fault: trimmed(c.fault),
	}

	if c.target.machine != nil {
		entry.Node = c.target.machine.Name
	}

	if c.conn != nil {
		entry.Conn = c.conn.number
	}

	if err != nil {
		entry.Code, entry.Message = code(err).String(), status.Convert(err).Message()
	}

	c.front.Log.Add(entry)
}

func code(err error) codes.Code {
	switch {
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	}

	return status.Code(err)
}

// settled are the machines that a call may have asked to reboot: they do when its answer is on its way.
type settled struct{ machines []*node.Machine }

type settledKey struct{}

// settler is the hook that gRPC calls at the end of every call.
type settler struct{}

func (settler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, settledKey{}, &settled{})
}

func (settler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ended := s.(*stats.End); !ended {
		return
	}

	if list, ok := ctx.Value(settledKey{}).(*settled); ok {
		for _, m := range list.machines {
			m.Settle()
		}
	}
}

func (settler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (settler) HandleConn(context.Context, stats.ConnStats) {}

func settle(ctx context.Context, m *node.Machine) {
	if list, ok := ctx.Value(settledKey{}).(*settled); ok {
		list.machines = append(list.machines, m)
	}
}
