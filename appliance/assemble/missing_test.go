package assemble

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/dns"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// missingAt is a list with a clock that a test moves.
func missingAt(now *time.Time) *missing { return newMissing(func() time.Time { return *now }) }

func wasAnswered(name, typ, result string, from string) *dns.Event {
	return &dns.Event{Kind: dns.EventAnswered, Name: name, Type: typ, Result: result, From: netip.MustParseAddrPort(from + ":1024"), Local: strings.HasSuffix(name, ".arpa")}
}

func nobody(phone.MAC) string { return "" }

func namesOf(list []web.MissingName) (out []string) {
	for _, n := range list {
		out = append(out, n.Name)
	}
	return out
}

func TestWhatNobodyAnswersIsListedWithWhoAsks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	began := now
	m := missingAt(&now)
	desk, lobby := testMAC(1), testMAC(2)
	for _, e := range []*dns.Event{
		wasAnswered("here.example", "A", "NOERROR", "10.77.1.1"), wasAnswered("v6.example", "AAAA", "NODATA", "10.77.1.1"), wasAnswered("_sip._udp.x.example", "SRV", "NXDOMAIN", "10.77.1.1"),
		wasAnswered("wpad.voice.home.arpa", "A", "NXDOMAIN", "10.77.1.1"), wasAnswered("bad.example", "A", "FORMERR", "10.77.1.1"), wasAnswered("", "A", "NXDOMAIN", "10.77.1.1"),
		wasAnswered(strings.Repeat("a.", 200)+"example", "A", "NXDOMAIN", "10.77.1.1"),
		{Kind: dns.EventDropped, Name: "x.example", Type: "A", Result: "NXDOMAIN"},
	} {
		m.heard(e, desk)
	}
	if got := m.list(nobody); len(got) != 0 {
		t.Fatalf("listed although answered or no name of a host: %v", namesOf(got))
	}
	m.heard(wasAnswered("stray.example", "A", "SERVFAIL", "10.77.1.9"), phone.MAC{})
	m.heard(wasAnswered("stray.example", "A", "SERVFAIL", "10.77.1.9"), phone.MAC{})
	silent := wasAnswered("stray.example", "A", "SERVFAIL", "10.77.1.9")
	silent.Reason = "no server upstream answered"
	m.heard(silent, phone.MAC{})
	m.heard(wasAnswered("tftp.old.example", "A", "REFUSED", "10.77.1.1"), desk)
	now = now.Add(time.Minute)
	m.heard(wasAnswered("tftp.old.example", "A", "NXDOMAIN", "10.77.1.2"), desk)
	m.heard(wasAnswered("tftp.old.example", "A", "NXDOMAIN", "10.77.1.3"), lobby)
	got := m.list(func(mac phone.MAC) string { return map[phone.MAC]string{desk: "Desk"}[mac] })
	if !slices.Equal(namesOf(got), []string{"tftp.old.example", "stray.example"}) {
		t.Fatalf("the list is %v, want what phones ask for first", namesOf(got))
	}
	n := got[0]
	if n.Count != 3 || n.First != began || n.Last != now || !n.Mappable || n.Why != "the name servers say that it does not exist" || len(n.Askers) != 2 ||
		n.Askers[0] != (web.Asker{MAC: desk, Label: "Desk", Address: "10.77.1.2", Count: 2, Last: now}) || n.Askers[1] != (web.Asker{MAC: lobby, Address: "10.77.1.3", Count: 1, Last: now}) {
		t.Errorf("found %+v", n)
	}
	if why := got[1].Why; why != "no server upstream answered" || got[1].Askers[0].Address != "10.77.1.9" {
		t.Errorf("found %+v", got[1])
	}
	m.heard(wasAnswered("tftp.old.example", "A", "NOERROR", "10.77.1.2"), desk)
	if got := namesOf(m.list(nobody)); !slices.Equal(got, []string{"stray.example"}) {
		t.Errorf("a name that is answered by now is still listed: %v", got)
	}
	now = now.Add(24*time.Hour + time.Second)
	if got := m.list(nobody); len(got) != 0 || len(m.of) != 0 {
		t.Errorf("answered since, or not asked for in a day, and yet there: %v %v", namesOf(got), m.of)
	}
}

// Somebody who asks for made-up names displaces own names only, and never what a phone asks for again and again.
func TestMadeUpNamesDisplaceNoPhonesNames(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := missingAt(&now)
	for range 3 {
		m.heard(wasAnswered("tftp.old.example", "A", "NXDOMAIN", "10.77.1.1"), testMAC(1))
		m.heard(wasAnswered("lasting.example", "A", "NXDOMAIN", "10.77.9.9"), phone.MAC{})
	}
	for i := range 10_000 {
		now = now.Add(time.Millisecond)
		m.heard(wasAnswered(fmt.Sprintf("x%d.example", i), "A", "NXDOMAIN", "10.77.9.9"), phone.MAC{})
	}
	if got := namesOf(m.list(nobody)); len(got) != maxMissingPerClient+1 || got[0] != "tftp.old.example" || got[1] != "lasting.example" || !slices.Contains(got, "x9999.example") {
		t.Errorf("after the names of one client: %v", got)
	}
	m.heard(wasAnswered("once.example", "A", "NXDOMAIN", "10.77.1.2"), testMAC(2)) // a phone that tried once
	for i := range 10_000 {
		now = now.Add(time.Millisecond)
		m.heard(wasAnswered(fmt.Sprintf("y%d.example", i), "A", "NXDOMAIN", fmt.Sprintf("10.78.%d.%d", i/250, 1+i%250)), phone.MAC{})
	}
	got := namesOf(m.list(nobody))
	if len(got) != maxMissing || got[0] != "tftp.old.example" || got[1] != "once.example" || got[2] != "lasting.example" {
		t.Errorf("after the names of many clients: %d, first %v", len(got), got[:3])
	}
	total := 0
	for _, n := range m.of {
		total += n
	}
	if total != maxMissing || len(m.of) > maxMissing {
		t.Errorf("%d names are counted for %d clients, want %d", total, len(m.of), maxMissing)
	}
	for i := range 100 {
		now = now.Add(time.Millisecond)
		m.heard(wasAnswered("tftp.old.example", "A", "NXDOMAIN", fmt.Sprintf("10.79.0.%d", i)), phone.MAC{})
	}
	for _, n := range m.list(nobody) {
		if len(n.Askers) > maxAskers {
			t.Errorf("%s has %d askers", n.Name, len(n.Askers))
		}
		if n.Name == "tftp.old.example" && !slices.ContainsFunc(n.Askers, func(a web.Asker) bool { return a.Address == "10.79.0.99" }) {
			t.Errorf("the last who asked is not among %v", n.Askers)
		}
	}
}

// A name is led to the box, a host or an address with one call: it is in force at once, in the file, and gone from the list.
func TestANameIsMappedAndTakenBack(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: strings.Replace(goodSite, "[[phones]]", "[dns.hosts]\npbx = \"127.77.0.10\"\n[[phones]]", 1)})
	run(t, b)
	p := page{b}
	for _, name := range []string{"tftp.old.example", "bare", "front-desk.voice.home.arpa", "sep0006d7aa2a2e.voice.home.arpa", "gone.voice.home.arpa"} {
		b.onDNS(*wasAnswered(name, "A", "NXDOMAIN", "127.77.1.9"))
	}
	if got := namesOf(p.Names().Missing); !slices.Equal(got, []string{"bare", "gone.voice.home.arpa", "tftp.old.example"}) {
		t.Fatalf("missing are %v; names of phones that are away are none", got)
	}
	resolves := func(name, want string) {
		t.Helper()
		got, err := b.dns.Resolver().LookupNetIP(t.Context(), "ip4", name)
		if want == "" && err == nil || want != "" && (err != nil || len(got) != 1 || got[0].String() != want) {
			t.Errorf("%s resolves to %v (%v), want %q", name, got, err, want)
		}
	}
	resolves("tftp.old.example.", "")
	for name, target := range map[string]string{"TFTP.old.example.": "phonebox", "bare": "pbx", "gone.voice.home.arpa": "192.0.2.7"} {
		if err := p.MapName(t.Context(), name, target); err != nil {
			t.Fatal(err)
		}
	}
	resolves("tftp.old.example.", "127.77.0.1")
	resolves("bare.voice.home.arpa.", "127.77.0.10")
	resolves("gone.voice.home.arpa.", "192.0.2.7")
	names := p.Names()
	if len(names.Missing) != 0 || len(names.Mapped) != 3 || names.Mapped[2] != (web.MappedName{Name: "tftp.old.example", Target: "phonebox", Address: "127.77.0.1"}) ||
		!slices.Equal(names.Hosts, []string{"pbx"}) || names.Domain != "voice.home.arpa" || !names.On {
		t.Errorf("the page has %+v", names)
	}
	text, err := site.Load(data)
	if err != nil || !strings.Contains(string(text), "[dns.names]\nbare = \"pbx\"\n\"gone.voice.home.arpa\" = \"192.0.2.7\"\n\"tftp.old.example\" = \"phonebox\"") {
		t.Errorf("the file is (%v)\n%s", err, text)
	}
	if err := p.MapName(t.Context(), "Tftp.OLD.example.", ""); err != nil { // as it may be written when it is mapped
		t.Fatal(err)
	}
	resolves("tftp.old.example.", "")
	var refused *web.Refused
	for name, target := range map[string]string{
		"tftp.voice.home.arpa": "pbx", "a.example": "nobody", "b.example": "10.77", "c example": "phonebox", "d\n\"e\" = phonebox\nf": "phonebox", "g": "phonebox\nh = phonebox", "": "phonebox",
	} {
		if err := p.MapName(t.Context(), name, target); !errors.As(err, &refused) {
			t.Errorf("%q to %q: %v, want refused settings", name, target, err)
		}
	}
	var public *web.PublicError
	if err := p.MapName(t.Context(), "never.example", ""); !errors.As(err, &public) || public.Status != 404 {
		t.Errorf("taking back what was never mapped: %v", err)
	}
	if got := b.current().site.DNS.Names; len(got) != 2 {
		t.Errorf("the site has %v", got)
	}
}
