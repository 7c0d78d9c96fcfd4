package phonesim

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
)

func TestCNF(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       cnf
		faults     int
	}{
		{"blanks around the colon", "cnf_join_enable : 1\r\n", cnf{"cnf_join_enable": "1"}, 0},
		{"comments", "# a: b\n\n;c\nx: 1 ; y\nz: \"a;b#c\" ; d\n", cnf{"x": "1", "z": "a;b#c"}, 0},
		{"every value ended by a semicolon, as CME does", "Domain_Name: \"a.b\";\nsync: 1;\n", cnf{"domain_name": "a.b", "sync": "1"}, 0},
		{"an empty value", "line2_name: \"\"\nx:\n", cnf{"line2_name": "", "x": ""}, 0},
		{"the last of two holds", "a: 1\na: 2\n", cnf{"a": "2"}, 1},
		{"lines that are none", "reg.1.displayName=x\na b: 1\nc: \"x\nd: e f\ng: \"h\" i\nok: 1", cnf{"ok": "1"}, 5},
	} {
		got, faults := parseCNF([]byte(c.text))
		if diff := cmp.Diff(c.want, got); diff != "" || len(faults) != c.faults {
			t.Errorf("%s: faults %q (want, got): %s", c.name, faults, diff)
		}
	}
	if c := (cnf{"a": "UNPROVISIONED"}); c.get("a") != "" {
		t.Error("UNPROVISIONED clears a value")
	}
}

// FuzzCNF: whatever is read can be written and read again alike, and no fault shows what follows a colon.
func FuzzCNF(f *testing.F) {
	f.Add([]byte("image_version: \"P0S3-8-12-00\"\nline1_password : \"a;b\" ; c\r\n# x\nproxy1_port: 5060;\n"))
	f.Add([]byte("a: \"\nb\nc: d e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, faults := parseCNF(b)
		if lines := bytes.Count(b, []byte("\n")) + 1; len(got)+len(faults) > 2*lines {
			t.Errorf("%d parameters and %d faults in %d lines", len(got), len(faults), lines)
		}
		var text strings.Builder
		for k, v := range got {
			fmt.Fprintf(&text, "%s: \"%s\"\n", k, v)
		}
		again, faults := parseCNF([]byte(text.String()))
		if !maps.Equal(got, again) || len(faults) > 0 {
			t.Errorf("%q became %q: %q", got, again, faults)
		}
	})
}

func TestContainersOfTheMakerInPhone(t *testing.T) {
	t.Parallel()
	for _, load := range []string{"P0S3-8-12-00", "P00308010200"} {
		bundle := phone.MakeBundle(load, 3000, 5000)
		payload, err := openSigned(load+".loads", bundle[load+".loads"])
		if err != nil {
			t.Fatal(err)
		}
		list, err := parseLoads(payload)
		if err != nil {
			t.Fatal(err)
		}
		if list.loaderID != phone.SyntheticLoaderID || list.application != load+".sb2" || bundle[list.loader] == nil {
			t.Errorf("found %+v", list)
		}
		for name, want := range map[string]string{list.loader: phone.SyntheticLoaderID, list.application: "PAS3ARM1"} {
			// Of an image only the beginning is kept.
			payload, err := openSigned(name, bundle[name][:min(len(bundle[name]), keptOfImage)])
			if err != nil || imageID(payload) != want {
				t.Errorf("%s: id %q, wanted %q: %v", name, imageID(payload), want, err)
			}
		}
	}
}

func TestContainerFaults(t *testing.T) {
	t.Parallel()
	good := phone.MakeContainer("a.sbn", []byte("payload"))
	for name, b := range map[string][]byte{
		"nothing": {}, "text": []byte("P0S3-8-12-00\n"), "cut within the header": good[:100], "a header alone": good[:404],
		"a name without its end":   bytes.Replace(good, []byte("a.sbn\x00"), []byte("a.sbnx"), 1),
		"a length beyond the file": append(append(append([]byte{}, good[:8]...), 0xFF, 0xFF), good[10:]...),
	} {
		if _, err := openSigned("a.sbn", b); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if p, err := openSigned("a.sbn", good); err != nil || string(p) != "payload" {
		t.Errorf("found %q, %v", p, err)
	}
}

// FuzzContainer: the payload is the end of what was read, and the name has no NUL.
func FuzzContainer(f *testing.F) {
	f.Add(phone.MakeContainer("P0S3-8-12-00.loads", []byte("P003-8-12-00.sbn\nP0S3-8-12-00.sb2\nLA_VERSION=PAS30830\n")))
	f.Add([]byte{1, 0, 2, 1, 1, 2, 0, 2, 0, 20, 0x0E, 0, 2, 'a', 0, 0x0D, 0x0D, 0x0D, 0x0D, 0x0D, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseContainer(b)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(b, c.payload) || strings.ContainsRune(c.name, 0) || c.name == "" {
			t.Errorf("found the name %q and %d of %d bytes", c.name, len(c.payload), len(b))
		}
		if l, err := parseLoads(c.payload); err == nil {
			again, err := parseLoads([]byte(l.loader + "\n" + l.application + "\nLA_VERSION=" + l.loaderID + "\n"))
			if err != nil || again != l {
				t.Errorf("%+v became %+v: %v", l, again, err)
			}
		}
	})
}

func TestTheWritersOfPhoneAreUnderstood(t *testing.T) {
	t.Parallel()
	if load, err := loadInformation(phone.WriteSEP(phone.SIP, "P0S3-8-12-00"), "device", "7960"); load != "P0S3-8-12-00" || err != nil {
		t.Errorf("SEP: found %q, %v", load, err)
	}
	for _, model := range []string{"7940", "7960"} {
		if load, err := loadInformation(phone.WriteXMLDefault("P0S3-8-12-00", "10.77.0.1"), "Default", model); load != "P0S3-8-12-00" || err != nil {
			t.Errorf("XMLDefault for a %s: found %q, %v", model, load, err)
		}
	}
	if images, err := parseSyncInfo(phone.WriteSyncInfo()); err != nil || len(images) == 0 || images[0].sync == "" {
		t.Errorf("syncinfo: found %+v, %v", images, err)
	}
	if err := checkLogo(phone.WriteLogo("Harbour Street office")); err != nil {
		t.Errorf("logo: %v", err)
	}
	page, _ := phone.WriteDirectory("x", []phone.Entry{{Name: "A & B", Number: "1"}}, 1)
	if err := checkDirectory(page); err != nil {
		t.Errorf("directory: %v", err)
	}
}

// FuzzXML: what is found stands in the file.
func FuzzXML(f *testing.F) {
	f.Add([]byte(`<device><loadInformation model="x">P0S3-8-12-00</loadInformation></device>`))
	f.Add([]byte(`<Default><loadInformation7> P003 </loadInformation7></Default>`))
	f.Add([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?><SYNCINFO><IMAGE VERSION="*" SYNC="2"/></SYNCINFO>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, root := range []string{"device", "Default"} {
			load, err := loadInformation(b, root, "7960")
			if err == nil && !bytes.Contains(b, []byte(root)) {
				t.Errorf("found the load %q without the root %s", load, root)
			}
		}
		if images, err := parseSyncInfo(b); err == nil && len(images) > len(b) {
			t.Errorf("%d images in %d bytes", len(images), len(b))
		}
		_ = checkDirectory(b)
		_ = checkLogo(b)
	})
}

// FuzzSIP: a message that was read has its five headers, and an answer's Via can be made of it.
func FuzzSIP(f *testing.F) {
	f.Add([]byte("OPTIONS sip:1@h SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1:5070;rport\r\nf: a\r\nt: b\r\ni: c\r\nCSeq: 1 OPTIONS\r\n folded\r\n\r\nbody"))
	f.Add([]byte("SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\r\n"))
	from := netip.MustParseAddrPort("192.0.2.9:1234")
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseSIP(b)
		if err != nil {
			return
		}
		if m.get("via") == "" || m.get("cseq") == "" || (m.method == "") == (m.code == 0) || strings.ContainsAny(m.get("call-id"), "\r") && !bytes.Contains(b, []byte("\r")) {
			t.Errorf("found %+v", m)
		}
		if to, _ := viaTarget(m.get("via"), from); to.Addr() != from.Addr() {
			t.Errorf("an answer to %s would go to %s", from, to)
		}
	})
}

func TestADHCPFrameIsReadBack(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte{7}, 301)
	frame := dhcpFrame(phone.MAC{0, 1, 2, 3, 4, 5}, netip.MustParseAddr("10.77.1.9"), payload)
	h, body, _ := parseEther(frame)
	u, ok := parseUDP(body)
	if h.dst != everybody() || !ok || !u.checksum || !bytes.Equal(u.payload, payload) || u.src.String() != "10.77.1.9:68" || u.dst.Port() != 67 {
		t.Errorf("found %+v %+v %v", h, u, ok)
	}
	body[ipv4Size+udpSize+5]++
	if u, _ := parseUDP(body); u.checksum {
		t.Error("a changed byte was not noticed")
	}
	a, ok := parseARP(arpFrame(phone.MAC{0, 1, 2, 3, 4, 5}, netip.IPv4Unspecified(), netip.MustParseAddr("10.77.1.9"))[etherSize:])
	if !ok || a.op != arpRequest || a.targetIP.String() != "10.77.1.9" || !a.senderIP.IsUnspecified() || a.senderMAC != (phone.MAC{0, 1, 2, 3, 4, 5}) {
		t.Errorf("found %+v", a)
	}
}

// FuzzFrame: no frame makes the link read outside of it, whatever it says of its length.
func FuzzFrame(f *testing.F) {
	f.Add(dhcpFrame(phone.MAC{0, 1, 2, 3, 4, 5}, netip.IPv4Unspecified(), make([]byte, 300)))
	f.Add(arpFrame(phone.MAC{0, 1, 2, 3, 4, 5}, netip.IPv4Unspecified(), netip.MustParseAddr("10.77.1.9")))
	for _, port := range []uint16{68, 69, 70} {
		b := udpFrame(phone.MAC{2, 1, 2, 3, 4, 5}, 1, netip.MustParseAddrPort("10.77.0.1:67"), netip.AddrPortFrom(netip.MustParseAddr("10.77.1.9"), port), make([]byte, 44))
		copy(b, []byte{0, 1, 2, 3, 4, 5})
		f.Add(b)
	}
	ping := icmpFrame(phone.MAC{2, 1, 2, 3, 4, 5}, 1, netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.1.9"), icmpEcho, 0, [4]byte{1}, []byte("x"))
	copy(ping, []byte{0, 1, 2, 3, 4, 5})
	f.Add(ping)
	f.Fuzz(func(t *testing.T, b []byte) {
		w := bareWire()
		if err := w.SetFaults(Faults{Dup: 1}); err != nil {
			t.Fatal(err)
		}
		own := netip.MustParseAddr("10.77.1.9")
		probing := newWireNIC(w, phone.MAC{0, 1, 2, 3, 4, 6})
		probing.addr, probing.probing = netip.MustParseAddr("10.77.1.10"), true
		n := newWireNIC(w, phone.MAC{0, 1, 2, 3, 4, 5})
		w.byMAC[n.mac], w.byAddr[own], w.byAddr[probing.addr] = n, n, probing
		n.skipProbe()
		if err := n.Up(t.Context(), Lease{Address: netip.PrefixFrom(own, 16)}); err != nil {
			t.Fatal(err)
		}
		c, err := n.ListenUDP(68 + 1)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		w.arrive(b)
		select {
		case p := <-n.dhcp:
			if !bytes.Contains(b, p.Payload) || len(p.Payload) < bootpMin {
				t.Errorf("found %d bytes that are not the frame's", len(p.Payload))
			}
		default:
		}
	})
}

// ack makes an ACK with every option that a phone needs.
func ack(change ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	box := netip.MustParseAddr("10.77.0.1").AsSlice()
	m, _ := dhcpv4.New(append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithYourIP([]byte{10, 77, 1, 1}), dhcpv4.WithServerIP(box),
		dhcpv4.WithNetmask([]byte{255, 255, 0, 0}), dhcpv4.WithLeaseTime(3600), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(box)),
		dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(optionTFTPServers), box), dhcpv4.WithOption(dhcpv4.OptTFTPServerName("10.77.0.1")),
	}, change...)...)
	return m
}

func TestLeaseFaults(t *testing.T) {
	t.Parallel()
	l, faults := readLease(ack())
	if len(faults) > 0 || l.TFTP.String() != "10.77.0.1" || l.Address.String() != "10.77.1.1/16" || l.Times != (LeaseTimes{30 * time.Minute, 52*time.Minute + 30*time.Second, time.Hour}) {
		t.Errorf("found %+v, faults %q", l, faults)
	}
	t1 := func(s byte) dhcpv4.Modifier {
		return dhcpv4.WithGeneric(dhcpv4.OptionRenewTimeValue, []byte{0, 0, s, 0})
	}
	t2 := func(s byte) dhcpv4.Modifier {
		return dhcpv4.WithGeneric(dhcpv4.OptionRebindingTimeValue, []byte{0, 0, s, 0})
	}
	for _, c := range []struct {
		name, want string
		change     []dhcpv4.Modifier
	}{
		{"another address in option 150", "not told alike", []dhcpv4.Modifier{dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(optionTFTPServers), []byte{10, 77, 0, 2})}},
		{"no option 66", "not told alike", []dhcpv4.Modifier{dhcpv4.WithoutOption(dhcpv4.OptionTFTPServerName)}},
		{"a name in option 66", "not told alike", []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptTFTPServerName("tftp"))}},
		{"no siaddr", "not told alike", []dhcpv4.Modifier{dhcpv4.WithServerIP([]byte{0, 0, 0, 0})}},
		{"no mask", "option 1", []dhcpv4.Modifier{dhcpv4.WithoutOption(dhcpv4.OptionSubnetMask)}},
		{"no lease time", "option 51", []dhcpv4.Modifier{dhcpv4.WithoutOption(dhcpv4.OptionIPAddressLeaseTime)}},
		{"no server identifier", "option 54", []dhcpv4.Modifier{dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier)}},
		{"T1 alone", "not both", []dhcpv4.Modifier{t1(1)}},
		{"T1 after T2", "T1 before T2", []dhcpv4.Modifier{t1(9), t2(8)}},
		{"a router elsewhere", "outside", []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptRouter([]byte{10, 78, 0, 1}))}},
		{"the broadcast address", "broadcast address", []dhcpv4.Modifier{dhcpv4.WithYourIP([]byte{10, 77, 255, 255})}},
	} {
		_, faults := readLease(ack(c.change...))
		if len(faults) != 1 || !strings.Contains(faults[0], c.want) {
			t.Errorf("%s: found %q, wanted one fault with %q", c.name, faults, c.want)
		}
	}
}

// FuzzLease: an ACK that can be unpacked gives times in order.
func FuzzLease(f *testing.F) {
	f.Add(ack().ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := dhcpv4.FromBytes(b)
		if err != nil {
			return
		}
		l, _ := readLease(m)
		if x := l.Times; x.Lease != 0 && (x.T1 <= 0 || x.T1 >= x.T2 || x.T2 >= x.Lease) {
			t.Errorf("found %+v", x)
		}
	})
}

func TestLoadNames(t *testing.T) {
	t.Parallel()
	for load, want := range map[string]struct {
		protocol phone.Protocol
		major    int
		loader   bool
	}{
		"P0S3-8-12-00": {phone.SIP, 8, false}, "P0S3-07-4-00": {phone.SIP, 7, false}, "P0S30202": {phone.SIP, 2, false},
		"P003-8-12-00": {phone.SCCP, 8, true}, "P00307020300": {phone.SCCP, 7, true}, "P00305000500": {phone.SCCP, 5, false},
		"P00303020214": {phone.SCCP, 3, false}, "P0M3": {phone.MGCP, 0, false}, "": {phone.ProtocolUnknown, 0, false},
	} {
		if p, m, l := loadProtocol(load), loadMajor(load), carriesLoader(load); p != want.protocol || m != want.major || l != want.loader {
			t.Errorf("%s: found %s %d %v, wanted %+v", load, p, m, l, want)
		}
	}
}

func TestAddressesHeldTwice(t *testing.T) {
	t.Parallel()
	b := newAddressBook()
	a, one, two := netip.MustParseAddr("10.77.1.1"), phone.MAC{1}, phone.MAC{2}
	for i, c := range []struct {
		mac  phone.MAC
		want bool
	}{{one, true}, {one, true}, {two, false}, {two, false}} {
		if got := b.claim(a, c.mac); got != c.want {
			t.Errorf("claim %d: found %v, wanted %v", i, got, c.want)
		}
	}
	b.drop(a, two)
	b.drop(a, one)
	if !b.claim(a, two) || len(b.Duplicates()) != 1 || b.Duplicates()[0] != (Duplicate{a, one, two}) {
		t.Errorf("found %v", b.Duplicates())
	}
}
