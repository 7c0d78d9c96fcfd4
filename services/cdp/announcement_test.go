package cdp_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"phonebox/services/cdp"
	"phonebox/services/phone"
)

var deskMAC = phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}

// frame is an announcement as a phone sends it; the test writes it by hand, byte for byte.
type frame struct {
	from                         phone.MAC
	name, platform, version, tag string
	more                         []byte // parts at the end
}

func desk() frame {
	return frame{from: deskMAC, name: "SEP0006D7AA2A2E", platform: "Cisco IP Phone 7960", version: "P00308010200"}
}

// part is a TLV: type and length in two bytes each, the length with them.
func part(kind uint16, value string) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(value)))
	return append(b, value...)
}

func (f frame) bytes() []byte {
	body := []byte{2, 180, 0, 0} // version, holdtime; the checksum is nobody's business
	body = append(body, part(1, f.name)...)
	body = append(body, part(2, "\x00\x00\x00\x01\x01\x01\xcc\x00\x04\x0a\x4d\x01\x02")...)
	body = append(body, part(3, "Port 1")...)
	body = append(body, part(4, "\x00\x00\x00\x90")...)
	if f.version != "" {
		body = append(body, part(5, f.version)...)
	}
	if f.platform != "" {
		body = append(body, part(6, f.platform)...)
	}
	body = append(body, part(0x0a, "\x00\x4d")...)
	body = append(body, part(0x0b, "\x01")...)
	body = append(body, part(0x10, "\x18\x9c")...)
	body = append(body, f.more...)
	snap := append([]byte{0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0}, body...)
	b := append([]byte{1, 0, 0x0c, 0xcc, 0xcc, 0xcc}, f.from[:]...)
	b = append(b, f.tag...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(snap)))
	b = append(b, snap...)
	if len(b) < 60 {
		b = append(b, make([]byte, 60-len(b))...)
	}
	return b
}

func TestParseReadsWhatAPhoneSays(t *testing.T) {
	t.Parallel()
	got, err := cdp.Parse(desk().bytes())
	want := cdp.Announcement{
		MAC: deskMAC, From: deskMAC, DeviceID: "SEP0006D7AA2A2E", Platform: "Cisco IP Phone 7960", Version: "P00308010200",
		Port: "Port 1", Address: netip.MustParseAddr("10.77.1.2"), VLAN: 77, Holds: 3 * time.Minute,
	}
	if err != nil || got != want {
		t.Errorf("found %+v, %v, wanted %+v", got, err, want)
	}
	if !got.IsPhone() || got.Model() != "7960" || got.Load() != "P00308010200" {
		t.Errorf("phone %v, model %q, load %q", got.IsPhone(), got.Model(), got.Load())
	}
}

func TestParseToleratesOddParts(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]struct {
		change func(*frame)
		ok     func(cdp.Announcement) bool
	}{
		"neither platform nor version": {func(f *frame) { f.platform, f.version = "", "" }, func(a cdp.Announcement) bool { return a.IsPhone() && a.Model() == "" && a.Load() == "" }},
		"a name in small letters":      {func(f *frame) { f.name = "sep0006d7aa2a2e" }, func(a cdp.Announcement) bool { return a.MAC == deskMAC }},
		"a SIP phone's name":           {func(f *frame) { f.name = "SIP0006D7AA2A2E" }, func(a cdp.Announcement) bool { return a.MAC == deskMAC }},
		"a name of its own":            {func(f *frame) { f.name = "Reception" }, func(a cdp.Announcement) bool { return a.MAC == deskMAC && a.IsPhone() }},
		"a name without a MAC":         {func(f *frame) { f.name, f.platform = "SEP000000000000", "" }, func(a cdp.Announcement) bool { return a.MAC == deskMAC && !a.IsPhone() }},
		"zeros behind texts":           {func(f *frame) { f.platform, f.version = "Cisco IP Phone 7940\x00", "P0S3-8-12-00\x00" }, func(a cdp.Announcement) bool { return a.Model() == "7940" && a.Load() == "P0S3-8-12-00" }},
		"the model of the class":       {func(f *frame) { f.platform = "Cisco IP Phone CP-7940G" }, func(a cdp.Announcement) bool { return a.Model() == "7940" }},
		"parts that nobody knows":      {func(f *frame) { f.more = append(part(0x1c, "\x01"), part(0x999, "x")...) }, func(a cdp.Announcement) bool { return a.Model() == "7960" }},
		"an odd part of a kind": {
			func(f *frame) { f.more = append(part(0x07, "xxx"), part(0x0e, "")...) },
			func(a cdp.Announcement) bool { return a.Model() == "7960" },
		},
		"a switch": {func(f *frame) { f.name, f.platform = "core.example", "cisco WS-C3560" }, func(a cdp.Announcement) bool { return !a.IsPhone() && a.DeviceID == "core.example" }},
	} {
		f := desk()
		p.change(&f)
		if a, err := cdp.Parse(f.bytes()); err != nil || !p.ok(a) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	whole := desk().bytes()
	vtp := bytes.Clone(whole)
	vtp[21] = 3
	long := desk()
	long.version = strings.Repeat("x", 3000)
	for name, b := range map[string][]byte{
		"nothing": nil, "a header alone": whole[:14], "cut off": whole[:60], "another protocol of the group": vtp, "too long": long.bytes(),
		"an IP packet": append(bytes.Clone(whole[:12]), "\x08\x00E\x00"...), "no name": frame{from: deskMAC, platform: "Cisco IP Phone 7960"}.bytes(),
	} {
		if a, err := cdp.Parse(b); err == nil || a != (cdp.Announcement{}) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func TestLoadOf(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"P00308010200": "P00308010200", "p0s3-8-12-00": "P0S3-8-12-00", "P0S3-07-4-00.sb2": "P0S3-07-4-00",
		"Cisco IP Phone, Version P0S30203 (release)": "P0S30203", "SCCP41.8-5-4S": "", "": "", "8.0(9)": "",
	} {
		if got := cdp.LoadOf(version); got != want {
			t.Errorf("%q: found %q, wanted %q", version, got, want)
		}
	}
}

// FuzzParse reads any frame, and frames around any texts. What is read is bounded, is text, and is what was written.
func FuzzParse(f *testing.F) {
	odd := desk()
	odd.more = append(part(2, "\x00\x00\x00\xff\x01\x01\xcc\xff\xff"), part(0x1d, "\x00\x00\x00")...)
	f.Add(desk().bytes(), "Cisco IP Phone 7960", "P00308010200")
	f.Add(odd.bytes(), "", "P0S3-8-12-00")
	f.Add(desk().bytes()[:40], "\x00", "caf\xe9")
	f.Add([]byte(nil), "IP Phone 7912", strings.Repeat("\xff", 400))
	f.Fuzz(func(t *testing.T, raw []byte, platform, version string) {
		a, err := cdp.Parse(raw)
		if err != nil && (a != (cdp.Announcement{}) || len(err.Error()) > 400) || err == nil && a.DeviceID == "" {
			t.Errorf("%x is read as %+v, %v", raw, a, err)
		}
		for _, s := range []string{a.DeviceID, a.Platform, a.Version, a.Port} {
			if len(s) > 300 || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n\x1b") {
				t.Errorf("%x holds %q", raw, s)
			}
		}
		if load := a.Load(); load != "" && !strings.Contains(strings.ToUpper(a.Version), load) {
			t.Errorf("%q is not in %q", load, a.Version)
		}
		if len(platform) > 200 || len(version) > 200 {
			return
		}
		w := desk()
		w.platform, w.version = platform, version
		a, err = cdp.Parse(w.bytes())
		if err != nil || a.MAC != deskMAC || a.Address.String() != "10.77.1.2" || a.VLAN != 77 {
			t.Errorf("%q and %q: %+v, %v", platform, version, a, err)
		}
		if ascii(platform) && a.Platform != strings.TrimSpace(platform) || ascii(version) && a.Version != strings.TrimSpace(version) {
			t.Errorf("%q and %q are read as %+v", platform, version, a)
		}
	})
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
