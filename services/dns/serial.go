package dns

import "reflect"

// serial numbers the states of the zone, for SOA. It begins with the time, so that a start has a greater number than what
// was before it, and grows by one with each change of the settings' names and of the leases (RFC 1982 arithmetic holds).
type serial struct {
	base    uint32
	changes func() uint32 // of the names that come and go
}

func (s serial) now() uint32 {
	if s.changes == nil {
		return s.base
	}
	return s.base + s.changes()
}

// number gives a new zone its serial: that of the one before it when both say the same.
func (s *Server) number(z *zone) {
	z.serial.changes = s.changes
	old := s.state.Load()
	switch {
	case old == nil:
		z.serial.base = uint32(s.now().Unix())
	case z.same(old.zone):
		z.serial.base = old.zone.serial.base
	default:
		z.serial.base = old.zone.serial.base + 1
	}
}

// same reports whether two zones answer the same, apart from what comes and goes.
func (z *zone) same(old *zone) bool {
	if z.domain != old.domain || z.box != old.box || z.subnet != old.subnet || !reflect.DeepEqual(z.behind, old.behind) ||
		!reflect.DeepEqual(z.rescued, old.rescued) || len(z.fixed) != len(old.fixed) {
		return false
	}
	for name, records := range z.fixed {
		if !reflect.DeepEqual(records, old.fixed[name]) {
			return false
		}
	}
	return true
}
