package dns

import (
	"bytes"
	"log/slog"
	"net/netip"
	"reflect"
	"testing"

	"github.com/miekg/dns"

	"phonebox/services/internal/udp"
)

type noNames struct{}

func (noNames) Lookup(name string) (netip.Addr, bool) {
	return netip.MustParseAddr("10.77.1.5"), name == "reception"
}

func (noNames) Reverse(addr netip.Addr) (string, bool) {
	return "reception", addr == netip.MustParseAddr("10.77.1.5")
}

// Any packet of a phone gets one answer that fits it, or none for a reason that is counted.
func FuzzPacket(f *testing.F) {
	for _, q := range []struct {
		name string
		typ  uint16
	}{{"ciscocm1.", dns.TypeA}, {"_sip._udp.voice.home.arpa.", dns.TypeSRV}, {"voice.home.arpa.", dns.TypeANY}, {"5.1.77.10.in-addr.arpa.", dns.TypePTR}, {"example.com.", dns.TypeA}} {
		m := new(dns.Msg).SetQuestion(q.name, q.typ)
		plain, _ := m.Pack()
		f.Add(plain)
		m.SetEdns0(512, true)
		edns, _ := m.Pack()
		f.Add(edns)
	}
	f.Add([]byte{})
	f.Add([]byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	events := 0
	s, err := New(Config{
		Server: netip.MustParsePrefix("10.77.0.1/16"), Domain: "voice.home.arpa", Proxy: "192.0.2.7", ProxyPort: 5060,
		Hosts: map[string]netip.Addr{"pbx": netip.MustParseAddr("10.77.0.10")},
	}, Deps{Names: noNames{}, Log: slog.New(slog.DiscardHandler), Report: func(Event) { events++ }})
	if err != nil {
		f.Fatal(err)
	}
	// The other one remembers an answer of the world, and has no place for a question upstream.
	world := benchServer(f)
	world.report = func(Event) { events++ }
	world.flights.total = maxFlights
	f.Add([]byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03sIp\x07example\x03com\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		p := &udp.Packet{Payload: packet, From: netip.MustParseAddrPort("10.77.1.5:1024"), To: netip.MustParseAddr("10.77.0.1")}
		for _, s := range []*Server{s, world, world} {
			before := events
			replies := s.handle(t.Context(), nil, nil, p, nil) // nothing waits
			if events != before+1 || len(replies) > 1 {
				t.Fatalf("%d events and %d replies", events-before, len(replies))
			}
			if len(replies) == 1 {
				checkReply(t, packet, replies[0])
			}
		}
	})
}

func checkReply(t *testing.T, packet []byte, r udp.Reply) {
	q, resp := new(dns.Msg), new(dns.Msg)
	readable := q.Unpack(packet) == nil
	if len(packet) < headerSize || packet[2]&0x80 != 0 {
		t.Fatalf("an answer to %x", packet)
	}
	if err := resp.Unpack(r.Payload); err != nil {
		t.Fatalf("an answer that cannot be read: %v", err)
	}
	if !resp.Response || r.Payload[0] != packet[0] || r.Payload[1] != packet[1] || r.To.Port() != 1024 {
		t.Fatalf("%v does not answer %x", resp, packet)
	}
	limit := dns.MinMsgSize
	if opt := q.IsEdns0(); readable && opt != nil {
		limit = max(limit, min(int(opt.UDPSize()), answerSize))
	}
	if len(r.Payload) > limit {
		t.Fatalf("%d bytes for a client that takes %d", len(r.Payload), limit)
	}
	if !readable && resp.Rcode != dns.RcodeFormatError && resp.Rcode != dns.RcodeNotImplemented {
		t.Fatalf("%s to what cannot be read", dns.RcodeToString[resp.Rcode])
	}
	if resp.Rcode == dns.RcodeSuccess && resp.Authoritative && (len(q.Question) != 1 || q.Question[0].Qclass != dns.ClassINET) {
		t.Fatalf("%v was answered with %v", q, resp)
	}
}

// Whatever an upstream server says, the client gets an answer to its own question that fits.
func FuzzUpstreamAnswer(f *testing.F) {
	q := new(dns.Msg).SetQuestion("example.com.", dns.TypeA)
	resp := new(dns.Msg).SetReply(q)
	resp.Answer = []dns.RR{&dns.TXT{Hdr: header("example.com.", dns.TypeTXT, 1), Txt: []string{"a", "b"}}}
	resp.SetEdns0(4096, true)
	plain, _ := resp.Pack()
	f.Add(plain, uint16(0))
	resp.SetTsig("key.", dns.HmacSHA256, 300, 1)
	resp.Extra[len(resp.Extra)-1].(*dns.TSIG).MAC = "00"
	signed, _ := resp.Pack()
	f.Add(signed, uint16(600))
	s, err := New(Config{Server: netip.MustParsePrefix("10.77.0.1/16"), Domain: "voice.home.arpa"},
		Deps{Names: noNames{}, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		f.Fatal(err)
	}
	upstream0 := upstream{Upstream: Upstream{Addr: netip.MustParseAddrPort("192.0.2.53:53")}}
	f.Fuzz(func(t *testing.T, packet []byte, size uint16) {
		upstream := new(dns.Msg)
		if upstream.Unpack(packet) != nil {
			return
		}
		m := new(dns.Msg).SetQuestion("Example.com.", dns.TypeA)
		if size > 0 {
			m.SetEdns0(size, false)
		}
		q, _ := questionOf(m)
		answers(upstream, m)
		fl := &flight{q: asking{name: "example.com.", qtype: dns.TypeA}, name: q}
		a, _ := s.judge(s.state.Load(), fl, said{up: &upstream0, resp: upstream})
		for _, stale := range []bool{false, true} {
			checkWritten(t, a, &q, stale)
		}
	})
}

// checkWritten reads what a client would get.
func checkWritten(t *testing.T, a *answer, q *question, stale bool) {
	payload, err := a.write(q, 10, stale, q.size)
	got := new(dns.Msg)
	if err != nil || got.Unpack(payload) != nil {
		t.Fatalf("%x cannot be read: %v", payload, err)
	}
	if len(payload) > q.size || got.Id != q.id || !got.Response || got.Authoritative || len(got.Question) != 1 || got.Question[0].Name != "Example.com." {
		t.Fatalf("%d bytes of %d: %v", len(payload), q.size, got)
	}
	if (got.IsEdns0() != nil) != q.edns {
		t.Fatalf("EDNS %v to a question with %v", got.IsEdns0() != nil, q.edns)
	}
	for _, rr := range got.Answer {
		if h := rr.Header(); h.Class != dns.ClassINET || h.Ttl > maxTTL || stale && h.Ttl != staleTTL {
			t.Fatalf("the answer has %v", rr)
		}
		if a, ok := rr.(*dns.A); ok && (a.A.IsLoopback() || a.A[len(a.A)-4] == 10 && a.A[len(a.A)-3] == 77) {
			t.Fatalf("the answer leads into the phones' network: %v", rr)
		}
	}
}

// What is read by hand is read as miekg/dns reads it, and both make the same key of it.
func FuzzQuestion(f *testing.F) {
	m := new(dns.Msg).SetQuestion("PBX.example.com.", dns.TypeSRV)
	for range 2 {
		packet, _ := m.Pack()
		f.Add(packet)
		m.SetEdns0(1400, true)
		m.AuthenticatedData, m.CheckingDisabled = true, true
	}
	f.Add([]byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03a.b\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		q, ok := parseQuestion(packet)
		if !ok {
			return
		}
		m := new(dns.Msg)
		if err := m.Unpack(packet); err != nil {
			t.Fatalf("%x is no question: %v", packet, err)
		}
		theirs, ok := questionOf(m)
		if !ok || m.Response || m.Opcode != dns.OpcodeQuery || m.Question[0].Qclass != dns.ClassINET || len(m.Extra) > 1 {
			t.Fatalf("%x was read as a plain question: %v", packet, m)
		}
		if !bytes.Equal(q.appendKey(nil), theirs.appendKey(nil)) || !bytes.Equal(q.wire, theirs.wire) {
			t.Fatalf("%x has the key %x, and read by miekg/dns %x", packet, q.appendKey(nil), theirs.appendKey(nil))
		}
		q.wire, theirs.wire = nil, nil
		if !reflect.DeepEqual(q, theirs) {
			t.Fatalf("%x is %+v, and read by miekg/dns %+v", packet, q, theirs)
		}
	})
}
