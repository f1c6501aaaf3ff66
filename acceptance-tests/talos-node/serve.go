package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"talos-node/api"
	"talos-node/control"
	"talos-node/node"
	"talos-node/pki"
	"talos-node/script"
)

// options are the flags of serve.
type options struct {
	listen, dir, config, script, log, control string
}

// cluster is everything that runs.
type cluster struct {
	options options
	front   *api.Front
	pki     *pki.PKI
	configs map[string][]byte
	sockets *sockets
}

func serve(args []string) error {
	if len(args) > 0 && args[0] == "serve" {
		args = args[1:]
	}

	var o options

	flags := flag.NewFlagSet("talos-node", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the Talos API")
	flags.StringVar(&o.dir, "dir", "", "folder for talosconfigs, secrets and the nodes' disks")
	flags.StringVar(&o.config, "config", "", "first configuration; generated when absent")
	flags.StringVar(&o.script, "script", "", "what the nodes are and do")
	flags.StringVar(&o.log, "log", "", "file for one JSON line a call")
	flags.StringVar(&o.control, "control", "127.0.0.1:0", "address of the harness's side door")

	if err := flags.Parse(args); err != nil {
		return err
	}

	if o.dir == "" {
		return errors.New("--dir is needed")
	}

	return o.run()
}

func (o options) run() error {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}

	out, err := o.openLog()
	if err != nil {
		return err
	}

	secrets, err := pki.Open(o.dir)
	if err != nil {
		return err
	}

	c := &cluster{
		options: o, pki: secrets, front: api.NewFront(api.NewLog(out), secrets),
		configs: map[string][]byte{}, sockets: &sockets{dir: o.dir, inherited: inherited()},
	}
	c.front.Exec = c.exec
	c.front.Kill = func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }

	return c.run()
}

func (o options) openLog() (*os.File, error) {
	if o.log == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}

	return os.OpenFile(o.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

func (c *cluster) run() error {
	plan := &script.Script{}

	if c.options.script != "" {
		var err error
		if plan, err = script.Load(c.options.script); err != nil {
			return err
		}
	}

	socket, err := c.sockets.open("address", c.options.listen)
	if err != nil {
		return err
	}

	if len(plan.Nodes) == 0 {
		host, _, err := net.SplitHostPort(socket.Addr().String())
		if err != nil {
			return err
		}

		plan.Nodes = []script.Node{{Name: host, Type: "controlplane"}}
	}

	endpoint := plan.Endpoint
	if endpoint == "" {
		endpoint = plan.Nodes[0].Name
	}

	if err := c.addAll(plan, endpoint); err != nil {
		return err
	}

	m := c.front.Find(endpoint)
	if m == nil {
		return fmt.Errorf("script: endpoint %q is no node", endpoint)
	}

	failures := make(chan error, 1)

	if err := c.expose(m, socket, c.options.listen, failures); err != nil {
		return err
	}

	if err := c.pki.WriteTalosconfigs(c.options.dir, socket.Addr().String()); err != nil {
		return err
	}

	side, err := c.openControl(failures)
	if err != nil {
		return err
	}

	fmt.Printf("ready %s control=%s\n", socket.Addr(), side)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)

	select {
	case <-signals:
		return nil
	case err := <-failures:
		return err
	}
}

// expose opens the Talos API of a machine on a socket.
func (c *cluster) expose(m *node.Machine, socket net.Listener, listen string, failures chan<- error) error {
	names := []string{m.Name}

	if host, _, err := net.SplitHostPort(listen); err == nil {
		names = append(names, host)
	}

	e, err := c.front.NewEndpoint(m, socket, names)
	if err != nil {
		return err
	}

	go func() { failures <- e.Serve() }()

	return nil
}

func (c *cluster) openControl(failures chan<- error) (string, error) {
	socket, err := c.sockets.open("control", c.options.control)
	if err != nil {
		return "", err
	}

	side := &control.Server{Front: c.front, Dir: c.options.dir, Apply: func(s *script.Script) error {
		return c.addAll(s, c.front.Names()[0])
	}}
	server := &http.Server{Handler: side.Handler(), ReadHeaderTimeout: time.Minute}

	go func() { failures <- server.Serve(socket) }()

	return socket.Addr().String(), nil
}

// addAll makes or changes the machines of a script.
func (c *cluster) addAll(plan *script.Script, endpoint string) error {
	for _, spec := range plan.Nodes {
		if spec.Type == "" {
			spec.Type = "worker"
			if spec.Name == endpoint {
				spec.Type = "controlplane"
			}
		}

		if m := c.front.Find(spec.Name); m != nil {
			m.Respecify(spec)
			c.front.Add(m, spec)

			continue
		}

		if err := c.add(spec); err != nil {
			return err
		}
	}

	for _, fault := range plan.Faults {
		c.front.AddFault(fault)
	}

	return nil
}

func (c *cluster) add(spec script.Node) error {
	initial, err := c.initialConfig(spec)
	if err != nil {
		return err
	}

	dir := filepath.Join(c.options.dir, "nodes", strings.ReplaceAll(spec.Name, ":", "_"))

	m, err := node.New(spec, dir, initial)
	if err != nil {
		return err
	}

	c.front.Add(m, spec)

	if spec.Listen == "" {
		return nil
	}

	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}

	socket, err := c.sockets.open(filepath.Join("nodes", filepath.Base(dir), "address"), spec.Listen)
	if err != nil {
		return err
	}

	return c.expose(m, socket, spec.Listen, make(chan error, 1))
}

// initialConfig is a machine's first configuration. Generated ones are kept in the folder: one of each kind is enough
// for any number of nodes, and a restart, by another minor too, finds the bytes of before.
func (c *cluster) initialConfig(spec script.Node) ([]byte, error) {
	path := spec.Config
	if path == "" {
		path = c.options.config
	}

	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}

		return data, c.keepFirst(data)
	}

	comments := spec.Comments == nil || *spec.Comments

	kind := spec.Type
	if !comments {
		kind += "-plain"
	}

	if data := c.configs[kind]; data != nil {
		return data, nil
	}

	path = filepath.Join(c.options.dir, "pki", kind+".yaml")

	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		if data, err = pki.Generate(c.pki.Bundle, spec.Type, comments); err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
	}

	if err != nil {
		return nil, err
	}

	c.configs[kind] = data

	return data, c.keepFirst(data)
}

func (c *cluster) keepFirst(data []byte) error {
	path := filepath.Join(c.options.dir, "config.yaml")
	if _, err := os.Stat(path); err == nil {
		return nil
	}

	return os.WriteFile(path, data, 0o600)
}
