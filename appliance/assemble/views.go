package assemble

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/sip"
	"phonebox/services/tftp"
)

// sipPort is where a phone's SIP application listens unless its parameters say otherwise (voip_control_port).
const sipPort = 5060

// index is what is looked up in the site for each packet; it is made anew with each site and never changed.
type index struct {
	site   *site.Site
	byMAC  map[phone.MAC]*site.Phone
	byName map[string]phone.MAC     // host name made of the label
	byAddr map[netip.Addr]phone.MAC // reservations
	hostOf map[phone.MAC]string
	taken  map[string]bool // names of the zone that no device can have
	// servers are names of the zone that a device cannot give itself, but a label can.
	servers map[string]bool
	doubts  []string // what is allowed in the settings and yet looks wrong, a sentence each
}

func makeIndex(s *site.Site) *index {
	ix := &index{
		site: s, byMAC: map[phone.MAC]*site.Phone{}, byName: map[string]phone.MAC{},
		byAddr: map[netip.Addr]phone.MAC{}, hostOf: map[phone.MAC]string{},
	}
	ix.taken, ix.servers = takenNames(s), servers(s)
	// What the phones' catalogue has to say comes from provision, in words of its own.
	for _, f := range s.Check(site.Options{}) {
		ix.doubts = append(ix.doubts, strings.TrimPrefix(f.String(), "warning: "))
	}
	for i := range s.Phones {
		p := &s.Phones[i]
		ix.byMAC[p.MAC] = p
		if p.Address.IsValid() {
			ix.byAddr[p.Address] = p.MAC
		}
		ix.nameByLabel(p)
	}
	return ix
}

// addressOf returns where a phone is now: its lease, else where it was last seen, else its reservation.
func (b *Box) addressOf(mac phone.MAC) (netip.Addr, bool) {
	if l, ok := b.dhcp.LeaseFor(mac); ok {
		return l.Address, true
	}
	if p, ok := b.journal.Phone(mac); ok && p.Address.IsValid() {
		return p.Address, true
	}
	if p := b.index.Load().byMAC[mac]; p != nil && p.Address.IsValid() {
		return p.Address, true
	}
	return netip.Addr{}, false
}

// whose returns the phone behind an address: the holder of its lease, else whoever was last seen there.
func (b *Box) whose(addr netip.Addr) phone.MAC {
	mac, _ := b.holder(addr)
	return mac
}

// holder is whose, and whether that is by a lease of ours.
func (b *Box) holder(addr netip.Addr) (mac phone.MAC, leased bool) {
	if l, ok := b.dhcp.LeaseOf(addr); ok {
		return l.MAC, true
	}
	mac, _ = b.journal.At(addr)
	return mac, false
}

// observer is what provision may know of phones.
type observer struct{ b *Box }

// Running implements [provision.Observer].
func (o observer) Running(mac phone.MAC) provision.Running {
	o.b.settle()
	p, _ := o.b.journal.Phone(mac)
	return provision.Running{Model: p.Model, Load: p.Load, Protocol: p.Protocol, Loader: p.Loader}
}

// At implements [provision.Observer].
func (o observer) At(addr netip.Addr) (phone.MAC, bool) {
	o.b.settle()
	mac := o.b.whose(addr)
	return mac, !mac.IsZero()
}

// askerKey is where a context holds the tftpAsker.
type askerKey struct{}

// tftpAsker is who sent a TFTP request.
type tftpAsker struct {
	from netip.AddrPort
	// unknown is set where it could not be told at the moment whether that is the phone.
	unknown bool
}

// askedBy tells the guard, beyond provision, which TFTP request it is asked about: the frame of that request tells more
// than its address does.
func askedBy(ctx context.Context, a *tftpAsker) context.Context {
	return context.WithValue(ctx, askerKey{}, a)
}

// maxLooks bounds how many devices without a lease are looked for on the wire at once. It is three quarters of the files that
// the TFTP server opens at a time: where nobody is, a look takes most of a second, and a flood of requests from such addresses
// must not keep the phones with a lease waiting.
const maxLooks = 96

// looks counts what is looked for.
type looks struct{ now atomic.Int32 }

func (l *looks) begin() bool {
	if l.now.Add(1) <= maxLooks {
		return true
	}
	l.end()
	return false
}

func (l *looks) end() { l.now.Add(-1) }

// guard keeps promise 4: who asks for a phone's file must be that phone.
type guard struct{ b *Box }

// Holds implements [provision.Guard].
func (g guard) Holds(ctx context.Context, addr netip.Addr, mac phone.MAC) (bool, string) {
	l, leased := g.b.dhcp.LeaseOf(addr)
	if leased && l.MAC != mac {
		return false, fmt.Sprintf("%s is the address of %s, not of %s", addr, l.MAC, mac)
	}
	if g.b.opt.Try {
		if !leased {
			return false, fmt.Sprintf("%s is not an address that %s got from here", addr, mac)
		}
		return true, ""
	}
	// A client behind a relay has no frames on our link: there the lease must speak for it.
	if !g.b.index.Load().site.Network.Address.Contains(addr) {
		if !leased {
			return false, fmt.Sprintf("%s is on another network and has no lease from here", addr)
		}
		return true, ""
	}
	a, _ := ctx.Value(askerKey{}).(*tftpAsker)
	if a != nil && leased && a.from.Addr() == addr && g.b.wire.SentBy(ctx, a.from, mac) {
		return true, ""
	}
	if !leased {
		if !g.b.looks.begin() {
			if a != nil {
				a.unknown = true
			}
			return false, tftp.ErrLater.Error()
		}
		defer g.b.looks.end()
	}
	return g.look(ctx, addr, mac)
}

// look asks the wire.
func (g guard) look(ctx context.Context, addr netip.Addr, mac phone.MAC) (bool, string) {
	found, ok, err := g.b.wire.MACOf(ctx, addr)
	switch {
	case err != nil:
		return false, fmt.Sprintf("it could not be seen which device has %s: %v", addr, err)
	case !ok:
		return false, fmt.Sprintf("no device answers for %s", addr)
	case found != mac:
		return false, fmt.Sprintf("the device at %s is %s, not %s", addr, found, mac)
	}
	return true, ""
}

// targets are the phones that are asked whether SIP runs there.
type targets struct{ b *Box }

// Targets implements [sip.Targets]: listed phones that have an address and are not known to run something else.
func (t targets) Targets() []sip.Target {
	var out []sip.Target
	for _, p := range t.b.journal.Phones() {
		known := t.b.index.Load().byMAC[p.MAC]
		if known == nil || p.Protocol == phone.SCCP || p.Protocol == phone.MGCP || p.Step == phone.Upgrading {
			continue
		}
		if target, ok := t.b.target(p, known); ok {
			out = append(out, target)
		}
	}
	return out
}

// target is where the SIP application of a phone is asked; false where that is not known, or another is there now.
func (b *Box) target(p journal.Phone, known *site.Phone) (sip.Target, bool) {
	addr, ok := b.addressOf(p.MAC)
	if !ok {
		return sip.Target{}, false
	}
	if at := b.whose(addr); !at.IsZero() && at != p.MAC {
		return sip.Target{}, false // the answer would be another's, and so would the release that it tells
	}
	t := sip.Target{MAC: p.MAC, Address: netip.AddrPortFrom(addr, controlPort(b.index.Load().site, known))}
	if known != nil && len(known.Lines) > 0 {
		t.User = known.Lines[0].Name
	}
	return t, true
}

// controlPort is where the files of a phone tell its SIP application to listen: its own first, then those of the site.
func controlPort(s *site.Site, known *site.Phone) uint16 {
	of := []map[string]string{s.SIP.Parameters}
	if known != nil {
		of = []map[string]string{known.Parameters, s.SIP.Parameters}
	}
	for _, parameters := range of {
		for name, value := range parameters {
			if port, err := strconv.ParseUint(value, 10, 16); err == nil && strings.EqualFold(name, "voip_control_port") {
				return uint16(port)
			}
		}
	}
	return sipPort
}
