package phonesim_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/miekg/dns"
	"github.com/pin/tftp/v3"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// nextNet gives each test a /16 of 127/8 of its own.
var nextNet atomic.Int32

// office is a small set of servers on loopback, made by hand for these tests: none of them is ours.
type office struct {
	t       *testing.T
	net     byte
	Server  netip.Addr
	Ports   phonesim.Ports
	Domain  string
	mu      sync.Mutex
	files   map[string][]byte // by name in lower case; the TFTP server strips "./" and "/"
	asked   []string          // read requests, in order
	leases  map[string]netip.Addr
	packets []*dhcpv4.DHCPv4                                 // what the DHCP server got
	change  func(request, answer *dhcpv4.DHCPv4) (send bool) // may be nil; called before each answer
	lease   time.Duration
	names   map[string]netip.Addr
	srv     map[string]uint16 // ports of proxy.<Domain> by the name of the SRV record
	web     *httptest.Server
	onRRQ   func(name string) // may be nil
	same    bool              // every phone is told the same address
	wire    bool              // on a wire, not behind relays
	lan     *testkit.LAN      // of the wire
}

// bareOffice has no servers yet.
func bareOffice(t *testing.T) *office {
	return &office{
		t: t, net: byte(100 + nextNet.Add(1)), files: map[string][]byte{}, leases: map[string]netip.Addr{},
		lease: 8 * time.Hour, Domain: "voice.home.arpa", names: map[string]netip.Addr{}, srv: map[string]uint16{},
	}
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := bareOffice(t)
	o.Server = netip.AddrFrom4([4]byte{127, o.net, 0, 1})
	o.serveDHCP()
	o.serveTFTP()
	o.serveSNTP()
	o.serveDNS()
	o.serveHTTP()
	return o
}

func (o *office) link() *phonesim.Loopback {
	o.t.Helper()
	l, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: o.Server, Ports: o.Ports})
	if err != nil {
		o.t.Fatal(err)
	}
	return l
}

func (o *office) listen() *net.UDPConn {
	o.t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(o.Server, 0)))
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { c.Close() })
	return c
}

func portOf(a net.Addr) uint16 { return uint16(a.(*net.UDPAddr).Port) }

// serveDHCP answers relays to their source port, and only those that ask for it.
func (o *office) serveDHCP() {
	c := o.listen()
	o.Ports.DHCP = portOf(c.LocalAddr())
	go func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			m, err := dhcpv4.FromBytes(bytes.Clone(buf[:n]))
			if err != nil {
				o.t.Errorf("the DHCP server got what is no DHCP: %v", err)
				continue
			}
			if a := o.answerDHCP(m, from); a != nil {
				_, _ = c.WriteToUDPAddrPort(a.ToBytes(), from)
			}
		}
	}()
}

func (o *office) answerDHCP(m *dhcpv4.DHCPv4, from netip.AddrPort) *dhcpv4.DHCPv4 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.packets = append(o.packets, m)
	relay := m.RelayAgentInfo()
	if !o.wire && (m.GatewayIPAddr.String() != from.Addr().String() || m.HopCount != 1 || relay == nil || !relay.Options.Has(dhcpv4.GenericOptionCode(19))) {
		o.t.Errorf("a DHCP packet is not that of a relay with a source port of its own: %s", m.Summary())
		return nil
	}
	addr, ok := o.leases[m.ClientHWAddr.String()]
	if !ok {
		subnet := o.Server.As4()
		addr = netip.AddrFrom4([4]byte{subnet[0], subnet[1], byte(1 + len(o.leases)/250), byte(len(o.leases)%250 + 1)})
		if o.same {
			addr = netip.AddrFrom4([4]byte{subnet[0], subnet[1], 1, 1})
		}
		o.leases[m.ClientHWAddr.String()] = addr
	}
	a, err := dhcpv4.NewReplyFromRequest(m)
	if err != nil {
		o.t.Error(err)
		return nil
	}
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		a.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer))
	case dhcpv4.MessageTypeRequest:
		a.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeAck))
		if r := m.RequestedIPAddress(); r != nil && !r.Equal(addr.AsSlice()) {
			a.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
		}
	default:
		delete(o.leases, m.ClientHWAddr.String())
		o.leases["declined "+addr.String()] = addr
		return nil
	}
	o.fill(a, addr)
	if o.change != nil && !o.change(m, a) {
		return nil
	}
	return a
}

func (o *office) fill(a *dhcpv4.DHCPv4, addr netip.Addr) {
	box := net.IP(o.Server.AsSlice())
	a.YourIPAddr = addr.AsSlice()
	a.ServerIPAddr = box
	a.UpdateOption(dhcpv4.OptServerIdentifier(box))
	a.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(16, 32)))
	a.UpdateOption(dhcpv4.OptIPAddressLeaseTime(o.lease))
	a.UpdateOption(dhcpv4.OptRouter(box))
	a.UpdateOption(dhcpv4.OptDNS(box))
	a.UpdateOption(dhcpv4.OptDomainName(o.Domain))
	a.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(150), box.To4()))
	a.UpdateOption(dhcpv4.OptTFTPServerName(o.Server.String()))
}

func (o *office) serveTFTP() {
	c := o.listen()
	o.Ports.TFTP = portOf(c.LocalAddr())
	if o.wire {
		go o.serveWiredTFTP(c)
		return
	}
	s := tftp.NewServer(func(name string, w io.ReaderFrom) error {
		content, ok := o.fileAsked(name)
		if !ok {
			return os.ErrNotExist
		}
		_, err := w.ReadFrom(bytes.NewReader(content))
		return err
	}, nil)
	s.SetTimeout(200 * time.Millisecond) // a transfer that a phone left holds up the end of the test otherwise
	s.SetRetries(1)
	go func() { _ = s.Serve(c) }()
	o.t.Cleanup(s.Shutdown)
}

func (o *office) serveSNTP() {
	c := o.listen()
	o.Ports.SNTP = portOf(c.LocalAddr())
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			a := make([]byte, 48)
			a[0], a[1] = buf[0]&0x38|4, 2
			copy(a[24:32], buf[40:48])
			now := time.Now().Add(90 * time.Second) // the phone is to see this offset
			binary.BigEndian.PutUint32(a[32:], uint32(now.Unix()+2208988800))
			copy(a[40:48], a[32:40])
			_, _ = c.WriteToUDPAddrPort(a, from)
		}
	}()
}

func (o *office) serveDNS() {
	c := o.listen()
	o.Ports.DNS = portOf(c.LocalAddr())
	started := make(chan struct{})
	s := &dns.Server{PacketConn: c, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		a := new(dns.Msg).SetReply(m)
		name := strings.TrimSuffix(m.Question[0].Name, ".")
		o.mu.Lock()
		addr, ok := o.names[name]
		port, isSRV := o.srv[name]
		o.mu.Unlock()
		switch {
		case m.Question[0].Qtype == dns.TypeA && ok:
			rr, _ := dns.NewRR(fmt.Sprintf("%s. 60 IN A %s", name, addr))
			a.Answer = append(a.Answer, rr)
		case m.Question[0].Qtype == dns.TypeSRV && isSRV:
			rr, _ := dns.NewRR(fmt.Sprintf("%s. 60 IN SRV 0 0 %d proxy.%s.", name, port, o.Domain))
			a.Answer = append(a.Answer, rr)
		default:
			a.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(a)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-started
	o.t.Cleanup(func() { _ = s.Shutdown() })
}

// serveProxy makes pbx.<Domain> a proxy that asks for a password, found by SRV.
func (o *office) serveProxy() netip.AddrPort {
	c := o.listen()
	at := netip.AddrPortFrom(o.Server, portOf(c.LocalAddr()))
	o.mu.Lock()
	o.srv["_sip._udp.pbx."+o.Domain] = at.Port()
	o.names["proxy."+o.Domain] = o.Server
	o.mu.Unlock()
	go func() {
		buf := make([]byte, 4000)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			head, _, _ := strings.Cut(string(buf[:n]), "\r\n\r\n")
			lines := strings.Split(head, "\r\n")
			if lines[0] != "REGISTER sip:pbx SIP/2.0" {
				o.t.Errorf("the proxy got %q", lines[0])
			}
			answer := "SIP/2.0 401 Unauthorized\r\n"
			for _, l := range lines[1:] {
				if name, _, _ := strings.Cut(l, ":"); strings.Contains("Via From To Call-ID CSeq", name) {
					answer += l + "\r\n"
				}
			}
			_, _ = c.WriteToUDPAddrPort([]byte(answer+"Content-Length: 0\r\n\r\n"), from)
		}
	}()
	return at
}

func (o *office) serveHTTP() {
	l, err := net.Listen("tcp4", netip.AddrPortFrom(o.Server, 0).String())
	if err != nil {
		o.t.Fatal(err)
	}
	o.web = &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/phone/logo.bmp":
			_, _ = w.Write(bitmap())
		case "/phone/directory.xml":
			_, _ = io.WriteString(w, "<CiscoIPPhoneDirectory><Title>x</Title><DirectoryEntry><Name>A</Name><Telephone>1</Telephone></DirectoryEntry></CiscoIPPhoneDirectory>")
		default:
			http.NotFound(w, r)
		}
	})}}
	o.web.Start()
	o.t.Cleanup(o.web.Close)
}

// bitmap is a plain logo of 90 by 56 pixels (phones.md e): 6230 bytes.
func bitmap() []byte {
	b := make([]byte, 14+40+1024+92*56)
	copy(b, "BM")
	binary.LittleEndian.PutUint32(b[2:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[10:], 14+40+1024)
	binary.LittleEndian.PutUint32(b[14:], 40)
	binary.LittleEndian.PutUint32(b[18:], 90)
	binary.LittleEndian.PutUint32(b[22:], 56)
	binary.LittleEndian.PutUint16(b[28:], 8)
	return b
}

// set changes fields while the servers run.
func (o *office) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

// put offers files: name, content, name, content.
func (o *office) put(pairs ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := 0; i < len(pairs); i += 2 {
		o.files[strings.ToLower(pairs[i])] = []byte(pairs[i+1])
	}
}

// requests returns the names that were asked for so far, in order.
func (o *office) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.asked...)
}

// messages returns the types of the DHCP messages so far.
func (o *office) messages() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var types []string
	for _, m := range o.packets {
		types = append(types, m.MessageType().String())
	}
	return types
}

// sepXML names a load for one phone.
func sepXML(load string) string {
	return "<device>\n<deviceProtocol>SIP</deviceProtocol>\n<loadInformation>" + load + "</loadInformation>\n</device>\n"
}

// configure offers what a phone on SIP 8.12 needs.
func (o *office) configure(mac phone.MAC) {
	o.shelf("P0S3-8-12-00", "P003-8-12-00", "PAS30830")
	o.put("SEP"+mac.Name()+".cnf.xml", sepXML("P0S3-8-12-00"),
		"SIPDefault.cnf", "image_version: \"P0S3-8-12-00\"\ntftp_cfg_dir: \"./\"\nsync: 1\nsntp_mode: unicast\nsntp_server: \""+o.Server.String()+
			"\"\ndial_template: dialplan\nproxy1_address: \"pbx\" ; where calls go\nproxy_register: 1\nlogo_url: \""+o.web.URL+
			"/phone/logo.bmp\"\ndirectory_url: \""+o.web.URL+"/phone/directory.xml\"\n",
		"SIP"+mac.Name()+".cnf", "line1_name: \"208\"\nline1_password: \"sip\"\nline2_name: \"\"\n",
		"RINGLIST.DAT", "Old Style\tring.pcm\n", "dialplan.xml", "<DIALTEMPLATE><TEMPLATE MATCH=\"*\" Timeout=\"5\"/></DIALTEMPLATE>\n")
}

// shelf offers the four files of a load.
func (o *office) shelf(load, loader, id string) {
	o.put(load+".loads", string(signed(load+".loads", []byte(loader+".sbn\n"+load+".sb2\nLA_VERSION="+id+"\n"))),
		load+".sb2", string(signed(load+".sb2", image(load, "PAS3ARM1", 20_000))),
		loader+".sbn", string(signed(loader+".sbn", image(loader, id, 10_000))),
		loader+".bin", string(image(loader, id, 10_000)))
}

// signed wraps a payload as phones.md c.2 describes it.
func signed(name string, payload []byte) []byte {
	tlv := func(tag byte, value []byte) []byte {
		return append([]byte{tag, byte(len(value) >> 8), byte(len(value))}, value...)
	}
	const length = 404
	h := tlv(1, []byte{1, 1})
	h = append(h, tlv(2, []byte{length >> 8, length & 0xFF})...)
	h = append(h, tlv(3, make([]byte, 40))...)
	h = append(h, tlv(0x0C, make([]byte, 256))...)
	h = append(h, tlv(0x0E, append([]byte(name), 0))...)
	h = append(h, bytes.Repeat([]byte{0x0D}, length-len(h))...)
	return append(h, payload...)
}

// image is an unsigned image as phones.md c.2 describes it.
func image(name, id string, size int) []byte {
	b := bytes.Repeat([]byte{0xE1}, size)
	copy(b[0x20:], append([]byte(name), 0))
	copy(b[0x120:], id)
	return b
}

func mac(last byte) phone.MAC { return phone.MAC{0x00, 0x06, 0xD7, 0xAA, 0x2A, last} }
