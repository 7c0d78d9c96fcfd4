package mdns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// wire joins responders in virtual time: what one tells all hosts the others hear at once.
type wire struct {
	t     *testing.T
	now   time.Time
	hosts []*host
	told  []said
}

// said is a packet on the wire.
type said struct {
	at   time.Time
	from netip.AddrPort
	outgoing
}

type host struct {
	*responder
	addr   netip.AddrPort
	events []Event
}

func newWire(t *testing.T) *wire {
	return &wire{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func office(last byte) Config {
	return Config{
		Interface: "eth0", Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, last}), 16),
		Host: "phonebox", Instance: "Büro 1. Stock", HTTP: 80, HTTPS: 443,
	}
}

// plug adds a host that begins now; it takes half of each random time.
func (w *wire) plug(cfg Config) *host {
	h := &host{addr: netip.AddrPortFrom(cfg.Address.Addr(), port)}
	h.responder = newResponder(cfg, func(d time.Duration) time.Duration { return d / 2 }, func(e Event) { h.events = append(h.events, e) })
	h.begin(w.now)
	w.hosts = append(w.hosts, h)
	return h
}

// carry delivers what a host says, as bytes.
func (w *wire) carry(from netip.AddrPort, out []outgoing) {
	w.t.Helper()
	for _, o := range out {
		payload, err := o.msg.Pack()
		if err != nil {
			w.t.Fatalf("packing %v: %v", o.msg, err)
		}
		if len(payload) > 1472 {
			w.t.Errorf("a packet has %d bytes", len(payload))
		}
		w.told = append(w.told, said{w.now, from, o})
		for _, h := range w.hosts {
			if h.addr != from && (o.to == group || o.to == h.addr) {
				answer, _, _ := h.receive(w.now, incoming{payload: payload, from: from, to: o.to.Addr()})
				w.carry(h.addr, answer)
			}
		}
	}
}

// run lets time pass.
func (w *wire) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 100_000 {
			w.t.Fatal("time does not pass")
		}
		at := end
		for _, h := range w.hosts {
			if next := h.next(); !next.IsZero() && next.Before(at) {
				at = next
			}
		}
		w.now = at
		if !at.Before(end) {
			return
		}
		for _, h := range w.hosts {
			w.carry(h.addr, h.step(w.now))
		}
	}
}

// ask sends a packet from an address and returns what was said since.
func (w *wire) ask(from string, m *dns.Msg, to netip.Addr) []said {
	w.t.Helper()
	w.told = nil
	w.send(from, m, to)
	return w.told
}

func (w *wire) send(from string, m *dns.Msg, to netip.Addr) {
	w.t.Helper()
	payload, err := m.Pack()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range w.hosts {
		out, _, _ := h.receive(w.now, incoming{payload: payload, from: netip.MustParseAddrPort(from), to: to})
		w.carry(h.addr, out)
	}
}

func query(name string, typ uint16, class uint16) *dns.Msg {
	m := new(dns.Msg)
	m.Question = []dns.Question{{Name: name, Qtype: typ, Qclass: class}}
	return m
}

// text writes records, one a line, with ! where the flush bit is.
func text(rrs []dns.RR) string {
	var lines []string
	for _, rr := range rrs {
		rr = dns.Copy(rr)
		mark := ""
		if rr.Header().Class&flush != 0 {
			rr.Header().Class &^= flush
			mark = "!"
		}
		lines = append(lines, mark+strings.Join(strings.Fields(rr.String()), " "))
	}
	return strings.Join(lines, "\n")
}

const (
	oursA     = "!phonebox.local. 120 IN A 10.77.0.1"
	oursNone  = "!phonebox.local. 120 IN NSEC phonebox.local. A"
	instance  = `B\195\188ro\ 1\.\ Stock`
	oursHTTPS = "!" + instance + "._https._tcp.local. 120 IN SRV 0 0 443 phonebox.local."
	oursTXT   = "!" + instance + `._https._tcp.local. 4500 IN TXT "path=/"`
)

// RFC 6762 section 8: three probes, a quarter of a second apart, then two announcements, a second apart; and a goodbye.
func TestANameIsProbedAnnouncedAndGivenUp(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	began := w.now
	h := w.plug(office(1))
	w.run(10 * time.Second)
	var at []string
	for _, s := range w.told {
		kind := "probe"
		if s.msg.Response {
			kind = "announcement"
		}
		at = append(at, fmt.Sprintf("%s %s", kind, s.at.Sub(began)))
	}
	want := []string{"probe 125ms", "probe 375ms", "probe 625ms", "announcement 875ms", "announcement 1.875s"}
	if !slices.Equal(at, want) {
		t.Fatalf("said %q, want %q", at, want)
	}
	probe := w.told[0].msg
	if len(probe.Question) != 3 || probe.Question[0].Name != "phonebox.local." || probe.Question[0].Qtype != dns.TypeANY || probe.Question[0].Qclass != dns.ClassINET|flush || len(probe.Ns) != 5 {
		t.Errorf("the probe is %s", probe)
	}
	wantAll := strings.Join([]string{
		oursA, "!1.0.77.10.in-addr.arpa. 120 IN PTR phonebox.local.", oursHTTPS, oursTXT,
		"_https._tcp.local. 4500 IN PTR " + instance + "._https._tcp.local.", "_services._dns-sd._udp.local. 4500 IN PTR _https._tcp.local.",
		"!" + instance + "._http._tcp.local. 120 IN SRV 0 0 80 phonebox.local.", "!" + instance + `._http._tcp.local. 4500 IN TXT "path=/"`,
		"_http._tcp.local. 4500 IN PTR " + instance + "._http._tcp.local.", "_services._dns-sd._udp.local. 4500 IN PTR _http._tcp.local.",
	}, "\n")
	if got := text(w.told[3].msg.Answer); got != wantAll {
		t.Errorf("the announcement is\n%s\nwant\n%s", got, wantAll)
	}
	if a := w.told[3].msg; !a.Authoritative || a.Id != 0 || len(a.Question) != 0 || w.told[3].to != group {
		t.Errorf("the announcement is %s", a)
	}
	if len(h.events) != 1 || h.events[0].Kind != EventNamed || h.events[0].Label != "phonebox" {
		t.Errorf("it told %+v", h.events)
	}
	bye := h.goodbye()
	if len(bye) != 1 || bye[0].to != group || len(bye[0].msg.Answer) != 10 {
		t.Fatalf("the goodbye is %v", bye)
	}
	for _, rr := range bye[0].msg.Answer {
		if rr.Header().Ttl != 0 {
			t.Errorf("the goodbye has %s", rr)
		}
	}
	h.silence()
	if h.goodbye() != nil || !h.next().IsZero() {
		t.Error("a host without a wire says goodbye, or waits for something")
	}
}

// What is asked for, by whom and how, and what is said.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const legacy, mdns = "10.77.3.4:40000", "10.77.3.4:5353"
	box := netip.MustParseAddr("10.77.0.1")
	fresh := func(typ uint16, name string, class uint16) func() *dns.Msg {
		return func() *dns.Msg { return query(name, typ, class) }
	}
	const in, qu = dns.ClassINET, dns.ClassINET | flush
	for _, tt := range []struct {
		name    string
		m       func() *dns.Msg
		from    string
		to      netip.Addr
		after   time.Duration // since the last announcement
		wait    time.Duration
		answers string
		extra   string
		alone   bool
	}{
		{name: "to all", m: fresh(dns.TypeA, "PhoneBox.local.", in), answers: oursA, extra: oursNone},
		{name: "class any", m: fresh(dns.TypeA, "phonebox.local.", dns.ClassANY), answers: oursA, extra: oursNone},
		{name: "no IPv6", m: fresh(dns.TypeAAAA, "phonebox.local.", in), answers: oursNone},
		{name: "no IPv6, asked for an answer of one's own", m: fresh(dns.TypeAAAA, "phonebox.local.", qu), answers: oursNone},
		{name: "any", m: fresh(dns.TypeANY, "phonebox.local.", in), answers: oursA, extra: oursNone},
		{name: "backwards", m: fresh(dns.TypePTR, "1.0.77.10.in-addr.arpa.", in), answers: "!1.0.77.10.in-addr.arpa. 120 IN PTR phonebox.local."},
		{name: "an answer of one's own", m: fresh(dns.TypeA, "phonebox.local.", qu), answers: oursA, extra: oursNone, alone: true},
		{name: "an answer of one's own, long after the last to all", m: fresh(dns.TypeA, "phonebox.local.", qu), after: time.Minute, answers: oursA, extra: oursNone},
		{name: "asked at our address", m: fresh(dns.TypeA, "phonebox.local.", in), to: box, answers: oursA, extra: oursNone, alone: true},
		{
			name: "a list of pages", m: fresh(dns.TypePTR, "_https._tcp.local.", in), wait: time.Second,
			answers: "_https._tcp.local. 4500 IN PTR " + instance + "._https._tcp.local.", extra: oursHTTPS + "\n" + oursTXT + "\n" + oursA + "\n" + oursNone,
		},
		{
			name: "kinds of services", m: fresh(dns.TypePTR, "_services._dns-sd._udp.local.", in), wait: time.Second,
			answers: "_services._dns-sd._udp.local. 4500 IN PTR _https._tcp.local.\n_services._dns-sd._udp.local. 4500 IN PTR _http._tcp.local.",
		},
		{name: "a page", m: fresh(dns.TypeSRV, instance+"._https._tcp.local.", in), answers: oursHTTPS, extra: oursA + "\n" + oursNone},
		{name: "a program that knows DNS", m: fresh(dns.TypeA, "phonebox.local.", in), from: legacy, answers: "phonebox.local. 10 IN A 10.77.0.1", alone: true},
		{name: "a program that knows DNS, IPv6", m: fresh(dns.TypeAAAA, "phonebox.local.", in), from: legacy, answers: "", alone: true},
		{
			name: "a program that knows DNS, a list", m: fresh(dns.TypePTR, "_https._tcp.local.", in), from: legacy, alone: true,
			answers: "_https._tcp.local. 10 IN PTR " + instance + "._https._tcp.local.",
			extra:   instance + "._https._tcp.local. 10 IN SRV 0 0 443 phonebox.local.\n" + instance + `._https._tcp.local. 10 IN TXT "path=/"` + "\nphonebox.local. 10 IN A 10.77.0.1",
		},
		{name: "not ours", m: fresh(dns.TypeA, "printer.local.", in), answers: "nothing"},
		{name: "not ours, from a program that knows DNS", m: fresh(dns.TypeA, "printer.local.", in), from: legacy, answers: "nothing"},
		{name: "another class", m: fresh(dns.TypeA, "phonebox.local.", dns.ClassCHAOS), answers: "nothing"},
		{name: "told a moment ago", m: fresh(dns.TypeA, "phonebox.local.", in), after: 900 * time.Millisecond, answers: "nothing"},
		{name: "what is known", m: known(120, "10.77.0.1"), answers: "nothing"},
		{name: "what is half forgotten", m: known(59, "10.77.0.1"), answers: oursA, extra: oursNone},
		{name: "another address is known", m: known(120, "10.77.0.2"), answers: oursA, extra: oursNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			w.plug(office(1))
			w.run(2 * time.Second)
			if tt.after == 0 {
				tt.after = 2 * time.Second
			}
			if tt.from == "" {
				tt.from = mdns
			}
			if !tt.to.IsValid() {
				tt.to = group.Addr()
			}
			w.run(tt.after - 125*time.Millisecond) // the last announcement was at 1.875 s
			q := tt.m()
			q.Id = 4711
			got := w.ask(tt.from, q, tt.to)
			if tt.wait > 0 {
				if len(got) > 0 {
					t.Errorf("others may answer as well, and yet it did at once")
				}
				w.run(tt.wait)
				got = w.told
			}
			if tt.answers == "nothing" {
				if len(got) != 0 {
					t.Errorf("said %v", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("said %d packets: %v", len(got), got)
			}
			a := got[0]
			if text(a.msg.Answer) != tt.answers || text(a.msg.Extra) != tt.extra || (a.to != group) != tt.alone {
				t.Errorf("said to %s\n%s\nand\n%s\nwant\n%s\nand\n%s", a.to, text(a.msg.Answer), text(a.msg.Extra), tt.answers, tt.extra)
			}
			if tt.alone && a.to.String() != tt.from {
				t.Errorf("it went to %s", a.to)
			}
			if legacy := tt.from == legacy; legacy != (len(a.msg.Question) == 1) || legacy && a.msg.Id != q.Id || !legacy && a.msg.Id != 0 {
				t.Errorf("the head is %v", a.msg)
			}
		})
	}
}

// known is a question for our address by somebody who has an address already.
func known(ttl uint32, addr string) func() *dns.Msg {
	return func() *dns.Msg {
		m := query("phonebox.local.", dns.TypeA, dns.ClassINET)
		rr, err := dns.NewRR(fmt.Sprintf("phonebox.local. %d IN A %s", ttl, addr))
		if err != nil {
			panic(err)
		}
		m.Answer = []dns.RR{rr}
		return m
	}
}

// Who has more to say of what it knows than fits into a packet is answered when it has said it (section 7.2).
func TestWhoAsksMayHaveMoreToSay(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"it has the record": "10.77.0.1", "it has another": "10.77.0.2", "nothing more comes": ""} {
		w := newWire(t)
		w.plug(office(1))
		w.run(5 * time.Second)
		q := query("phonebox.local.", dns.TypeA, dns.ClassINET)
		q.Truncated = true
		if got := w.ask("10.77.3.4:5353", q, group.Addr()); len(got) != 0 {
			t.Errorf("%s: answered before the rest came: %v", name, got)
		}
		w.run(100 * time.Millisecond)
		rest := func(from, addr string) {
			m := known(120, addr)()
			m.Question = nil
			w.ask(from, m, group.Addr())
		}
		rest("10.77.9.9:5353", "10.77.0.1") // what somebody else has does not count
		if more != "" {
			rest("10.77.3.4:5353", more)
		}
		w.told = nil
		w.run(time.Second)
		if got, want := len(w.told), map[bool]int{true: 0, false: 1}[more == "10.77.0.1"]; got != want {
			t.Errorf("%s: %d answers, want %d", name, got, want)
		}
	}
}

// Of two boxes that get power at the same instant each has a name of its own, and keeps it.
func TestTwoBoxesGetTwoNames(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	a, b := w.plug(office(1)), w.plug(office(2))
	w.run(10 * time.Second)
	if a.label() != "phonebox-2" || b.label() != "phonebox" { // the later address wins (section 8.2)
		t.Errorf("the boxes are %s and %s", a.label(), b.label())
	}
	if a.phase != standing || b.phase != standing || a.instance == b.instance {
		t.Errorf("phases %d and %d, instances %d and %d", a.phase, b.phase, a.instance, b.instance)
	}
	// The third comes when the two are there, and looks for two names.
	c := w.plug(office(3))
	w.run(10 * time.Second)
	if c.label() != "phonebox-3" || c.phase != standing {
		t.Errorf("the third is %s", c.label())
	}
	if conflicts := len(c.events) - 1; conflicts < 2 || c.events[0].Kind != EventConflict || c.events[0].Label != "phonebox" {
		t.Errorf("the third told %+v", c.events)
	}
	// After a power cut of the first two they get the names that they had, whoever comes first.
	w = newWire(t)
	cfg := office(1)
	cfg.Last = "phonebox-2"
	a = w.plug(cfg)
	w.run(10 * time.Second)
	b = w.plug(office(2))
	w.run(10 * time.Second)
	if a.label() != "phonebox-2" || b.label() != "phonebox" || len(b.events) == 0 || b.events[len(b.events)-1].Kind != EventNamed {
		t.Errorf("after the power cut the boxes are %s and %s", a.label(), b.label())
	}
}

// A host that takes a name that stands makes the box look for it again, and give way (section 9); one that is gone, says
// the same, or has another name, does not.
func TestAHostTakesTheName(t *testing.T) {
	t.Parallel()
	claim := func(rr string) *dns.Msg {
		m := answer()
		r, err := dns.NewRR(rr)
		if err != nil {
			panic(err)
		}
		r.Header().Class |= flush
		m.Answer = []dns.RR{r}
		return m
	}
	for rr, gives := range map[string]bool{
		"phonebox.local. 120 IN A 10.77.0.9":          true,
		"PHONEBOX.local. 120 IN A 10.77.0.9":          true,
		"phonebox.local. 0 IN A 10.77.0.9":            false,
		"phonebox.local. 120 IN A 10.77.0.1":          false,
		"phonebox.local. 120 IN AAAA fe80::1":         false, // not what is ours
		"phonebox.local. 120 CH A 10.77.0.9":          false,
		"other.local. 120 IN A 10.77.0.9":             false,
		"1.0.77.10.in-addr.arpa. 120 IN PTR x.local.": false, // another name would not help
	} {
		w := newWire(t)
		h := w.plug(office(1))
		w.run(5 * time.Second)
		w.send("10.77.0.9:5353", claim(rr), group.Addr())
		w.run(400 * time.Millisecond)
		probes := h.phase == probing
		w.send("10.77.0.9:5353", claim(rr), group.Addr()) // to a probe
		w.run(5 * time.Second)
		if probes != gives || (h.label() == "phonebox-2") != gives {
			t.Errorf("%s: probes %v, is %s, want %v", rr, probes, h.label(), gives)
		}
	}
	// Nobody takes it by a packet that is no answer of multicast DNS.
	w := newWire(t)
	h := w.plug(office(1))
	w.run(5 * time.Second)
	for _, from := range []string{"10.77.0.9:4000", "192.0.2.1:5353", "10.77.0.1:5353"} {
		w.send(from, claim("phonebox.local. 120 IN A 10.77.0.9"), group.Addr())
	}
	if h.phase != standing {
		t.Error("a packet that is none made it give way")
	}
}

// Somebody who looks for our name is told at once that it is ours, also when that was told a moment ago.
func TestANameIsDefended(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.plug(office(1))
	w.run(5 * time.Second)
	probe := query("phonebox.local.", dns.TypeANY, dns.ClassINET)
	rr, _ := dns.NewRR("phonebox.local. 120 IN A 10.77.0.9")
	probe.Ns = []dns.RR{rr}
	for i := range 3 {
		got := w.ask("10.77.0.9:5353", probe, group.Addr())
		if len(got) != 1 || !strings.HasPrefix(text(got[0].msg.Answer), oursA) {
			t.Errorf("probe %d: said %v", i, got)
		}
		w.run(probeGap)
	}
}

// A host that takes every name makes the box look more and more slowly, and never faster.
func TestAHostThatTakesEveryName(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	h := w.plug(office(1))
	probed := 0
	for range 20_000 {
		w.run(10 * time.Millisecond)
		for _, s := range w.told {
			if s.msg.Response {
				continue
			}
			probed++
			m := answer()
			rr, _ := dns.NewRR(s.msg.Question[0].Name + " 120 IN A 10.77.0.9")
			m.Answer = []dns.RR{rr}
			w.send("10.77.0.9:5353", m, group.Addr())
		}
		w.told = nil
	}
	if conflicts := len(h.events); conflicts != conflictsAnHour || probed > 2*conflictsAnHour {
		t.Errorf("in 200 s it changed its name %d times and probed %d times", conflicts, probed)
	}
	if len(h.conflicts) > conflictsAnHour+1 {
		t.Errorf("it remembers %d conflicts", len(h.conflicts))
	}
}

// A host that claims every name without being asked makes the box look for names no faster than one that waits for its
// probes, whether it says so in answers or in probes of its own.
func TestAHostThatClaimsEveryNameUnasked(t *testing.T) {
	t.Parallel()
	answers, wishes := answer(), new(dns.Msg)
	for n := 1; n <= lastNumber; n++ {
		rr, err := dns.NewRR(numbered("phonebox", n) + ".local. 120 IN A 10.77.0.9")
		if err != nil {
			t.Fatal(err)
		}
		answers.Answer, wishes.Ns = append(answers.Answer, rr), append(wishes.Ns, rr)
	}
	w := newWire(t)
	h := w.plug(office(1))
	for range 2_000 {
		w.run(100 * time.Millisecond)
		w.send("10.77.0.9:5353", answers, group.Addr())
		w.send("10.77.0.9:5353", wishes, group.Addr())
	}
	if len(h.events) > conflictsAnHour+1 || len(h.conflicts) > conflictsAnHour+1 {
		t.Errorf("in 200 s it changed its name %d times, and remembers %d conflicts", len(h.events), len(h.conflicts))
	}
}

// What others can cause is bounded.
func TestAFloodIsAnsweredWithinBounds(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	h := w.plug(office(1))
	w.run(5 * time.Second)
	payload, _ := query("phonebox.local.", dns.TypeA, dns.ClassINET).Pack()
	answers, dropped := 0, 0
	for i := range 1000 {
		out, _, why := h.receive(w.now, incoming{payload: payload, from: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 3, byte(i)}), 40000), to: group.Addr()})
		answers += len(out)
		if why == tooMany {
			dropped++
		}
	}
	if answers != maxUnicast || dropped != 1000-maxUnicast {
		t.Errorf("%d answers and %d drops in one instant, want %d and the rest", answers, dropped, maxUnicast)
	}
	w.run(time.Second)
	if out, _, _ := h.receive(w.now, incoming{payload: payload, from: netip.MustParseAddrPort("10.77.3.4:40000"), to: group.Addr()}); len(out) != 1 {
		t.Error("a second later nobody is answered")
	}
	w.told = nil
	list := query("_https._tcp.local.", dns.TypePTR, dns.ClassINET)
	for range 500 {
		w.send("10.77.3.4:5353", list, group.Addr())
	}
	if len(h.waiting) > maxPending {
		t.Errorf("%d answers wait", len(h.waiting))
	}
	w.run(time.Second)
	if len(w.told) != 1 {
		t.Errorf("a list that was asked for 500 times was told %d times", len(w.told))
	}
	for range 500 {
		w.send("10.77.3.4:5353", query("phonebox.local.", dns.TypeA, dns.ClassINET), group.Addr())
	}
	if len(w.told) > 2 {
		t.Errorf("an address that was asked for 500 times was told %d times", len(w.told)-1)
	}
}

// What is no packet of multicast DNS, and why.
func TestWhatIsNotHeard(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	h := w.plug(office(1))
	w.run(5 * time.Second)
	notify := query("phonebox.local.", dns.TypeA, dns.ClassINET)
	notify.Opcode = dns.OpcodeNotify
	refused := query("phonebox.local.", dns.TypeA, dns.ClassINET)
	refused.Rcode = dns.RcodeRefused
	many := new(dns.Msg)
	for range maxQuestions + 1 {
		many.Question = append(many.Question, dns.Question{Name: "phonebox.local.", Qtype: dns.TypeA, Qclass: dns.ClassINET})
	}
	good := query("phonebox.local.", dns.TypeA, dns.ClassINET)
	for _, tt := range []struct {
		name, from string
		m          *dns.Msg
		raw        string
		why        reason
		kind       string
	}{
		{name: "from another network", from: "192.0.2.1:5353", m: good, why: foreignClient},
		{name: "from another network, a program that knows DNS", from: "192.0.2.1:4000", m: good, why: foreignClient},
		{name: "our own", from: "10.77.0.1:5353", m: good, kind: heardOwn},
		{name: "the box itself asks", from: "10.77.0.1:4000", m: good, kind: heardQuestion},
		{name: "empty", from: "10.77.3.4:5353", raw: " ", why: unreadable},
		{name: "cut", from: "10.77.3.4:5353", raw: "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08phone", why: unreadable},
		{name: "too many questions", from: "10.77.3.4:5353", m: many, why: unreadable},
		{name: "another operation", from: "10.77.3.4:5353", m: notify, why: wrongCode},
		{name: "a code", from: "10.77.3.4:5353", m: refused, why: wrongCode},
		{name: "an answer from another port", from: "10.77.3.4:5354", m: answer(), why: wrongPort},
		{name: "an answer", from: "10.77.3.4:5353", m: answer(), kind: heardAnswer},
		{name: "of others", from: "10.77.3.4:5353", m: query("printer.local.", dns.TypeA, dns.ClassINET), kind: heardOther},
	} {
		payload := []byte(tt.raw)
		if tt.m != nil {
			payload, _ = tt.m.Pack()
		}
		_, kind, why := h.receive(w.now, incoming{payload: payload, from: netip.MustParseAddrPort(tt.from), to: group.Addr()})
		if kind != tt.kind || why != tt.why {
			t.Errorf("%s: %q %v, want %q %v", tt.name, kind, why, tt.kind, tt.why)
		}
	}
	h.silence()
	if out := w.ask("10.77.3.4:5353", good, group.Addr()); len(out) != 0 {
		t.Error("it answers on a wire that is gone")
	}
}

// While a name is looked for nobody is told that it is ours.
func TestANameIsNotOursBeforeItWasProbed(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.plug(office(1))
	w.run(700 * time.Millisecond)
	for _, from := range []string{"10.77.3.4:5353", "10.77.3.4:40000"} {
		if got := w.ask(from, query("phonebox.local.", dns.TypeA, dns.ClassINET), group.Addr()); len(got) != 0 {
			t.Errorf("from %s: said %v", from, got)
		}
	}
}

func TestNamesInLists(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		n    int
		want string
	}{
		{"Harbour Street office", 1, "Harbour Street office"},
		{"Harbour Street office", 2, "Harbour Street office (2)"},
		{strings.Repeat("é", 40), 1, strings.Repeat("é", 31)},
		{strings.Repeat("é", 40), 12, strings.Repeat("é", 29) + " (12)"},
	} {
		if got := numberedInstance(tt.name, tt.n); got != tt.want || len(got) > 63 {
			t.Errorf("%q %d: %q, want %q", tt.name, tt.n, got, tt.want)
		}
	}
	for _, name := range []string{"a.b", `a\b`, `"x" (2); @$`, "...", " ", "日本", "phonebox"} {
		full := canonical(escape(name) + "._http._tcp.local.")
		buf := make([]byte, 256)
		n, err := dns.PackDomainName(full, buf, 0, nil, false)
		if err != nil || int(buf[0]) != len(name) || string(buf[1:1+len(name)]) != name || n != len(name)+1+len("\x05_http\x04_tcp\x05local\x00") {
			t.Errorf("%q becomes %q on the wire (%v)", name, buf[:n], err)
		}
	}
}

// Whatever is sent, the answer can be packed, is bounded, and says only what is ours.
func FuzzPacket(f *testing.F) {
	for _, m := range []*dns.Msg{
		query("phonebox.local.", dns.TypeA, dns.ClassINET), query("_http._tcp.local.", dns.TypePTR, dns.ClassINET|flush), known(120, "10.77.0.2")(), answer(),
	} {
		payload, _ := m.Pack()
		f.Add(payload, uint16(5353), true)
		f.Add(payload, uint16(4000), false)
	}
	w := newWire(&testing.T{})
	h := w.plug(office(1))
	probe, _ := h.probe().Pack()
	f.Add(probe, uint16(5353), true)
	f.Fuzz(func(t *testing.T, payload []byte, from uint16, standsAlready bool) {
		w := newWire(t)
		h := w.plug(office(1))
		if standsAlready {
			w.run(5 * time.Second)
		}
		p := incoming{payload: payload, from: netip.AddrPortFrom(netip.MustParseAddr("10.77.3.4"), from), to: group.Addr()}
		out, kind, why := h.receive(w.now, p)
		if (kind == "") == (why == reason{}) {
			t.Fatalf("heard as %q and not because of %v", kind, why)
		}
		for range 50 {
			for _, o := range out {
				if len(o.msg.Question) > maxQuestions || len(o.msg.Answer) > len(h.records) {
					t.Fatalf("said %s", o.msg)
				}
				if _, err := o.msg.Pack(); err != nil {
					t.Fatalf("packing %s: %v", o.msg, err)
				}
				for _, rr := range slices.Concat(o.msg.Answer, o.msg.Extra) {
					if !slices.ContainsFunc(h.records, func(rec *record) bool { return same(rec.rr, rr) }) {
						t.Fatalf("said %s", rr)
					}
				}
			}
			next := h.next()
			if next.IsZero() {
				break
			}
			if next.After(w.now) {
				w.now = next
			}
			out = h.step(w.now)
		}
		if len(h.waiting) > maxPending {
			t.Fatalf("%d answers wait", len(h.waiting))
		}
	})
}
