package dhcp

import (
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
)

// act is what a packet leads to.
type act int

const (
	ignore    act = iota // no answer: why says the reason
	offer                // an OFFER of addr
	bind                 // an ACK for addr once its record is on disk
	deny                 // a NAK: why says the reason
	inform               // an ACK without a lease, to addr
	released             // no answer: the client gave addr back
	declined             // no answer: addr is in quarantine
	withdrawn            // no answer: the client chose another server
)

// verdict is the decision about one packet.
type verdict struct {
	act     act
	addr    netip.Addr
	why     *refusal
	renewal bool // the client had the address already
	probe   bool // somebody may use the address: probe it first
}

func ignored(code, format string, args ...any) verdict {
	return verdict{act: ignore, why: refuse(code, format, args...)}
}

func denied(addr netip.Addr, code, format string, args ...any) verdict {
	return verdict{act: deny, addr: addr, why: refuse(code, format, args...)}
}

// decide judges one packet by the settings and the table, and changes the table where the packet alone does that
// (offers, releases, declines). sole tells that no other DHCP server is known on the wire.
func (st *settings) decide(t *lease.Table, r *request, sole bool, m lease.Moment) verdict {
	if why := st.locate(r); why != nil {
		return verdict{act: ignore, why: why}
	}
	if !st.serves(t, r, m) {
		return ignored("not_a_phone", "the client is neither a Cisco phone nor listed, and only those are served")
	}
	switch r.typ {
	case dhcpv4.MessageTypeDiscover:
		return st.discover(t, r, m)
	case dhcpv4.MessageTypeRequest:
		return st.request(t, r, sole, m)
	case dhcpv4.MessageTypeDecline:
		return st.decline(t, r, m)
	case dhcpv4.MessageTypeRelease:
		return st.release(t, r, m)
	case dhcpv4.MessageTypeInform:
		return st.informed(r)
	}
	return ignored("wrong_type", "a client does not send %s", r.typ)
}

// serves applies phones_only. Who has a lease keeps it: not every renewal names the vendor class.
func (st *settings) serves(t *lease.Table, r *request, m lease.Moment) bool {
	if !st.PhonesOnly || st.known[r.mac] || looksLikePhone(r.client.VendorClass) {
		return true
	}
	live, ok := t.Of(r.client.Key, m)
	return ok && looksLikePhone(live.Record.VendorClass)
}

func (st *settings) discover(t *lease.Table, r *request, m lease.Moment) verdict {
	addr, err := t.Offer(r.place, r.client.Key, r.wanted, m)
	if err != nil {
		return verdict{act: ignore, why: codeOf(err)}
	}
	return verdict{act: offer, addr: addr, probe: st.PingCheck && !st.Relayed && !runs(t, r.client.Key, addr, m)}
}

// probes reports whether an address that a client claims is probed before it is acknowledged. Behind a relay only what is
// offered is: an echo does not tell whose it is, and who claims an address may be using it.
func (st *settings) probes(addr netip.Addr) bool {
	return st.PingCheck && !st.Relayed && st.onWire(addr)
}

// request tells the four states of a client apart (RFC 2131 section 4.3.2).
func (st *settings) request(t *lease.Table, r *request, sole bool, m lease.Moment) verdict {
	switch {
	case r.server.IsValid() && r.server != st.box:
		t.Drop(r.client.Key)
		v := ignored("other_server_chosen", "the client chose the DHCP server %s", r.server)
		v.act = withdrawn
		return v
	case r.server.IsValid():
		return st.selecting(t, r, m)
	case r.ciaddr.IsValid():
		return st.renewing(t, r, sole, m)
	case r.wanted.IsValid():
		return st.rebooting(t, r, sole, m)
	}
	return ignored("no_address", "the request names no address")
}

// selecting answers a client that took our offer. After a restart of the box the offer is forgotten; the address is
// given all the same when it is free.
func (st *settings) selecting(t *lease.Table, r *request, m lease.Moment) verdict {
	addr := r.wanted
	if !addr.IsValid() {
		addr = r.ciaddr
	}
	if !addr.IsValid() {
		return ignored("no_address", "the request names no address")
	}
	switch s := t.StandingAt(r.place, r.client.Key, addr, m); s {
	case lease.Own:
		return verdict{act: bind, addr: addr}
	case lease.Free:
		if home, ok := t.Home(r.place, r.client.Key, m); ok {
			return denied(addr, "other_address", "%s is not the address of this client, which is %s", addr, home)
		}
		return verdict{act: bind, addr: addr, probe: st.probes(addr)}
	default:
		return st.refuseAs(r, s, addr)
	}
}

// rebooting answers INIT-REBOOT: a client that asks for the address that it remembers. RFC 2131 wants silence towards a
// client of which there is no record, for the sake of other servers; but a phone waits a minute for silence. Where no
// other server was found on the wire, an unknown client gets the address if it is free (after a probe), or a NAK.
func (st *settings) rebooting(t *lease.Table, r *request, sole bool, m lease.Moment) verdict {
	key, addr := r.client.Key, r.wanted
	s := t.StandingAt(r.place, key, addr, m)
	if s == lease.Own || s == lease.Free {
		if home, ok := t.Home(r.place, key, m); ok && home != addr {
			return denied(addr, "other_address", "%s is not the address of this client, which is %s", addr, home)
		}
	}
	if s == lease.Own {
		return verdict{act: bind, addr: addr, renewal: true, probe: st.probes(addr) && !runs(t, key, addr, m)}
	}
	return st.unrecorded(t, r, addr, s, sole, m)
}

// renewing answers RENEWING and REBINDING: a client that uses the address now. A lease that still fits goes on even
// when the site has reserved another address meanwhile; the phone gets that one at its next start.
func (st *settings) renewing(t *lease.Table, r *request, sole bool, m lease.Moment) verdict {
	key, addr := r.client.Key, r.ciaddr
	s := t.StandingAt(r.place, key, addr, m)
	if s == lease.Own {
		return verdict{act: bind, addr: addr, renewal: true, probe: st.probes(addr) && !runs(t, key, addr, m)}
	}
	if s == lease.Free {
		if home, ok := t.Home(r.place, key, m); ok {
			return denied(addr, "other_address", "%s is not the address of this client, which is %s", addr, home)
		}
	}
	return st.unrecorded(t, r, addr, s, sole, m)
}

// unrecorded answers a client that claims an address of which there is no record in its name.
func (st *settings) unrecorded(t *lease.Table, r *request, addr netip.Addr, s lease.Standing, sole bool, m lease.Moment) verdict {
	unknown := s == lease.Free || s == lease.Unusable
	if unknown && !sole && !t.Known(r.client.Key) && r.to != st.box {
		return ignored("another_servers_client", "there is no record of the client, and %s may be from the other DHCP server", addr)
	}
	if s == lease.Free {
		return verdict{act: bind, addr: addr, renewal: true, probe: st.probes(addr)}
	}
	return st.refuseAs(r, s, addr)
}

// refuseAs is the NAK for an address that the client can't have.
func (st *settings) refuseAs(r *request, s lease.Standing, addr netip.Addr) verdict {
	switch s {
	case lease.Foreign:
		return denied(addr, "foreign_network", "%s is not on this network, which is %s", addr, st.network(r).prefix)
	case lease.Taken:
		return denied(addr, "taken", "%s belongs to another client", addr)
	case lease.Quarantined:
		return denied(addr, "quarantined", "%s is in use by somebody who did not get it here", addr)
	case lease.Reserved:
		return denied(addr, "reserved", "%s is reserved for another phone", addr)
	case lease.Kept:
		return denied(addr, "kept_for_listed", "%s is one of the last free addresses, which are kept for the listed phones", addr)
	default:
		return denied(addr, "not_in_pool", "%s is not an address that is handed out", addr)
	}
}

// runs reports whether the client has a running lease of the address.
func runs(t *lease.Table, key lease.Key, addr netip.Addr, m lease.Moment) bool {
	live, ok := t.At(addr, m)
	return ok && live.Record.Key == key
}

func (st *settings) decline(t *lease.Table, r *request, m lease.Moment) verdict {
	if r.server.IsValid() && r.server != st.box {
		return ignored("other_server_chosen", "the DECLINE is meant for the DHCP server %s", r.server)
	}
	if !r.wanted.IsValid() {
		return ignored("no_address", "the DECLINE names no address")
	}
	if err := t.Decline(r.client.Key, r.client.HWAddr, r.wanted, m); err != nil {
		return verdict{act: ignore, why: codeOf(err)}
	}
	return verdict{act: declined, addr: r.wanted, why: refuse("declined", "the client found %s in use by another", r.wanted)}
}

func (st *settings) release(t *lease.Table, r *request, m lease.Moment) verdict {
	if r.server.IsValid() && r.server != st.box {
		return ignored("other_server_chosen", "the RELEASE is meant for the DHCP server %s", r.server)
	}
	if !t.Release(r.client.Key, r.ciaddr, m) {
		return ignored("no_lease", "the client released %s, which it does not have", r.ciaddr)
	}
	return verdict{act: released, addr: r.ciaddr, why: refuse("released", "the client gave %s back", r.ciaddr)}
}

// informed answers a client that has an address from elsewhere; some leave ciaddr empty and send from the address.
func (st *settings) informed(r *request) verdict {
	addr := r.ciaddr
	if !addr.IsValid() && r.from.Addr().Is4() && !r.from.Addr().IsUnspecified() && !r.relayed() {
		addr = r.from.Addr()
	}
	if !addr.IsValid() || !st.network(r).prefix.Contains(addr) {
		return ignored("foreign_network", "an INFORM from %s, which is not on this network", addr)
	}
	return verdict{act: inform, addr: addr}
}
