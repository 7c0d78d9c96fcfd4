package phonesim

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
)

// attacker is the host of hostile clients that need an address: it gets one as any client does.
type attacker struct {
	cfg HostileConfig

	mu    sync.Mutex
	nic   *wireNIC
	lease Lease
	err   error
}

// join gets the host onto the network, once.
func (h *attacker) join(ctx context.Context) (*wireNIC, Lease, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nic != nil || h.err != nil {
		return h.nic, h.lease, h.err
	}
	h.nic, h.lease, h.err = h.get(ctx)
	return h.nic, h.lease, h.err
}

func (h *attacker) get(ctx context.Context) (*wireNIC, Lease, error) {
	p, err := New(Config{Link: h.cfg.Wire, Ports: h.cfg.Ports, MAC: h.cfg.MAC, Profile: ProfileBasic, Seed: h.cfg.Seed})
	if err != nil {
		return nil, Lease{}, err
	}
	nic, err := h.cfg.Wire.Attach(h.cfg.MAC)
	if err != nil {
		return nil, Lease{}, err
	}
	p.nic = nic
	lease, err := p.lease(ctx)
	if err != nil {
		return nil, Lease{}, errors.Join(errors.New("getting the attacker an address"), err, nic.Close())
	}
	n := nic.(*wireNIC)
	n.mu.Lock()
	n.stranger = h.cfg.Wire.strangers.Load()
	n.mu.Unlock()
	return n, lease, nil
}

// leave unplugs the host.
func (h *attacker) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nic != nil {
		_ = h.nic.Close()
	}
}

// strangers get what comes for nobody on the wire while hostile clients are loose.
type strangers struct{ attacks []*attack }

// dhcp takes the answers to made-up hardware addresses.
func (s *strangers) dhcp(mac phone.MAC, payload []byte) {
	for _, a := range s.attacks {
		if mac[0] == a.crowd[0] && mac[1] == a.crowd[1] && mac[2] == a.crowd[2] {
			a.answer(mac, payload)
			return
		}
	}
}

// udp takes the answers to the attacker's own host. A half-open transfer is acknowledged once.
func (s *strangers) udp(n *wireNIC, u udpPacket) {
	for _, a := range s.attacks {
		if a.kind != HostileTFTPFlood && a.kind != HostileHalfOpen || !a.owns(u.dst.Port()) {
			continue
		}
		a.answered.Add(1)
		if p := u.payload; a.kind == HostileHalfOpen && len(p) >= 4 && binary.BigEndian.Uint16(p) == opDATA && binary.BigEndian.Uint16(p[2:]) == 1 {
			_ = n.sendUDP(u.dst.Port(), u.src, []byte{0, opACK, 0, 1})
		}
	}
}

// answer takes an offer to a member of the crowd, and the lease.
func (a *attack) answer(mac phone.MAC, payload []byte) {
	m, err := dhcpv4.FromBytes(payload)
	if err != nil {
		return
	}
	switch m.MessageType() {
	case dhcpv4.MessageTypeOffer:
		a.answered.Add(1)
		if a.kind != HostileStarve || m.ServerIdentifier() == nil {
			return
		}
		r := hostileMessage(mac, dhcpv4.MessageTypeRequest, m.TransactionID)
		r.UpdateOption(dhcpv4.OptRequestedIPAddress(m.YourIPAddr))
		r.UpdateOption(dhcpv4.OptServerIdentifier(m.ServerIdentifier()))
		_ = a.cfg.Wire.send(dhcpFrame(mac, netip.IPv4Unspecified(), r.ToBytes()))
	case dhcpv4.MessageTypeAck:
		a.leases.Add(1)
	}
}
