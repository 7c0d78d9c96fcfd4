package dns_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dns"
)

// clock is a clock that goes when it is told to.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Duration   { return time.Duration(c.ns.Load()) }
func (c *clock) pass(d time.Duration) { c.ns.Add(int64(d)) }

// startTuned runs a server that was changed before it runs.
func startTuned(t *testing.T, cfg dns.Config, deps dns.Deps, tune func(*dns.Server)) *box {
	t.Helper()
	b := newBox(t, cfg, deps)
	b.SetTimeout(5 * time.Second)
	tune(b.Server)
	b.run()
	return b
}

// cable is an upstream behind a cable that can be pulled.
type cable struct {
	*upstream
	out    atomic.Bool
	answer atomic.Pointer[func(mdns.ResponseWriter, *mdns.Msg)]
}

func startCable(t *testing.T, answer func(mdns.ResponseWriter, *mdns.Msg)) *cable {
	c := &cable{}
	c.answer.Store(&answer)
	c.upstream = startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		if !c.out.Load() {
			(*c.answer.Load())(w, q)
		}
	})
	return c
}

// figure adds up the values of a metric whose labels contain all of these values.
func figure(t *testing.T, reg *prometheus.Registry, name string, labels ...string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			text := ""
			for _, l := range m.GetLabel() {
				text += " " + l.GetValue() + " "
			}
			fits := true
			for _, l := range labels {
				fits = fits && strings.Contains(text, " "+l+" ")
			}
			if fits {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// provider answers as the name server of a hosted provider: SRV, A, and nothing else, with short TTLs.
func provider(w mdns.ResponseWriter, q *mdns.Msg) {
	name := strings.ToLower(q.Question[0].Name)
	resp := new(mdns.Msg).SetReply(q)
	soa, _ := mdns.NewRR("example. 600 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 300")
	records := map[string]string{
		"_sip._udp.callcentric.example. SRV": "60 IN SRV 0 0 5080 sip1.callcentric.example.",
		"sip1.callcentric.example. A":        "60 IN A 192.0.2.81",
		"www.callcentric.example. A":         "30 IN CNAME sip1.callcentric.example.",
		"fleeting.callcentric.example. A":    "0 IN A 192.0.2.82",
	}
	text := records[name+" "+mdns.TypeToString[q.Question[0].Qtype]]
	switch {
	case text != "":
		rr, _ := mdns.NewRR(q.Question[0].Name + " " + text)
		resp.Answer = append(resp.Answer, rr)
		if strings.Contains(text, "CNAME") {
			a, _ := mdns.NewRR("sip1.callcentric.example. 60 IN A 192.0.2.81")
			resp.Answer = append(resp.Answer, a)
		}
	case strings.HasPrefix(name, "nobody."):
		resp.Rcode = mdns.RcodeNameError
		resp.Ns = append(resp.Ns, soa)
	default:
		resp.Ns = append(resp.Ns, soa)
	}
	_ = w.WriteMsg(resp)
}

// resolved are names that phones of the provider ask for, and a part of what they are told.
var resolved = []struct {
	name string
	typ  uint16
	want string
}{
	{"_sip._udp.callcentric.example.", mdns.TypeSRV, "IN SRV 0 0 5080 sip1.callcentric.example."},
	{"sip1.callcentric.example.", mdns.TypeA, "IN A 192.0.2.81"},
	{"www.callcentric.example.", mdns.TypeA, "IN CNAME sip1.callcentric.example."},
	{"fleeting.callcentric.example.", mdns.TypeA, "IN A 192.0.2.82"},
	{"callcentric.example.", mdns.TypeNAPTR, ""},
	{"nobody.callcentric.example.", mdns.TypeA, "NXDOMAIN"},
}

// answersAll asks for all of them; stale answers have the TTL 30.
func (b *box) answersAll(when string, stale bool) {
	b.t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		for _, n := range resolved {
			resp := b.ask(network, question(n.name, n.typ))
			got := short(resp.Answer)
			if n.want == "NXDOMAIN" {
				got = mdns.RcodeToString[resp.Rcode]
			}
			if !strings.Contains(got, n.want) || n.want == "" && (got != "" || resp.Rcode != mdns.RcodeSuccess) {
				b.t.Errorf("%s, %s: %s %s is %v", when, network, n.name, mdns.TypeToString[n.typ], resp)
			}
			for _, rr := range resp.Answer {
				if stale && rr.Header().Ttl != 30 {
					b.t.Errorf("%s: a stale answer has %v, want the TTL 30", when, rr)
				}
			}
		}
	}
}

// The uplink is cut for an hour: every name that was resolved before still answers, as it did, and the metrics say so.
func TestUplinkCutForAnHour(t *testing.T) {
	t.Parallel()
	up := startCable(t, provider)
	reg, c := prometheus.NewRegistry(), &clock{}
	b := startTuned(t, withUpstream(up.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) {
		s.SetClock(c.now)
		s.SetTimeout(time.Second)
		s.SetPatience(100 * time.Millisecond)
	})
	b.answersAll("before", false)
	if n := figure(t, reg, "phonebox_dns_cache_total", "stale"); n != 0 || b.Status() != "" {
		t.Fatalf("before: %v stale, status %q", n, b.Status())
	}
	up.out.Store(true)
	for minute := 10; minute <= 60; minute += 10 {
		c.pass(10 * time.Minute)
		b.answersAll(fmt.Sprintf("%d minutes after the cut", minute), true)
	}
	for _, metric := range []string{"phonebox_dns_cache_total", "phonebox_dns_questions_total"} {
		if n := figure(t, reg, metric, "stale"); n < 60 {
			t.Errorf("%s: %v stale answers, want most of 72", metric, n)
		}
	}
	if s := b.Status(); !strings.Contains(s, "No name server upstream answers since") || !strings.Contains(s, up.addr.String()) {
		t.Errorf("the status is %q", s)
	}
	b.event(func(e dns.Event) bool { return e.Stale && e.Name == "sip1.callcentric.example" && e.Reason != "" })
	b.event(func(e dns.Event) bool {
		return e.Kind == dns.EventUpstream && strings.Contains(e.Reason, "No name server upstream answers")
	})
	if resp := b.ask("udp", question("new.callcentric.example.", mdns.TypeA)); resp.Rcode != mdns.RcodeServerFailure {
		t.Errorf("a name that nobody asked for before: %v", resp)
	}
	b.comesBack(up, c)
}

// comesBack lets the uplink come back: within half a minute the answers are new, and after three days without it the old
// ones are none any more.
func (b *box) comesBack(up *cable, c *clock) {
	b.t.Helper()
	up.out.Store(false)
	ask := func() *mdns.Msg { return b.ask("udp", question("sip1.callcentric.example.", mdns.TypeA)) }
	eventually(b.t, func() bool {
		c.pass(10 * time.Second)
		resp := ask()
		return len(resp.Answer) == 1 && resp.Answer[0].Header().Ttl > 30
	})
	eventually(b.t, func() bool { return b.Status() == "" })
	b.event(func(e dns.Event) bool {
		return e.Kind == dns.EventUpstream && strings.Contains(e.Reason, "answers again")
	})
	up.out.Store(true)
	c.pass(3*24*time.Hour + 2*time.Minute)
	if resp := ask(); resp.Rcode != mdns.RcodeServerFailure {
		b.t.Errorf("three days later: %v", resp)
	}
}

// A client waits no longer than its patience where there is an old answer, and gets the new one where that comes in time.
func TestAnOldAnswerWaitsForANewOne(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	first := atomic.Bool{}
	up := startCable(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		resp := outsideAnswer(q)
		if first.Swap(true) {
			<-release
			resp.Answer[0].(*mdns.A).A = net.IPv4(192, 0, 2, 99)
		}
		_ = w.WriteMsg(resp)
	})
	c := &clock{}
	b := startTuned(t, withUpstream(up.addr), dns.Deps{}, func(s *dns.Server) {
		s.SetClock(c.now)
		s.SetPatience(50 * time.Millisecond)
		s.SetTimeout(time.Minute)
	})
	ask := func() string { return short(b.ask("udp", question("example.com.", mdns.TypeA)).Answer) }
	if got := ask(); got != "example.com. 77 IN A 192.0.2.80" {
		t.Fatalf("at first: %s", got)
	}
	c.pass(30 * time.Second)
	if got := ask(); got != "example.com. 47 IN A 192.0.2.80" {
		t.Errorf("after 30 s the TTL is not counted down: %s", got)
	}
	c.pass(48 * time.Second)
	if got := ask(); got != "example.com. 30 IN A 192.0.2.80" {
		t.Errorf("while the server takes its time: %s", got)
	}
	close(release)
	eventually(t, func() bool { return ask() == "example.com. 77 IN A 192.0.2.99" })
}

// A failure is remembered for a moment, so that a broken name does not cost an exchange for each question (RFC 9520).
func TestFailuresAreKeptShortly(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		asked.Add(1)
		_ = w.WriteMsg(new(mdns.Msg).SetRcode(q, mdns.RcodeServerFailure))
	})
	c := &clock{}
	b := startTuned(t, withUpstream(up.addr), dns.Deps{}, func(s *dns.Server) { s.SetClock(c.now) })
	ask := func() {
		t.Helper()
		if resp := b.ask("udp", question("broken.example.", mdns.TypeA)); resp.Rcode != mdns.RcodeServerFailure || !resp.RecursionAvailable {
			t.Errorf("found %v", resp)
		}
	}
	ask()
	once := asked.Load()
	ask()
	c.pass(4 * time.Second)
	ask()
	if asked.Load() != once {
		t.Errorf("the server was asked %d times, and %d for the first question", asked.Load(), once)
	}
	c.pass(2 * time.Second)
	ask()
	if asked.Load() != 2*once {
		t.Errorf("after six seconds it was asked %d times, want %d", asked.Load(), 2*once)
	}
}
