package dns_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dns"
	"phonebox/services/testkit"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of the test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:  x509.KeyUsageCertSign,
		NotBefore: time.Now().AddDate(-20, 0, 0), NotAfter: time.Now().AddDate(20, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// certificate makes one for a name.
func (a *authority) certificate(t *testing.T, name string, from, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const tlsName = "dns.example.net"

// tlsUpstream is a name server that speaks TLS only, one question after the other.
type tlsUpstream struct {
	addr    netip.AddrPort
	conns   atomic.Int64
	resumed atomic.Int64
	asked   atomic.Int64
	mu      sync.Mutex
	open    []net.Conn
	sizes   []int
}

// startTLS serves answer; what answer returns is written in the order in which it returns.
func startTLS(t *testing.T, cert tls.Certificate, answer func(*mdns.Msg) *mdns.Msg) *tlsUpstream {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &tlsUpstream{addr: ln.Addr().(*net.TCPAddr).AddrPort()}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"dot"}, MinVersion: tls.VersionTLS12}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { u.serve(tls.Server(raw, cfg), answer) })
		}
	})
	t.Cleanup(func() { ln.Close(); u.cut(); all.Wait() })
	return u
}

func (u *tlsUpstream) serve(c *tls.Conn, answer func(*mdns.Msg) *mdns.Msg) {
	defer c.Close()
	u.mu.Lock()
	u.open = append(u.open, c)
	u.mu.Unlock()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if c.Handshake() != nil {
		return
	}
	u.conns.Add(1)
	if c.ConnectionState().DidResume {
		u.resumed.Add(1)
	}
	conn := &mdns.Conn{Conn: c}
	var write sync.Mutex
	var all sync.WaitGroup
	defer all.Wait()
	for {
		packet, err := conn.ReadMsgHeader(nil)
		if err != nil {
			return
		}
		q := new(mdns.Msg)
		if q.Unpack(packet) != nil {
			return
		}
		u.asked.Add(1)
		u.mu.Lock()
		u.sizes = append(u.sizes, len(packet))
		u.mu.Unlock()
		all.Go(func() {
			if resp := answer(q); resp != nil {
				write.Lock()
				_ = conn.WriteMsg(resp)
				write.Unlock()
			}
		})
	}
}

// cut ends all connections.
func (u *tlsUpstream) cut() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.open {
		_ = c.Close()
	}
	u.open = nil
}

func withTLS(ups ...netip.AddrPort) dns.Config {
	cfg := office()
	for _, up := range ups {
		cfg.Upstream = append(cfg.Upstream, dns.Upstream{Addr: up, TLSName: tlsName})
	}
	return cfg
}

func now() time.Time { return time.Now() }

// Many questions share one connection and need not wait for each other; a connection that the server closed is made anew
// with the session of the old one, and no client notices.
func TestOneConnectionOverTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	const together = 20
	release := make(chan struct{})
	up := startTLS(t, a.certificate(t, tlsName, now().Add(-time.Hour), now().Add(time.Hour)), func(q *mdns.Msg) *mdns.Msg {
		if strings.HasPrefix(q.Question[0].Name, "slow") {
			<-release
		}
		return outsideAnswer(q)
	})
	b := startTuned(t, withTLS(up.addr), dns.Deps{Roots: a.pool}, func(s *dns.Server) { s.SetTimeout(30 * time.Second) })
	b.ask("udp", question("first.example.", mdns.TypeA))
	var all sync.WaitGroup
	for i := range together {
		all.Go(func() {
			if resp := b.ask("udp", question(fmt.Sprintf("slow%d.example.", i), mdns.TypeA)); len(resp.Answer) != 1 {
				t.Errorf("%d: %v", i, resp)
			}
		})
	}
	eventually(t, func() bool { return up.asked.Load() >= 1+together })
	if resp := b.ask("udp", question("fast.example.", mdns.TypeA)); len(resp.Answer) != 1 {
		t.Errorf("behind the slow ones: %v", resp)
	}
	close(release)
	all.Wait()
	if n := up.conns.Load(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
	for i := range 3 {
		up.cut()
		if resp := b.ask("udp", question(fmt.Sprintf("again%d.example.", i), mdns.TypeA)); short(resp.Answer) != fmt.Sprintf("again%d.example. 77 IN A 192.0.2.80", i) {
			t.Errorf("after the server closed the connection: %v", resp)
		}
	}
	if n, r := up.conns.Load(), up.resumed.Load(); n != 4 || r != 3 {
		t.Errorf("%d connections, %d of them with an old session, want 4 and 3", n, r)
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	for _, size := range up.sizes {
		if size%128 != 0 {
			t.Errorf("a question has %d bytes, which tells of its name", size)
		}
	}
}

// Only a certificate of that name, by an authority that is trusted, and of these days is taken; nothing is asked in clear.
func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	good, other := newAuthority(t), newAuthority(t)
	from, until := now().Add(-time.Hour), now().Add(time.Hour)
	clear := startUpstream(t, outside)
	for _, tt := range []struct {
		name      string
		cert      tls.Certificate
		untrusted bool
		ok        bool
	}{
		{"good", good.certificate(t, tlsName, from, until), false, true},
		{"another name", good.certificate(t, "dns.example.org", from, until), false, false},
		{"another authority", other.certificate(t, tlsName, from, until), false, false},
		{"run out, and the time is known", good.certificate(t, tlsName, from, now().Add(-time.Minute)), false, false},
		{"not valid yet, and the time is known", good.certificate(t, tlsName, now().Add(time.Minute), until), false, false},
		{"another name, not valid yet, and the time is not known", good.certificate(t, "dns.example.org", now().Add(time.Minute), until), true, false},
		{"another authority, run out, and the time is not known", other.certificate(t, tlsName, from, now().Add(-time.Minute)), true, false},
	} {
		up := startTLS(t, tt.cert, outsideAnswer)
		cfg := withTLS(up.addr)
		cfg.TimeNames = []string{"time.example"}
		reg := prometheus.NewRegistry()
		b := startTuned(t, cfg, dns.Deps{Roots: good.pool, Metrics: reg, Time: func() (time.Time, bool) { return time.Now(), !tt.untrusted }},
			func(s *dns.Server) { s.SetClearPort(clear.addr.Port()) })
		if resp := b.ask("udp", question("time.example.", mdns.TypeA)); (len(resp.Answer) == 1) != tt.ok {
			t.Errorf("%s: %v", tt.name, resp)
		}
		if n := up.asked.Load(); (n > 0) != tt.ok {
			t.Errorf("%s: the server got %d questions", tt.name, n)
		}
		if n := figure(t, reg, "phonebox_dns_clear_total"); n != 0 {
			t.Errorf("%s: %v questions in clear", tt.name, n)
		}
	}
	if got := clear.log(); len(got) > 0 {
		t.Errorf("asked in clear: %q", got)
	}
}

// A box without a clock does not know which certificates are valid. Only the names of time servers are asked in clear then,
// and that is told everywhere; once the time is known, all goes over TLS.
func TestTheTimeIsAskedInClearWhileItIsNotKnown(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	up := startTLS(t, a.certificate(t, tlsName, now().Add(-time.Hour), now().Add(time.Hour)), outsideAnswer)
	clear := startUpstream(t, outside)
	cfg := withTLS(up.addr)
	cfg.TimeNames = []string{"Pool.Time.example", "192.0.2.123"}
	var offset atomic.Int64
	var trusted atomic.Bool
	offset.Store(int64(-400 * 24 * time.Hour))
	reg := prometheus.NewRegistry()
	c := &clock{}
	b := startTuned(t, cfg, dns.Deps{Roots: a.pool, Metrics: reg, Time: func() (time.Time, bool) {
		return time.Now().Add(time.Duration(offset.Load())), trusted.Load()
	}}, func(s *dns.Server) {
		s.SetClearPort(clear.addr.Port())
		s.SetClock(c.now)
	})
	if resp := b.ask("udp", question("pool.time.example.", mdns.TypeA)); len(resp.Answer) != 1 {
		t.Fatalf("the time server: %v", resp)
	}
	if got, err := b.Resolver().LookupNetIP(t.Context(), "ip4", "pool.time.example."); err != nil || len(got) != 1 {
		t.Errorf("for the box itself: %v, %v", got, err)
	}
	for _, name := range []string{"example.com.", "time.example.", "x.pool.time.example."} {
		if resp := b.ask("udp", question(name, mdns.TypeA)); resp.Rcode != mdns.RcodeServerFailure {
			t.Errorf("%s: %v", name, resp)
		}
	}
	for _, line := range clear.log() {
		if !strings.Contains(line, " pool.time.example.") {
			t.Errorf("asked in clear: %s", line)
		}
	}
	if n := figure(t, reg, "phonebox_dns_clear_total"); n < 1 || int(n) != len(clear.log()) {
		t.Errorf("%v questions in clear were counted, the server got %q", n, clear.log())
	}
	if s := b.Status(); !strings.Contains(s, "in clear") || !strings.Contains(s, "tls://"+up.addr.String()+"#"+tlsName) {
		t.Errorf("the status is %q", s)
	}
	b.event(func(e dns.Event) bool {
		return e.Kind == dns.EventUpstream && strings.Contains(e.Reason, "pool.time.example") && strings.Contains(e.Reason, "in clear")
	})

	offset.Store(0)
	trusted.Store(true)
	c.pass(61 * time.Second) // what came in clear is kept for a minute
	before := len(clear.log())
	for _, name := range []string{"pool.time.example.", "example.com."} {
		if resp := b.ask("udp", question(name, mdns.TypeA)); len(resp.Answer) != 1 {
			t.Errorf("%s, with the time: %v", name, resp)
		}
	}
	if n := up.asked.Load(); n != 2 {
		t.Errorf("%d questions came over TLS, want both", n)
	}
	if got := clear.log(); len(got) != before {
		t.Errorf("asked in clear although the time is known: %q", got[before:])
	}
	if s := b.Status(); s != "" {
		t.Errorf("the status is %q", s)
	}
}

// A connection whose server went away without a word is given up, and the next question takes a new one.
func TestASilentConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	var silent atomic.Bool
	up := startTLS(t, a.certificate(t, tlsName, now().Add(-time.Hour), now().Add(time.Hour)), func(q *mdns.Msg) *mdns.Msg {
		if silent.Load() {
			return nil
		}
		return outsideAnswer(q)
	})
	b := startTuned(t, withTLS(up.addr), dns.Deps{Roots: a.pool}, func(s *dns.Server) { s.SetTimeout(time.Second) })
	b.ask("udp", question("one.example.", mdns.TypeA))
	silent.Store(true)
	if resp := b.ask("udp", question("two.example.", mdns.TypeA)); resp.Rcode != mdns.RcodeServerFailure {
		t.Errorf("found %v", resp)
	}
	silent.Store(false)
	eventually(t, func() bool { exchanges, _ := b.UnderWay(); return exchanges == 0 })
	if resp := b.ask("udp", question("three.example.", mdns.TypeA)); len(resp.Answer) != 1 {
		t.Errorf("after the silence: %v", resp)
	}
	if n := up.conns.Load(); n < 2 {
		t.Errorf("%d connections, want a new one", n)
	}
}

// An answer over TLS is compared with its question as well.
func TestAnswersOverTLSAreCompared(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	up := startTLS(t, a.certificate(t, tlsName, now().Add(-time.Hour), now().Add(time.Hour)), func(q *mdns.Msg) *mdns.Msg {
		resp := outsideAnswer(q)
		resp.Question[0].Name = "other.example."
		return resp
	})
	reg := prometheus.NewRegistry()
	b := startTuned(t, withTLS(up.addr), dns.Deps{Roots: a.pool, Metrics: reg}, func(*dns.Server) {})
	if resp := b.ask("udp", question("one.example.", mdns.TypeA)); resp.Rcode != mdns.RcodeServerFailure {
		t.Errorf("found %v", resp)
	}
	if n := figure(t, reg, "phonebox_dns_upstream_ignored_total", "mismatch"); n < 1 {
		t.Error("it was not counted")
	}
}

// unboundConf is a server with a few names, and an answer that fits into no datagram; its ports are left open.
func unboundConf(dir string) string {
	var conf strings.Builder
	fmt.Fprintf(&conf, `server:
 directory: %q
 chroot: ""
 username: ""
 pidfile: ""
 use-syslog: no
 interface: %[2]s@PLAIN
 interface: %[2]s@SECURE
 tls-port: SECURE
 tls-service-key: key.pem
 tls-service-pem: cert.pem
 access-control: 127.0.0.0/8 allow
 module-config: "iterator"
 local-zone: "example." static
 local-data: "sip.example. 60 IN A 192.0.2.80"
 local-data: "_sip._udp.example. 60 IN SRV 0 0 5060 sip.example."
`, dir, unboundAddr)
	for i := range 60 {
		fmt.Fprintf(&conf, " local-data: \"big.example. 60 IN TXT '%s%d'\"\n", strings.Repeat("x", 60), i)
	}
	conf.WriteString("remote-control:\n control-enable: no\n")
	return conf.String()
}

// unboundAddr is where no other test is.
var unboundAddr = netip.AddrFrom4([4]byte{127, 53, 0, 1})

// startUnbound serves in clear and over TLS, until the test ends or kill is called.
func startUnbound(t *testing.T, cert tls.Certificate) (plain, secure netip.AddrPort, kill func()) {
	t.Helper()
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	plain, secure = netip.AddrPortFrom(unboundAddr, freePort(t)), netip.AddrPortFrom(unboundAddr, freePort(t))
	conf := strings.NewReplacer("PLAIN", fmt.Sprint(plain.Port()), "SECURE", fmt.Sprint(secure.Port())).Replace(unboundConf(dir))
	for file, text := range map[string]string{
		"cert.pem":     string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})),
		"key.pem":      string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"unbound.conf": conf,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unbound", "-d", "-c", filepath.Join(dir, "unbound.conf"))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	kill = func() { _ = cmd.Process.Kill(); <-ended }
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	eventually(t, func() bool {
		c, err := net.Dial("tcp", secure.String())
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return plain, secure, kill
}

// unbound is what many upstream servers are: in clear, over TLS, with large answers, and killed.
func TestUnbound(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "unbound")
	a := newAuthority(t)
	plain, secure, kill := startUnbound(t, a.certificate(t, tlsName, now().Add(-time.Hour), now().Add(time.Hour)))
	c, boxes := &clock{}, map[string]*box{}
	for name, up := range map[string]dns.Upstream{"in clear": {Addr: plain}, "over TLS": {Addr: secure, TLSName: tlsName}} {
		cfg := office()
		cfg.Upstream = []dns.Upstream{up}
		b := startTuned(t, cfg, dns.Deps{Roots: a.pool}, func(s *dns.Server) {
			s.SetPatience(200 * time.Millisecond)
			s.SetClock(c.now)
		})
		boxes[name] = b
		if got := short(b.ask("udp", question("_sip._udp.Example.", mdns.TypeSRV)).Answer); got != "_sip._udp.Example. 60 IN SRV 0 0 5060 sip.example." {
			t.Errorf("%s: SRV is %s", name, got)
		}
		if resp := b.ask("udp", question("big.example.", mdns.TypeTXT)); !resp.Truncated {
			t.Errorf("%s: the large answer is not cut over UDP: %d records", name, len(resp.Answer))
		}
		if resp := b.ask("tcp", question("big.example.", mdns.TypeTXT)); len(resp.Answer) != 60 {
			t.Errorf("%s: over TCP the large answer has %d records", name, len(resp.Answer))
		}
		if resp := b.ask("udp", question("nobody.example.", mdns.TypeA)); resp.Rcode != mdns.RcodeNameError {
			t.Errorf("%s: nobody is %v", name, resp)
		}
	}
	kill()
	c.pass(2 * time.Minute)
	for name, b := range boxes {
		if resp := b.ask("udp", question("_sip._udp.example.", mdns.TypeSRV)); len(resp.Answer) != 1 || resp.Answer[0].Header().Ttl != 30 {
			t.Errorf("%s, after it was killed: %v", name, resp)
		}
		if resp := b.ask("udp", question("new.example.", mdns.TypeA)); resp.Rcode != mdns.RcodeServerFailure {
			t.Errorf("%s, a new name after it was killed: %v", name, resp)
		}
	}
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	pc, ln := listenBoth(t)
	port := pc.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	for _, c := range []io.Closer{pc, ln} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return port
}
