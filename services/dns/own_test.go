package dns_test

import (
	"net/netip"
	"testing"

	mdns "github.com/miekg/dns"
)

// Answers of the settings are packed once: the second is like the first, whoever asks, and ends with the settings.
func TestPackedAnswersOfTheZone(t *testing.T) {
	t.Parallel()
	b := start(t, office())
	for _, edns := range []bool{false, true} {
		for _, name := range []string{"pbx.voice.home.arpa.", "PBX.Voice.home.arpa.", "voice.home.arpa.", "tftp.voice.home.arpa.", "nobody.voice.home.arpa.", "reception.voice.home.arpa."} {
			var first *mdns.Msg
			for i := range 3 {
				q := question(name, mdns.TypeA)
				if edns {
					q.SetEdns0(1400, true)
				}
				resp := b.ask("udp", q)
				if resp.Id != q.Id {
					t.Fatalf("%s: the id is not that of the question", name)
				}
				resp.Id = 0
				if first == nil {
					first = resp
				}
				if resp.String() != first.String() || !resp.Authoritative || resp.RecursionAvailable {
					t.Errorf("%s: answer %d is %v, the first was %v", name, i, resp, first)
				}
			}
		}
	}
	cfg := office()
	cfg.Hosts["pbx"] = netip.MustParseAddr("127.0.0.77")
	if err := b.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	if got := short(b.ask("udp", question("pbx.voice.home.arpa.", mdns.TypeA)).Answer); got != "pbx.voice.home.arpa. 300 IN A 127.0.0.77" {
		t.Errorf("with new settings: %s", got)
	}
}
