package phonesim

import (
	"bufio"
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"phonebox/services/phone"
)

// FuzzTelnetLine: a line has no control characters and no end, and reading takes at least a byte.
func FuzzTelnetLine(f *testing.F) {
	f.Add([]byte("sh reg\r\n"))
	f.Add([]byte("\xFF\xFD\x01ab\bc\r\x00next\n"))
	f.Add([]byte("\xFF\xFA\x18\x00vt100\xFF\xF0x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bufio.NewReader(bytes.NewReader(b))
		for total := 0; total <= len(b); total++ {
			line, err := readTelnetLine(in)
			if err != nil {
				return
			}
			if len(line) > maxTelnetLine || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) {
				t.Fatalf("found the line %q", line)
			}
			if words := strings.Fields(line); len(words) > 0 {
				if command, err := findCommand(words); (command == "") == (err == nil) {
					t.Errorf("%q is %q, %v", line, command, err)
				}
			}
		}
		t.Errorf("more lines than bytes in %q", b)
	})
}

// FuzzChallenge: what is read of a challenge stands in it, and the answer to it names no password and reads back.
func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="a realm", nonce="n1", algorithm=MD5, qop="auth,auth-int", opaque="o"`)
	f.Add(`digest nonce=abc,realm=x`)
	f.Add(`Digest realm=0,nonce=algorithm`)
	f.Add(`Digest realm="a\"b", nonce="`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseChallenge(s)
		if err != nil {
			return
		}
		for _, part := range []string{c.realm, c.nonce, c.opaque} {
			if !strings.Contains(s, part) {
				t.Errorf("found %q, which is not in %q", part, s)
			}
		}
		const password = "\x00never\x00"
		a := c.authorization("REGISTER", "sip:h", "208", password, "cn")
		if strings.Contains(a, password) {
			t.Errorf("the password is in %q", a)
		}
		back, err := parseChallenge(a)
		if !strings.ContainsAny(c.realm+c.nonce+c.opaque, `"\`) && (err != nil || back.realm != c.realm || back.nonce != c.nonce || back.opaque != c.opaque) {
			t.Errorf("%+v became %+v: %v", c, back, err)
		}
	})
}

// TestTheDigestOfRFC2617 holds the example of its section 3.5.
func TestTheDigestOfRFC2617(t *testing.T) {
	t.Parallel()
	c, err := parseChallenge(`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`)
	if err != nil {
		t.Fatal(err)
	}
	a := c.authorization("GET", "/dir/index.html", "Mufasa", "Circle Of Life", "0a4f113b")
	if !strings.Contains(a, `response="6629fae49393a05397450978507c4ef1"`) {
		t.Errorf("found %s", a)
	}
	for _, s := range []string{`Basic realm="x"`, `Digest realm="x", nonce="n", algorithm=SHA-256`, `Digest realm="x"`, `Digest realm="x, nonce="n"`, `Digest realm`, ""} {
		if c, err := parseChallenge(s); err == nil {
			t.Errorf("%q was taken: %+v", s, c)
		}
	}
}

func TestARegistrationIsRenewedInTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		granted int
		delta   string
		want    string
	}{{3600, "", "59m55s"}, {3600, "60", "59m0s"}, {6, "5", "3s"}, {0, "5", "1s"}, {1 << 31, "x", "24h0m0s"}} {
		if got := renewAfter(c.granted, c.delta); got.String() != c.want {
			t.Errorf("%d s, delta %q: found %s, wanted %s", c.granted, c.delta, got, c.want)
		}
	}
	m := sipMessage{code: 200, headers: []sipHeader{{"expires", "99"}, {"contact", `<sip:1@h>;expires=7,<sip:208@127.0.0.1:5060;user=phone>;q=1;expires="60"`}}}
	if got := grantedTo(m, "208", "127.0.0.1:5060", "3600"); got != 60 {
		t.Errorf("found %d, wanted that of our contact", got)
	}
	if got := grantedTo(sipMessage{headers: []sipHeader{{"expires", "99"}}}, "208", "x", "3600"); got != 99 {
		t.Errorf("found %d, wanted that of the header", got)
	}
	if got := grantedTo(sipMessage{}, "208", "x", "3600"); got != 3600 {
		t.Errorf("found %d, wanted what was asked for", got)
	}
}

func TestACDPFrameIsReadByAnother(t *testing.T) {
	t.Parallel()
	mac := phone.MAC{0, 6, 0xD7, 0xAA, 0x2A, 0x2E}
	for _, version := range []string{"P0S3-8-12-00", "P0S30203"} { // an even and an odd length
		for _, addr := range []netip.Addr{{}, netip.MustParseAddr("10.77.1.9")} {
			frame := cdpFrame(mac, "SIP"+mac.Name(), version, "Cisco IP Phone 7960", addr)
			p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
			if p.ErrorLayer() != nil {
				t.Fatal(p.ErrorLayer().Error())
			}
			info, _ := p.Layer(layers.LayerTypeCiscoDiscoveryInfo).(*layers.CiscoDiscoveryInfo)
			if info == nil || info.Version != version || info.Platform != "Cisco IP Phone 7960" || info.DeviceID != "SIP0006D7AA2A2E" || !info.Capabilities.IsPhone {
				t.Errorf("found %+v", info)
			}
			if addr.IsValid() && (len(info.Addresses) != 1 || info.Addresses[0].String() != addr.String()) {
				t.Errorf("found the addresses %v", info.Addresses)
			}
			cdp := frame[etherSize+8:]
			if cdpChecksum(cdp) != 0 && len(cdp)%2 == 0 {
				t.Errorf("the checksum of %d bytes is wrong", len(cdp))
			}
		}
	}
}

func TestReleases(t *testing.T) {
	t.Parallel()
	for load, want := range map[string]release{
		"P0S3-8-12-00": {phone.SIP, [4]int{8, 12}, true}, "P0S30203": {phone.SIP, [4]int{2, 3}, false},
		"P00303020214": {phone.SCCP, [4]int{3, 2, 2, 14}, false}, "P0030801SR02": {phone.SCCP, [4]int{8, 1, 0, 2}, false},
		"P003-07-4-00": {phone.SCCP, [4]int{7, 4}, true}, "": {}, "P0S3": {}, "P0S3-8": {}, "P0X30203": {}, "P0S302031": {phone.SIP, [4]int{2, 3, 1}, false},
		"P0S3-8-x-00": {}, "SIP41.8-5-4S": {}, "P0S3-1-2-3-4-5": {}, "P003--1-2-3": {},
	} {
		if got := parseRelease(load); got != want {
			t.Errorf("%q: found %+v, wanted %+v", load, got, want)
		}
	}
}

func TestStepsThatTheLadderAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from  string
		kind  kind
		to    string
		allow bool
	}{
		{"P00302010100", single, "P00303010102", true},
		{"P00302010100", single, "P00305000500", false},
		{"P00303010102", single, "P00305000500", true},
		{"P00303010102", single, "P0S30203", true},
		{"P00303010102", single, "P0S3-04-4-00", false},
		{"P00303010102", loaderImage, "P003-07-4-00", false},
		{"P00305000500", loaderImage, "P003-07-4-00", true},
		{"P00305000500", loaderImage, "P00308000900", true},
		{"P00305000500", single, "P0S3-06-3-00", true},
		{"P00305000500", single, "P0S30203", false},
		{"P0S30200", single, "P0S30203", true},
		{"P0S30200", single, "P0S30202", false},
		{"P0S30203", single, "P0S3-04-4-00", true},
		{"P0S30203", single, "P0S3-05-3-00", false},
		{"P0S3-04-4-00", single, "P0S3-05-3-00", true},
		{"P0S3-04-4-00", loaderImage, "P003-07-4-00", false},
		{"P0S3-05-1-00", single, "P0S3-06-3-00", false},
		{"P0S3-05-3-00", single, "P0S3-06-3-00", true},
		{"P0S3-05-3-00", single, "P0S3-04-4-00", false},
		{"P0S3-06-0-00", single, "P0S3-06-3-00", true},
		{"P0S3-06-3-00", single, "P0S3-06-0-00", false},
		{"P0S3-06-3-00", loaderImage, "P003-8-12-00", true},
		{"P0S3-06-3-00", loaderImage, "P00308000900", false},
		{"P0S3-07-4-00", application, "P0S3-8-12-00", true},
		{"P0S3-8-12-00", application, "P0S3-07-4-00", true},
		{"P0S3-8-12-00", application, "P00308000900", true},
		{"P0S3-8-12-00", application, "P00306000200", false},
		{"P00306000200", application, "P0S3-8-12-00", true},
		{"", application, "P00306000200", true},
		{"", application, "P00305000500", false},
	} {
		if got := stepAllowed(Flash{Application: c.from}, c.kind, c.to); got != c.allow {
			t.Errorf("%q given %s: found %v", c.from, c.to, got)
		}
	}
}
