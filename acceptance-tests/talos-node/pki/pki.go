package pki

import (
	stdx509 "crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/siderolabs/crypto/x509"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"gopkg.in/yaml.v3"
)

// foreignClient is the configuration whose certificate the cluster's CA did not sign, though it trusts that CA.
const foreignClient = "talosconfig-foreign-client"

// PKI is the certificate authority of the test cluster and what was made with it.
type PKI struct {
	Bundle *secrets.Bundle
	CA     *x509.PEMEncodedCertificateAndKey
}

// Open reads the cluster's secrets of a folder, or makes them and leaves them there.
func Open(dir string) (*PKI, error) {
	path := filepath.Join(dir, "pki", "secrets.yaml")

	data, err := os.ReadFile(path)
	if err == nil {
		bundle := &secrets.Bundle{}
		if err := yaml.Unmarshal(data, bundle); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}

		bundle.Clock = secrets.NewClock()

		return &PKI{Bundle: bundle, CA: bundle.Certs.OS}, nil
	}

	bundle, err := NewSecrets()
	if err != nil {
		return nil, err
	}

	data, err = yaml.Marshal(bundle)
	if err != nil {
		return nil, err
	}

	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}

	return &PKI{Bundle: bundle, CA: bundle.Certs.OS}, os.WriteFile(path, data, 0o600)
}

// Server makes a certificate for an API endpoint, signed by the cluster's CA and good for a day, as apid's is.
func (p *PKI) Server(ips []net.IP, names []string) (*x509.PEMEncodedCertificateAndKey, error) {
	return sign(p.CA, x509.IPAddresses(ips), x509.DNSNames(names), x509.CommonName("talos-node"),
		x509.NotAfter(time.Now().Add(24*time.Hour)), x509.KeyUsage(stdx509.KeyUsageDigitalSignature),
		x509.ExtKeyUsage([]stdx509.ExtKeyUsage{stdx509.ExtKeyUsageServerAuth}))
}

// Maintenance makes the certificate of a machine in maintenance mode: a CA that nobody knows signed it.
func Maintenance(ips []net.IP, names []string) (*x509.PEMEncodedCertificateAndKey, error) {
	ca, err := x509.NewSelfSignedCertificateAuthority(x509.ECDSA(true), x509.CommonName("maintenance-service.talos.dev"))
	if err != nil {
		return nil, err
	}

	return sign(x509.NewCertificateAndKeyFromCertificateAuthority(ca), x509.IPAddresses(ips), x509.DNSNames(names),
		x509.CommonName("maintenance-service.talos.dev"), x509.NotAfter(time.Now().Add(24*time.Hour)),
		x509.KeyUsage(stdx509.KeyUsageDigitalSignature),
		x509.ExtKeyUsage([]stdx509.ExtKeyUsage{stdx509.ExtKeyUsageServerAuth}))
}

func sign(ca *x509.PEMEncodedCertificateAndKey, options ...x509.Option) (*x509.PEMEncodedCertificateAndKey, error) {
	authority, err := x509.NewCertificateAuthorityFromCertificateAndKey(ca)
	if err != nil {
		return nil, err
	}

	pair, err := x509.NewKeyPair(authority, options...)
	if err != nil {
		return nil, err
	}

	return x509.NewCertificateAndKeyFromKeyPair(pair), nil
}

// WriteTalosconfigs leaves the client configurations of the cluster in a folder. Those that are there stay, so that a
// client keeps its certificate over a restart; their endpoint is written anew.
func (p *PKI) WriteTalosconfigs(dir, endpoint string) error {
	day := 24 * time.Hour

	kinds := []struct {
		name  string
		roles role.Set
		ca    *x509.PEMEncodedCertificateAndKey
		from  time.Duration
		life  time.Duration
	}{
		{"talosconfig", role.MakeSet(role.Admin), p.CA, 0, 365 * day},
		{"talosconfig-operator", role.MakeSet(role.Operator), p.CA, 0, 365 * day},
		{"talosconfig-reader", role.MakeSet(role.Reader), p.CA, 0, 365 * day},
		{"talosconfig-expired", role.MakeSet(role.Admin), p.CA, -2 * day, day},
		{"talosconfig-wrong-ca", role.MakeSet(role.Admin), nil, 0, 365 * day},
		{foreignClient, role.MakeSet(role.Admin), nil, 0, 365 * day},
	}

	for _, kind := range kinds {
		path := filepath.Join(dir, kind.name)

		if old, err := os.ReadFile(path); err == nil {
			if cfg, err := clientconfig.FromBytes(old); err == nil && cfg.Contexts[cfg.Context] != nil {
				cfg.Contexts[cfg.Context].Endpoints = []string{endpoint}
				if err := cfg.Save(path); err != nil {
					return err
				}

				continue
			}
		}

		ca, trusted := kind.ca, p.CA
		if ca == nil {
			other, err := secrets.NewTalosCA(time.Now())
			if err != nil {
				return err
			}

			ca = x509.NewCertificateAndKeyFromCertificateAuthority(other)
			if kind.name != foreignClient {
				trusted = ca
			}
		}

		client, err := secrets.NewAdminCertificateAndKey(time.Now().Add(kind.from), ca, kind.roles, kind.life)
		if err != nil {
			return err
		}

		cfg := clientconfig.NewConfig("test", []string{endpoint}, trusted.Crt, client)
		if err := cfg.Save(path); err != nil {
			return err
		}
	}

	return nil
}
