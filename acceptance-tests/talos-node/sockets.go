package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// socketsVariable names the inherited sockets for the program that this process becomes: NAME=FD,NAME=FD.
const socketsVariable = "TALOS_NODE_SOCKETS"

// sockets opens listening sockets and hands them on when the process becomes another program: a client that dials in
// between waits in the backlog instead of being refused.
type sockets struct {
	dir       string
	inherited map[string]int
	names     []string
	opened    []*net.TCPListener
}

func inherited() map[string]int {
	out := map[string]int{}

	for part := range strings.SplitSeq(os.Getenv(socketsVariable), ",") {
		if name, fd, ok := strings.Cut(part, "="); ok {
			if number, err := strconv.Atoi(fd); err == nil {
				out[name] = number
			}
		}
	}

	return out
}

// open listens on an address and leaves it in a file of the folder. With port 0 the port of an earlier run is taken.
func (s *sockets) open(name, address string) (net.Listener, error) {
	listener, err := s.listen(name, address)
	if err != nil {
		return nil, err
	}

	if tcp, ok := listener.(*net.TCPListener); ok {
		s.names = append(s.names, name)
		s.opened = append(s.opened, tcp)
	}

	return listener, os.WriteFile(filepath.Join(s.dir, name), []byte(listener.Addr().String()), 0o644)
}

func (s *sockets) listen(name, address string) (net.Listener, error) {
	if fd, ok := s.inherited[name]; ok {
		file := os.NewFile(uintptr(fd), name)
		defer file.Close() //nolint:errcheck // FileListener has a copy.

		return net.FileListener(file)
	}

	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}

	if before, err := os.ReadFile(filepath.Join(s.dir, name)); err == nil && port == "0" {
		if oldHost, oldPort, err := net.SplitHostPort(string(before)); err == nil && oldHost == host {
			if listener, err := net.Listen("tcp", net.JoinHostPort(host, oldPort)); err == nil {
				return listener, nil
			}
		}
	}

	return net.Listen("tcp", address)
}

// exec makes this process the program at path, with the same arguments and the same sockets.
func (c *cluster) exec(path string) {
	c.front.Pause()

	go func() {
		// Answers that are on their way leave first: the servers have that second to let their clients go.
		time.Sleep(200 * time.Millisecond)

		if err := c.become(path); err != nil {
			panic(fmt.Errorf("become %s: %w", path, err))
		}
	}()
}

func (c *cluster) become(path string) error {
	var list []string

	for i, listener := range c.sockets.opened {
		file, err := listener.File()
		if err != nil {
			return err
		}

		// The copy that File makes closes at exec; this one does not.
		fd, err := syscall.Dup(int(file.Fd()))
		if err != nil {
			return err
		}

		list = append(list, fmt.Sprintf("%s=%d", c.sockets.names[i], fd))
	}

	environment := []string{socketsVariable + "=" + strings.Join(list, ",")}

	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, socketsVariable+"=") {
			environment = append(environment, variable)
		}
	}

	return syscall.Exec(path, append([]string{path}, os.Args[1:]...), environment)
}
