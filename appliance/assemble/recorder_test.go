package assemble

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/dhcp"
	"phonebox/services/dns"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/sntp"
	"phonebox/services/tftp"
	"phonebox/services/web"
)

func numbered(i int) phone.MAC {
	m := phone.MAC{2, 0}
	binary.BigEndian.PutUint32(m[2:], uint32(i))
	return m
}

func counted(t *testing.T, b *Box, name, service string) float64 {
	t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == service {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// The events of a phone keep their order, whichever service they come from and whether they wait or not.
func TestEventsKeepTheirOrderOverAllServices(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	stop := run(t, b)
	ctx := t.Context()
	var done sync.WaitGroup
	for i := range 20 {
		done.Go(func() {
			m := numbered(i)
			at := netip.AddrFrom4([4]byte{127, 77, 5, byte(i)})
			for round := range 10 {
				b.onDHCP(dhcp.Event{Kind: dhcp.EventSeen, MAC: m, Boot: true, VendorClass: "Cisco Systems, Inc. IP Phone CP-7960G"})
				b.onDHCP(dhcp.Event{Kind: dhcp.EventAck, MAC: m, Address: at, Boot: true, Duration: time.Hour})
				name := fmt.Sprintf("SEP%s.cnf.xml", m.Name())
				b.record(journal.Event{MAC: m, Service: "tftp", Kind: journal.Request, Address: at, File: phone.ParseFileName(name), Text: fmt.Sprint("request ", round)})
				if p, _ := b.journal.Phone(m); p.Step != phone.Loading {
					t.Errorf("after its request the phone is in step %s: the request was recorded before its boot", p.Step)
				}
				b.onTFTP(tftp.Event{Kind: tftp.EventStart, From: netip.AddrPortFrom(at, 2000), Name: name, Transfer: uint64(1000*i + round + 1)})
			}
		})
	}
	done.Wait()
	for i := range 20 {
		events, ok := page{b}.Events(numbered(i))
		if !ok || len(events) == 0 {
			t.Fatalf("phone %d has no timeline", i)
		}
		var steps []string
		for _, e := range events {
			steps = append(steps, string(e.Step))
		}
		if got := strings.Join(steps, " "); !strings.HasSuffix(got, "seen addressed loading loading") {
			t.Errorf("steps %q", got)
		}
	}
	if ctx.Err() != nil {
		t.Fatal(ctx.Err())
	}
	// What waits when the box stops is in the journal all the same.
	b.onDHCP(dhcp.Event{Kind: dhcp.EventSeen, MAC: numbered(99), Boot: true})
	stop()
	if _, ok := b.journal.Phone(numbered(99)); !ok {
		t.Error("an event that waited when the box stopped is lost")
	}
}

// A storm that is faster than the recorder costs bounded memory; what is left out is counted, and a lease of a listed phone
// finds room longer than what strangers ask.
func TestAFloodOfEventsIsBoundedAndCounted(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	b.recorder.order.Lock() // the recorder is as slow as can be
	for i := range 3 * queueSizes[fromDHCPServer] {
		b.onDHCP(dhcp.Event{Kind: dhcp.EventSeen, MAC: numbered(i), Boot: true})
	}
	if got := len(b.recorder.queue); got != queueSizes[fromDHCPServer]/2 {
		t.Errorf("%d events wait, want half of the room", got)
	}
	b.onDHCP(dhcp.Event{Kind: dhcp.EventSeen, MAC: mac, Boot: true})
	b.onDHCP(dhcp.Event{Kind: dhcp.EventAck, MAC: mac, Address: addr, Duration: time.Hour})
	b.recorder.order.Unlock()
	if p, ok := (page{b}).Phone(mac); !ok || p.Step != phone.Addressed {
		t.Errorf("the listed phone is in step %q", p.Step)
	}
	if got, want := counted(t, b, "phonebox_events_dropped_total", "dhcp"), float64(3*queueSizes[fromDHCPServer]-queueSizes[fromDHCPServer]/2); got != want {
		t.Errorf("%.0f events are counted as left out, want %.0f", got, want)
	}
	if b.recorder.open.Load() != 0 {
		t.Errorf("%d events wait for ever", b.recorder.open.Load())
	}
	// The room is free again.
	b.onDHCP(dhcp.Event{Kind: dhcp.EventSeen, MAC: numbered(1), Boot: true})
	if _, ok := (page{b}).Phone(numbered(1)); !ok {
		t.Error("an event after the flood is lost")
	}
}

// planted is a report that panics.
type planted struct{}

func (planted) record(*Box) (journal.Event, bool) { panic("planted") }

func TestAReportThatPanicsIsItsOwn(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	b.recorder.push(fromElsewhere, false, planted{})
	b.later(journal.Event{MAC: mac, Service: "sip", Kind: journal.Note, Text: "after it"})
	if events, _ := (page{b}).Events(mac); len(events) != 1 {
		t.Errorf("%d events came after the panic, want 1", len(events))
	}
	if got := counted(t, b, "phonebox_events_dropped_total", "other"); got != 1 {
		t.Errorf("%.0f are counted, want 1", got)
	}
}

// Promise 4: the release is in the journal when released returns, and what was reported before it is there, too.
func TestAReleaseIsJournalledBeforeItIsSent(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	b.onDHCP(dhcp.Event{Kind: dhcp.EventAck, MAC: mac, Address: addr, Boot: true, Duration: time.Hour})
	b.released(provision.Release{MAC: mac, From: addr, Name: "SIP0006D7AA2A2E.cnf"})
	events := b.journal.Events(mac)
	if len(events) != 2 || events[0].Kind != journal.Lease || events[1].Kind != journal.Released {
		t.Errorf("got %+v", events)
	}
}

func TestWhoAsksTheTimeAllTheTimeDoesNotFillTheTimeline(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	b.journal.Add(journal.Event{MAC: mac, Address: addr, Service: "tftp", Kind: journal.Request})
	at := b.clock.Now().Truncate(time.Second)
	for i := range 100 { // equal lines about names would be one
		b.onSNTP(sntp.Event{Kind: sntp.EventAnswered, From: from, Time: at, Stratum: 3})
		b.onDNS(dns.Event{Kind: dns.EventAnswered, From: from, Time: at, Name: fmt.Sprintf("pbx%d", i), Type: "A", Result: "NOERROR"})
	}
	b.onSNTP(sntp.Event{Kind: sntp.EventAnswered, From: from, Time: at.Add(time.Second), Stratum: 3})
	events, _ := page{b}.Events(mac)
	if len(events) != 1+3+10 {
		t.Errorf("%d events, want one request, three of the time and ten of names", len(events))
	}
	if got := counted(t, b, "phonebox_events_skipped_total", "sntp"); got != 98 {
		t.Errorf("%.0f are counted, want 98", got)
	}
}

func TestWhatIsNotAnsweredIsCountedByReasonForAnHour(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	u := newUnanswered(func() time.Time { return now })
	whose := func(netip.Addr) phone.MAC { return mac }
	u.add("dhcp", "10.77.1.7 is in use by 02:00:00:00:00:01, which did not get it here", numbered(1), netip.Addr{})
	now = now.Add(time.Minute)
	u.add("dhcp", "10.77.1.9 is in use by 02:00:00:00:00:02, which did not get it here", numbered(2), netip.Addr{})
	u.add("tftp", `the mode "mail" is not served`, phone.MAC{}, addr)
	got := u.list(whose)
	want := []web.NotAnswered{
		{Service: "dhcp", Reason: "… is in use by …, which did not get it here", Count: 2, MAC: numbered(2), Last: now},
		{Service: "tftp", Reason: "the mode … is not served", Count: 1, MAC: mac, Address: "10.77.1.5", Last: now},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	now = now.Add(59 * time.Minute) // the first is an hour old
	if got := u.list(whose); len(got) != 2 || got[0].Count != 1 || got[1].Count != 1 {
		t.Errorf("after an hour: %+v", got)
	}
	now = now.Add(time.Minute)
	if got := u.list(whose); len(got) != 0 {
		t.Errorf("after more than an hour: %+v", got)
	}
	for i := range 1000 {
		u.add("web", "reason "+strings.Repeat("x", i), mac, addr)
	}
	if got := u.list(whose); len(got) != maxReasons+1 || got[0].Reason != otherReasons || got[0].Count != 1000-maxReasons {
		t.Errorf("%d reasons, the first is %+v", len(got), got[0])
	}
}

// One client that asks in vain again and again counts each time, and the timeline gets no more for it.
func TestEachPacketThatIsNotAnsweredCounts(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	for range 1000 {
		b.onDHCPUnanswered("10.77.1.7 is not its address", mac, 1)
	}
	b.onDHCPUnanswered("more came at once than could be read", phone.MAC{}, 12)
	b.onDHCP(dhcp.Event{Kind: dhcp.EventIgnored, MAC: mac, Reason: "10.77.1.7 is not its address"})
	got := page{b}.Status().NotAnswered
	if len(got) != 2 || got[0].Count != 1000 || got[0].MAC != mac || got[0].Reason != "… is not its address" || got[1].Count != 12 {
		t.Errorf("got %+v, want 1,000 of %s and 12", got, mac)
	}
}

// BenchmarkUnanswered is what a packet of a flood costs on the page's account, without and with an address in its reason.
func BenchmarkUnanswered(b *testing.B) {
	for name, reason := range map[string]string{
		"plain":   "all addresses of the pool are in use",
		"address": "10.77.1.7 is in use by 02:00:00:00:00:01, which did not get it here",
	} {
		b.Run(name, func(b *testing.B) {
			u := newUnanswered(time.Now)
			b.ReportAllocs()
			for b.Loop() {
				u.addPackets("dhcp", reason, mac, netip.Addr{}, 1)
			}
		})
	}
}

func TestLogLinesOfAStormAreCounted(t *testing.T) {
	var s summary
	lines := 0
	for range 1000 {
		if _, ok := s.take(); ok {
			lines++
		}
	}
	if lines < summaryLines || lines > 2*summaryLines { // a second may end meanwhile
		t.Errorf("%d lines", lines)
	}
	s.second-- // the next second
	if left, ok := s.take(); !ok || len(left) != 2 || left[1].(int) < 1000-2*summaryLines {
		t.Errorf("the next line says %v", left)
	}
}

// A full disk in a storm must not become a storm of lines.
func TestLeasesAreLoggedOnceAndNotEachThatIsNotStored(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	var out strings.Builder
	b.log = slog.New(slog.NewTextHandler(&out, nil))
	at := netip.MustParseAddr("127.77.5.1")
	b.onDHCP(dhcp.Event{Kind: dhcp.EventAck, MAC: numbered(1), Address: at, Duration: time.Hour})
	b.settle()
	if n := strings.Count(out.String(), "ip=127.77.5.1"); n != 1 {
		t.Errorf("got %d lines of one lease:\n%s", n, &out)
	}
	for i := range 1000 {
		b.onDHCP(dhcp.Event{Kind: dhcp.EventNotStored, MAC: numbered(i), Address: at, Err: io.ErrShortWrite})
	}
	b.settle()
	if n := strings.Count(out.String(), "lease not stored"); n < summaryLines || n > 3*summaryLines {
		t.Errorf("got %d lines of 1,000 leases that were not stored", n)
	}
}

// dhcpPacket is a DHCP packet with some options.
func dhcpPacket(op byte, options ...byte) []byte {
	b := make([]byte, 236)
	b[0], b[1], b[2] = op, 1, 6
	copy(b[28:], mac[:])
	b = append(b, 99, 130, 83, 99)
	return append(append(b, options...), 255)
}

// What was asked and sent comes from the server's events to the page, over a restart of the box.
func TestWhatAPhoneAskedAndGotIsShownByteForByte(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	stop := run(t, b)
	discover := dhcpPacket(1, 12, 5, 'p', 'h', 'o', 'n', 'e', 53, 1, 1)
	request := dhcpPacket(1, 53, 1, 3, 50, 4, 10, 77, 1, 5, 0, 0, 0)
	ack := dhcpPacket(2, 53, 1, 5, 150, 4, 10, 77, 0, 1)
	e := dhcp.Event{MAC: mac, Address: addr, Duration: time.Hour, Boot: true, Relay: netip.MustParseAddr("10.1.0.1"), Circuit: "Gi1/0/5", Remote: "0x01"}
	report := func(kind dhcp.EventKind, asked, sent []byte, why string) {
		e.Kind, e.Asked, e.Sent, e.Reason = kind, asked, sent, why
		b.onDHCP(e)
	}
	report(dhcp.EventSeen, discover, nil, "")
	report(dhcp.EventIgnored, discover, nil, "no address of the pool is free")
	report(dhcp.EventAck, request, ack, "")
	check := func() {
		t.Helper()
		got, ok := page{b}.DHCP(mac)
		if !ok || len(got.Exchanges) != 2 {
			t.Fatalf("got %+v, %t", got, ok)
		}
		x, search := got.Exchanges[0], got.Exchanges[1]
		if x.Type != "REQUEST" || x.SentType != "ACK" || x.Address != "10.77.1.5" || x.AskedHex != fmt.Sprintf("%x", request) || x.SentHex != fmt.Sprintf("%x", ack) ||
			x.Relay != "10.1.0.1" || x.Circuit != "Gi1/0/5" || x.Remote != "0x01" {
			t.Errorf("the request: %+v", x)
		}
		if len(x.Sent) != 2 || x.Sent[1] != (web.DHCPOption{Code: 150, Name: "TFTP server addresses", Value: "10.77.0.1"}) {
			t.Errorf("what was sent: %+v", x.Sent)
		}
		if search.Type != "DISCOVER" || search.SentHex != "" || search.Why != "no address of the pool is free" || search.Address != "" || len(search.Asked) != 2 {
			t.Errorf("the search: %+v", search)
		}
	}
	check()
	stop()
	b = open(t, data, nil)
	check()
	if _, known := (page{b}).DHCP(numbered(7)); known {
		t.Error("a phone that nobody knows")
	}
}

func FuzzMessageType(f *testing.F) {
	f.Add(dhcpPacket(1, 12, 1, 'x', 53, 1, 3))
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, b []byte) {
		messageType(b)
		typeWords(b)
		options(b)
	})
}

func FuzzGeneralWords(f *testing.F) {
	f.Add(`found "x" at 10.77.1.5, and 3.`)
	f.Fuzz(func(t *testing.T, text string) {
		got := string(generalWords(nil, text))
		if strings.Count(got, " ") > strings.Count(text, " ") || strings.ContainsAny(got, "0123456789") {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// BenchmarkLeaseEvents is what the three events of a lease cost the goroutine that answers packets, and the recorder.
func BenchmarkLeaseEvents(b *testing.B) {
	box, err := New(b.Context(), Options{Data: b.TempDir(), Try: true, Version: "test", Log: slog.New(slog.DiscardHandler), Terminal: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	asked, sent := dhcpPacket(1, 53, 1, 3), dhcpPacket(2, 53, 1, 5)
	events := func(i int) {
		at := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		box.onDHCP(dhcp.Event{Kind: dhcp.EventSeen, MAC: numbered(i), Boot: true, Asked: asked})
		box.onDHCP(dhcp.Event{Kind: dhcp.EventOffer, MAC: numbered(i), Address: at, Boot: true, Asked: asked, Sent: sent})
		box.onDHCP(dhcp.Event{Kind: dhcp.EventAck, MAC: numbered(i), Address: at, Boot: true, Duration: time.Hour, Asked: asked, Sent: sent})
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if events(i); i%500 == 499 {
				box.settle()
			}
		}
	})
	b.Run("packet loop", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if events(i); i%500 == 499 {
				b.StopTimer()
				box.settle()
				b.StartTimer()
			}
		}
	})
}

// A phone that asks for a name of the past every few seconds leaves one line that says how often.
func TestANameThatDoesNotExistIsOneLine(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	b.journal.Add(journal.Event{MAC: mac, Address: addr, Service: "tftp", Kind: journal.Request})
	at := b.clock.Now().Truncate(time.Second)
	for i := range 100 {
		b.onDNS(dns.Event{Kind: dns.EventAnswered, From: from, Time: at.Add(time.Duration(i) * 5 * time.Second), Name: "tftp.old.example", Type: "A", Result: "NXDOMAIN"})
	}
	events := b.journalled(mac)
	if len(events) != 2 || !strings.HasPrefix(events[1].Text, "asked for the name tftp.old.example (A), which does not exist (100 times") || events[1].Count != 100 {
		t.Errorf("the timeline is %+v", events)
	}
}

func (b *Box) journalled(mac phone.MAC) []journal.Event {
	b.settle()
	return b.journal.Events(mac)
}
