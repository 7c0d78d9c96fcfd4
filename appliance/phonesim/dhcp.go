package phonesim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// maxPacket is the largest datagram that a phone reads.
const maxPacket = 2048

// parameterList is option 55 in the order of the generic fingerprint (phones.md b).
func parameterList() []byte { return []byte{1, 66, 6, 3, 15, 150, 35} }

// vendorClass is option 60 with its trailing NUL: old images do not name the model (phones.md b).
func (p *Phone) vendorClass() []byte {
	p.mu.Lock()
	old := p.runs.LoaderID == ""
	p.mu.Unlock()
	if old {
		return []byte("Cisco Systems, Inc. IP Phone\x00")
	}
	return []byte("Cisco Systems, Inc. IP Phone CP-" + p.cfg.Model + "G\x00")
}

// message makes a client's message; started is when the exchange began.
func (p *Phone) message(t dhcpv4.MessageType, started time.Time) *dhcpv4.DHCPv4 {
	var xid dhcpv4.TransactionID
	p.mu.Lock()
	for i := range xid {
		xid[i] = byte(p.rand.Uint32())
	}
	host := strings.ToUpper(string(p.runs.protocol()))
	p.mu.Unlock()
	if host != "SIP" {
		host = "SEP" // what SCCP calls itself
	}
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet, TransactionID: xid,
		ClientHWAddr: net.HardwareAddr(append([]byte(nil), p.cfg.MAC[:]...)),
		NumSeconds:   uint16(min(time.Since(started)/time.Second, 1<<16-1)),
		ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
		Options: dhcpv4.Options{},
	}
	if p.cfg.Broadcast {
		m.SetBroadcast()
	}
	m.UpdateOption(dhcpv4.OptMessageType(t))
	m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClientIdentifier, append([]byte{1}, p.cfg.MAC[:]...)))
	m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionHostName, []byte(host+p.cfg.MAC.Name())))
	if t != dhcpv4.MessageTypeDecline {
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClassIdentifier, p.vendorClass()))
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionParameterRequestList, parameterList()))
	}
	return m
}

// ask sends m, and again after each of the waits (a second more or less), and returns the first answer that accept takes.
// It returns nil without an error when nothing acceptable came.
func (p *Phone) ask(ctx context.Context, m *dhcpv4.DHCPv4, server netip.Addr, waits []time.Duration,
	accept func(*dhcpv4.DHCPv4) bool,
) (*dhcpv4.DHCPv4, error) {
	begun, lost := time.Now(), uint64(0)
	for i, wait := range waits {
		if i > 0 {
			p.sentAgain(lost, func(r *Retransmissions) { r.DHCP++ })
			m.NumSeconds = uint16(min(time.Since(begun)/time.Second, 1<<16-1))
		}
		lost = p.lostFrames()
		if err := p.nic.SendDHCP(m, server); err != nil {
			return nil, err
		}
		p.mu.Lock()
		wait = jitter(p.rand, wait)
		p.mu.Unlock()
		answer, err := p.answer(ctx, m, wait, accept)
		if answer != nil || err != nil {
			return answer, err
		}
	}
	return nil, nil
}

// answer waits for an answer to m that accept takes.
func (p *Phone) answer(ctx context.Context, m *dhcpv4.DHCPv4, wait time.Duration, accept func(*dhcpv4.DHCPv4) bool) (*dhcpv4.DHCPv4, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, nil
		case packet := <-p.nic.DHCP():
			a, err := dhcpv4.FromBytes(packet.Payload)
			if err != nil {
				p.fault("DHCP: an answer could not be read: %v", err)
				continue
			}
			if packet.Unicast && p.cfg.Broadcast && m.ClientIPAddr.IsUnspecified() {
				p.fault("DHCP: %s came by unicast although the broadcast flag was set", a.MessageType())
				// A phone that sets the flag cannot receive it. Kea answers so all the same, in a frame to the phone alone; a
				// comparison of servers that counts half of its phones out would say nothing.
				if p.cfg.Profile != ProfileBasic {
					continue
				}
			}
			if p.forUs(m, a) && accept(a) {
				return a, nil
			}
		}
	}
}

// forUs reports whether a answers m.
func (p *Phone) forUs(m, a *dhcpv4.DHCPv4) bool {
	if a.OpCode != dhcpv4.OpcodeBootReply || a.TransactionID != m.TransactionID {
		if c, ok := p.nic.(frameCounter); ok {
			c.LateFrame()
		}
		return false
	}
	if !bytes.Equal(a.ClientHWAddr, p.cfg.MAC[:]) {
		p.fault("DHCP: an answer to our transaction carries the hardware address %s", a.ClientHWAddr)
		return false
	}
	if id := a.Options.Get(dhcpv4.OptionClientIdentifier); id != nil && !bytes.Equal(id, m.Options.Get(dhcpv4.OptionClientIdentifier)) {
		p.fault("DHCP: option 61 came back changed (RFC 6842)")
	}
	return true
}

// firstWaits are the waits of one round of retransmissions: 60 s in all (RFC 2131, 4.1).
func firstWaits() []time.Duration {
	return []time.Duration{4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second}
}

// lease gets an address and takes it: INIT-REBOOT when the phone remembers one, else from DISCOVER on, for as long as it
// takes.
func (p *Phone) lease(ctx context.Context) (Lease, error) {
	p.waiting("a DHCP lease", "")
	p.mu.Lock()
	remembered := p.runs.Address
	p.mu.Unlock()
	if remembered.IsValid() {
		ack, err := p.initReboot(ctx, remembered)
		if err != nil {
			return Lease{}, err
		}
		if ack != nil {
			if lease, err := p.take(ctx, ack); !errors.Is(err, ErrAddressInUse) {
				return lease, err
			}
		}
	}
	for {
		ack, err := p.discover(ctx)
		if err != nil {
			return Lease{}, err
		}
		if ack == nil {
			continue
		}
		if lease, err := p.take(ctx, ack); !errors.Is(err, ErrAddressInUse) {
			return lease, err
		}
	}
}

// initReboot asks for the remembered address; nil: it was refused or nobody answered.
func (p *Phone) initReboot(ctx context.Context, addr netip.Addr) (*dhcpv4.DHCPv4, error) {
	m := p.message(dhcpv4.MessageTypeRequest, time.Now())
	m.UpdateOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice()))
	a, err := p.ask(ctx, m, netip.Addr{}, firstWaits(), isAckOrNak)
	if err != nil {
		return nil, err
	}
	return p.acknowledged(a, addr), nil
}

// discover goes from DISCOVER to ACK once; nil: it did not get there and has to begin again.
func (p *Phone) discover(ctx context.Context) (*dhcpv4.DHCPv4, error) {
	begun := time.Now()
	m := p.message(dhcpv4.MessageTypeDiscover, begun)
	waits := append(firstWaits(), 64*time.Second)
	offer, err := p.ask(ctx, m, netip.Addr{}, waits, func(a *dhcpv4.DHCPv4) bool {
		return a.MessageType() == dhcpv4.MessageTypeOffer && !a.YourIPAddr.IsUnspecified() && a.ServerIdentifier() != nil
	})
	if err != nil || offer == nil {
		p.waiting("a DHCP lease", "no DHCP server offers an address")
		return nil, err
	}
	addr := toAddr(offer.YourIPAddr)
	p.emit(EventDHCP, "", "offered %s by %s", addr, offer.ServerIdentifier())
	r := p.message(dhcpv4.MessageTypeRequest, begun)
	r.TransactionID = m.TransactionID
	r.UpdateOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice()))
	r.UpdateOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier()))
	a, err := p.ask(ctx, r, netip.Addr{}, firstWaits(), isAckOrNak)
	if err != nil {
		return nil, err
	}
	if a == nil {
		p.waiting("a DHCP lease", "the DHCP server offered an address and then did not confirm it")
	}
	return p.acknowledged(a, addr), nil
}

func isAckOrNak(a *dhcpv4.DHCPv4) bool {
	return a.MessageType() == dhcpv4.MessageTypeAck || a.MessageType() == dhcpv4.MessageTypeNak
}

// acknowledged returns a if it is an ACK, else nil. A NAK makes the phone forget its address.
func (p *Phone) acknowledged(a *dhcpv4.DHCPv4, asked netip.Addr) *dhcpv4.DHCPv4 {
	switch {
	case a == nil:
		return nil
	case a.MessageType() == dhcpv4.MessageTypeNak:
		p.emit(EventDHCP, "", "the server refused %s", asked)
		p.mu.Lock()
		p.runs.Address = netip.Addr{}
		p.mu.Unlock()
		return nil
	case toAddr(a.YourIPAddr) != asked:
		p.fault("DHCP: asked for %s, the ACK gives %s", asked, a.YourIPAddr)
		return nil
	}
	return a
}

// take checks the ACK, probes the address and uses it. It declines an address that is in use.
func (p *Phone) take(ctx context.Context, ack *dhcpv4.DHCPv4) (Lease, error) {
	lease, faults := readLease(ack)
	for _, f := range faults {
		p.fault("DHCP: %s", f)
	}
	addr := lease.Address.Addr()
	err := p.nic.Up(ctx, lease)
	if errors.Is(err, ErrAddressInUse) {
		return Lease{}, p.decline(ctx, lease)
	}
	if err != nil {
		return Lease{}, fmt.Errorf("taking %s: %w", addr, err)
	}
	p.mu.Lock()
	p.runs.Address = addr
	p.res.Address = addr
	p.mu.Unlock()
	p.emit(EventDHCP, "", "has %s from %s for %s, TFTP server %s", addr, lease.Server, lease.Times.Lease, lease.TFTP)
	return lease, nil
}

// decline tells the server that the address is in use and waits as RFC 2131 wants. It returns ErrAddressInUse, or the
// cause for which ctx ended.
func (p *Phone) decline(ctx context.Context, lease Lease) error {
	addr := lease.Address.Addr()
	p.emit(EventDHCP, "", "declines %s: it is in use", addr)
	p.mu.Lock()
	p.runs.Address = netip.Addr{}
	p.mu.Unlock()
	m := p.message(dhcpv4.MessageTypeDecline, time.Now())
	m.UpdateOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice()))
	m.UpdateOption(dhcpv4.OptServerIdentifier(lease.Server.AsSlice()))
	if err := p.nic.SendDHCP(m, netip.Addr{}); err != nil {
		return err
	}
	if err := p.pause(ctx, declineWait); err != nil {
		return err
	}
	return ErrAddressInUse
}

// toAddr converts at the library's edge; not valid where there is no address.
func toAddr(ip net.IP) netip.Addr {
	a, ok := netip.AddrFromSlice(ip)
	if !ok || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}
