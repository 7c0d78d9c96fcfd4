package e2e_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/ntp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// askTime asks the box over NTP, from the laptop.
func (b *box) askTime() *ntp.Response {
	b.t.Helper()
	a, err := ntp.QueryWithOptions(boxAddr, ntp.QueryOptions{Dialer: func(_, remote string) (net.Conn, error) {
		return testkit.In(b.t, b.lan.Node("laptop"), func() (net.Conn, error) { return net.Dial("udp4", remote) }), nil
	}})
	if err != nil {
		b.t.Fatalf("asking the time: %v", err)
	}
	return a
}

// formOf makes a form that uploads files, all in one field, or each in a field of its own name for field "".
func formOf(t *testing.T, field string, files map[string][]byte) (body *bytes.Buffer, kind string) {
	t.Helper()
	body = &bytes.Buffer{}
	form := multipart.NewWriter(body)
	for name, content := range files {
		in := field
		if in == "" {
			in = name
		}
		part, err := form.CreateFormFile(in, name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(content) // to memory
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return body, form.FormDataContentType()
}

// uploadFirmware uploads files as a person does on the page, in one form, and wants each to be taken.
func (m *machine) uploadFirmware(files map[string][]byte) {
	m.t.Helper()
	body, kind := formOf(m.t, "files", files)
	code, answer, _ := m.call(m.laptop, http.MethodPost, "/api/v1/firmware", body.Bytes(), "Content-Type", kind)
	if code != http.StatusOK {
		m.t.Fatalf("uploading firmware: found %d: %s", code, answer)
	}
	var a struct {
		Verdicts []struct {
			Name string
			OK   bool
		}
	}
	if err := json.Unmarshal(answer, &a); err != nil || len(a.Verdicts) != len(files) {
		m.t.Errorf("uploading %d files: %v: %s", len(files), err, answer)
	}
	for _, v := range a.Verdicts {
		if !v.OK {
			m.t.Errorf("uploading %s: it was not taken: %s", v.Name, answer)
		}
	}
}

// gauge reads a metric without labels. The box gives them to itself alone without a login; the laptop has one.
func (m *machine) gauge(name string) float64 {
	m.t.Helper()
	code, body, _ := m.call(m.laptop, http.MethodGet, "/metrics", nil)
	if code != http.StatusOK {
		m.t.Fatalf("/metrics: found %d", code)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				m.t.Fatal(err)
			}
			return v
		}
	}
	m.t.Fatalf("/metrics has no %s", name)
	return 0
}

// waitServing waits until the box gives out addresses.
func (m *machine) waitServing() {
	m.t.Helper()
	testkit.Eventually(m.t, bootPatience, "every service runs", func() bool { return m.status().Ready })
}

// udpFrame is what matters of a frame with UDP in it.
type udpFrame struct {
	from, to net.HardwareAddr
	ip       *layers.IPv4
	udp      *layers.UDP
}

// udpFrames decodes the frames with UDP in them from the n-th on.
func udpFrames(c *testkit.Capture, n int) []udpFrame {
	var out []udpFrame
	for _, f := range c.Frames()[n:] {
		p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.NoCopy)
		eth, _ := p.LinkLayer().(*layers.Ethernet)
		ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		udp, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if eth != nil && ip != nil && udp != nil {
			out = append(out, udpFrame{from: eth.SrcMAC, to: eth.DstMAC, ip: ip, udp: udp})
		}
	}
	return out
}

// What a look for other DHCP servers consists of: an INFORM, and DISCOVERs of a made-up device.
const lookInform, lookDiscover = "INFORM", "DISCOVER of a made-up device"

// askedByMachine counts by protocol what the computer asked of others: requests to DHCP, NTP and DNS servers, whatever
// the address that they carry, and all that left for another network.
func askedByMachine(t *testing.T, c *testkit.Capture) map[string]int {
	t.Helper()
	out := map[string]int{}
	local := netip.MustParsePrefix(boxAddr + "/16")
	for _, f := range udpFrames(c, 0) {
		// The laptop's and the phones' own frames are not the computer's; its probes carry a made-up MAC.
		if from := f.from.String(); from == "02:00:00:00:77:20" || strings.HasPrefix(from, "00:06:d7:") {
			continue
		}
		dst, _ := netip.AddrFromSlice(f.ip.DstIP.To4())
		switch {
		case f.udp.DstPort == 67:
			m, err := dhcpv4.FromBytes(f.udp.Payload)
			if err != nil {
				t.Fatalf("the computer sent a damaged DHCP message: %v", err)
			}
			switch {
			case m.MessageType() == dhcpv4.MessageTypeInform:
				out[lookInform]++
			case m.MessageType() == dhcpv4.MessageTypeDiscover && m.ClientHWAddr.String() != machineMAC && f.from[0]&2 != 0:
				out[lookDiscover]++
			default:
				out["DHCP "+m.MessageType().String()+" for "+m.ClientHWAddr.String()]++
			}
		case f.udp.DstPort == 123 && f.udp.SrcPort != 123:
			out["NTP"]++
		case f.udp.DstPort == 53:
			out["DNS"]++
		case !local.Contains(dst) && !dst.IsMulticast() && dst != netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			out[dst.String()]++
		}
	}
	return out
}

// acknowledgedSince returns the leases that were acknowledged on the wire from the n-th frame on, by phone.
func acknowledgedSince(t *testing.T, c *testkit.Capture, n int) map[phone.MAC]netip.Addr {
	t.Helper()
	out := map[phone.MAC]netip.Addr{}
	for _, f := range udpFrames(c, n) {
		if f.udp.SrcPort != 67 || f.from.String() != machineMAC {
			continue
		}
		m, err := dhcpv4.FromBytes(f.udp.Payload)
		if err != nil {
			t.Errorf("the computer sent a damaged DHCP message: %v", err)
			continue
		}
		if m.MessageType() != dhcpv4.MessageTypeAck || len(m.ClientHWAddr) != 6 {
			continue
		}
		addr, _ := netip.AddrFromSlice(m.YourIPAddr.To4())
		out[phone.MAC(m.ClientHWAddr)] = addr
	}
	return out
}
