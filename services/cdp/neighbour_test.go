package cdp_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mdlayher/packet"

	"phonebox/services/cdp"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

var switchMAC = phone.MAC{0x00, 0x1b, 0x54, 0x01, 0x02, 0x03}

// coreSwitch is a switch that speaks CDP and tells the voice VLAN.
func coreSwitch() frame {
	return frame{
		from: switchMAC, name: "core.example", platform: "cisco WS-C3560-24PS", version: "Cisco IOS Software",
		more: append(part(0x0e, "\x01\x00\x63"), part(4, "\x00\x00\x00\x28")...),
	}
}

// tlv is a part of an LLDP frame: seven bits of kind, nine of length.
func tlv(kind byte, value string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(kind)<<9|uint16(len(value))), value...)
}

// lldpSwitch is what a switch says over LLDP, byte for byte.
func lldpSwitch(name string) []byte {
	b := append([]byte{0x01, 0x80, 0xc2, 0, 0, 0x0e}, switchMAC[:]...)
	b = append(b, 0x88, 0xcc)
	for _, part := range [][]byte{
		tlv(1, "\x04"+string(switchMAC[:])), tlv(2, "\x05ge-0/0/7"), tlv(3, "\x00\x78"), tlv(4, "Uplink of the phonebox"),
		tlv(5, name), tlv(6, "Some switch, version 12"), tlv(7, "\x00\x14\x00\x04"), tlv(8, "\x05\x01\x0a\x4d\x00\xfe\x02\x00\x00\x00\x01\x00"),
		tlv(127, "\x00\x80\xc2\x01\x00\x63"), tlv(127, "\x00\x12\xbb\x02\x01\x40\xc7\x6e"), tlv(0, ""),
	} {
		b = append(b, part...)
	}
	return b
}

func TestParseReadsWhatASwitchSays(t *testing.T) {
	t.Parallel()
	a, err := cdp.Parse(coreSwitch().bytes())
	if err != nil || a.Voice != 99 || a.VLAN != 77 || !a.Switch && a.DeviceID != "core.example" || a.IsPhone() {
		t.Errorf("found %+v, %v", a, err)
	}
	got, err := cdp.ParseLLDP(lldpSwitch("access-2"))
	want := cdp.Neighbour{
		Protocol: "LLDP", From: switchMAC, Name: "access-2", Platform: "Some switch, version 12", Port: "ge-0/0/7",
		Address: netip.MustParseAddr("10.77.0.254"), VLAN: 99, Voice: 99, Switch: true, Holds: 2 * time.Minute,
	}
	if err != nil || got != want {
		t.Errorf("found  %+v, %v\nwanted %+v", got, err, want)
	}
	if got, err = cdp.ParseLLDP(lldpSwitch("")); err != nil || got.Name != switchMAC.String() {
		t.Errorf("without a name: %+v, %v, want its address for one", got, err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "a header alone": lldpSwitch("x")[:14], "cut off": lldpSwitch("x")[:40], "CDP": coreSwitch().bytes(),
		"too long": append(lldpSwitch("x"), make([]byte, 2000)...),
	} {
		if got, err := cdp.ParseLLDP(b); err == nil || got != (cdp.Neighbour{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// FuzzParseLLDP reads any frame, and frames around any texts.
func FuzzParseLLDP(f *testing.F) {
	f.Add(lldpSwitch("access-2"), "core")
	f.Add(lldpSwitch("")[:60], "\x00\xff")
	f.Add([]byte(nil), strings.Repeat("x", 500))
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		n, err := cdp.ParseLLDP(raw)
		if err != nil && n != (cdp.Neighbour{}) || err == nil && n.Name == "" && len(raw) == 0 {
			t.Errorf("%x is read as %+v, %v", raw, n, err)
		}
		for _, s := range []string{n.Name, n.Platform, n.Port} {
			if len(s) > 300 || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n\x1b") {
				t.Errorf("%x holds %q", raw, s)
			}
		}
		if n.VLAN > 4095 || n.Voice > 4095 {
			t.Errorf("%x has the VLANs %d and %d", raw, n.VLAN, n.Voice)
		}
		if len(name) > 200 {
			return
		}
		n, err = cdp.ParseLLDP(lldpSwitch(name))
		if err != nil || n.Voice != 99 || n.Port != "ge-0/0/7" || ascii(name) && strings.TrimSpace(name) != "" && n.Name != strings.TrimSpace(name) {
			t.Errorf("%q is read as %+v, %v", name, n, err)
		}
	})
}

// TestNeighboursAreHeardOnTheWire has a switch say who it is, by both protocols, over a cable of the namespace's own: a bridge
// would keep the LLDP frames.
func TestNeighboursAreHeardOnTheWire(t *testing.T) {
	t.Parallel()
	testkit.Reexec(t, "box", []testkit.Host{{Name: "box"}}, func(t *testing.T, lan *testkit.LAN) {
		n := lan.Node("box")
		n.IP(t, "link", "add", "near", "type", "veth", "peer", "name", "far")
		for _, end := range []string{"near", "far"} {
			n.IP(t, "link", "set", end, "up")
		}
		l := newListener(t, "near")
		l.run(t)
		l.waitReady(t)
		send := func(protocol int, frame []byte) {
			t.Helper()
			ifi, err := net.InterfaceByName("far")
			if err != nil {
				t.Fatal(err)
			}
			conn, err := packet.Listen(ifi, packet.Raw, protocol, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])}); err != nil {
				t.Fatal(err)
			}
		}
		const cdpType, lldpType = 4, 0x88cc
		send(cdpType, coreSwitch().bytes())
		send(lldpType, lldpSwitch("access-2"))
		send(lldpType, lldpSwitch("access-2")[:50])
		send(cdpType, desk().bytes())
		if e := l.next(t); e.MAC != deskMAC {
			t.Errorf("reported %+v, want the phone alone", e)
		}
		testkit.Eventually(t, limit, "both are heard, and what is cut off is dropped", func() bool {
			return len(l.Neighbours()) == 2 && l.dropped(t, "malformed") == 1
		})
		got := l.Neighbours()
		if got[0].Name != "access-2" || got[0].Protocol != "LLDP" || got[1].Name != "core.example" || got[1].Voice != 99 || got[1].VLAN != 77 || got[1].Port != "Port 1" {
			t.Errorf("found %+v", got)
		}
		// A hundred devices, or one that lies, must not fill the memory; one that says goodbye is gone.
		for i := range 100 {
			many := coreSwitch()
			many.from[5], many.name = byte(i), strings.Repeat("x", i+1)
			send(cdpType, many.bytes())
		}
		last := coreSwitch()
		last.from[5], last.name = 99, strings.Repeat("x", 100)
		testkit.Eventually(t, limit, "the last of them is heard", func() bool {
			for _, n := range l.Neighbours() {
				if n.Name == last.name {
					return true
				}
			}
			return false
		})
		if n := len(l.Neighbours()); n != 8 {
			t.Errorf("%d neighbours are kept, want 8", n)
		}
		bye := last.bytes()
		bye[23] = 0 // how long it holds
		send(cdpType, bye)
		testkit.Eventually(t, limit, "it is gone", func() bool { return len(l.Neighbours()) == 7 })
	})
}
