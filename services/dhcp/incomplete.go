package dhcp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"phonebox/services/dhcp/lease"
)

// ErrIncomplete is what a [Store] wraps when Leases returns records of which some may be missing: the file was damaged
// and what could be read of it was saved. The server takes the records, and for one whole lease gives out no address
// that is not on record in the client's name without probing it first, also where PingCheck is off. A store that was
// damaged says so at every start until it knows that a lease time has passed.
var ErrIncomplete = errors.New("records of leases may be missing")

const incompleteText = "records of leases were lost with the damaged file: until %s every address that is not on record is probed before it is given out"

// lost begins the time in which missing leases may still run; the caller holds the lock.
func (s *Server) lost(err error, m lease.Moment) {
	s.suspectTill = m.Mono.Add(s.st.Lease)
	s.log.Warn("records of leases may be missing; every address without one is probed before it is given out",
		"dur", s.st.Lease, "err", err)
}

func (s *Server) suspecting(m lease.Moment) bool { return m.Mono.Before(s.suspectTill) }

// incompleteTrouble is the sentence on missing records while it matters.
func (s *Server) incompleteTrouble(m lease.Moment) string {
	if !s.suspecting(m) {
		return ""
	}
	return fmt.Sprintf(incompleteText, m.Wall.Add(s.suspectTill.Sub(m.Mono)).Format(time.DateTime))
}

// suspects reports whether somebody whose record was lost may use the address. Beyond a relay nobody can be asked.
func (s *Server) suspects(r *request, addr netip.Addr, m lease.Moment) bool {
	return s.suspecting(m) && !s.st.Relayed && s.st.onWire(addr) && !s.table.OnDisk(r.client.Key, addr)
}

// pardon takes back the quarantine of an address whose user comes forward: its record was lost, it answered the probe
// for somebody else's sake, and now asks to keep the address. It is probed again, so that two users are found out.
func (s *Server) pardon(r *request, m lease.Moment) {
	if addr := wantedOf(r); s.suspecting(m) && !r.server.IsValid() && addr.IsValid() {
		s.table.Pardon(addr, r.client.HWAddr, m)
	}
}
