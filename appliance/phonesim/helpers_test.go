package phonesim_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"phonebox/services/testkit"
)

func equal(a, b []string) bool { return slices.Equal(a, b) }

func allowBroadcast(_, _ string, c syscall.RawConn) error {
	var optErr error
	err := c.Control(func(fd uintptr) {
		optErr = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
			unix.BindToDevice(int(fd), testkit.Interface)) // there is no route to 255.255.255.255
	})
	return errors.Join(err, optErr)
}

// newWiredOffice opens the servers in the namespace of the calling thread.
func newWiredOffice(t *testing.T, server netip.Addr) *office {
	t.Helper()
	o := bareOffice(t)
	o.Server, o.wire = server, true
	ifi, err := net.InterfaceByName(testkit.Interface)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_LOOP, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	o.serveWiredDHCP(func(mac net.HardwareAddr, dst netip.Addr, payload []byte) error {
		_, err := pc.WriteTo(unicastFrame(ifi.HardwareAddr, mac, server, dst, payload), &packet.Addr{HardwareAddr: mac})
		return err
	})
	o.serveTFTP()
	o.serveSNTP()
	o.serveDNS()
	o.serveHTTP()
	return o
}

// unicastFrame is a DHCP answer to a client without an address; the UDP checksum is left out, as RFC 768 allows.
func unicastFrame(src, dst net.HardwareAddr, from, to netip.Addr, payload []byte) []byte {
	b := append(append([]byte{}, dst...), src...)
	b = append(b, 0x08, 0x00)
	ip := make([]byte, 28)
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	copy(ip[12:], from.AsSlice())
	copy(ip[16:], to.AsSlice())
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum>>16 + sum&0xFFFF
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(ip[20:], 67)
	binary.BigEndian.PutUint16(ip[22:], 68)
	binary.BigEndian.PutUint16(ip[24:], uint16(8+len(payload)))
	return append(append(b, ip...), payload...)
}

const (
	classOption     = dhcpv4.OptionClassIdentifier
	parameterOption = dhcpv4.OptionParameterRequestList
)

func sorted(f []float64) []float64 { return slices.Sorted(slices.Values(f)) }

func sipPort(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 5060) }

// probe sends OPTIONS to a phone that should be off.
func (o *office) probe(to netip.AddrPort) (string, error) {
	c, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(o.Server, 0)), net.UDPAddrFromAddrPort(to))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write([]byte("OPTIONS sip:x SIP/2.0\r\n\r\n")); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 100)
	n, err := c.Read(buf) // refused at once: nobody listens there
	return string(buf[:n]), err
}
