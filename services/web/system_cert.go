package web

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// OwnCertFile is the name of the file in [Config].CertDir that holds a key and a certificate that a person uploaded. While it is
// there and can be read it wins over the box's own.
const OwnCertFile = "own.pem"

// maxCert bounds an uploaded certificate and an uploaded key, in bytes each.
const maxCert = 64 << 10

// useOwn takes the certificate that a person uploaded; false when there is none that can be used.
func (c *certificate) useOwn(cfg *Config, log *slog.Logger) bool {
	cert, err := loadCert(filepath.Join(cfg.CertDir, OwnCertFile))
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			log.Warn("the certificate that was uploaded cannot be used", "err", err)
		}
		return false
	}
	c.cur.Store(cert)
	return true
}

// ReloadCertificate reads the certificate from the disk again, after a restore put another there. Connections that are open
// keep the one that they began with.
func (s *Server) ReloadCertificate() {
	if cfg := s.cfg.Load(); !cfg.Single && s.cert.cur.Load() != nil {
		s.cert.refresh(cfg, s.deps.Log, true)
	}
}

// renewOwn makes a new certificate of the box's own, whatever the old one was, and forgets an uploaded one.
func (c *certificate) renewOwn(cfg *Config, log *slog.Logger) error {
	names, addrs := certNames(cfg)
	cert, text, err := makeCert(names, addrs)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	if err := storeCert(filepath.Join(cfg.CertDir, CertFile), text); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(cfg.CertDir, OwnCertFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the certificate that was uploaded: %w", err)
	}
	c.cur.Store(cert)
	log.Info("made a new certificate for the page", "sha256", c.fingerprint(), "names", names)
	return nil
}

// certView is the certificate in words.
type certView struct {
	None        bool // the page runs without encryption
	Own         bool // uploaded by a person
	Fingerprint string
	SHA1        string
	Names       []string
	From, To    string
	Issuer      string
	Warnings    []string
	Problem     string
	URL         string // of the page
	Host        string
}

func (s *Server) certPage(w http.ResponseWriter, r *http.Request) error {
	return s.showCert(w, r, http.StatusOK, "")
}

func (s *Server) showCert(w http.ResponseWriter, r *http.Request, code int, problem string) error {
	cfg := s.cfg.Load()
	v := certView{None: true, Problem: problem, Host: hostOnly(r.Host)}
	if cert := s.cert.cur.Load(); cert != nil && cert.Leaf != nil && !cfg.Single {
		leaf := cert.Leaf
		v.None, v.Fingerprint, v.URL = false, s.cert.fingerprint(), s.secureURL(r)
		_, err := os.Stat(filepath.Join(cfg.CertDir, OwnCertFile))
		v.Own = err == nil
		v.From, v.To = leaf.NotBefore.UTC().Format("2 January 2006"), leaf.NotAfter.UTC().Format("2 January 2006")
		v.Names, v.Issuer = coveredNames(leaf), leaf.Issuer.CommonName
		v.Warnings = certWarnings(leaf, cfg, s.deps.Now())
	}
	return s.show(w, r, code, "systemcert", "Certificate", "/system/certificate", v)
}

func coveredNames(leaf *x509.Certificate) []string {
	out := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

// certWarnings says what browsers will not like.
func certWarnings(leaf *x509.Certificate, cfg *Config, now time.Time) []string {
	var out []string
	switch {
	case now.After(leaf.NotAfter):
		out = append(out, "It ran out on "+leaf.NotAfter.UTC().Format("2 January 2006")+".")
	case now.AddDate(0, 1, 0).After(leaf.NotAfter):
		out = append(out, "It runs out on "+leaf.NotAfter.UTC().Format("2 January 2006")+".")
	case now.Before(leaf.NotBefore):
		out = append(out, "It is valid from "+leaf.NotBefore.UTC().Format("2 January 2006")+" on, which is later than the time of the box.")
	}
	var missing []string
	names, addrs := certNames(cfg)
	for _, n := range names {
		if leaf.VerifyHostname(n) != nil {
			missing = append(missing, n)
		}
	}
	for _, a := range addrs {
		if leaf.VerifyHostname(a.String()) != nil {
			missing = append(missing, a.String())
		}
	}
	if len(missing) > 0 {
		out = append(out, "Browsers warn of it when the page is opened as "+and(missing)+", for it does not name these.")
	}
	return out
}

// certUpload takes a certificate and its key, as files or pasted.
func (s *Server) certUpload(w http.ResponseWriter, r *http.Request) error {
	cfg := s.cfg.Load()
	if cfg.Single {
		return public(http.StatusConflict, "This page runs without encryption, so it has no certificate.")
	}
	fields, err := certFields(r)
	if err != nil {
		return err
	}
	text, cert, err := checkCert([]byte(fields["certificate"]), []byte(fields["key"]), cfg, s.deps.Now(), s.deps.Box.Status().Clock.Trusted)
	if err != nil {
		var pub *PublicError
		if errors.As(err, &pub) {
			return s.showCert(w, r, pub.Status, pub.Text)
		}
		return err
	}
	if err := storeCert(filepath.Join(cfg.CertDir, OwnCertFile), text); err != nil {
		return failed(http.StatusInsufficientStorage, "The certificate could not be stored; the old one holds.", err)
	}
	s.cert.cur.Store(cert)
	s.deps.Log.Info("using the certificate that was uploaded", "sha256", s.cert.fingerprint())
	s.changed(r, "A certificate was uploaded for the page, with the fingerprint "+s.cert.fingerprint()+".")
	return s.done(w, r, "/system/certificate", "The certificate is in use for every new connection.")
}

// certFields reads the parts of the form: of a file and of a text field of the same name, what is not empty.
func certFields(r *http.Request) (map[string]string, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, public(http.StatusUnsupportedMediaType, "Send certificate and key as a form (multipart/form-data).")
	}
	out := map[string]string{}
	for range 8 {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, readFailure(err)
		}
		body, err := io.ReadAll(io.LimitReader(part, maxCert+1))
		if err != nil {
			return nil, readFailure(err)
		}
		if len(body) > maxCert {
			return nil, public(http.StatusRequestEntityTooLarge, "That is too large for a certificate or a key.")
		}
		if text := strings.TrimSpace(string(body)); text != "" {
			out[part.FormName()] = text + "\n"
		}
	}
	return out, nil
}

// checkCert checks that certificate and key belong together, that the box is named, and that the time has not run out, and
// returns both as one PEM text.
func checkCert(certText, keyText []byte, cfg *Config, now time.Time, trusted bool) ([]byte, *tls.Certificate, error) {
	wrong := func(text string) error { return public(http.StatusUnprocessableEntity, text) }
	if len(keyText) == 0 {
		keyText = certText // both may be in one file
	}
	chain := pemBlocks(certText, "CERTIFICATE")
	keys := pemBlocks(keyText, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
	switch {
	case len(chain) == 0:
		return nil, nil, wrong("There is no certificate in it. One is a text that begins with -----BEGIN CERTIFICATE-----.")
	case len(chain) > 10:
		return nil, nil, wrong("There are more than ten certificates in it. Take the one of the box, and those that lead to its authority.")
	case len(pemBlocks(keyText, "ENCRYPTED PRIVATE KEY")) > 0 || slices.ContainsFunc(keys, func(b *pem.Block) bool { return b.Headers["DEK-Info"] != "" }):
		return nil, nil, wrong("The key is protected by a passphrase. Take that away first: openssl pkey -in key.pem -out plain.pem")
	case len(keys) != 1:
		return nil, nil, wrong("There has to be one key. It is a text that begins with -----BEGIN PRIVATE KEY-----.")
	}
	text := pem.EncodeToMemory(&pem.Block{Type: keys[0].Type, Bytes: keys[0].Bytes})
	for _, b := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Bytes})...)
	}
	cert, err := tls.X509KeyPair(text, text)
	if err != nil {
		if strings.Contains(err.Error(), "does not match") {
			return nil, nil, wrong("The key does not belong to the certificate. The certificate of the box has to be the first one.")
		}
		return nil, nil, wrong("Certificate or key cannot be read.")
	}
	leaf := cert.Leaf
	if trusted && now.After(leaf.NotAfter) {
		return nil, nil, wrong("The certificate ran out on " + leaf.NotAfter.UTC().Format("2 January 2006") + ".")
	}
	names, addrs := certNames(cfg)
	named := slices.ContainsFunc(names, func(n string) bool { return leaf.VerifyHostname(n) == nil }) ||
		slices.ContainsFunc(addrs, func(a net.IP) bool { return leaf.VerifyHostname(a.String()) == nil })
	if !named {
		return nil, nil, wrong("The certificate names " + cmp.Or(and(coveredNames(leaf)), "nothing") + ", and the box is none of these. It is " + and(names) + ".")
	}
	return text, &cert, nil
}

// pemBlocks finds blocks of these types.
func pemBlocks(text []byte, types ...string) (out []*pem.Block) {
	for range 100 {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return out
		}
		if slices.Contains(types, b.Type) {
			out = append(out, b)
		}
	}
	return out
}

func (s *Server) certNewAsk(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "systemcertnew", "A new certificate?", "/system/certificate", certView{Fingerprint: s.cert.fingerprint()})
}

func (s *Server) certNewPost(w http.ResponseWriter, r *http.Request) error {
	cfg := s.cfg.Load()
	if cfg.Single {
		return public(http.StatusConflict, "This page runs without encryption, so it has no certificate.")
	}
	if err := s.cert.renewOwn(cfg, s.deps.Log); err != nil {
		return failed(http.StatusInsufficientStorage, "The new certificate could not be stored; the old one holds.", err)
	}
	s.changed(r, "A new certificate was made for the page, with the fingerprint "+s.cert.fingerprint()+".")
	return s.done(w, r, "/system/certificate", "The new certificate is in use for every new connection. Your browser will ask once more.")
}

// certDownload sends the certificates without the key.
func (s *Server) certDownload(w http.ResponseWriter, _ *http.Request) error {
	cert := s.cert.cur.Load()
	if cert == nil {
		return public(http.StatusNotFound, "This page runs without encryption, so it has no certificate.")
	}
	var body []byte
	for _, der := range cert.Certificate {
		body = append(body, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	sum := sha256.Sum256(cert.Certificate[0])
	attach(w, fmt.Sprintf("phonebox-%x.crt", sum[:4]), "application/x-x509-ca-cert")
	_, _ = w.Write(body)
	return nil
}
