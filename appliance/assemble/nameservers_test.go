package assemble

import (
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/dns"
	"phonebox/services/phone"
)

// That no name server answers is said beside the service and in the box's own timeline.
func TestSilentNameServersAreOnThePage(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	// Nobody listens there, which the kernel says at once.
	b := open(t, data, map[string]string{site.FileName: goodSite + "[dns]\nupstream = [\"127.78.0.1:9\"]\n"})
	run(t, b)
	if got := (page{b}).Status().Services["dns"]; got.State != stateRunning || got.Detail != "" {
		t.Fatalf("at first: %+v", got)
	}
	if _, err := b.dns.Resolver().LookupNetIP(t.Context(), "ip4", "sip.example.com."); err == nil {
		t.Fatal("a name was found")
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := (page{b}).Status().Services["dns"]
		told := slices.ContainsFunc(b.journal.Events(phone.MAC{}), func(e journal.Event) bool {
			return e.Service == "dns" && strings.Contains(e.Text, "No name server upstream answers")
		})
		if told && got.State == stateRunning && strings.HasPrefix(got.Detail, "No name server upstream answers since") && strings.Contains(got.Detail, "127.78.0.1:9") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("found %+v, in the timeline: %v", got, told)
		}
	}
}

// What the settings say of name servers reaches the service, with the telephone systems as names that may lead here.
func TestNameServersReachTheService(t *testing.T) {
	t.Parallel()
	s, faults := site.Parse([]byte(goodSite+`proxy = "pbx.office.example"
[dns]
upstream = ["192.0.2.53", "tls://192.0.2.54#dns.example.net"]
inside = ["office.example.com"]
[sip]
proxy = "sip.office.example"
`), site.Catalogue())
	if s == nil {
		t.Fatal(faults)
	}
	s.Time.Upstream = []string{"pool.ntp.org"}
	cfg := makePlan(s, Options{}, s.DNS.Upstream[0].Addr).dns
	if len(cfg.Upstream) != 2 || cfg.Upstream[0].String() != "192.0.2.53:53" || cfg.Upstream[1].String() != "tls://192.0.2.54:853#dns.example.net" {
		t.Errorf("the servers are %v", cfg.Upstream)
	}
	if want := []string{"office.example.com", "sip.office.example", "pbx.office.example"}; !slices.Equal(cfg.Inside, want) {
		t.Errorf("inside are %q, want %q", cfg.Inside, want)
	}
	if !slices.Equal(cfg.TimeNames, s.Time.Upstream) {
		t.Errorf("the time servers are %q", cfg.TimeNames)
	}
}

// A certificate is never checked against a time before that of the build or that of the system.
func TestTheTimeForCertificatesIsTheLatestThatIsKnown(t *testing.T) {
	built := time.Now().Add(48 * time.Hour)
	b, err := New(t.Context(), Options{
		Data: filepath.Join(t.TempDir(), "data"), Try: true, Built: built, Log: slog.New(slog.DiscardHandler), Terminal: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, b)
	now, trusted := b.certificateTime()
	if trusted != b.clock.Trusted() || now.Before(built) {
		t.Errorf("found %s (trusted %v), want at least %s", now, trusted, built)
	}
}

func TestAnOldAnswerIsToldAsOne(t *testing.T) {
	t.Parallel()
	mac := phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}
	ev, ok := fromDNS(dns.Event{Kind: dns.EventAnswered, Name: "sip.example.com", Type: "A", Result: "NOERROR", Stale: true, Reason: "an older answer"}, mac)
	if !ok || ev.Text != "asked for the name sip.example.com (A) (an older answer)" {
		t.Errorf("found %q", ev.Text)
	}
}
