package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/client"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The tests run the program as it is, in a process of its own, and ask it with the client of its own minor.

// asProgram makes the test binary be the program.
const asProgram = "TALOS_NODE_TEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()

		return
	}

	os.Exit(m.Run())
}

// patience is how long a call may take before a test is stuck rather than slow. Nothing is judged by it.
const patience = 2 * time.Minute

// program is a running test node.
type program struct {
	t       *testing.T
	dir     string
	args    []string
	command *exec.Cmd
	control string
	address string
}

// start runs the program with a script.
func start(t *testing.T, script string) *program {
	t.Helper()

	p := &program{t: t, dir: t.TempDir()}
	p.args = []string{"--dir", p.dir, "--log", filepath.Join(p.dir, "calls.jsonl")}

	if script != "" {
		path := filepath.Join(p.dir, "script.json")
		must(t, os.WriteFile(path, []byte(script), 0o600))
		p.args = append(p.args, "--script", path)
	}

	p.launch()
	t.Cleanup(p.kill)

	return p
}

func (p *program) launch() {
	p.t.Helper()

	self, err := os.Executable()
	must(p.t, err)

	p.command = exec.Command(self, p.args...)
	p.command.Env = append(os.Environ(), asProgram+"=1")
	p.command.Stderr = os.Stderr

	out, err := p.command.StdoutPipe()
	must(p.t, err)
	must(p.t, p.command.Start())

	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.t.Fatalf("the program ended before it was ready: %v", p.command.Wait())
	}

	fields := strings.Fields(line)
	p.address = fields[1]
	p.control = strings.TrimPrefix(fields[2], "control=")
}

// kill ends the program as a power cut does.
func (p *program) kill() {
	if p.command.ProcessState == nil {
		_ = p.command.Process.Kill() // It may have ended by itself.
		_ = p.command.Wait()
	}
}

// client is the minor's own client with one of the written talosconfigs.
func (p *program) client(name string) *client.Client {
	p.t.Helper()

	cfg, err := clientconfig.Open(filepath.Join(p.dir, name))
	must(p.t, err)

	c, err := client.New(context.Background(), client.WithConfig(cfg))
	must(p.t, err)
	p.t.Cleanup(func() { _ = c.Close() })

	return c
}

func (p *program) context(nodes ...string) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.t.Cleanup(cancel)

	if len(nodes) == 1 {
		return client.WithNode(ctx, nodes[0])
	}

	return ctx
}

// ask sends a request to the control side and returns the answer's body.
func (p *program) ask(method, path, body string) []byte {
	p.t.Helper()

	request, err := http.NewRequest(method, "http://"+p.control+path, strings.NewReader(body))
	must(p.t, err)

	reply, err := http.DefaultClient.Do(request)
	must(p.t, err)

	defer reply.Body.Close() //nolint:errcheck

	data, err := io.ReadAll(reply.Body)
	must(p.t, err)

	if reply.StatusCode != http.StatusOK {
		p.t.Fatalf("%s %s: %s: %s", method, path, reply.Status, data)
	}

	return data
}

// state is the control side's view of a node.
func (p *program) state(name string) map[string]any {
	p.t.Helper()

	var out map[string]any

	must(p.t, json.Unmarshal(p.ask("GET", "/nodes/"+name+"/state", ""), &out))

	return out
}

// machineConfig gets a configuration resource.
func machineConfig(ctx context.Context, c *client.Client, id string) (*config.MachineConfig, error) {
	return safe.StateGet[*config.MachineConfig](ctx, c.COSI,
		resource.NewMetadata(config.NamespaceName, config.MachineConfigType, id, resource.VersionUndefined))
}

// running are the bytes and the version of the running configuration.
func running(t *testing.T, ctx context.Context, c *client.Client) ([]byte, string) {
	t.Helper()

	res, err := machineConfig(ctx, c, "v1alpha1")
	must(t, err)

	data, err := res.Provider().Bytes()
	must(t, err)

	return data, res.Metadata().Version().String()
}

func must(t *testing.T, err error) {
	t.Helper()

	if err != nil {
		t.Fatal(err)
	}
}

// wantError compares code and message; a message that ends in … is a beginning.
func wantError(t *testing.T, err error, code codes.Code, message string) {
	t.Helper()

	got := statusOf(err)
	if err == nil || got.Code() != code {
		t.Fatalf("code: got %v, want %v; error: %v", got.Code(), code, err)
	}

	if beginning, ok := strings.CutSuffix(message, "…"); ok {
		if !strings.HasPrefix(got.Message(), beginning) {
			t.Fatalf("message:\n got %q\nwant %q", got.Message(), message)
		}
	} else if got.Message() != message {
		t.Fatalf("message:\n got %q\nwant %q", got.Message(), message)
	}
}

// statusOf finds the status in an error. COSI's client hides it in errors of its own that keep the text.
func statusOf(err error) *status.Status {
	if err == nil || status.Code(err) != codes.Unknown {
		return status.Convert(err)
	}

	var found codes.Code

	_, text, _ := strings.Cut(err.Error(), "rpc error: code = ")
	name, message, ok := strings.Cut(text, " desc = ")

	for found = codes.OK; ok && found <= codes.Unauthenticated; found++ {
		if found.String() == name {
			return status.New(found, message)
		}
	}

	return status.Convert(err)
}

func want[T comparable](t *testing.T, what string, got, expected T) {
	t.Helper()

	if got != expected {
		t.Fatalf("%s:\n got %v\nwant %v", what, got, expected)
	}
}

func read(t *testing.T, ctx context.Context, c *client.Client, path string) (string, error) {
	t.Helper()

	stream, err := c.Read(ctx, path)
	must(t, err)

	defer stream.Close() //nolint:errcheck

	var out bytes.Buffer

	_, err = io.Copy(&out, stream)

	return out.String(), err
}

// twoNodes is a control plane in front of a worker.
const twoNodes = `{"endpoint": "10.5.0.2", "nodes": [
	{"name": "10.5.0.2", "hostname": "cp-1"},
	{"name": "10.5.0.3", "hostname": "gpu-1"%s}
]}`

func worker(more string) string { return fmt.Sprintf(twoNodes, more) }

const gpuNode = "10.5.0.3"

func mustRead(t *testing.T, path string) []byte {
	t.Helper()

	data, err := os.ReadFile(path)
	must(t, err)

	return data
}
