package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/miekg/dns"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// TestGarbage sends two thousand random and mutated packets to each UDP port: none of them panics, and afterwards all
// works.
func TestGarbage(t *testing.T) {
	waiting.enter(t)
	const each = 2000
	lan := office(t, testkit.Host{Name: "wire"}, testkit.Host{Name: "noise", MAC: "02:00:00:00:77:99", Addr: netip.MustParsePrefix("10.77.0.99/16")})
	mac := mustMAC("00:06:d7:67:00:00")
	b := startBox(t, lan, site{phones: listed(mac, 1)}.text(), map[string][]byte{"chime.pcm": make([]byte, 4000)})
	b.setClock()
	noise := rand.New(rand.NewPCG(2026, 67)) // repeatable
	for _, target := range []struct {
		service string
		port    int
		real    [][]byte
	}{
		{"dhcp", 67, dhcpPackets(t)},
		{"tftp", 69, tftpPackets()},
		{"sntp", 123, sntpPackets()},
		{"dns", 53, dnsPackets(t)},
		{"sip", sipPort(t, b), sipPackets()},
	} {
		service := target.service
		counted := func() float64 {
			return b.metric("phonebox_"+service+"_dropped_total", "") + b.metric("phonebox_"+service+"_refused_total", "")
		}
		before := counted()
		sendGarbage(t, b, target.port, each, target.real, noise)
		testkit.Eventually(t, patience, service+" counts garbage as dropped", func() bool { return counted() > before })
		t.Logf("%s: %g of %d packets were dropped or refused with a reason", service, counted()-before, each)
	}
	_, metrics, _ := b.call(b.inside, http.MethodGet, "/metrics", nil)
	for _, service := range []string{"dhcp", "tftp", "sntp", "dns", "sip", "web"} {
		if n := panics(t, string(metrics), service); n != 0 {
			t.Errorf("%s: %g packets panicked", service, n)
		}
	}
	testkit.Eventually(t, patience, "the box is well again", func() bool {
		code, _, _ := b.call(b.laptop, http.MethodGet, "/healthz", nil)
		return code == http.StatusOK
	})
	r, _ := boot(t, phonesim.Config{Link: newWire(t, lan.Node("wire")), MAC: mac})
	if r.ClockOffset == nil || len(r.Lines) != 1 || len(r.Pages) < 2 || r.Pages[0].Status != http.StatusOK {
		t.Errorf("after the garbage the phone has clock %v, lines %v and pages %+v", r.ClockOffset, r.Lines, r.Pages)
	}
}

// sendGarbage sends n packets to a port, half of them random, half real ones with some bytes changed, cut or doubled.
func sendGarbage(t *testing.T, b *box, port, n int, real [][]byte, r *rand.Rand) {
	t.Helper()
	node := b.lan.Node("noise")
	var conns []net.PacketConn
	for range 4 {
		conn := testkit.In(t, node, func() (net.PacketConn, error) { return net.ListenPacket("udp4", node.Addr.Addr().String()+":0") })
		defer conn.Close()
		conns = append(conns, conn)
	}
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr(boxAddr), uint16(port)))
	for i := range n {
		packet := make([]byte, r.IntN(700))
		for j := range packet {
			packet[j] = byte(r.Uint32())
		}
		if i%2 == 1 {
			packet = mutate(real[r.IntN(len(real))], r)
		}
		if _, err := conns[i%len(conns)].WriteTo(packet, to); err != nil {
			t.Fatalf("sending garbage to port %d: %v", port, err)
		}
		if i%50 == 49 { // the box keeps up, so that no packet is lost before it is read
			if code, _, _ := b.call(b.laptop, http.MethodGet, "/alive", nil); code != http.StatusNoContent {
				t.Fatalf("the page answers %d in the midst of garbage for port %d", code, port)
			}
		}
	}
}

func mutate(real []byte, r *rand.Rand) []byte {
	p := slices.Clone(real)
	for range 1 + r.IntN(8) {
		if len(p) == 0 {
			break
		}
		at := r.IntN(len(p))
		switch r.IntN(4) {
		case 0:
			p[at] = byte(r.Uint32())
		case 1:
			p[at] ^= 1 << r.IntN(8)
		case 2:
			p = p[:at]
		case 3:
			p = append(p, p[at:]...)
		}
	}
	return p[:min(len(p), 1400)]
}

func dhcpPackets(t *testing.T) (out [][]byte) {
	t.Helper()
	hw := net.HardwareAddr{0x02, 0, 0, 0, 0x99, 0x99}
	for _, kind := range []dhcpv4.MessageType{
		dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeDecline, dhcpv4.MessageTypeRelease, dhcpv4.MessageTypeInform,
	} {
		m, err := dhcpv4.New(dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr(hw),
			dhcpv4.WithOption(dhcpv4.OptClassIdentifier("Cisco Systems, Inc. IP Phone CP-7960G\x00")),
			dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(10, 77, 1, 1))),
			dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionOptionOverload, []byte{3})),
			dhcpv4.WithRequestedOptions(dhcpv4.OptionTFTPServerName, dhcpv4.GenericOptionCode(150)))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m.ToBytes())
	}
	return out
}

func tftpPackets() [][]byte {
	return [][]byte{
		[]byte("\x00\x01chime.pcm\x00octet\x00"), []byte("\x00\x01SIP0006D7670000.cnf\x00octet\x00"),
		[]byte("\x00\x01chime.pcm\x00netascii\x00blksize\x001400\x00tsize\x000\x00timeout\x003\x00windowsize\x0016\x00"),
		[]byte("\x00\x02chime.pcm\x00octet\x00"),
		{0, 4, 0, 1},
		{0, 3, 0, 1, 'x'},
		[]byte("\x00\x05\x00\x01no\x00"), []byte("\x00\x06blksize\x00512\x00"),
	}
}

func sntpPackets() (out [][]byte) {
	for version := range byte(6) {
		p := make([]byte, 48)
		p[0] = version<<3 | 3
		out = append(out, p, append(slices.Clone(p), make([]byte, 20)...))
	}
	return out
}

func dnsPackets(t *testing.T) (out [][]byte) {
	t.Helper()
	for _, q := range []struct {
		name string
		kind uint16
	}{
		{"ciscocm1.voice.home.arpa.", dns.TypeA},
		{"1.0.77.10.in-addr.arpa.", dns.TypePTR},
		{"example.org.", dns.TypeANY},
		{"_sip._udp.voice.home.arpa.", dns.TypeSRV},
		{"voice.home.arpa.", dns.TypeAXFR},
	} {
		m := new(dns.Msg)
		m.SetQuestion(q.name, q.kind)
		m.SetEdns0(1232, true)
		p, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func sipPackets() [][]byte {
	request := "OPTIONS sip:phonebox@10.77.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.0.99:5060;branch=z9hG4bK1\r\nFrom: <sip:a@10.77.0.99>;tag=1\r\n" +
		"To: <sip:phonebox@10.77.0.1>\r\nCall-ID: 1@10.77.0.99\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	response := "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.77.0.1:5060;branch=z9hG4bK1\r\nFrom: <sip:a@10.77.0.1>;tag=1\r\nTo: <sip:b@10.77.0.99>;tag=2\r\n" +
		"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	return [][]byte{[]byte(request), []byte(strings.Replace(request, "OPTIONS", "INVITE", 2)), []byte(response)}
}

// sipPort finds the port that the SIP client of the box has: the UDP socket on its address that is none of the others.
func sipPort(t *testing.T, b *box) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", b.proc.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		local, hex, _ := strings.Cut(f[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err == nil && local == "01004D0A" && port > 1023 && strings.HasPrefix(f[2], "00000000:") {
			found = append(found, int(port))
		}
	}
	if len(found) != 1 {
		t.Fatalf("found the ports %v, wanted that of SIP alone:\n%s", found, text)
	}
	return found[0]
}
