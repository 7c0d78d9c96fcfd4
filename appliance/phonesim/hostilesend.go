package phonesim

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"phonebox/services/phone"
)

// hostileMessage makes a message in the name of a hardware address.
func hostileMessage(mac phone.MAC, t dhcpv4.MessageType, xid dhcpv4.TransactionID) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet, TransactionID: xid,
		ClientHWAddr: net.HardwareAddr(append([]byte(nil), mac[:]...)),
		ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
		Options: dhcpv4.Options{},
	}
	m.UpdateOption(dhcpv4.OptMessageType(t))
	m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClientIdentifier, append([]byte{1}, mac[:]...)))
	if t == dhcpv4.MessageTypeDiscover || t == dhcpv4.MessageTypeRequest {
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionParameterRequestList, parameterList()))
		m.SetBroadcast()
	}
	return m
}

// xid draws a transaction.
func (a *attack) xid() (x dhcpv4.TransactionID) {
	binary.BigEndian.PutUint32(x[:], a.rand.Uint32())
	return x
}

// discover asks for an address in the name of the next made-up device.
func (a *attack) discover() error {
	mac := a.member()
	return a.cfg.Wire.send(dhcpFrame(mac, netip.IPv4Unspecified(), hostileMessage(mac, dhcpv4.MessageTypeDiscover, a.xid()).ToBytes()))
}

// spoof asks for an address in the name of somebody else than the frame's sender: made up, or a phone.
func (a *attack) spoof() error {
	mac := a.member()
	if victim, _, ok := a.victim(); ok && a.next%2 == 0 {
		mac = victim
	}
	return a.cfg.Wire.send(dhcpFrame(a.cfg.MAC, netip.IPv4Unspecified(), hostileMessage(mac, dhcpv4.MessageTypeDiscover, a.xid()).ToBytes()))
}

// decline says in the name of a phone that its address is in use; before there is a phone, in the name of a made-up one that
// the server's own address is.
func (a *attack) decline(nic *wireNIC, lease Lease) error {
	mac, addr, ok := a.victim()
	if !ok {
		mac, addr = a.member(), lease.Server
	}
	m := hostileMessage(mac, dhcpv4.MessageTypeDecline, a.xid())
	m.UpdateOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice()))
	m.UpdateOption(dhcpv4.OptServerIdentifier(lease.Server.AsSlice()))
	from := nic.mac
	if a.rand.IntN(2) == 0 {
		from = mac // with the phone's own hardware address on the frame, too
	}
	return a.cfg.Wire.send(dhcpFrame(from, netip.IPv4Unspecified(), m.ToBytes()))
}

// release gives up a phone's lease in its name.
func (a *attack) release(nic *wireNIC, lease Lease) error {
	mac, addr, ok := a.victim()
	if !ok {
		mac, addr = a.member(), lease.Server
	}
	m := hostileMessage(mac, dhcpv4.MessageTypeRelease, a.xid())
	m.ClientIPAddr = addr.AsSlice()
	m.UpdateOption(dhcpv4.OptServerIdentifier(lease.Server.AsSlice()))
	server := netip.AddrPortFrom(lease.Server, dhcpServerPort)
	return nic.sendIP(udpFrame(nic.mac, uint16(nic.ids.Add(1)), netip.AddrPortFrom(addr, dhcpClientPort), server, m.ToBytes()), lease.Server)
}

// Ports of the attacker's read requests, a part for each kind.
const (
	floodPorts = 10000
	halfPorts  = 30000
	portCount  = 20000
)

// base is the first of the attack's ports.
func (a *attack) base() int {
	if a.kind == HostileHalfOpen {
		return halfPorts
	}
	return floodPorts
}

// owns reports whether a port is one of the attack's.
func (a *attack) owns(port uint16) bool {
	return int(port) >= a.base() && int(port) < a.base()+portCount
}

// readRequest asks for a file from the next port.
func (a *attack) readRequest(nic *wireNIC, lease Lease) error {
	a.next++
	names := []string{"XMLDefault.cnf.xml", "SIPDefault.cnf", "RINGLIST.DAT", "dialplan.xml", "P0S3-8-12-00.loads", "P0S3-8-12-00.sb2", "SIP" + a.crowd.Name() + ".cnf"}
	rrq := append([]byte{0, opRRQ}, names[a.rand.IntN(len(names))]+"\x00octet\x00"...)
	return nic.sendUDP(uint16(a.base()+a.next%portCount), netip.AddrPortFrom(lease.TFTP, a.cfg.Ports.TFTP), rrq)
}

// garbage sends bytes without sense to a server, or a damaged DHCP message to everybody.
func (a *attack) garbage(nic *wireNIC, lease Lease) error {
	b := make([]byte, a.rand.IntN(600))
	for i := range b {
		b[i] = byte(a.rand.Uint32())
	}
	if a.next++; a.next%2 == 0 {
		m := hostileMessage(a.member(), dhcpv4.MessageTypeDiscover, a.xid()).ToBytes()
		m = m[:a.rand.IntN(len(m)+1)]
		for range a.rand.IntN(8) {
			if len(m) > 0 {
				m[a.rand.IntN(len(m))] = byte(a.rand.Uint32())
			}
		}
		return a.cfg.Wire.send(dhcpFrame(nic.mac, netip.IPv4Unspecified(), m))
	}
	ports := []uint16{dhcpServerPort, a.cfg.Ports.TFTP, a.cfg.Ports.SNTP, a.cfg.Ports.DNS}
	server := netip.AddrPortFrom(lease.TFTP, ports[a.rand.IntN(len(ports))])
	return nic.sendUDP(uint16(9000+a.rand.IntN(1000)), server, b)
}
