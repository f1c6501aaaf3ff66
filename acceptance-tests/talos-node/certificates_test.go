package main

import (
	"crypto/tls"
	stdx509 "crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/siderolabs/crypto/x509"
	"google.golang.org/grpc/codes"

	"talos-node/pki"
	"talos-node/release"
)

// certificate is one of the cluster's CA with any role and usage.
func (p *program) certificate(roles []string, usage ...stdx509.ExtKeyUsage) tls.Certificate {
	p.t.Helper()

	secrets, err := pki.Open(p.dir)
	must(p.t, err)

	ca, err := x509.NewCertificateAuthorityFromCertificateAndKey(secrets.CA)
	must(p.t, err)

	pair, err := x509.NewKeyPair(ca, x509.Organization(roles...), x509.ExtKeyUsage(usage),
		x509.KeyUsage(stdx509.KeyUsageDigitalSignature), x509.NotAfter(time.Now().Add(time.Hour)))
	must(p.t, err)

	return *pair.Certificate
}

func TestWhatAClientsCertificateMustBe(t *testing.T) {
	t.Parallel()

	p := start(t, "")
	ask := func(change func(*tls.Config)) error {
		_, err := p.raw("talosconfig", change).Get(p.context(), &v1alpha1.GetRequest{
			Namespace: "runtime", Type: "MachineStatuses.runtime.talos.dev", Id: "machine",
		})

		return err
	}
	with := func(c tls.Certificate) func(*tls.Config) {
		return func(cfg *tls.Config) { cfg.Certificates = []tls.Certificate{c} }
	}

	must(t, ask(with(p.certificate([]string{"os:reader"}, stdx509.ExtKeyUsageClientAuth))))

	for _, roles := range [][]string{nil, {"os:nobody"}} {
		err := ask(with(p.certificate(roles, stdx509.ExtKeyUsageClientAuth)))
		wantError(t, err, codes.PermissionDenied, "not authorized")
	}

	both := []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageClientAuth, stdx509.ExtKeyUsageServerAuth}
	for alert, err := range map[string]error{
		"bad certificate":      ask(with(p.certificate([]string{"os:admin"}, both...))),
		"certificate required": ask(func(c *tls.Config) { c.Certificates = nil }),
	} {
		want(t, alert+" code", statusOf(err).Code(), codes.Unavailable)

		// Up to TLS 1.2 Go's server says "bad certificate" for both; the alert can be late, see TestTLSRefusals.
		want(t, alert+" in "+err.Error(), strings.Contains(err.Error(), alert) || strings.Contains(err.Error(), "broken pipe") ||
			strings.Contains(err.Error(), "connection reset"), true)
	}
}

func TestWithoutALPNTheServerCloses(t *testing.T) {
	t.Parallel()

	p := start(t, "")

	var options *tls.Config

	p.raw("talosconfig", func(c *tls.Config) { options = c })
	options.NextProtos = nil

	conn, err := tls.Dial("tcp", p.address, options)
	must(t, err)

	defer conn.Close() //nolint:errcheck

	must(t, conn.SetReadDeadline(time.Now().Add(patience)))

	// gRPC before 1.67, which Talos 1.8 has, goes on and speaks HTTP/2 all the same.
	_, err = conn.Read(make([]byte, 1))

	want(t, "closed", err != nil, release.Minor > 8)
}
