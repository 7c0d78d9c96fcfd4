package dhcp

import (
	"fmt"
	"net/netip"
	"time"

	"phonebox/services/dhcp/lease"
)

// After damage (see ErrIncomplete) the server takes the records that are left, and for one whole lease, the longest that
// is known, it gives out no address without a probe, also where PingCheck is off, unless it has acknowledged it to the client itself since it
// started: a record that is left may be older than what was acknowledged last.

const incompleteText = "records of leases were lost with the damaged file: until %s every address is probed before it is given out"

// lost begins the time in which missing leases may still run; the caller holds the lock. Those that are left tell how long
// leases were before the settings were changed.
func (s *Server) lost(err error, left []lease.Record, m lease.Moment) {
	longest := s.st.Lease
	for i := range left {
		longest = max(longest, left[i].Duration)
	}
	s.suspectTill = m.Mono.Add(longest)
	s.log.Warn("records of leases may be missing; every address is probed before it is given out",
		"dur", longest, "err", err)
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
	return s.suspecting(m) && !s.st.Relayed && s.st.onWire(addr) && !s.table.Told(r.client.Key, addr)
}

// pardon takes back the quarantine of an address whose user comes forward: its record was lost, it answered the probe
// for somebody else's sake, and now asks to keep the address. It is probed again, so that two users are found out.
func (s *Server) pardon(r *request, m lease.Moment) {
	if addr := wantedOf(r); s.suspecting(m) && !r.server.IsValid() && addr.IsValid() {
		s.table.Pardon(addr, r.client.HWAddr, m)
	}
}
