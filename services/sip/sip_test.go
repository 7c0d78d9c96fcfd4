package sip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
	"phonebox/services/sip"
	"phonebox/services/testkit"
)

const limit = 15 * time.Second // for the slowest machine; nothing takes that long

var phoneMAC = phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}

// targets is a list that the test fills.
type targets struct{ atomic.Pointer[[]sip.Target] }

func (t *targets) Targets() []sip.Target {
	if p := t.Load(); p != nil {
		return *p
	}
	return nil
}

// client is one that runs.
type client struct {
	*sip.Client
	events  chan sip.Event
	targets *targets
	metrics *prometheus.Registry
	stop    func()
}

func config() sip.Config {
	return sip.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Every: time.Hour, Timeout: 300 * time.Millisecond}
}

func run(t *testing.T, cfg sip.Config, ts ...sip.Target) client {
	t.Helper()
	return runWith(t, cfg, nil, ts...)
}

// runWith is run with what looks names up.
func runWith(t *testing.T, cfg sip.Config, resolver sip.Resolver, ts ...sip.Target) client {
	t.Helper()
	c := client{events: make(chan sip.Event, 1000), targets: &targets{}, metrics: prometheus.NewRegistry()}
	c.targets.Store(&ts)
	s, err := sip.New(cfg, sip.Deps{
		Targets: c.targets, Log: slog.New(slog.DiscardHandler), Report: func(e sip.Event) { c.events <- e }, Metrics: c.metrics,
		Resolver: resolver,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Client = s
	c.stop = start(t, s)
	return c
}

// start runs a client until the test ends, or stop is called.
func start(t *testing.T, s *sip.Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	select {
	case <-s.Ready():
	case err := <-done:
		t.Fatalf("Run: %v", err)
	}
	testkit.Eventually(t, limit, "the client answers itself", func() bool { return s.Probe(t.Context()) == nil })
	return stop
}

// event returns the next event of that kind; others are passed over.
func (c client) event(t *testing.T, kind sip.EventKind) sip.Event {
	t.Helper()
	for {
		select {
		case e := <-c.events:
			if e.Kind == kind {
				return e
			}
		case <-time.After(limit):
			t.Fatalf("no event %s", kind)
		}
	}
}

// dropped reads the counter of one reason.
func (c client) dropped(t *testing.T, reason string) float64 {
	t.Helper()
	families, err := c.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "phonebox_sip_dropped_total" && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// request is what a phone of the test received.
type request struct {
	text string
	from netip.AddrPort
}

func (r request) header(name string) string {
	m := regexp.MustCompile(`(?mi)^` + name + `: *(.*?)\r$`).FindStringSubmatch(r.text)
	if m == nil {
		return ""
	}
	return m[1]
}

// answer writes an answer with the headers that RFC 3261 section 8.2.6 wants.
func (r request) answer(code int, more ...string) []byte {
	lines := []string{fmt.Sprintf("SIP/2.0 %d Whatever", code)}
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		v := r.header(h)
		if h == "To" {
			v += ";tag=1"
		}
		lines = append(lines, h+": "+v)
	}
	lines = append(append(lines, more...), "Content-Length: 0", "", "")
	return []byte(strings.Join(lines, "\r\n"))
}

// device is a socket that acts as a phone: reply gets each request with its number, from 0.
func device(t *testing.T, addr string, reply func(c *net.UDPConn, r request, n int)) sip.Target {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr+":0")))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for n := 0; ; n++ {
			k, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			reply(conn, request{text: string(buf[:k]), from: from}, n)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return sip.Target{MAC: phoneMAC, Address: conn.LocalAddr().(*net.UDPAddr).AddrPort(), User: "208"}
}

// says is a phone that answers everything so.
func says(code int, more ...string) func(*net.UDPConn, request, int) {
	return func(c *net.UDPConn, r request, _ int) {
		_, _ = c.WriteToUDPAddrPort(r.answer(code, more...), r.from)
	}
}

func TestAnyAnswerSaysThatSIPRuns(t *testing.T) {
	t.Parallel()
	c := run(t, config())
	other, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for name, p := range map[string]struct {
		reply func(*net.UDPConn, request, int)
		code  int
	}{
		"200":                          {says(200, "User-Agent: Cisco-CP7960G/8.0"), 200},
		"404 for a line that it lacks": {says(404, "Server: Cisco-CP7960G/8.0"), 404},
		"486 with headers that nobody understands": {says(486, "User-Agent: Cisco-CP7960G/8.0", "Contact: <<<", "Date: \"",
			"Content-Length: many"), 486},
		"the third request only": {func(c *net.UDPConn, r request, n int) {
			if n == 2 {
				says(200, "User-Agent: Cisco-CP7960G/8.0")(c, r, n)
			}
		}, 200},
		"100 and then 200": {func(c *net.UDPConn, r request, n int) {
			says(100)(c, r, n)
			says(200, "User-Agent: Cisco-CP7960G/8.0")(c, r, n)
		}, 200},
		"100 and nothing more": {says(100, "User-Agent: Cisco-CP7960G/8.0"), 100},
		"200 from another port": {func(_ *net.UDPConn, r request, _ int) {
			_, _ = other.WriteToUDPAddrPort(r.answer(200, "User-Agent: Cisco-CP7960G/8.0"), r.from)
		}, 200},
	} {
		to := device(t, "127.0.0.2", p.reply)
		if err := c.Ask(t.Context(), to); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		e := c.event(t, sip.EventAlive)
		if e.Code != p.code || e.MAC != phoneMAC || e.Address != to.Address || e.UserAgent != "Cisco-CP7960G/8.0" || e.Time.IsZero() {
			t.Errorf("%s: reported as %+v", name, e)
		}
	}
}

func TestNoAnswerOfThePhoneIsSilence(t *testing.T) {
	t.Parallel()
	c := run(t, config())
	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 3)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for name, p := range map[string]struct {
		reply  func(*net.UDPConn, request, int)
		reason string
	}{
		"nothing": {func(*net.UDPConn, request, int) {}, ""},
		"an answer from another address": {func(_ *net.UDPConn, r request, _ int) {
			_, _ = stranger.WriteToUDPAddrPort(r.answer(200), r.from)
		}, "foreign_source"},
		"an answer to another request": {func(c *net.UDPConn, r request, _ int) {
			_, _ = c.WriteToUDPAddrPort(bytes.Replace(r.answer(200), []byte("z9hG4bK"), []byte("z9hG4bKx"), 1), r.from)
		}, "unexpected_answer"},
		"an answer to another method": {func(c *net.UDPConn, r request, _ int) {
			_, _ = c.WriteToUDPAddrPort(bytes.Replace(r.answer(200), []byte("1 OPTIONS"), []byte("1 NOTIFY"), 1), r.from)
		}, "unexpected_answer"},
		"an answer without a branch": {func(c *net.UDPConn, r request, _ int) {
			_, _ = c.WriteToUDPAddrPort(bytes.Replace(r.answer(200), []byte("branch="), []byte("twig="), 1), r.from)
		}, "malformed"},
		"a request": {func(c *net.UDPConn, r request, _ int) {
			_, _ = c.WriteToUDPAddrPort([]byte(r.text), r.from)
		}, "unsolicited_request"},
		"garbage":     {func(c *net.UDPConn, r request, _ int) { _, _ = c.WriteToUDPAddrPort([]byte("hello\r\n"), r.from) }, "malformed"},
		"a keepalive": {func(c *net.UDPConn, r request, _ int) { _, _ = c.WriteToUDPAddrPort([]byte("\r\n\r\n"), r.from) }, "keepalive"},
	} {
		before := c.dropped(t, p.reason)
		to := device(t, "127.0.0.2", p.reply)
		if err := c.Ask(t.Context(), to); !errors.Is(err, sip.ErrSilent) {
			t.Errorf("%s: %v", name, err)
		}
		if p.reason != "" {
			if e := c.event(t, sip.EventDropped); e.Reason == "" || !e.Address.IsValid() {
				t.Errorf("%s: dropped without a reason: %+v", name, e)
			}
		}
		if e := c.event(t, sip.EventSilent); e.MAC != phoneMAC || e.Reason == "" {
			t.Errorf("%s: reported as %+v", name, e)
		}
		if p.reason != "" && c.dropped(t, p.reason) <= before {
			t.Errorf("%s: not counted as %s", name, p.reason)
		}
	}
}

func TestRestartSendsCheckSync(t *testing.T) {
	t.Parallel()
	c := run(t, config())
	got := make(chan request, 10)
	to := device(t, "127.0.0.2", func(conn *net.UDPConn, r request, n int) {
		got <- r
		says(401)(conn, r, n)
	})
	to.User = "208 \"<Front>\r\nX: y"
	code, err := c.Restart(t.Context(), to)
	if err != nil || code != 401 {
		t.Fatalf("got %d, %v", code, err)
	}
	if e := c.event(t, sip.EventNotified); e.Code != 401 || e.MAC != phoneMAC {
		t.Errorf("reported as %+v", e)
	}
	r := <-got
	if r.from != c.Addr() {
		t.Errorf("it came from %s, not from the bound %s", r.from, c.Addr())
	}
	uri := "sip:208%20%22%3CFront%3E%0D%0AX%3A%20y@" + to.Address.String()
	random := regexp.MustCompile(`[0-9a-f]{32}`)
	want := strings.Join([]string{
		"NOTIFY " + uri + " SIP/2.0",
		"Via: SIP/2.0/UDP " + c.Addr().String() + ";branch=z9hG4bK*",
		"Max-Forwards: 70",
		`From: "phonebox" <sip:phonebox@` + c.Addr().String() + ">;tag=*",
		"To: <" + uri + ">",
		"Call-ID: *@127.0.0.1",
		"CSeq: 1 NOTIFY",
		"Contact: <sip:phonebox@" + c.Addr().String() + ">",
		"User-Agent: phonebox",
		"Event: check-sync",
		"Content-Length: 0",
		"", "",
	}, "\r\n")
	if text := random.ReplaceAllString(r.text, "*"); text != want {
		t.Errorf("sent\n%s\nwant\n%s", text, want)
	}

	to = device(t, "127.0.0.2", func(*net.UDPConn, request, int) {})
	if _, err := c.Restart(t.Context(), to); !errors.Is(err, sip.ErrSilent) {
		t.Errorf("without an answer: %v", err)
	}
	if e := c.event(t, sip.EventSilent); !strings.Contains(e.Reason, "check-sync") {
		t.Errorf("reported as %+v", e)
	}
}

func TestEveryTargetIsAskedInEachRound(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Every = 20 * time.Millisecond
	var list []sip.Target
	for range 40 { // more than are waited for at once
		to := device(t, "127.0.0.2", says(200))
		to.MAC[5] = byte(len(list))
		list = append(list, to)
	}
	silent := device(t, "127.0.0.2", func(*net.UDPConn, request, int) {})
	c := run(t, cfg, append(list, silent)...)
	times := make(map[phone.MAC]int)
	for complete := 0; complete < len(list); {
		e := c.event(t, sip.EventAlive)
		if times[e.MAC]++; times[e.MAC] == 2 {
			complete++
		}
	}
	c.event(t, sip.EventSilent)
}

func TestApplyMovesAndKeepsWhatRuns(t *testing.T) {
	t.Parallel()
	c := run(t, config())
	asked := make(chan request, 10)
	to := device(t, "127.0.0.2", func(conn *net.UDPConn, r request, n int) {
		asked <- r
		if r.from.Addr().String() != "127.0.0.1" {
			says(200)(conn, r, n)
		}
	})
	result := make(chan error, 1)
	go func() { result <- c.Ask(t.Context(), to) }()
	<-asked
	cfg := config()
	cfg.Listen = netip.MustParseAddrPort("127.0.0.9:0")
	if err := c.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Errorf("the exchange under way: %v", err)
	}
	if got := c.Addr().Addr().String(); got != "127.0.0.9" {
		t.Errorf("bound to %s", got)
	}
	testkit.Eventually(t, limit, "the new socket answers", func() bool { return c.Probe(t.Context()) == nil })
	before := c.Addr()
	if err := c.Apply(sip.Config{Listen: netip.MustParseAddrPort("0.0.0.0:5060")}); err == nil {
		t.Error("wrong settings are taken")
	}
	cfg.Every = time.Minute
	if err := c.Apply(cfg); err != nil || c.Addr() != before {
		t.Errorf("another Every alone: %v, bound to %s, was %s", err, c.Addr(), before)
	}
}

func TestAPanicCostsOneExchange(t *testing.T) {
	t.Parallel()
	c := run(t, config())
	to := device(t, "127.0.0.2", says(200))
	c.PanicNext()
	if err := c.Ask(t.Context(), to); err == nil || errors.Is(err, sip.ErrSilent) {
		t.Errorf("the planted panic gives %v", err)
	}
	if c.dropped(t, "panic") != 1 {
		t.Error("the panic is not counted")
	}
	if err := c.Ask(t.Context(), to); err != nil {
		t.Errorf("the next exchange: %v", err)
	}
}

// listenSoon binds addr and lets it go again. A socket that was closed a moment ago may live on in a child that another
// test just forked and that has not called exec yet; one that was left open is in the way for good.
func listenSoon(addr netip.AddrPort) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(addr))
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return err
		}
	}
}

func TestRunCanBeCalledAgainAndStops(t *testing.T) {
	t.Parallel()
	silent := device(t, "127.0.0.2", func(*net.UDPConn, request, int) {})
	cfg := config()
	cfg.Timeout = time.Hour // an exchange is open when it stops
	cfg.Listen = netip.AddrPortFrom(ownAddress(), 0)
	c := run(t, cfg, silent)
	first := c.Addr()
	c.stop()
	if c.Probe(t.Context()) == nil {
		t.Error("a stopped client passes its probe")
	}
	if err := c.Ask(t.Context(), silent); err == nil {
		t.Error("a stopped client asks")
	}
	if err := listenSoon(first); err != nil {
		t.Errorf("the socket is left open: %v", err)
	}
	start(t, c.Client)
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := sip.New(sip.Config{Every: -1, Timeout: -1}, sip.Deps{})
	for _, want := range []string{"listen:", "every:", "timeout:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if _, err := sip.New(config(), sip.Deps{}); err == nil {
		t.Error("missing deps are accepted")
	}
	r := prometheus.NewRegistry()
	deps := sip.Deps{Targets: &targets{}, Log: slog.New(slog.DiscardHandler), Report: func(sip.Event) {}, Metrics: r}
	if _, err := sip.New(config(), deps); err != nil {
		t.Error(err)
	}
	if _, err := sip.New(config(), deps); err == nil {
		t.Error("registering twice is no error")
	}
}

func TestSIPpUnderstandsOurRequests(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "sipp")
	c := run(t, config())
	for scenario, send := range map[string]func(sip.Target) (int, error){
		"phone.xml":   func(to sip.Target) (int, error) { return 200, c.Ask(t.Context(), to) },
		"restart.xml": func(to sip.Target) (int, error) { return c.Restart(t.Context(), to) },
	} {
		port := freePort(t)
		var out bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "sipp", "-sf", "testdata/"+scenario, "-i", "127.0.0.1",
			"-p", strconv.Itoa(port), "-m", "1", "-nostdin", "-timeout", "60s", "-timeout_error")
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		to := sip.Target{MAC: phoneMAC, Address: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)), User: "208"}
		testkit.Eventually(t, limit, "sipp answers", func() bool {
			code, err := send(to) // silent while sipp starts
			if err != nil && !errors.Is(err, sip.ErrSilent) {
				t.Fatalf("%s: %v", scenario, err)
			}
			return err == nil && code == 200
		})
		if err := <-ended; err != nil {
			t.Errorf("%s: %v\n%s", scenario, err, out.String())
		}
	}
}

// freePort finds a port that sipp can take.
func freePort(t *testing.T) int {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
}
