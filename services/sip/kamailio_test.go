package sip_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"phonebox/services/sip"
	"phonebox/services/testkit"
)

// secret is the password of every line of the test's registrar.
const secret = "sip-secret"

// kamailio is a real registrar with digest, on a loopback address.
type kamailio struct {
	addr   netip.AddrPort
	folder string
	log    *output
}

// output is what a program wrote so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// ownAddress returns a loopback address that nobody else uses: a port that was free a moment ago may be taken by a test
// that runs beside.
func ownAddress() netip.Addr {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return netip.AddrFrom4([4]byte{127, 128 | b[1], b[2], b[3] | 2})
}

// startKamailio runs a registrar until the test ends.
func startKamailio(t *testing.T, algorithm string) *kamailio {
	t.Helper()
	testkit.Need(t, "kamailio", "kamcmd")
	text, err := os.ReadFile("testdata/kamailio.cfg")
	if err != nil {
		t.Fatal(err)
	}
	// Its control socket has a name of at most 107 bytes, and the test's own folder may be deeper.
	folder, err := os.MkdirTemp("", "kamailio")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	k := &kamailio{folder: folder, log: &output{}}
	k.addr = netip.AddrPortFrom(ownAddress(), 5060)
	text = []byte(strings.NewReplacer("LISTEN", k.addr.String(), "FOLDER", k.folder, "ALGORITHM", algorithm).Replace(string(text)))
	config := filepath.Join(k.folder, "kamailio.cfg")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "kamailio", "-DD", "-E", "-f", config, "-w", k.folder, "-Y", k.folder, "-m", "32", "-M", "4")
	cmd.Stdout, cmd.Stderr = k.log, k.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("kamailio wrote:\n%s", k.log)
		}
	})
	testkit.Eventually(t, limit, "kamailio takes commands", func() bool {
		return exec.CommandContext(t.Context(), "kamcmd", "-s", "unix:"+k.folder+"/ctl", "core.version").Run() == nil
	})
	return k
}

// registered returns what the registrar has registered, without what changes by itself; "" = nothing.
func (k *kamailio) registered(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "kamcmd", "-s", "unix:"+k.folder+"/ctl", "ul.dump").CombinedOutput()
	if err != nil {
		t.Fatalf("kamcmd: %v: %s", err, out)
	}
	if !strings.Contains(string(out), "Address: ") {
		return ""
	}
	return regexp.MustCompile(`(?m)^\s*(Expires|Max-Slots|Size): .*\n`).ReplaceAllString(string(out), "")
}

// expires returns the seconds that the one registration still lasts.
func (k *kamailio) expires(t *testing.T) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "kamcmd", "-s", "unix:"+k.folder+"/ctl", "ul.dump").CombinedOutput()
	m := regexp.MustCompile(`Expires: (\d+)`).FindAllStringSubmatch(string(out), -1)
	if err != nil || len(m) != 1 {
		t.Fatalf("wanted one registration: %v: %s", err, out)
	}
	n, _ := strconv.Atoi(m[0][1])
	return n
}

func (k *kamailio) account(name string) sip.Account {
	return sip.Account{Name: name, AuthName: name, Password: secret, Proxy: k.addr.Addr().String(), Port: k.addr.Port()}
}

// checker makes a client that looks names up there, nil = nowhere.
func checker(t *testing.T, resolver sip.Resolver) client {
	t.Helper()
	cfg := config()
	cfg.Timeout = 0 // as it runs in the box
	return runWith(t, cfg, resolver)
}

// safe fails where a verdict tells the password or no sentence.
func safe(t *testing.T, v sip.Verdict) {
	t.Helper()
	if all := v.Text + v.NAT + v.Reason + v.Server; strings.Contains(all, secret) {
		t.Errorf("the verdict tells the password: %+v", v)
	}
	if v.Text == "" || v.Text[len(v.Text)-1] != '.' {
		t.Errorf("the verdict is no sentence: %+v", v)
	}
}

func TestCheckLineAtKamailio(t *testing.T) {
	t.Parallel()
	k := startKamailio(t, "")
	c := checker(t, nil)
	for _, p := range []struct {
		name   string
		change func(*sip.Account)
		want   sip.VerdictKind
		text   string
	}{
		{"the right password", func(*sip.Account) {}, sip.VerdictRight, "accepts the password of line 208."},
		{"a wrong password", func(a *sip.Account) { a.Password = "wrong" }, sip.VerdictWrong, "does not accept the password of line 208"},
		{"no password", func(a *sip.Account) { a.Password = "UNPROVISIONED" }, sip.VerdictWrong, "enter it"},
		{"a line with a password nobody told", func(a *sip.Account) { a.Name = "999" }, sip.VerdictWrong, "line 999"},
		{"a line that it does not know", func(a *sip.Account) { a.Name = "404" }, sip.VerdictRefused, "does not know line 404 (404 Not Found)"},
		{"its own authname", func(a *sip.Account) { a.Name, a.AuthName = "209", "desk209" }, sip.VerdictRight, "line 209"},
		{"403 for a wrong authname", func(a *sip.Account) { a.Name, a.AuthName = "209", "" }, sip.VerdictWrong, "403"},
		{"a proxy that asks with 407", func(a *sip.Account) { a.Name = "407" }, sip.VerdictRight, "line 407"},
		{"a wrong password and 407", func(a *sip.Account) { a.Name, a.Password = "407", "wrong" }, sip.VerdictWrong, "line 407"},
		{"digest without qop", func(a *sip.Account) { a.Name = "300" }, sip.VerdictRight, "line 300"},
		{"a wrong password without qop", func(a *sip.Account) { a.Name, a.Password = "300", "wrong" }, sip.VerdictWrong, "line 300"},
		{"423 and Min-Expires", func(a *sip.Account) { a.Name = "423" }, sip.VerdictRight, "line 423"},
		{"a name that must be escaped", func(a *sip.Account) { a.Name, a.AuthName = "front desk", "208" }, sip.VerdictRight, "front desk"},
		{"an outbound proxy", func(a *sip.Account) { a.Proxy, a.Outbound = "voice.example", k.addr.String() }, sip.VerdictRight, "line 208"},
	} {
		a := k.account("208")
		p.change(&a)
		v := c.CheckLine(t.Context(), a)
		safe(t, v)
		if v.Kind != p.want || v.OK() != (p.want == sip.VerdictRight) || !strings.Contains(v.Text, p.text) || v.NAT != "" || v.Left {
			t.Errorf("%s: found %+v, wanted %s and %q", p.name, v, p.want, p.text)
		}
		if v.OK() && (v.Others != 0 || !v.Challenged || v.Server != "kamailio of the test") {
			t.Errorf("%s: %+v", p.name, v)
		}
		if got := k.registered(t); got != "" {
			t.Errorf("%s: a registration is left:\n%s", p.name, got)
		}
	}
	// It was there, for a minute, and was taken back by its own address.
	for _, want := range []string{
		`REGISTER 208 ct=\[<null>\] expires=\[<null>\]`,
		`REGISTER 208 ct=\[<sip:phonebox-check-[0-9a-f]+@127.0.0.1:\d+>;expires=60\] expires=\[60\]`,
		`REGISTER 208 ct=\[<sip:phonebox-check-[0-9a-f]+@127.0.0.1:\d+>;expires=0\] expires=\[0\]`,
		`REGISTER 423 ct=\[<sip:phonebox-check-[0-9a-f]+@127.0.0.1:\d+>;expires=120\] expires=\[120\]`,
	} {
		if !regexp.MustCompile(want).MatchString(k.log.String()) {
			t.Errorf("kamailio saw no %s", want)
		}
	}
}

func TestCheckLineLeavesThePhonesRegistrationAlone(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "sipp")
	k := startKamailio(t, "")
	at := ownAddress().String()
	out, err := exec.CommandContext(t.Context(), "sipp", "-sf", "testdata/register.xml", "-i", at, "-p", "5060", "-m", "1", "-nostdin",
		"-timeout", "30s", "-timeout_error", k.addr.String()).CombinedOutput()
	if err != nil {
		t.Fatalf("sipp registers: %v: %s", err, out)
	}
	before, lasts := k.registered(t), k.expires(t)
	if !strings.Contains(before, "sip:208@"+at+":5060") {
		t.Fatalf("the phone is not registered:\n%s", before)
	}
	c := checker(t, nil)
	v := c.CheckLine(t.Context(), k.account("208"))
	safe(t, v)
	if !v.OK() || v.Others != 1 || !strings.Contains(v.Text, "One phone is registered") {
		t.Errorf("the right password: %+v", v)
	}
	wrong := k.account("208")
	wrong.Password = "wrong"
	if v := c.CheckLine(t.Context(), wrong); v.Kind != sip.VerdictWrong {
		t.Errorf("a wrong password: %+v", v)
	}
	if after := k.registered(t); after != before {
		t.Errorf("the phone's registration changed from\n%s\nto\n%s", before, after)
	}
	if now := k.expires(t); now > lasts {
		t.Errorf("the phone's registration was renewed: it lasts %d s, before %d s", now, lasts)
	}
	if strings.Contains(k.log.String(), "phonebox-check-") {
		t.Error("the box registered beside a phone, which a registrar with one place for a line would have thrown out")
	}
}

func TestCheckLineKnowsSHA256(t *testing.T) {
	t.Parallel()
	k := startKamailio(t, "SHA-256")
	c := checker(t, nil)
	if v := c.CheckLine(t.Context(), k.account("208")); !v.OK() || !strings.Contains(v.Text, "SHA-256") {
		t.Errorf("the right password: %+v", v)
	}
	a := k.account("208")
	a.Password = "wrong"
	if v := c.CheckLine(t.Context(), a); v.Kind != sip.VerdictWrong {
		t.Errorf("a wrong password: %+v", v)
	}
}

// nat is a router between the box and a registrar: it forwards what comes to its address, from another address and port.
func nat(t *testing.T, registrar netip.AddrPort) netip.AddrPort {
	t.Helper()
	listen := func(at string) *net.UDPConn {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at)))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	inside, outside := listen("127.0.0.33:0"), listen("127.0.0.34:0")
	var box netip.AddrPort
	var mu sync.Mutex
	var wg sync.WaitGroup
	forward := func(in, out *net.UDPConn, to func(from netip.AddrPort) netip.AddrPort) {
		buf := make([]byte, 4096)
		for {
			n, from, err := in.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = out.WriteToUDPAddrPort(buf[:n], to(from))
		}
	}
	wg.Go(func() {
		forward(inside, outside, func(from netip.AddrPort) netip.AddrPort {
			mu.Lock()
			defer mu.Unlock()
			box = from
			return registrar
		})
	})
	wg.Go(func() {
		forward(outside, inside, func(netip.AddrPort) netip.AddrPort {
			mu.Lock()
			defer mu.Unlock()
			return box
		})
	})
	t.Cleanup(func() { inside.Close(); outside.Close(); wg.Wait() })
	return inside.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestCheckLineSeesNAT(t *testing.T) {
	t.Parallel()
	k := startKamailio(t, "")
	c := checker(t, nil)
	at := nat(t, k.addr)
	a := k.account("208")
	a.Proxy, a.Port = at.Addr().String(), at.Port()
	v := c.CheckLine(t.Context(), a)
	safe(t, v)
	if !v.OK() || !strings.Contains(v.NAT, "127.0.0.34:") || !strings.Contains(v.NAT, c.Addr().String()) || v.Asked[0] != at {
		t.Errorf("found %+v", v)
	}
	if got := k.registered(t); got != "" {
		t.Errorf("a registration is left:\n%s", got)
	}
}

// nameServer answers questions from records, "name TYPE" to a record, and all others with NXDOMAIN.
func nameServer(t *testing.T, records map[string]string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		r := new(dns.Msg).SetReply(q)
		key := strings.ToLower(q.Question[0].Name) + " " + dns.TypeToString[q.Question[0].Qtype]
		if text, ok := records[key]; ok {
			rr, err := dns.NewRR(key[:strings.IndexByte(key, ' ')] + " 60 IN " + text)
			if err != nil {
				panic(err)
			}
			r.Answer = append(r.Answer, rr)
		} else {
			r.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(r)
	})}
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	done := make(chan error, 1)
	go func() { done <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestCheckLineLooksTheProxyUpAsPhonesDo(t *testing.T) {
	t.Parallel()
	k := startKamailio(t, "")
	port := strconv.Itoa(int(k.addr.Port()))
	silent := device(t, "127.0.0.2", func(*net.UDPConn, request, int) {})
	c := checker(t, nameServer(t, map[string]string{
		"_sip._udp.voice.test. SRV": "SRV 0 0 " + port + " pbx.voice.test.",
		"pbx.voice.test. A":         "A " + k.addr.Addr().String(),
		"_sip._udp.none.test. SRV":  "SRV 0 0 0 .",
		"elsewhere.test. A":         "A 127.0.0.2",
	}))
	for _, p := range []struct {
		name  string
		proxy string
		port  uint16
		want  sip.VerdictKind
		asked string
		text  string
	}{
		{"SRV says the host and the port", "voice.test", 0, sip.VerdictRight, k.addr.String(), "line 208"},
		{"without SRV the A record, and the line's port", "pbx.voice.test", k.addr.Port(), sip.VerdictRight, k.addr.String(), "line 208"},
		{"no such name", "nobody.test", 0, sip.VerdictNotFound, "", "nobody.test"},
		{"a name with another port has no SRV", "voice.test", 5080, sip.VerdictNotFound, "", "voice.test"},
		{"decidedly no SIP there", "none.test", 0, sip.VerdictNotFound, "", "none.test"},
		{"nobody there", "elsewhere.test", silent.Address.Port(), sip.VerdictSilent, silent.Address.String(), "elsewhere.test, 127.0.0.2 port "},
	} {
		a := k.account("208")
		a.Proxy, a.Port = p.proxy, p.port
		v := c.CheckLine(t.Context(), a)
		safe(t, v)
		asked := ""
		for _, at := range v.Asked {
			asked += at.String()
		}
		if v.Kind != p.want || asked != p.asked || !strings.Contains(v.Text, p.text) {
			t.Errorf("%s: found %+v, wanted %s, asking %q, and %q", p.name, v, p.want, p.asked, p.text)
		}
	}
}

func TestCheckLineSaysThatNoNameServerAnswers(t *testing.T) {
	t.Parallel()
	silent := device(t, "127.0.0.2", func(*net.UDPConn, request, int) {})
	c := checker(t, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", silent.Address.String())
	}})
	began := time.Now()
	v := c.CheckLine(t.Context(), sip.Account{Name: "208", Password: secret, Proxy: "pbx.voice.test"})
	safe(t, v)
	if v.Kind != sip.VerdictNotFound || !strings.Contains(v.Text, "no name server answered") || len(v.Asked) != 0 {
		t.Errorf("found %+v", v)
	}
	if took := time.Since(began); took > limit {
		t.Errorf("it took %s", took)
	}
}
