package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/renameio/v2"
)

// CertFile is the name of the file in [Config].CertDir that holds the page's key and certificate as PEM. One file, so
// that a power cut can't leave a key beside the certificate of another.
const CertFile = "page.pem"

// certificate is the box's own certificate, exchanged while serving when names or addresses change.
type certificate struct {
	cur atomic.Pointer[tls.Certificate]
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := c.cur.Load(); cert != nil {
		return cert, nil
	}
	return nil, errors.New("no certificate yet")
}

// isOurs refuses every connection whose certificate is not the current one.
func (c *certificate) isOurs(cs tls.ConnectionState) error {
	cert := c.cur.Load()
	if cert == nil || len(cs.PeerCertificates) == 0 || !bytes.Equal(cs.PeerCertificates[0].Raw, cert.Certificate[0]) {
		return errors.New("another program answers with another certificate")
	}
	return nil
}

// fingerprint is the SHA-256 of the certificate as browsers show it; "" when there is none.
func (c *certificate) fingerprint() string {
	cert := c.cur.Load()
	if cert == nil {
		return ""
	}
	sum := sha256.Sum256(cert.Certificate[0])
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// renew takes the stored certificate, or makes a new one where there is none or names or addresses changed. When it
// can't be stored the page still runs, with a certificate that lasts until the next start.
func (c *certificate) renew(cfg *Config, log *slog.Logger) { c.refresh(cfg, log, false) }

// refresh is renew; anew, it looks at the disk even where the certificate in use is right.
func (c *certificate) refresh(cfg *Config, log *slog.Logger, anew bool) {
	if c.useOwn(cfg, log) {
		return
	}
	names, addrs := certNames(cfg)
	if cert := c.cur.Load(); !anew && cert != nil && coversExactly(cert.Leaf, names, addrs) {
		return
	}
	path := filepath.Join(cfg.CertDir, CertFile)
	cert, err := loadCert(path)
	if err == nil && coversExactly(cert.Leaf, names, addrs) {
		c.cur.Store(cert)
		log.Info("using the page's certificate", "sha256", c.fingerprint())
		return
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Warn("making a new certificate, because the stored one cannot be used", "err", err)
	}
	cert, text, err := makeCert(names, addrs)
	if err != nil { // only without entropy
		log.Error("making the page's certificate", "err", err)
		return
	}
	c.cur.Store(cert)
	if err := storeCert(path, text); err != nil {
		log.Error("the page's certificate was not stored and lasts until the next start only", "err", err)
	}
	log.Info("made a new certificate for the page", "sha256", c.fingerprint(), "names", names)
}

func storeCert(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("storing the certificate: %w", err)
	}
	if err := renameio.WriteFile(path, text, 0o600, renameio.WithStaticPermissions(0o600)); err != nil {
		return fmt.Errorf("storing the certificate: %w", err)
	}
	return nil
}

// loadCert reads key and certificate from one PEM file.
func loadCert(path string) (*tls.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	cert, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return &cert, nil
}

// makeCert makes a self-signed certificate. It is valid from 2020, because a box without a clock thinks that it is
// 1970 or the day of its build, for 30 years, because nobody would renew it.
func makeCert(names []string, addrs []net.IP) (*tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "phonebox"},
		NotBefore:             from,
		NotAfter:              from.AddDate(30, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              names,
		IPAddresses:           addrs,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	cert, err := tls.X509KeyPair(text, text)
	return &cert, text, err
}

// certNames lists what the certificate must name: all that people may type to reach the page.
func certNames(cfg *Config) ([]string, []net.IP) {
	names := slices.DeleteFunc(boxNames(cfg), func(n string) bool { return !isHostName(n) })
	var addrs []net.IP
	for _, a := range boxAddrs(cfg) {
		addrs = append(addrs, net.IP(a.AsSlice()))
	}
	return names, addrs
}

// coversExactly reports whether the certificate names these and no others.
func coversExactly(leaf *x509.Certificate, names []string, addrs []net.IP) bool {
	if leaf == nil || len(leaf.DNSNames) != len(names) || len(leaf.IPAddresses) != len(addrs) {
		return false
	}
	for _, n := range names {
		if !slices.Contains(leaf.DNSNames, n) {
			return false
		}
	}
	for _, a := range addrs {
		if !slices.ContainsFunc(leaf.IPAddresses, a.Equal) {
			return false
		}
	}
	return true
}
