package dhcp

import (
	"net/netip"
	"slices"
	"time"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// State returns what the server does (running, held or off), a sentence on it ("" when all is well), and the other DHCP
// servers that are known on the wire, sorted by address.
func (s *Server) State() (state, detail string, others []OtherServer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase.state, s.phase.detail, s.others(time.Now())
}

// Leases returns the leases that run, sorted by address.
func (s *Server) Leases() []Lease {
	s.mu.Lock()
	m := s.moment()
	out := make([]Lease, 0, s.table.Running(m))
	s.table.Each(m, func(rec *lease.Record, left time.Duration) { out = append(out, leaseOf(rec, left, m)) })
	s.mu.Unlock()
	slices.SortFunc(out, func(a, b Lease) int { return a.Address.Compare(b.Address) })
	return out
}

// LeaseOf returns the lease of an address that runs.
func (s *Server) LeaseOf(addr netip.Addr) (Lease, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.moment()
	l, ok := s.table.At(addr, m)
	return leaseOf(&l.Record, l.Left, m), ok
}

// LeaseFor returns the lease of a phone that runs.
func (s *Server) LeaseFor(mac phone.MAC) (Lease, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.moment()
	l, ok := s.table.Of(lease.MACKey(mac), m)
	return leaseOf(&l.Record, l.Left, m), ok
}

func leaseOf(rec *lease.Record, left time.Duration, m lease.Moment) Lease {
	return Lease{
		MAC: macOf(rec), Address: rec.Address, Expires: m.Wall.Round(0).Add(left),
		Hostname: rec.Hostname, VendorClass: rec.VendorClass,
	}
}

// macOf returns the Ethernet address of a record; zero for clients on another kind of link.
func macOf(rec *lease.Record) phone.MAC {
	if rec.HType != lease.Ethernet || len(rec.HWAddr) != 6 {
		return phone.MAC{}
	}
	return phone.MAC(rec.HWAddr)
}
