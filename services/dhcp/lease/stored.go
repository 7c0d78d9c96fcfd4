package lease

import (
	"bytes"
	"net/netip"
	"time"
)

// Careful sets whether the store fails to take records. While it does, a client gets only an address that no record on
// disk gives to another: the table's newest facts may be lost at the next power cut, the records will not.
func (t *Table) Careful(on bool) {
	if t.careful == on {
		return
	}
	t.careful = on
	for _, pool := range t.pools {
		pool.vain = time.Time{}
	}
}

// Term returns how long a lease of the address may be for the client now: the normal length, or, while the store
// fails, what [Table.Unstored] allows.
func (t *Table) Term(key Key, addr netip.Addr, m Moment) time.Duration {
	if !t.careful {
		return t.Duration(addr)
	}
	term, _ := t.Unstored(key, addr, m)
	return term
}

// Unstored returns on which terms the client may have the address although its record could not be written: for how
// long, and whether nobody may answer a probe of it first. A reserved address cannot go to another and has its full
// length; a lease on disk is good until the end that is on disk; any other lasts UnstoredTime and needs the probe.
// Whether the address is free to be had at all, [Table.Standing] tells after Careful(true).
func (t *Table) Unstored(key Key, addr netip.Addr, m Moment) (term time.Duration, probe bool) {
	whole := t.Duration(addr)
	if reserved, ok := t.rules.Reservations[key]; ok && reserved == addr {
		return whole, false
	}
	short := min(UnstoredTime, whole)
	s, ok := t.disk[addr]
	if !ok || s.rec.Key != key || s.rec.State != Bound || !m.Mono.Before(s.deadline) {
		return short, true
	}
	return min(max(s.deadline.Sub(m.Mono), short), s.rec.Duration, whole), false
}

// Shorten returns the record with another Duration, counted from its Start.
func (rec Record) Shorten(d time.Duration) Record {
	rec.Duration, rec.End = d, rec.Start.Add(d)
	return rec
}

// namesOther reports whether a record on disk gives the address to another client.
func (t *Table) namesOther(key Key, addr netip.Addr) bool {
	s, ok := t.disk[addr]
	return ok && s.rec.Key != key
}

// Stored notes that the record is on disk now, where it replaced the one of its address.
func (t *Table) Stored(rec Record, m Moment) {
	if rec.State == Forgotten {
		delete(t.disk, rec.Address)
		delete(t.forgotten, rec.Address)
		return
	}
	s := stored{rec: &rec, deadline: m.Mono.Add(protects(rec, m))}
	t.disk[rec.Address] = s
	if e, ok := t.dirty[rec.Address]; ok && same(e.rec, s.rec) {
		e.rec, e.dirty = s.rec, false
		delete(t.dirty, rec.Address)
	}
}

// protects returns how long from now on a record that was just written keeps its address from others after a restart,
// whatever the clock says then. A clock that was set since the record was made counts only where it shortens that.
func protects(rec Record, m Moment) time.Duration {
	whole := rec.End.Sub(rec.Start)
	if !rec.Trusted || !m.Trusted {
		return whole
	}
	return min(whole, rec.End.Sub(m.wall()))
}

// shared returns the record on disk when it is the same: the two are kept once.
func (t *Table) shared(rec Record) *Record {
	if s, ok := t.disk[rec.Address]; ok && same(s.rec, &rec) {
		return s.rec
	}
	fresh := rec
	return &fresh
}

func same(a, b *Record) bool {
	return a == b || a.Key == b.Key && a.HType == b.HType && a.Address == b.Address && a.State == b.State &&
		a.Duration == b.Duration && a.Trusted == b.Trusted && a.Hostname == b.Hostname && a.VendorClass == b.VendorClass &&
		a.Start.Equal(b.Start) && a.End.Equal(b.End) && bytes.Equal(a.HWAddr, b.HWAddr) && bytes.Equal(a.ClientID, b.ClientID)
}

// Dirty returns the records that differ from what is on disk, at most limit of them, without those that skip names: a
// record that is on its way to the disk must not be followed there by an older one.
func (t *Table) Dirty(limit int, skip func(Key, netip.Addr) bool) []Record {
	var out []Record
	for addr, e := range t.dirty {
		if len(out) == limit {
			break
		}
		if !skip(e.rec.Key, addr) {
			out = append(out, *e.rec)
		}
	}
	for addr := range t.forgotten {
		if len(out) >= limit {
			break
		}
		if !skip("", addr) {
			out = append(out, Erased(addr))
		}
	}
	return out
}

// Unsure notes that the record may be on disk, though its lease does not run: its write failed, or the client was refused
// while it was written. So the record of its address may be gone from there. That one is written anew, and until then no
// renewal relies on it; where there was none, none is to stay.
func (t *Table) Unsure(rec Record) {
	e, ok := t.entries[rec.Address]
	if !ok {
		t.erase(rec.Address)
		return
	}
	e.dirty = true
	t.dirty[rec.Address] = e
}
