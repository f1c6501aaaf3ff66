package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/client"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"talos-node/release"
)

const configType = "MachineConfigs.config.talos.dev"

// raw is COSI's service without COSI's client, which hides codes and empty messages.
func (p *program) raw(name string, change func(*tls.Config)) v1alpha1.StateClient {
	p.t.Helper()

	cfg, err := clientconfig.Open(filepath.Join(p.dir, name))
	must(p.t, err)

	ca, err := base64.StdEncoding.DecodeString(cfg.Contexts[cfg.Context].CA)
	must(p.t, err)

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)

	pair, err := client.CertificateFromConfigContext(cfg.Contexts[cfg.Context])
	must(p.t, err)

	options := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{*pair}}
	if change != nil {
		change(options)
	}

	conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(credentials.NewTLS(options)))
	must(p.t, err)
	p.t.Cleanup(func() { _ = conn.Close() })

	return v1alpha1.NewStateClient(conn)
}

func TestWhatRolesSee(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	ctx := p.context(gpuNode)
	admin, reader := p.raw("talosconfig", nil), p.raw("talosconfig-reader", nil)

	_, err := reader.Get(ctx, &v1alpha1.GetRequest{Namespace: "config", Type: configType, Id: "v1alpha1"})
	wantError(t, err, codes.PermissionDenied, "not authorized")

	for _, c := range []v1alpha1.StateClient{admin, reader} {
		_, err = c.Get(ctx, &v1alpha1.GetRequest{Namespace: "config", Type: "mc", Id: "v1alpha1"})
		wantError(t, err, codes.PermissionDenied, `resource type "mc" is not supported`)

		_, err = c.Get(ctx, &v1alpha1.GetRequest{Type: "MachineStatuses.runtime.talos.dev", Id: "machine"})
		wantError(t, err, codes.PermissionDenied, `namespace "" is not supported`)
	}

	_, err = admin.Destroy(ctx, &v1alpha1.DestroyRequest{Namespace: "config", Type: configType, Id: "v1alpha1"})
	wantError(t, err, codes.PermissionDenied, "write access is not allowed")

	_, err = reader.Destroy(ctx, &v1alpha1.DestroyRequest{Namespace: "config", Type: configType, Id: "v1alpha1"})
	wantError(t, err, codes.PermissionDenied, "not authorized")

	_, err = reader.Get(ctx, &v1alpha1.GetRequest{Namespace: "runtime", Type: "KernelModuleStatuses.runtime.talos.dev", Id: "loop"})
	if release.Minor >= 14 {
		must(t, err)
	} else {
		wantError(t, err, codes.PermissionDenied, `resource type "KernelModuleStatuses.runtime.talos.dev" is not supported`)
	}

	c := p.client("talosconfig-reader")
	_, err = read(t, ctx, c, "/proc/modules")
	wantError(t, err, codes.PermissionDenied, "not authorized")

	_, err = apply(ctx, c, nil, noReboot, false)
	wantError(t, err, codes.PermissionDenied, "not authorized")

	err = c.Reboot(ctx)
	wantError(t, err, codes.PermissionDenied, "not authorized")

	must(t, p.client("talosconfig-operator").Reboot(ctx))
}

func TestWatchBeginsWithAnEmptyMessage(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.raw("talosconfig", nil), p.context(gpuNode)
	persistent := "persistent"

	stream, err := c.Watch(ctx, &v1alpha1.WatchRequest{Namespace: "config", Type: configType, Id: &persistent, ApiVersion: 1, Options: &v1alpha1.WatchOptions{}})
	must(t, err)

	first, err := stream.Recv()
	must(t, err)
	want(t, "events of the first message", len(first.Event), 0)

	second, err := stream.Recv()
	must(t, err)
	want(t, "kind", second.Event[0].EventType, v1alpha1.EventType_DESTROYED)
	want(t, "version", second.Event[0].Resource.Metadata.Version, "undefined")

	stream, err = c.Watch(ctx, &v1alpha1.WatchRequest{
		Namespace: "config", Type: configType, Id: &persistent, ApiVersion: 1,
		Options: &v1alpha1.WatchOptions{BootstrapContents: true},
	})
	must(t, err)

	_, err = stream.Recv()
	want(t, "id with bootstrap_contents", statusOf(err).Code(), codes.Unimplemented)

	kinds, err := c.Watch(ctx, &v1alpha1.WatchRequest{
		Namespace: "runtime", Type: "MachineStatuses.runtime.talos.dev", ApiVersion: 1,
		Options: &v1alpha1.WatchOptions{BootstrapContents: true},
	})
	must(t, err)

	var seen []string

	for range 3 {
		message, err := kinds.Recv()
		must(t, err)

		for _, e := range message.Event {
			seen = append(seen, e.EventType.String())
		}
	}

	want(t, "events", strings.Join(seen, " "), "CREATED BOOTSTRAPPED")
}

func TestAWatchWithoutOptions(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	stream, err := p.raw("talosconfig", nil).Watch(p.context(gpuNode), &v1alpha1.WatchRequest{Namespace: "runtime", Type: "MachineStatuses.runtime.talos.dev"})
	must(t, err)

	_, err = stream.Recv()
	if release.WatchNeedsOptions {
		wantError(t, err, codes.Internal, "runtime error: invalid memory address or nil pointer dereference")
	} else {
		must(t, err)
	}
}

func TestAWatchEndsWithItsBoot(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.raw("talosconfig", nil), p.context(gpuNode)

	stream, err := c.Watch(ctx, &v1alpha1.WatchRequest{Namespace: "runtime", Type: "MachineStatuses.runtime.talos.dev", ApiVersion: 1, Options: &v1alpha1.WatchOptions{}})
	must(t, err)

	_, err = stream.Recv()
	must(t, err)
	p.ask("POST", "/nodes/"+gpuNode+"/stop", "")

	_, err = stream.Recv()
	want(t, "code", statusOf(err).Code(), codes.Unavailable)

	_, err = p.client("talosconfig").Version(ctx)
	wantError(t, err, codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp 10.5.0.3:50000: connect: connection refused"`)
}

func TestRouting(t *testing.T) {
	t.Parallel()

	p := start(t, `{"nodes": [{"name": "10.5.0.2"}, {"name": "10.5.0.3", "hostname": "gpu-1", "type": "worker", "listen": "127.0.0.1:0"}]}`)
	raw := p.raw("talosconfig", nil)
	ask := func(keys ...string) error {
		_, err := raw.Get(metadata.AppendToOutgoingContext(p.context(), keys...), &v1alpha1.GetRequest{
			Namespace: "runtime", Type: "MachineStatuses.runtime.talos.dev", Id: "machine",
		})

		return err
	}

	must(t, ask())
	must(t, ask("node", "10.5.0.2"))
	must(t, ask("node", "gpu-1"))
	wantError(t, ask("node", "10.5.0.3", "node", "10.5.0.2"), codes.InvalidArgument, "node metadata must be single-valued")
	wantError(t, ask("node", "10.5.0.3:50000"), codes.Internal, `invalid target "10.5.0.3:50000"`)
	wantError(t, ask("node", "10.5.0.9"), codes.Unavailable,
		`connection error: desc = "transport: Error while dialing: dial tcp 10.5.0.9:50000: connect: connection refused"`)
	wantError(t, ask("node", "no-such"), codes.Unavailable, "dns: A record lookup error: lookup no-such …")

	text := "one-2-many proxying is not supported for COSI methods"
	if release.Minor >= 13 {
		text = "one-2-many proxying is not supported for method /cosi.resource.State/Get"
	}

	wantError(t, ask("nodes", "10.5.0.3"), codes.InvalidArgument, text)

	// Many nodes, for a method that goes to many: each says its name, and who does not answer says so.
	reply, err := p.client("talosconfig").Version(client.WithNodes(p.context(), "10.5.0.2", "10.5.0.3", "10.5.0.9"))
	want(t, "messages", len(reply.Messages), 2)
	want(t, "name", reply.Messages[1].Metadata.Hostname, "10.5.0.3")
	want(t, "the third", strings.Contains(err.Error(), "10.5.0.9"), true)

	// A worker's own API does not forward.
	p.address = string(mustRead(t, filepath.Join(p.dir, "nodes", "10.5.0.3", "address")))
	raw = p.raw("talosconfig", nil)
	must(t, ask("node", "10.5.0.3"))
	must(t, ask("node", "gpu-1"))
	wantError(t, ask("node", "10.5.0.2"), codes.PermissionDenied, "no request forwarding")
}

func TestTLSRefusals(t *testing.T) {
	t.Parallel()

	p := start(t, "")
	version := func(name string) error {
		_, err := p.client(name).Version(p.context())

		return err
	}

	must(t, version("talosconfig"))

	for name, reason := range map[string]string{
		"talosconfig-expired":        "expired certificate",
		"talosconfig-wrong-ca":       "certificate signed by unknown authority",
		"talosconfig-foreign-client": "unknown certificate authority",
	} {
		err := version(name)
		want(t, name+" code", statusOf(err).Code(), codes.Unavailable)
		// TLS 1.3 tells the refusal on the first read or write, which can be too late for the alert.
		want(t, name+": "+err.Error(), strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "broken pipe") ||
			strings.Contains(err.Error(), "connection reset"), true)
	}

	get := func(change func(*tls.Config)) error {
		_, err := p.raw("talosconfig", change).Get(p.context(), &v1alpha1.GetRequest{
			Namespace: "runtime", Type: "MachineStatuses.runtime.talos.dev", Id: "machine",
		})

		return err
	}

	must(t, get(nil))
	want(t, "no certificate", statusOf(get(func(c *tls.Config) { c.Certificates = nil })).Code(), codes.Unavailable)

	err := get(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
	if release.TLS13Only {
		want(t, "TLS 1.2: "+err.Error(), strings.Contains(err.Error(), "protocol version not supported"), true)
	} else {
		must(t, err)
	}
}

func TestMaintenanceMode(t *testing.T) {
	t.Parallel()

	p := start(t, `{"nodes": [{"name": "10.5.0.2", "maintenance": true}]}`)

	_, err := p.client("talosconfig").Version(p.context())
	want(t, "normal mTLS: "+err.Error(), strings.Contains(err.Error(), "certificate signed by unknown authority"), true)

	raw := p.raw("talosconfig", func(c *tls.Config) { c.InsecureSkipVerify, c.Certificates = true, nil })

	_, err = raw.Get(p.context(), &v1alpha1.GetRequest{Namespace: "config", Type: configType, Id: "v1alpha1"})
	wantError(t, err, codes.PermissionDenied, "not authorized")

	insecure, err := client.New(p.context(), client.WithTLSConfig(&tls.Config{InsecureSkipVerify: true}), client.WithEndpoints(p.address))
	must(t, err)

	t.Cleanup(func() { _ = insecure.Close() })

	version, err := insecure.Version(p.context())
	if release.MaintenanceIsAPID {
		must(t, err)
		want(t, "features", version.Messages[0].Features == nil, true)
	} else {
		wantError(t, err, codes.Unimplemented, "API is not implemented in maintenance mode")
	}

	_, err = apply(p.context(), insecure, mustRead(t, filepath.Join(p.dir, "config.yaml")), auto, false)
	must(t, err)

	_, err = p.client("talosconfig").Version(p.context())
	must(t, err)
}

func TestAMessageThatIsTooLong(t *testing.T) {
	t.Parallel()

	p := start(t, "")
	c := p.client("talosconfig")

	_, err := apply(p.context(), c, make([]byte, 33<<20), noReboot, false)
	want(t, "code", statusOf(err).Code(), codes.ResourceExhausted)
}
