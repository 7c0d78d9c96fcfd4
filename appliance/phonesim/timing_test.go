package phonesim_test

import (
	"context"
	"encoding/binary"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

// bubble runs a phone on a fake link for so long, in the bubble's time.
func bubble(t *testing.T, long time.Duration, link *fakeLink, cfg phonesim.Config) phonesim.Result {
	t.Helper()
	link.begun = time.Now()
	cfg.Link, cfg.MAC = link, mac(1)
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	r, err := p.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// seconds returns when the datagrams were sent and how many ports they came from.
func seconds(sent []datagram) (at []float64, ports int) {
	seen := map[uint16]bool{}
	for _, d := range sent {
		at = append(at, d.at.Seconds())
		seen[d.from] = true
	}
	return at, len(seen)
}

func TestTheLoaderHuntsAsMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := &fakeLink{dhcp: grants(8 * time.Hour)} // TFTP is silent
		r := bubble(t, 343*time.Second, link, phonesim.Config{State: phonesim.StateSIP})
		var first, second []float64
		for i := range 15 { // every 4 s, 5 a port, 3 ports, then the next file, then 51 s of rest: phones.md a.7
			first = append(first, float64(4*i), 171+float64(4*i))
			second = append(second, 60+float64(4*i), 231+float64(4*i))
		}
		first = append(first, 342)
		ctl, ports := seconds(link.requests("CTLSEP" + mac(1).Name() + ".tlv"))
		if diff := cmp.Diff(sorted(first), ctl); diff != "" || ports != 7 {
			t.Errorf("CTLSEP from %d ports, wanted 7 (want, got): %s", ports, diff)
		}
		sep, _ := seconds(link.requests("SEP" + mac(1).Name() + ".cnf.xml"))
		if diff := cmp.Diff(sorted(second), sep); diff != "" {
			t.Errorf("SEP (want, got): %s", diff)
		}
		if r.Outcome != phonesim.OutcomeFailed || r.Step != phone.Stuck || r.Problem == "" || r.Retransmits.TFTP != 14*4 {
			t.Errorf("found outcome %s, step %s, problem %q, %d retransmissions", r.Outcome, r.Step, r.Problem, r.Retransmits.TFTP)
		}
		for i, d := range link.requests("CTLSEP" + mac(1).Name() + ".tlv")[:15] {
			if want := link.sent[0].from + uint16(i/5); d.from != want || d.from < 49152 {
				t.Errorf("request %d left from port %d, wanted %d", i, d.from, want)
			}
		}
	})
}

func TestTheSIPApplicationAsksAsMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent := time.Now().Add(20 * time.Second) // the hunt is answered, the application is not: it starts after 24 s
		link := &fakeLink{dhcp: grants(8 * time.Hour), packet: func(d datagram) []byte {
			if time.Now().Before(silent) {
				return notFound(d)
			}
			return nil
		}}
		bubble(t, 140*time.Second, link, phonesim.Config{State: phonesim.StateSIP})
		try := []float64{0, 1, 5, 9, 13, 14, 18, 22} // 1, 4, 4 s, and one more port: phones.md a.7
		var want []float64
		for _, s := range try {
			want = append(want, 24+s)
		}
		got, ports := seconds(link.requests("SIPDefault.cnf"))
		if diff := cmp.Diff(want, got); diff != "" || ports != 2 {
			t.Errorf("SIPDefault.cnf from %d ports, wanted 2 (want, got): %s", ports, diff)
		}
		want = []float64{0} // the hunt
		for _, start := range []float64{50, 50 + 26 + 31} {
			for _, s := range try {
				want = append(want, start+s)
			}
		}
		got, _ = seconds(link.requests("SIP" + mac(1).Name() + ".cnf"))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the polls (want, got): %s", diff)
		}
	})
}

func TestABarePhonePollsEvery31Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := &fakeLink{dhcp: grants(8 * time.Hour), packet: notFound}
		r := bubble(t, 100*time.Second, link, phonesim.Config{State: phonesim.StateBare, Stay: true})
		got, _ := seconds(link.requests("SIP" + mac(1).Name() + ".cnf"))
		if diff := cmp.Diff([]float64{0, 24, 55, 86}, got); diff != "" {
			t.Errorf("the polls (want, got): %s", diff)
		}
		if r.Outcome != phonesim.OutcomePolling || r.After != 55*time.Second || r.Step != phone.Stuck {
			t.Errorf("found %s after %s in step %s", r.Outcome, r.After, r.Step)
		}
	})
}

func TestSpeedDividesThePhonesOwnTimesOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := &fakeLink{dhcp: grants(8 * time.Hour)}
		bubble(t, 130*time.Second, link, phonesim.Config{State: phonesim.StateSIP, Speed: 51})
		got, _ := seconds(link.requests("CTLSEP" + mac(1).Name() + ".tlv"))
		if len(got) < 16 || got[14] != 56 || got[15] != 121 {
			t.Errorf("found requests at %v, wanted retransmissions every 4 s and the pause of 51 s in 1 s", got)
		}
	})
}

func TestDHCPRetransmissions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := &fakeLink{dhcp: func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return nil }}
		r := bubble(t, 3*time.Minute, link, phonesim.Config{Remember: netip.MustParseAddr("10.9.9.9")})
		said := link.messages()
		at := time.Duration(0)
		for i, wait := range []int{4, 8, 16, 32, 4, 8, 16, 32} { // INIT-REBOOT for a minute, then DISCOVER (phones.md a.8)
			want := dhcpv4.MessageTypeRequest
			if i >= 4 {
				want = dhcpv4.MessageTypeDiscover
			}
			m := said[i].m
			if m.MessageType() != want || m.ServerIdentifier() != nil || !m.ClientIPAddr.IsUnspecified() {
				t.Errorf("message %d is %s", i, m.Summary())
			}
			if diff := said[i].at - at; i > 0 && diff.Abs() > time.Second {
				t.Errorf("message %d came %s from where it should be", i, diff)
			}
			at = said[i].at + time.Duration(wait)*time.Second
		}
		if r.WaitingFor != "a DHCP lease" || r.Problem == "" || r.Retransmits.DHCP < 6 {
			t.Errorf("found waiting for %q, problem %q, %d retransmissions", r.WaitingFor, r.Problem, r.Retransmits.DHCP)
		}
	})
}

func TestALeaseIsRenewedAtHalfItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := &fakeLink{dhcp: grants(time.Hour), packet: notFound}
		bubble(t, 70*time.Minute, link, phonesim.Config{State: phonesim.StateBare, Stay: true})
		said := link.messages()
		if len(said) != 4 {
			t.Fatalf("found %d messages, wanted DISCOVER, REQUEST and two renewals", len(said))
		}
		for i, s := range said[2:] {
			if s.at != time.Duration(i+1)*30*time.Minute || !s.unicast || s.m.RequestedIPAddress() != nil || s.m.ClientIPAddr.String() != "10.77.1.1" {
				t.Errorf("renewal %d at %s: %s", i, s.at, s.m.Summary())
			}
		}
	})
}

func TestALeaseThatNobodyRenewsIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		answer := grants(time.Hour)
		link := &fakeLink{packet: notFound, dhcp: func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if m.MessageType() == dhcpv4.MessageTypeRequest && time.Since(begun) > time.Minute {
				return nil
			}
			return answer(m)
		}}
		r := bubble(t, 62*time.Minute, link, phonesim.Config{State: phonesim.StateBare, Stay: true})
		var unicast, everybody int
		for _, s := range link.messages()[2:] {
			switch {
			case s.at < 30*time.Minute:
				t.Errorf("a message at %s, before T1", s.at)
			case s.m.MessageType() == dhcpv4.MessageTypeDiscover && s.at < time.Hour:
				t.Errorf("a DISCOVER at %s, before the end of the lease", s.at)
			case s.unicast:
				unicast++
			case s.m.MessageType() == dhcpv4.MessageTypeRequest && s.at < time.Hour:
				if everybody++; s.at < 52*time.Minute+30*time.Second {
					t.Errorf("a rebinding at %s, before T2", s.at)
				}
			}
		}
		if unicast < 3 || everybody < 2 || r.Boots != 2 {
			t.Errorf("found %d renewals, %d rebindings and %d boots", unicast, everybody, r.Boots)
		}
	})
}

// serves answers read requests from files, block by block, to one phone.
func serves(files map[string][]byte) func(d datagram) []byte {
	open := map[uint16][]byte{} // by the phone's port
	return func(d datagram) []byte {
		block := uint16(1)
		switch {
		case len(d.payload) > 2 && d.payload[1] == 1:
			name, _, _ := strings.Cut(string(d.payload[2:]), "\x00")
			content, ok := files[name]
			if !ok {
				return notFound(d)
			}
			open[d.from] = content
		case len(d.payload) == 4 && d.payload[1] == 4:
			block = binary.BigEndian.Uint16(d.payload[2:]) + 1
		default:
			return nil
		}
		content, from := open[d.from], int(block-1)*512
		if from > len(content) {
			return nil // the last block was acknowledged
		}
		return append([]byte{0, 3, byte(block >> 8), byte(block)}, content[from:min(len(content), from+512)]...)
	}
}

func TestFlashingTakesItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for i, c := range []struct {
			from, image, next string
			least, most       float64
		}{
			{"P0S3-07-4-00", loader + ".sbn", "CTLSEP" + mac(1).Name() + ".tlv", 25, 37}, // phones.md a.4
			{"P0S3-08-9-00", v8 + ".sb2", "SIPDefault.cnf", 45, 69},
			{"P0S3-05-3-00", "P0S3-06-3-00.sbn", "OS79XX.TXT", 85, 95},
		} {
			files := phone.MakeBundle(v8, 2000, 3000)
			maps.Copy(files, phone.MakeBundle("P0S3-06-3-00", 0, 3000))
			m := mac(1).Name()
			files["SEP"+m+".cnf.xml"] = []byte(sepXML(v8))
			files["SIPDefault.cnf"] = []byte("image_version: P0S3-06-3-00\n")
			files["SIP"+m+".cnf"] = []byte("line1_name: 208\n")
			link := &fakeLink{dhcp: grants(8 * time.Hour), packet: serves(files)}
			cfg := phonesim.Config{Load: c.from, Seed: uint64(i)}
			if i == 1 {
				cfg.LoaderID = phone.SyntheticLoaderID
			}
			bubble(t, 130*time.Second, link, cfg)
			begun := link.requests(c.image)
			if len(begun) == 0 {
				t.Fatalf("%s never asked for %s", c.from, c.image)
			}
			after := -1.0
			for _, d := range link.requests(c.next) {
				if d.at > begun[0].at && after < 0 {
					after = (d.at - begun[0].at).Seconds()
				}
			}
			if after < c.least || after > c.most {
				t.Errorf("%s: %s %.1f s after %s, wanted %.0f to %.0f", c.from, c.next, after, c.image, c.least, c.most)
			}
		}
	})
}

func TestAPhoneOnSCCPLooksForANewConfigurationInItsOwnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const load = "P00303010102"
		link := &fakeLink{dhcp: grants(8 * time.Hour), packet: serves(map[string][]byte{"SEP" + mac(1).Name() + ".cnf.xml": []byte(sepXML(load))})}
		bubble(t, 10*time.Minute, link, phonesim.Config{Load: load, Want: v8})
		hunts := link.requests("OS79XX.TXT")
		if len(hunts) < 4 {
			t.Fatalf("found %d hunts in ten minutes", len(hunts))
		}
		for i, d := range hunts[1:] {
			if rest := d.at - hunts[i].at; rest < time.Minute || rest > 171*time.Second {
				t.Errorf("hunt %d came after %s", i+2, rest)
			}
		}
	})
}
