package lease

import (
	"bytes"
	"net/netip"
	"time"
)

// Slack is how much longer than the client is told a record protects its address: five eighths of the lease. Clients
// renew at half of it (T1), so every other renewal needs no write; with less than a half none would do without.
func Slack(d time.Duration) time.Duration { return d / 8 * 5 }

// Extend renews the client's running lease for d from now without a new record. It does so only where the record on
// disk already protects the address until that end over any restart, and says the same of the client; else it changes
// nothing and returns false, and the caller goes the way of [Table.Begin].
func (t *Table) Extend(c Client, addr netip.Addr, d time.Duration, m Moment) bool {
	e, ok := t.entries[addr]
	if !ok || e.rec.State != Bound || !e.live(m) || e.inAlive == noPlace || !e.rec.tells(c) || !t.covers(e, d, m) {
		return false
	}
	t.drop(c.Key)
	if end := m.Mono.Add(d); end.After(e.deadline) {
		e.deadline = end
		t.alive.fix(e.inAlive)
	}
	e.told = true
	t.latest(e)
	return true
}

// covers reports whether what is on disk protects the address of the entry for d from now. A restart gives a stored
// lease its Duration from the restart on, or, when both clocks are trusted, what is left until End if that is less. So
// d must not be longer than the one, and its end not later than the other. A record from a clock of another standing
// than now's is written anew.
func (t *Table) covers(e *entry, d time.Duration, m Moment) bool {
	s, ok := t.disk[e.rec.Address]
	if !ok || s.rec != e.rec || e.dirty || d > e.rec.Duration || e.rec.Trusted != m.Trusted {
		return false
	}
	return !m.Mono.Add(d).After(s.deadline) && (!m.Trusted || !m.wall().Add(d).After(e.rec.End))
}

// tells reports whether the record says of the client what it says of itself now.
func (rec *Record) tells(c Client) bool {
	return rec.Key == c.Key && rec.HType == c.HType && rec.Hostname == c.Hostname && rec.VendorClass == c.VendorClass &&
		bytes.Equal(rec.HWAddr, c.HWAddr) && bytes.Equal(rec.ClientID, c.ClientID)
}

// Told reports whether the address was acknowledged to the client since the table was made.
func (t *Table) Told(key Key, addr netip.Addr) bool {
	e, ok := t.entries[addr]
	return ok && e.told && e.rec.Key == key && e.rec.State == Bound
}
