package dns_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dns"
)

// records is an upstream that answers with what the test wrote: question -> answer; a line that begins with ! goes into
// the authority section, one with + into the additional one, and NXDOMAIN is the code.
func records(t *testing.T, lists map[string]string) *upstream {
	t.Helper()
	return startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		resp := new(mdns.Msg).SetReply(q)
		key := strings.ToLower(q.Question[0].Name) + " " + mdns.TypeToString[q.Question[0].Qtype]
		for line := range strings.SplitSeq(lists[key], "\n") {
			if line = strings.TrimSpace(line); line == "NXDOMAIN" {
				resp.Rcode = mdns.RcodeNameError
				continue
			}
			rr, err := mdns.NewRR(strings.TrimLeft(line, "!+"))
			switch {
			case err != nil:
				t.Errorf("%q: %v", line, err)
			case rr == nil:
			case line[0] == '!':
				resp.Ns = append(resp.Ns, rr)
			case line[0] == '+':
				resp.Extra = append(resp.Extra, rr)
			default:
				resp.Answer = append(resp.Answer, rr)
			}
		}
		if opt := q.IsEdns0(); opt == nil || opt.UDPSize() != 1232 {
			t.Errorf("the server was asked with %v", opt)
		}
		_ = w.WriteMsg(resp)
	})
}

const exampleSOA = "!example. 900 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 120"

// How long each kind of answer is kept, seen from what the server is asked again.
func TestAnswersAreKeptAsLongAsTheySay(t *testing.T) {
	t.Parallel()
	up := records(t, map[string]string{
		"a.example. A":     "a.example. 60 IN A 192.0.2.1",
		"chain.example. A": "chain.example. 600 IN CNAME b.example.\nb.example. 20 IN CNAME c.example.\nc.example. 600 IN A 192.0.2.2",
		"zero.example. A":  "zero.example. 0 IN A 192.0.2.3",
		"top.example. A":   "top.example. 4294967295 IN A 192.0.2.4",
		"long.example. A":  "long.example. 2000000 IN A 192.0.2.5",
		"none.example. A":  "NXDOMAIN\n" + exampleSOA,
		"ghost.example. A": "NXDOMAIN",
		"empty.example. A": exampleSOA,
		"never.example. A": "!example. 900 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 999999",
	})
	c, reg := &clock{}, prometheus.NewRegistry()
	b := startTuned(t, withUpstream(up.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) { s.SetClock(c.now) })
	for _, tt := range []struct {
		name string
		kept time.Duration
		ttl  uint32 // that a client is told at first, of its shortest record
	}{
		{"a.example.", time.Minute, 60},
		{"chain.example.", 20 * time.Second, 20},
		{"zero.example.", 0, 0},
		{"top.example.", 0, 0},
		{"long.example.", 24 * time.Hour, 86400},
		{"none.example.", 2 * time.Minute, 120},
		{"ghost.example.", 0, 0},
		{"empty.example.", 2 * time.Minute, 120},
		{"never.example.", 15 * time.Minute, 900},
	} {
		asks := func() (n int, ttl uint32) {
			t.Helper()
			resp := b.ask("udp", question(tt.name, mdns.TypeA))
			ttl = 1 << 31
			for _, rr := range append(resp.Answer, resp.Ns...) {
				ttl = min(ttl, rr.Header().Ttl)
			}
			for _, line := range up.log() {
				if strings.Contains(line, " "+tt.name) {
					n++
				}
			}
			return n, ttl
		}
		if n, ttl := asks(); n != 1 || ttl != tt.ttl && tt.name != "ghost.example." {
			t.Errorf("%s: asked %d times at first, the TTL is %d, want %d", tt.name, n, ttl, tt.ttl)
		}
		want := 1
		if tt.kept > 0 {
			c.pass(tt.kept - time.Second)
			if n, ttl := asks(); n != 1 || ttl != 1 {
				t.Errorf("%s: a second before its end it was asked %d times and has the TTL %d", tt.name, n, ttl)
			}
			c.pass(time.Second)
		}
		want++
		if n, _ := asks(); n != want {
			t.Errorf("%s: at its end it was asked %d times, want %d", tt.name, n, want)
		}
	}
	if n := figure(t, reg, "phonebox_dns_cache_total", "negative"); n != 3 {
		t.Errorf("%v negative answers from memory were counted, want 3", n)
	}
	if figure(t, reg, "phonebox_dns_cache_entries") == 0 || figure(t, reg, "phonebox_dns_cache_bytes") == 0 {
		t.Error("no entries or bytes are counted")
	}
}

// An answer from memory is made for the client that asks: its id, its letters, its EDNS, and what it wants of DNSSEC.
func TestAnswersFromMemoryAreTheClientsOwn(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		resp := outsideAnswer(q)
		resp.AuthenticatedData = true
		if opt := q.IsEdns0(); opt.Do() {
			sig, _ := mdns.NewRR(q.Question[0].Name + " 77 IN RRSIG A 13 2 77 20300101000000 20200101000000 1 example. c2ln")
			resp.Answer = append(resp.Answer, sig)
			resp.SetEdns0(1232, true)
		}
		_ = w.WriteMsg(resp)
	})
	b := start(t, withUpstream(up.addr))
	for range 2 { // from the server, and from memory
		for _, network := range []string{"udp", "tcp"} {
			for _, tt := range []struct {
				name         string
				edns, do, ad bool
				cd           bool
			}{{name: "a.example."}, {name: "A.eXample."}, {name: "a.EXAMPLE.", edns: true}, {name: "a.example.", edns: true, do: true}, {name: "a.example.", ad: true}, {name: "a.example.", cd: true}} {
				q := question(tt.name, mdns.TypeA)
				q.AuthenticatedData, q.CheckingDisabled = tt.ad, tt.cd
				if tt.edns {
					q.SetEdns0(1232, tt.do)
				}
				resp := b.ask(network, q)
				opt := resp.IsEdns0()
				switch {
				case resp.Id != q.Id || resp.Question[0] != q.Question[0] || len(resp.Answer) == 0 || resp.Answer[0].Header().Name != tt.name:
					t.Errorf("%s %+v: not for that client: %v", network, tt, resp)
				case (opt != nil) != tt.edns || opt != nil && (opt.Do() != tt.do || opt.UDPSize() != 1232):
					t.Errorf("%s %+v: the OPT record is %v", network, tt, opt)
				case (len(resp.Answer) == 2) != tt.do:
					t.Errorf("%s %+v: signatures: %v", network, tt, resp.Answer)
				case resp.AuthenticatedData != (tt.ad || tt.do) || resp.CheckingDisabled != tt.cd || !resp.RecursionAvailable || !resp.RecursionDesired:
					t.Errorf("%s %+v: the flags are %v", network, tt, resp.MsgHdr)
				}
			}
		}
	}
	if n := len(up.log()); n != 3 {
		t.Errorf("the server was asked %d times, want once each for plain, DO and CD: %q", n, up.log())
	}
}

// Equal questions of many clients that come together are one question to the server.
func TestEqualQuestionsShareOneExchange(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var asked atomic.Int64
	up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		asked.Add(1)
		<-release
		outside(w, q)
	})
	reg := prometheus.NewRegistry()
	b := startTuned(t, withUpstream(up.addr, up.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) { s.SetTimeout(time.Minute) })
	const clients = 60
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			q := question([]string{"example.com.", "EXAMPLE.com."}[i%2], mdns.TypeA)
			d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 9, 9, byte(i))}}
			resp, _, err := (&mdns.Client{Timeout: 20 * time.Second, Dialer: &d}).Exchange(q, b.addr)
			if err != nil || short(resp.Answer) != q.Question[0].Name+" 77 IN A 192.0.2.80" {
				t.Errorf("client %d: %v, %v", i, resp, err)
			}
		})
	}
	eventually(t, func() bool { return figure(t, reg, "phonebox_dns_in_flight") == clients })
	close(release)
	all.Wait()
	if n := asked.Load(); n > 2 { // the second because the first takes long
		t.Errorf("the server was asked %d times", n)
	}
	if n := figure(t, reg, "phonebox_dns_cache_total", "merged"); n != clients-1 {
		t.Errorf("%v questions were merged, want %d", n, clients-1)
	}
	eventually(t, func() bool { exchanges, flights := b.UnderWay(); return exchanges+flights == 0 })
}

// The cache holds so many bytes and no more; what was asked for last stays.
func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		resp := outsideAnswer(q)
		if strings.HasPrefix(strings.ToLower(q.Question[0].Name), "none") {
			resp.Answer, resp.Rcode = nil, mdns.RcodeNameError
			soa, _ := mdns.NewRR(strings.TrimLeft(exampleSOA, "!"))
			resp.Ns = append(resp.Ns, soa)
		}
		_ = w.WriteMsg(resp)
	})
	reg := prometheus.NewRegistry()
	b := startTuned(t, withUpstream(up.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) { s.SetCacheLimit(20_000) })
	for i := range 200 {
		b.ask("udp", question(fmt.Sprintf("q%d.example.", i), mdns.TypeA))
		b.ask("udp", question("often.example.", mdns.TypeA))
	}
	entries, bytes, evicted := figure(t, reg, "phonebox_dns_cache_entries"), figure(t, reg, "phonebox_dns_cache_bytes"), figure(t, reg, "phonebox_dns_cache_evicted_total")
	if bytes > 15_000 || bytes < 12_000 || entries < 20 || entries+evicted != 201 {
		t.Errorf("found %v entries, %v bytes, %v evicted", entries, bytes, evicted)
	}
	// Names that do not exist take no room from those that do.
	for i := range 200 {
		b.ask("udp", question(fmt.Sprintf("none%d.example.", i), mdns.TypeA))
	}
	if all := figure(t, reg, "phonebox_dns_cache_bytes"); all > 20_000 || all < bytes+3_000 {
		t.Errorf("with names that do not exist %v bytes", all)
	}
	n := 0
	for _, line := range up.log() {
		if strings.Contains(line, "often.") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the name that is asked for all the time was asked %d times upstream", n)
	}
	big := question("q199.example.", mdns.TypeA)
	if resp := b.ask("udp", big); len(resp.Answer) != 1 || len(up.log()) != 401 {
		t.Errorf("the last one was not kept: %d questions upstream", len(up.log()))
	}
}

// New settings take effect at once: no answer of the old server, or to a name that the zone has now, outlives them.
func TestNewSettingsOutdateTheCache(t *testing.T) {
	t.Parallel()
	one := startUpstream(t, outside)
	two := records(t, map[string]string{"pbx.office.example. A": "pbx.office.example. 60 IN A 192.0.2.7"})
	b := start(t, withUpstream(one.addr))
	ask := func() string { return short(b.ask("udp", question("pbx.office.example.", mdns.TypeA)).Answer) }
	if got := ask(); !strings.HasSuffix(got, "192.0.2.80") {
		t.Fatal(got)
	}
	if err := b.Apply(withUpstream(two.addr)); err != nil {
		t.Fatal(err)
	}
	if got := ask(); !strings.HasSuffix(got, "192.0.2.7") {
		t.Errorf("from the new server: %s", got)
	}
	cfg := withUpstream(two.addr)
	cfg.Domain = "office.example"
	if err := b.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	if got := ask(); !strings.HasSuffix(got, "127.0.0.10") {
		t.Errorf("from the zone: %s", got)
	}
}

// A bare name that nobody had is a phone's as soon as a phone has it.
func TestABareNameIsAPhonesAtOnce(t *testing.T) {
	t.Parallel()
	up := records(t, map[string]string{"desk. A": "NXDOMAIN\n!. 900 IN SOA a. b. 1 3600 600 86400 900"})
	var names comingNames
	b := startTuned(t, withUpstream(up.addr), dns.Deps{Names: &names}, func(*dns.Server) {})
	for _, there := range []bool{false, false, true, true, false} {
		names.there.Store(there)
		if resp := b.ask("udp", question("desk.", mdns.TypeA)); len(resp.Answer) == 1 != there || resp.Rcode == mdns.RcodeNameError == there {
			t.Errorf("while it is there (%v): %v", there, resp)
		}
	}
	if n := len(up.log()); n != 1 {
		t.Errorf("the server was asked %d times, want once", n)
	}
}

// comingNames is a phone that comes and goes.
type comingNames struct {
	phoneNames
	there atomic.Bool
}

func (n *comingNames) Lookup(name string) (netip.Addr, bool) {
	return netip.MustParseAddr("127.1.1.6"), name == "desk" && n.there.Load()
}
