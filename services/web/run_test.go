package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

type netDialer struct{ net.Dialer }

func (d *netDialer) dial(t *testing.T, addr netip.AddrPort) (net.Conn, error) {
	t.Helper()
	return d.DialContext(t.Context(), "tcp", addr.String())
}

func readConn(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, readAll(t, resp)
}

func TestBothPortsAreServedAndProbed(t *testing.T) {
	r := newRig(t, nil)
	if err := r.server.Probe(t.Context()); err == nil {
		t.Error("the probe of a page that does not run found one")
	}
	r.setUp()
	stop := r.run()
	c := client(t)
	if code, body := get(t, c, r.server.URL()+"api/v1/status"); code != 200 {
		t.Errorf("the encrypted port: got %d %s", code, body)
	}
	if code, body := get(t, c, "http://"+r.server.HTTPAddr().String()+"/"); code != 200 || !strings.Contains(body, "https://127.0.0.1:") {
		t.Errorf("the plain port: got %d %s, want the way to the other", code, body)
	}
	if err := r.server.Probe(t.Context()); err != nil {
		t.Errorf("probing: %v", err)
	}
	if err := stop(); err != nil {
		t.Errorf("Run returned %v, want nil when its context ends", err)
	}
	if r.server.Addr().IsValid() {
		t.Error("the page still has an address")
	}
	// It may run again.
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.server.Run(ctx) }()
	waitFor(t, "it runs again", func() bool { return r.server.Addr().IsValid() })
	if err := r.server.Probe(t.Context()); err != nil {
		t.Errorf("probing after a restart: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := netip.MustParseAddrPort(ln.Addr().String())
	r := newRig(t, func(cfg *web.Config) { cfg.HTTPS = taken })
	if err := r.server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "listening on "+taken.String()) {
		t.Errorf("got %v, want an error that names the port", err)
	}
	r = newRig(t, func(cfg *web.Config) { single(cfg); cfg.HTTP = taken })
	r.run()
	if got := r.server.Addr(); got.Port() <= taken.Port() || got.Port() > taken.Port()+100 {
		t.Errorf("the single port is %d, want the next free one after %d", got.Port(), taken.Port())
	}
}

func TestShutdownDoesNotWaitForStreams(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	furnish(t, r)
	stop := r.run()
	c := client(t)
	for _, path := range []string{"api/v1/events", "stream", "phones/0006D7AA2A2E/stream"} {
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("admin", password)
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%s: got %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
			}
		}
	}
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopping with nine streams open took %v, want well under a second", took)
	}
	if n := r.box.subscribers(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

func TestShutdownCutsRequestsThatHang(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.box.gokrazy = http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		r.box.subbed <- struct{}{}
		<-req.Context().Done()
	})
	stop := r.run()
	c := client(t)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL()+"gokrazy/", nil)
		if err != nil {
			return
		}
		req.SetBasicAuth("admin", password)
		if resp, err := c.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	<-r.box.subbed
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("stopping took %v, want under 1.5 s", took)
	}
}

func TestEventsAreLiveAndInOrder(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.run()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL()+"api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	resp, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-r.box.subbed
	for i := range 200 {
		r.box.happen(web.PhoneEvent{ID: uint64(i + 1), MAC: mac(t, reception), Text: "line\nbreak", Step: phone.Seen}, nil)
	}
	lines := bufio.NewScanner(resp.Body)
	want := uint64(1)
	for want <= 200 && lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e web.PhoneEvent
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("reading %q: %v", data, err)
		}
		if e.ID != want || e.Text != "line\nbreak" {
			t.Fatalf("got event %+v, want number %d", e, want)
		}
		want++
	}
	if want != 201 {
		t.Errorf("the stream ended before event %d", want)
	}
	cancel()
	waitFor(t, "the subscription ends with the reader", func() bool { return r.box.subscribers() == 0 })
}

// pipeListener hands out the far ends of pipes, so that a server runs on the fake time of a bubble.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func TestStreamsOutliveTheTimeoutsOfOtherRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(cfg *web.Config) { cfg.PlainHTTP = true })
		r.setUp()
		ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- r.server.Serve(ctx, ln, nil) }()
		for _, path := range []string{"/api/v1/events", "/phones/stream"} {
			near, far := net.Pipe()
			defer near.Close()
			ln.conns <- far
			auth := base64.StdEncoding.EncodeToString([]byte("admin:" + password))
			if _, err := near.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: 10.77.0.1\r\nAuthorization: Basic " + auth + "\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			found := make(chan string)
			go func() {
				defer close(found)
				scan := bufio.NewScanner(near)
				for scan.Scan() {
					if strings.Contains(scan.Text(), "after a long silence") {
						found <- scan.Text()
					}
				}
			}()
			<-r.box.subbed
			time.Sleep(5 * time.Minute) // of the bubble
			e := web.PhoneEvent{MAC: mac(t, reception), Text: "after a long silence", Step: phone.Seen}
			r.box.happen(e, func(p *web.Phone) { p.WaitingFor = "what comes after a long silence" })
			if line, ok := <-found; !ok {
				t.Errorf("%s ended within five minutes", path)
			} else if !strings.HasPrefix(line, "data: ") {
				t.Errorf("%s: got %q", path, line)
			}
			near.Close()
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.run()
	c := client(t)
	open := func() *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL()+"api/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", password)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	for range 32 {
		if resp := open(); resp.StatusCode != 200 {
			t.Fatalf("got %d, want 200", resp.StatusCode)
		}
	}
	if resp := open(); resp.StatusCode != 503 {
		t.Errorf("one too many: got %d, want 503", resp.StatusCode)
	}
	if counter(t, r, "too_many_streams") != 1 {
		t.Error("it was not counted")
	}
}

func TestApplyMovesThePortsAndFinishesWhatRuns(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.run()
	c := client(t)
	old, oldPlain := r.server.Addr(), r.server.HTTPAddr()
	// The request that changes the settings is itself answered over the old port.
	r.box.gokrazy = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cfg := r.cfg
		cfg.HTTPS = netip.MustParseAddrPort("127.0.0.2:0")
		if err := r.server.Apply(cfg); err != nil {
			t.Errorf("applying: %v", err)
		}
		_, _ = io.WriteString(w, "done")
	})
	if code, body := get(t, c, r.server.URL()+"gokrazy/"); code != 200 || body != "done" {
		t.Errorf("the request that moves the port: got %d %q", code, body)
	}
	if got := r.server.Addr(); got.Addr() != netip.MustParseAddr("127.0.0.2") {
		t.Errorf("the page is at %s, want 127.0.0.2", got)
	}
	if r.server.HTTPAddr() != oldPlain {
		t.Error("the plain port moved although its address is the same")
	}
	if code, _ := get(t, client(t), r.server.URL()+"api/v1/status"); code != 200 {
		t.Errorf("the new port: got %d, want 200", code)
	}
	waitFor(t, "the old port closes", func() bool {
		conn, err := new(netDialer).dial(t, old)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if err := r.server.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestApplyKeepsTheOldPortWhereTheNewOneIsTaken(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.run()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := r.cfg
	cfg.HTTPS = netip.MustParseAddrPort(ln.Addr().String())
	if err := r.server.Apply(cfg); err == nil || !strings.Contains(err.Error(), cfg.HTTPS.String()) {
		t.Errorf("got %v, want an error that names the port", err)
	}
	if code, _ := get(t, client(t), r.server.URL()+"api/v1/status"); code != 200 {
		t.Errorf("the old port: got %d, want 200", code)
	}
}

func TestApplyChangesNamesAndPlainHTTPAtOnce(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	cfg := r.cfg
	cfg.PlainHTTP, cfg.Names = true, []string{"telephone.example"}
	if err := r.server.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.do(call{plain: true, path: "/api/v1/status", host: "telephone.example", basic: true}), 200)
}

// leaf connects and returns the certificate.
func leaf(t *testing.T, addr netip.AddrPort) *x509.Certificate {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.DialContext(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

func TestTheCertificateFitsAndLasts(t *testing.T) {
	r := newRig(t, nil)
	stop := r.run()
	cert := leaf(t, r.server.Addr())
	if got := cert.NotBefore.Format(time.DateOnly) + " " + cert.NotAfter.Format(time.DateOnly); got != "2020-01-01 2050-01-01" {
		t.Errorf("it is valid %s, want 2020 for 30 years", got)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	for _, name := range []string{"10.77.0.1", "127.0.0.1", "phonebox", "phonebox.local", "phonebox.voice.home.arpa"} {
		if _, err := cert.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: r.clock.Now()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	info, err := os.Stat(filepath.Join(r.cfg.CertDir, web.CertFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, mode %v, want 0600", err, info.Mode())
	}
	wantText(t, r.log.String(), "sha256=")
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	again := newRig(t, func(cfg *web.Config) { cfg.CertDir = r.cfg.CertDir })
	again.run()
	if !leaf(t, again.server.Addr()).Equal(cert) {
		t.Error("a restart made another certificate")
	}
	cfg := again.cfg
	cfg.Names = []string{"telephone.example"}
	if err := again.server.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	renewed := leaf(t, again.server.Addr())
	if renewed.Equal(cert) || renewed.VerifyHostname("telephone.example") != nil {
		t.Error("the certificate was not remade when a name came")
	}
	cfg.Names = nil
	if err := again.server.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	if leaf(t, again.server.Addr()).VerifyHostname("telephone.example") == nil {
		t.Error("the certificate was not remade when a name went")
	}
}

func TestADamagedCertificateIsReplacedAndAReadOnlyStoreIsSurvived(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, web.CertFile), []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(cfg *web.Config) { cfg.CertDir = dir })
	r.run()
	if leaf(t, r.server.Addr()).VerifyHostname("phonebox") != nil {
		t.Error("there is no certificate for the box's name")
	}
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r = newRig(t, func(cfg *web.Config) { cfg.CertDir = filepath.Join(file, "certs") })
	r.run()
	if leaf(t, r.server.Addr()).VerifyHostname("phonebox") != nil {
		t.Error("there is no certificate where none can be stored")
	}
}
