package api

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/constants"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"talos-node/node"
	"talos-node/pki"
	"talos-node/release"
)

// Endpoint is one address of the Talos API: the apid of one machine. The listening socket stays open while the machine
// is down, so that nobody else takes the port; connections are then reset at once, which counts as a call.
type Endpoint struct {
	front    *Front
	machine  *node.Machine
	listener net.Listener
	normal   *tls.Config
	unborn   *tls.Config

	mu     sync.Mutex
	server *grpc.Server
	feed   *feed
}

var connections atomic.Int64

// NewEndpoint makes the endpoint of a machine on a socket that is open already.
func (f *Front) NewEndpoint(m *node.Machine, listener net.Listener, names []string) (*Endpoint, error) {
	e := &Endpoint{front: f, machine: m, listener: listener}

	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	dns := []string{"localhost", m.Hostname}

	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			ips = append(ips, ip)
		} else if name != "" {
			dns = append(dns, name)
		}
	}

	certificate, err := f.PKI.Server(ips, dns)
	if err != nil {
		return nil, err
	}

	unknown, err := pki.Maintenance(ips, append(dns, "maintenance-service.talos.dev"))
	if err != nil {
		return nil, err
	}

	if e.normal, err = serverTLS(certificate.Crt, certificate.Key); err != nil {
		return nil, err
	}

	if e.unborn, err = serverTLS(unknown.Crt, unknown.Key); err != nil {
		return nil, err
	}

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.PKI.CA.Crt)
	e.normal.ClientAuth, e.normal.ClientCAs = tls.RequireAndVerifyClientCert, pool
	e.normal.VerifyPeerCertificate = clientAuthOnly

	f.mu.Lock()
	f.endpoints = append(f.endpoints, e)
	f.mu.Unlock()

	e.renew()

	return e, nil
}

func serverTLS(crt, key []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		return nil, err
	}

	cfg := &tls.Config{
		Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"},
		MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
	}

	if release.TLS13Only {
		cfg.MinVersion = tls.VersionTLS13
	}

	return cfg, nil
}

// clientAuthOnly refuses a certificate that is good for anything but a client.
func clientAuthOnly(_ [][]byte, chains [][]*x509.Certificate) error {
	if len(chains) == 0 {
		return errors.New("no verified chains")
	}

	for _, crt := range chains[0] {
		if !crt.IsCA && !slices.Equal(crt.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
			return fmt.Errorf("certificate %q is missing the client auth extended key usage", crt.Subject)
		}
	}

	return nil
}

// Address is where the endpoint listens.
func (e *Endpoint) Address() string { return e.listener.Addr().String() }

// Listener is the open socket, for a process that hands it on.
func (e *Endpoint) Listener() net.Listener { return e.listener }

// Serve accepts connections until the socket is closed.
func (e *Endpoint) Serve() error {
	for {
		raw, err := e.listener.Accept()

		if e.front.paused.Load() {
			select {} // The socket lives on in the program that this process becomes.
		}

		if err != nil {
			return err
		}

		number := connections.Add(1)

		if e.machine.Peek() == node.Dead && e.machine.Arrive() == node.Dead {
			e.front.Log.Add(Entry{Event: "refused", Conn: number, Peer: raw.RemoteAddr().String(), Node: e.machine.Name})
			reset(raw)

			continue
		}

		e.mu.Lock()
		e.feed.offer(&conn{Conn: raw, number: number})
		e.mu.Unlock()
	}
}

// renew gives new connections a new server and lets the old one's clients go, as a reboot does.
func (e *Endpoint) renew() {
	e.mu.Lock()
	defer e.mu.Unlock()

	if old := e.server; old != nil {
		go func() {
			// A call that does not end by itself is cut: it belongs to a machine that is no more.
			cut := time.AfterFunc(time.Second, old.Stop)
			old.GracefulStop()
			cut.Stop()
		}()
	}

	e.feed = newFeed(e.listener.Addr())
	e.server = e.newServer()

	go e.server.Serve(e.feed) //nolint:errcheck // It ends when the feed is closed.
}

func (e *Endpoint) newServer() *grpc.Server {
	server := grpc.NewServer(
		grpc.Creds(&handshaker{TransportCredentials: credentials.NewTLS(e.tls()), endpoint: e}),
		grpc.MaxRecvMsgSize(constants.GRPCMaxMessageSize),
		grpc.UnaryInterceptor(e.unary),
		grpc.StreamInterceptor(e.stream),
		grpc.StatsHandler(settler{}),
	)
	register(server)

	return server
}

// tls chooses by the machine's mode at the time of the handshake.
func (e *Endpoint) tls() *tls.Config {
	cfg := e.normal.Clone()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if e.machine.Peek() == node.InMaintenance {
			return e.unborn, nil
		}

		return e.normal, nil
	}

	return cfg
}

// conn is a connection with its number in the log.
type conn struct {
	net.Conn

	number int64
}

// reset closes a connection so that the other side sees a reset, not an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // The connection is closed whether or not this works.
	}

	_ = c.Close()
}

// authInfo is what a call knows of its connection.
type authInfo struct {
	credentials.TLSInfo

	conn *conn
}

// handshaker is gRPC's TLS with a line in the log for each connection.
type handshaker struct {
	credentials.TransportCredentials

	endpoint *Endpoint
}

func (h *handshaker) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, _ := raw.(*conn)
	entry := Entry{Event: "tls", Conn: c.number, Peer: raw.RemoteAddr().String(), Node: h.endpoint.machine.Name}

	secure, info, err := h.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		entry.Event, entry.Message = "tls_refused", err.Error()
		h.endpoint.front.Log.Add(entry)

		// A client that does not trust the certificate of maintenance mode still came.
		if h.endpoint.machine.Peek() == node.InMaintenance {
			h.endpoint.machine.Arrive()
		}

		return nil, nil, err
	}

	h.endpoint.front.Log.Add(entry)

	tlsInfo, _ := info.(credentials.TLSInfo)

	return secure, authInfo{TLSInfo: tlsInfo, conn: c}, nil
}

func (h *handshaker) Clone() credentials.TransportCredentials {
	return &handshaker{TransportCredentials: h.TransportCredentials.Clone(), endpoint: h.endpoint}
}

// feed is a listener that is fed with accepted connections.
type feed struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newFeed(address net.Addr) *feed {
	return &feed{address: address, conns: make(chan net.Conn, 1024), closed: make(chan struct{})}
}

func (f *feed) offer(c net.Conn) {
	select {
	case f.conns <- c:
	case <-f.closed:
		_ = c.Close()
	}
}

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *feed) Close() error {
	f.once.Do(func() { close(f.closed) })

	return nil
}

func (f *feed) Addr() net.Addr { return f.address }
