package api

import (
	"context"
	"net"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"talos-node/node"
	"talos-node/release"
)

// target is where a call goes. A nil machine is an address where nobody answers.
type target struct {
	name      string
	machine   *node.Machine
	forwarded bool
}

// route decides by the call's headers which machines answer, as apid's director does.
func (e *Endpoint) route(ctx context.Context, method string) (targets []target, many bool, err error) {
	local := []target{{name: e.machine.Name, machine: e.machine}}

	md, _ := metadata.FromIncomingContext(ctx)
	if len(md["proxyfrom"]) > 0 {
		return local, false, nil
	}

	one, hasOne := md["node"]
	all, hasAll := md["nodes"]

	if hasOne && len(one) != 1 {
		return nil, false, status.Error(codes.InvalidArgument, "node metadata must be single-valued")
	}

	forwards := e.front.forwards(e.machine) && e.machine.Peek() != node.InMaintenance

	// Who cannot forward still answers for itself.
	if !forwards {
		if hasOne && e.isLocal(one[0]) {
			hasOne = false
		}

		if hasAll && len(all) == 1 && e.isLocal(all[0]) {
			hasAll = false
		}
	}

	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")

	switch {
	case hasAll:
		if text := release.OneToManyText(method, service); text != "" {
			return nil, false, status.Error(codes.InvalidArgument, text)
		}

		for _, name := range all {
			t, err := e.remote(name, forwards)
			if err != nil {
				return nil, false, err
			}

			targets = append(targets, t)
		}

		return targets, true, nil
	case hasOne:
		t, err := e.remote(one[0], forwards)

		return []target{t}, false, err
	}

	return local, false, nil
}

func (e *Endpoint) isLocal(name string) bool {
	return name == e.machine.Name || name == e.machine.Hostname
}

func (e *Endpoint) remote(name string, forwards bool) (target, error) {
	if !forwards {
		return target{}, status.Error(codes.PermissionDenied, "no request forwarding")
	}

	if name == "" || hasPort(name) {
		return target{}, status.Errorf(codes.Internal, "invalid target %q", name)
	}

	return target{name: name, machine: e.front.Find(name), forwarded: true}, nil
}

func hasPort(address string) bool {
	_, _, err := net.SplitHostPort(address)

	return err == nil
}

// deadText is what the forwarding apid says of a node that does not answer.
func deadText(name string) string {
	host := name
	if strings.Contains(name, ":") {
		host = "[" + name + "]"
	}

	if net.ParseIP(name) == nil {
		return `dns: A record lookup error: lookup ` + name + ` on 127.0.0.53:53: no such host`
	}

	return `connection error: desc = "transport: Error while dialing: dial tcp ` + host + `:50000: connect: connection refused"`
}

const maintenanceText = `connection error: desc = "transport: authentication handshake failed: ` +
	`tls: failed to verify certificate: x509: certificate signed by unknown authority"`

const cutText = "error reading from server: EOF"
