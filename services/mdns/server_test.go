package mdns_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/mdns"
	"phonebox/services/testkit"
)

const (
	limit   = 30 * time.Second // for the slowest machine; nothing takes that long
	boxAddr = "10.77.0.1"
)

func office() mdns.Config {
	return mdns.Config{
		Interface: testkit.Interface, Address: netip.MustParsePrefix(boxAddr + "/16"), Host: "phonebox", Instance: "Harbour Street (1. floor)", HTTP: 80, HTTPS: 443,
	}
}

func hosts() []testkit.Host {
	return []testkit.Host{
		{Name: "box", MAC: "02:00:00:00:77:01", Addr: netip.MustParsePrefix(boxAddr + "/16")},
		{Name: "laptop", MAC: "02:00:00:00:77:20", Addr: netip.MustParsePrefix("10.77.0.20/16")},
		{Name: "other", MAC: "02:00:00:00:77:30", Addr: netip.MustParsePrefix("10.77.0.30/16")},
	}
}

// box is a server that runs, with what it told.
type box struct {
	*mdns.Server
	t       *testing.T
	metrics *prometheus.Registry
	mu      sync.Mutex
	events  []mdns.Event
	stop    func()
}

func run(t *testing.T, cfg mdns.Config) *box {
	t.Helper()
	b := &box{t: t, metrics: prometheus.NewRegistry()}
	s, err := mdns.New(cfg, mdns.Deps{Log: slog.New(slog.DiscardHandler), Metrics: b.metrics, Report: func(e mdns.Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e)
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.Server = s
	b.start()
	return b
}

func (b *box) start() {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
	b.t.Cleanup(func() { b.stop() })
}

func (b *box) isCalled(name string) {
	b.t.Helper()
	testkit.Eventually(b.t, limit, "the box is called "+name, func() bool { return b.Name() == name })
}

func (b *box) told(kind mdns.EventKind) (out []mdns.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// counted sums up a metric whose labels have a value.
func (b *box) counted(name, value string) (n float64) {
	b.t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (value == "" || m.GetLabel()[0].GetValue() == value) {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// ask asks all hosts from a host as a program that knows DNS only; the answer is nil when none came. (dig would take no
// answer from another address than the group's.)
func ask(t *testing.T, n *testkit.Node, name string, typ uint16) *dns.Msg {
	t.Helper()
	return askAt(t, n, netip.MustParseAddr("224.0.0.251"), name, typ, 15)
}

func askAt(t *testing.T, n *testkit.Node, to netip.Addr, name string, typ uint16, times int) *dns.Msg {
	t.Helper()
	n.IP(t, "route", "replace", "224.0.0.0/4", "dev", testkit.Interface) // as a laptop has by its default route
	conn := testkit.In(t, n, func() (*net.UDPConn, error) { return net.ListenUDP("udp4", nil) })
	defer conn.Close()
	q := new(dns.Msg).SetQuestion(name, typ)
	payload, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for range times {
		if _, err := conn.WriteToUDPAddrPort(payload, netip.AddrPortFrom(to, 5353)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		buf := make([]byte, 2000)
		size, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			continue
		}
		m := new(dns.Msg)
		if err := m.Unpack(buf[:size]); err != nil {
			t.Fatalf("the answer from %s: %v", from, err)
		}
		if m.Id != q.Id || len(m.Question) != 1 || m.Question[0] != q.Question[0] || !m.Response || from.Port() != 5353 {
			t.Errorf("the answer from %s is %s", from, m)
		}
		return m
	}
	return nil
}

// short writes what an answer says.
func short(m *dns.Msg) string {
	if m == nil {
		return "no answer"
	}
	var out []string
	for _, rr := range append(m.Answer, m.Extra...) {
		out = append(out, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return strings.Join(out, "; ")
}

// A laptop finds the page by its name, sees it in its lists, and hears no more of it when the box stops.
func TestALaptopFindsTheBox(t *testing.T) {
	testkit.Need(t, "netns", "dig")
	testkit.Reexec(t, "box", hosts(), func(t *testing.T, lan *testkit.LAN) {
		laptop := lan.Node("laptop")
		wire := laptop.Capture(t)
		b := run(t, office())
		b.isCalled("phonebox.local")
		const page = `Harbour\ Street\ \(1\.\ floor\)._https._tcp.local.`
		for _, q := range []struct {
			name string
			typ  uint16
			want string
		}{
			{"PhoneBox.local.", dns.TypeA, boxAddr},
			{"phonebox.local.", dns.TypeAAAA, ""},
			{"1.0.77.10.in-addr.arpa.", dns.TypePTR, "phonebox.local."},
			{"_https._tcp.local.", dns.TypePTR, page + `; 0 0 443 phonebox.local.; "path=/"; ` + boxAddr},
			{page, dns.TypeSRV, "0 0 443 phonebox.local.; " + boxAddr},
			{"_services._dns-sd._udp.local.", dns.TypePTR, "_https._tcp.local.; _http._tcp.local."},
		} {
			if got := short(ask(t, laptop, q.name, q.typ)); got != q.want {
				t.Errorf("%s: %q, want %q", q.name, got, q.want)
			}
		}
		// From the box itself, and at its own address.
		if got := short(ask(t, lan.Node("box"), "phonebox.local.", dns.TypeA)); got != boxAddr {
			t.Errorf("on the box itself: %s", got)
		}
		if got := laptop.Run(t, "dig", "-p", "5353", "@"+boxAddr, "+short", "phonebox.local"); got != boxAddr+"\n" {
			t.Errorf("asked at its address: %s", got)
		}
		b.PanicNext()
		if got := short(ask(t, laptop, "phonebox.local.", dns.TypeA)); got != boxAddr { // the first question is lost
			t.Errorf("after a panic: %s", got)
		}
		if n := b.counted("phonebox_mdns_dropped_total", "panic"); n != 1 {
			t.Errorf("%v panics are counted, want 1", n)
		}
		if n := b.counted("phonebox_mdns_dropped_total", "send"); n != 0 {
			t.Errorf("%v packets were not sent", n)
		}
		b.stop()
		if b.Name() != "" {
			t.Errorf("stopped, and yet it is called %s", b.Name())
		}
		testkit.Eventually(t, limit, "the goodbye is on the wire", func() bool { return goodbyes(wire) == 1 })
		b.start()
		b.isCalled("phonebox.local")
	})
}

// packets are the packets of multicast DNS that the box sent.
func packets(c *testkit.Capture) (out []*dns.Msg) {
	for _, p := range c.Packets() {
		m := new(dns.Msg)
		if u := p.TransportLayer(); u != nil && p.NetworkLayer().NetworkFlow().Src().String() == boxAddr && u.TransportFlow().Src().String() == "5353" &&
			m.Unpack(u.LayerPayload()) == nil {
			out = append(out, m)
		}
	}
	return out
}

func goodbyes(c *testkit.Capture) (n int) {
	for _, m := range packets(c) {
		if m.Response && len(m.Answer) > 0 && m.Answer[0].Header().Ttl == 0 {
			n++
		}
	}
	return n
}

// The name is looked for anew on a wire that came back, or an adapter that was exchanged, and other settings take it along.
func TestTheWireComesAndGoes(t *testing.T) {
	testkit.Need(t, "netns")
	testkit.Reexec(t, "box", hosts(), func(t *testing.T, lan *testkit.LAN) {
		laptop, node := lan.Node("laptop"), lan.Node("box")
		b := run(t, office())
		found := func(name, want string) {
			t.Helper()
			if got := short(ask(t, laptop, name+".", dns.TypeA)); got != want {
				t.Errorf("%s: found %q, want %q", name, got, want)
			}
		}
		b.isCalled("phonebox.local")
		node.CableOut(t)
		b.isCalled("")
		node.CableIn(t)
		b.isCalled("phonebox.local")
		found("phonebox.local", boxAddr)
		node.RemoveInterface(t)
		b.isCalled("")
		node.RestoreInterface(t)
		b.isCalled("phonebox.local")
		found("phonebox.local", boxAddr)

		wire := laptop.Capture(t)
		cfg := office()
		cfg.Address = netip.MustParsePrefix("10.77.0.2/16")
		if err := b.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		b.isCalled("") // it has no such address yet
		testkit.Eventually(t, limit, "the old address is taken back", func() bool { return goodbyes(wire) == 1 })
		node.AddAddr(t, cfg.Address)
		b.isCalled("phonebox.local")
		found("phonebox.local", "10.77.0.2")
		cfg.Instance = "Another office"
		if err := b.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, limit, "the other name is in the lists", func() bool {
			return strings.HasPrefix(short(ask(t, laptop, "_http._tcp.local.", dns.TypePTR)), `Another\ office.`)
		})
		if err := b.Apply(mdns.Config{}); err == nil {
			t.Error("no settings are taken")
		}
	})
}

// Another box has the name: one that nobody here wrote. Ours looks for the next, tells who it was, and keeps out of the
// way of the other's; when it had that name before it begins with it.
func TestAnotherProgramHasTheName(t *testing.T) {
	testkit.Need(t, "netns", "avahi-daemon")
	testkit.Reexec(t, "box", hosts(), func(t *testing.T, lan *testkit.LAN) {
		laptop := lan.Node("laptop")
		startAvahi(t, lan.Node("other"), "phonebox")
		testkit.Eventually(t, limit, "avahi has the name", func() bool {
			return short(askAt(t, laptop, netip.MustParseAddr("224.0.0.251"), "phonebox.local.", dns.TypeA, 1)) == "10.77.0.30"
		})
		b := run(t, office())
		b.isCalled("phonebox-2.local")
		conflicts := b.told(mdns.EventConflict)
		if len(conflicts) != 1 || conflicts[0].Label != "phonebox" || conflicts[0].From.Addr().String() != "10.77.0.30" || b.counted("phonebox_mdns_conflicts_total", "") != 1 {
			t.Errorf("conflicts: %+v", conflicts)
		}
		if named := b.told(mdns.EventNamed); len(named) != 1 || named[0].Label != "phonebox-2" {
			t.Errorf("named: %+v", named)
		}
		for name, want := range map[string]string{"phonebox.local.": "10.77.0.30", "phonebox-2.local.": boxAddr} {
			if got := short(ask(t, laptop, name, dns.TypeA)); got != want {
				t.Errorf("%s: found %q, want %q", name, got, want)
			}
		}
		b.stop()
		cfg := office()
		cfg.Last = "phonebox-2"
		again := run(t, cfg)
		again.isCalled("phonebox-2.local")
		if n := len(again.told(mdns.EventConflict)); n != 0 {
			t.Errorf("%d conflicts although it had the name before", n)
		}
	})
}

// avahi gives way to us, and finds us: our packets are what another implementation takes for its own.
func TestAnotherProgramGivesWay(t *testing.T) {
	testkit.Need(t, "netns", "avahi-daemon")
	testkit.Reexec(t, "box", hosts(), func(t *testing.T, lan *testkit.LAN) {
		b := run(t, office())
		b.isCalled("phonebox.local")
		log := startAvahi(t, lan.Node("other"), "phonebox")
		testkit.Eventually(t, limit, "avahi takes another name", func() bool {
			return strings.Contains(log.Output(), "Host name conflict, retrying with phonebox-2") || strings.Contains(log.Output(), "Server startup complete. Host name is phonebox-2.local")
		})
		if b.Name() != "phonebox.local" || len(b.told(mdns.EventConflict)) != 0 {
			t.Errorf("it is called %s: %+v", b.Name(), b.told(mdns.EventConflict))
		}
	})
}

// startAvahi runs avahi's daemon without its bus.
func startAvahi(t *testing.T, n *testkit.Node, name string) *testkit.Process {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "avahi.conf")
	text := fmt.Sprintf("[server]\nhost-name=%s\nallow-interfaces=%s\nuse-ipv6=no\nenable-dbus=no\n[wide-area]\nenable-wide-area=no\n[publish]\npublish-hinfo=no\npublish-workstation=no\n", name, testkit.Interface)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return n.Start(t, "avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", conf)
}

// Who is not of the network is not heard, and that is counted and told.
func TestStrangersAreNotHeard(t *testing.T) {
	testkit.Need(t, "netns")
	others := append(hosts(), testkit.Host{Name: "stranger", Addr: netip.MustParsePrefix("192.0.2.9/24")})
	testkit.Reexec(t, "box", others, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, office())
		b.isCalled("phonebox.local")
		if m := askAt(t, lan.Node("stranger"), netip.MustParseAddr("224.0.0.251"), "phonebox.local.", dns.TypeA, 1); m != nil {
			t.Errorf("a stranger got the answer %s", m)
		}
		if n := b.counted("phonebox_mdns_dropped_total", "foreign_client"); n < 1 {
			t.Errorf("%v are counted", n)
		}
		if told := b.told(mdns.EventDropped); len(told) < 1 || told[0].From.Addr().String() != "192.0.2.9" || told[0].Reason == "" {
			t.Errorf("told %+v", told)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	deps := mdns.Deps{Log: slog.New(slog.DiscardHandler), Report: func(mdns.Event) {}}
	for name, change := range map[string]func(*mdns.Config){
		"no interface": func(c *mdns.Config) { c.Interface = "" }, "no address": func(c *mdns.Config) { c.Address = netip.Prefix{} },
		"IPv6": func(c *mdns.Config) { c.Address = netip.MustParsePrefix("fe80::1/64") }, "no host": func(c *mdns.Config) { c.Host = "" },
		"a host with a dot": func(c *mdns.Config) { c.Host = "phone.box" }, "a long host": func(c *mdns.Config) { c.Host = strings.Repeat("x", 57) },
	} {
		cfg := office()
		change(&cfg)
		if _, err := mdns.New(cfg, deps); err == nil || !strings.Contains(err.Error(), "allowed is") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mdns.New(office(), mdns.Deps{}); err == nil {
		t.Error("without Log and Report it is made")
	}
}
