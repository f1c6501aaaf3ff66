package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"talos-node/release"
)

func TestFaultsStrikeAtTheirCall(t *testing.T) {
	t.Parallel()

	p := start(t, worker(`, "faults": [
		{"method": "Version", "call": 2, "do": "unavailable"},
		{"method": "Version", "call": 3, "do": "denied"},
		{"method": "Version", "call": 4, "do": "error", "code": "ResourceExhausted", "message": "slow down"},
		{"method": "ApplyConfiguration", "resource": "NO_REBOOT", "call": 1, "do": "busy"},
		{"method": "ApplyConfiguration", "resource": "NO_REBOOT", "call": 2, "do": "unavailable", "when": "after"},
		{"method": "Get", "resource": "MachineConfigs.config.talos.dev/v1alpha1", "call": 3, "do": "write", "write": {"sysctl": {"vm.max_map_count": "262144"}}}
	]`))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	version := func() error {
		_, err := c.Version(ctx)

		return err
	}

	must(t, version())
	wantError(t, version(), codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp 10.5.0.3:50000: connect: connection refused"`)
	wantError(t, version(), codes.PermissionDenied, "not authorized")
	wantError(t, version(), codes.ResourceExhausted, "slow down")
	must(t, version())

	original, _ := running(t, ctx, c)
	changed := append(bytes.Clone(original), "\n# changed\n"...)

	_, err := apply(ctx, c, changed, noReboot, false)
	wantError(t, err, codes.FailedPrecondition, "another apply configuration is already in progress")
	wantRunning(t, ctx, c, original, "1")

	// The answer is lost, the work is done; then somebody else writes before the third reading.
	_, err = apply(ctx, c, changed, noReboot, false)
	want(t, "lost answer", statusOf(err).Code(), codes.Unavailable)

	data, v := running(t, ctx, c)
	want(t, "version", v, "3")
	want(t, "the other's write", bytes.Contains(data, []byte(`vm.max_map_count: "262144"`)), true)
	want(t, "ours is below it", bytes.HasSuffix(data, []byte("\n# changed\n")), true)
}

func TestADroppedConnectionBeforeAndAfterTheWork(t *testing.T) {
	t.Parallel()

	p := start(t, worker(`, "faults": [
		{"method": "ApplyConfiguration", "call": 1, "do": "drop"},
		{"method": "ApplyConfiguration", "call": 2, "do": "drop", "when": "after"}
	]`))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)

	for _, version := range []string{"1", "2"} {
		_, err := apply(ctx, c, original, noReboot, false)
		want(t, "code", statusOf(err).Code(), codes.Unavailable)
		wantRunning(t, ctx, c, original, version)
	}
}

func TestARebootIsOverAfterSoManyRefusedCalls(t *testing.T) {
	t.Parallel()

	p := start(t, worker(`, "reboot": {"refuse": 3, "booting_calls": 2}, "modules": {"nvidia": {"available": true}}`))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	before := p.state(gpuNode)["boot_id"]

	original, _ := running(t, ctx, c)
	_, err := apply(ctx, c, patched(t, original, modulesPatch), noReboot, false)
	must(t, err)
	must(t, c.Reboot(ctx))

	for range 3 {
		_, err := c.Version(ctx)
		want(t, "code", statusOf(err).Code(), codes.Unavailable)
	}

	var stages []string

	for range 3 {
		_, err := c.Version(ctx)
		must(t, err)

		stages = append(stages, p.state(gpuNode)["stage"].(string))
	}

	want(t, "stages", strings.Join(stages, " "), "booting running running")
	want(t, "another boot", p.state(gpuNode)["boot_id"] != before, true)

	p.ask("POST", "/nodes/"+gpuNode+"/reboot", `{"never": true}`)

	for range 10 {
		_, err := c.Version(ctx)
		want(t, "code", statusOf(err).Code(), codes.Unavailable)
	}
}

func TestTheEndpointItselfReboots(t *testing.T) {
	t.Parallel()

	p := start(t, "")
	c, ctx := p.client("talosconfig"), p.context()
	before := p.state("127.0.0.1")["boot_id"]

	must(t, c.Reboot(ctx))
	_, err := machineConfig(ctx, p.client("talosconfig"), "v1alpha1")
	must(t, err)
	want(t, "another boot", p.state("127.0.0.1")["boot_id"] != before, true)

	p.ask("POST", "/nodes/127.0.0.1/stop", "")

	_, err = p.client("talosconfig").Version(ctx)
	want(t, "code", statusOf(err).Code(), codes.Unavailable)
	p.ask("POST", "/nodes/127.0.0.1/start", "")

	_, err = p.client("talosconfig").Version(ctx)
	must(t, err)
}

func TestAHeldCallGoesOnWhenItIsReleased(t *testing.T) {
	t.Parallel()

	p := start(t, worker(`, "faults": [{"method": "Version", "do": "hold"}]`))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	done := make(chan error, 1)

	go func() {
		_, err := c.Version(ctx)
		done <- err
	}()

	// The call is on its way: until it is there the release frees nobody.
	for strings.TrimSpace(string(p.ask("POST", "/nodes/"+gpuNode+"/release", ""))) == `{"released":0}` {
	}

	must(t, <-done)
}

func TestAnotherMachineAtTheSameAddress(t *testing.T) {
	t.Parallel()

	p := start(t, worker(`, "faults": [{"method": "Version", "call": 2, "do": "uuid", "uuid": "99999999-0000-0000-0000-000000000000"}]`))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)

	for _, is := range []bool{false, true} {
		_, err := c.Version(ctx)
		must(t, err)
		want(t, "other", p.state(gpuNode)["uuid"] == "99999999-0000-0000-0000-000000000000", is)
	}
}

func TestAKilledNodeComesBackWithItsConfiguration(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)
	changed := []byte("# ours\r\n" + string(original))

	_, err := apply(ctx, c, changed, auto, false)
	must(t, err)

	before, address := p.state(gpuNode)["boot_id"], p.address
	p.kill()
	p.launch()
	want(t, "address", p.address, address)
	want(t, "another boot", p.state(gpuNode)["boot_id"] != before, true)

	c, ctx = p.client("talosconfig"), p.context(gpuNode)
	wantRunning(t, ctx, c, changed, "1")
	noPersistent(t, ctx, c)
}

func TestANodeComesBackAsAnotherProgram(t *testing.T) {
	t.Parallel()

	self, err := os.Executable()
	must(t, err)

	p := start(t, worker(`, "reboot": {"exec": "`+self+`"}`))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	before := p.state(gpuNode)["boot_id"]

	must(t, c.Reboot(ctx))

	// The socket stays open and nobody is refused; a connection that the old program had taken already is cut.
	for {
		_, err = p.client("talosconfig").Version(p.context())
		if statusOf(err).Code() != codes.Unavailable {
			break
		}
	}

	must(t, err)
	want(t, "another boot", p.state(gpuNode)["boot_id"] != before, true)
}

func TestTheLogTellsConnectionsFromCalls(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)

	original, _ := running(t, ctx, c)
	_, err := c.Version(ctx)
	must(t, err)
	_, err = apply(ctx, c, original, noReboot, false)
	must(t, err)

	text := string(mustRead(t, filepath.Join(p.dir, "calls.jsonl")))
	want(t, "connections in "+text, strings.Count(text, `"event":"tls"`), 1)

	var calls []map[string]any

	must(t, json.Unmarshal(p.ask("GET", "/calls?node="+gpuNode, ""), &calls))

	var seen []string
	for _, call := range calls {
		seen = append(seen, call["method"].(string)+" "+call["code"].(string))
	}

	want(t, "calls", strings.Join(seen, ", "), "/cosi.resource.State/Get OK, /machine.MachineService/Version OK, "+
		"/machine.MachineService/ApplyConfiguration OK")

	for _, secret := range []string{"BEGIN", "machine:", "token"} {
		want(t, "the log has "+secret, strings.Contains(text, secret), false)
	}
}

func TestAThousandNodesBehindOneEndpoint(t *testing.T) {
	t.Parallel()

	p := start(t, `{"nodes": [{"name": "10.5.0.2"}, {"name": "gpu-%d", "count": 1000}]}`)
	c := p.client("talosconfig")

	for _, name := range []string{"gpu-0", "gpu-999"} {
		version, err := c.Version(p.context(name))
		must(t, err)
		want(t, "tag", version.Messages[0].Version.Tag, release.Tag)
	}

	for line := range strings.Lines(string(mustRead(t, fmt.Sprintf("/proc/%d/status", p.command.Process.Pid)))) {
		if strings.HasPrefix(line, "VmRSS") {
			t.Log(strings.TrimSpace(line))
		}
	}
}
