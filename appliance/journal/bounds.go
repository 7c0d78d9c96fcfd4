package journal

import (
	"slices"
	"time"

	"phonebox/services/phone"
)

// class ranks MACs by how much they matter; the lowest goes first.
type class int

const (
	stranger class = iota
	leasedOnly
	listedPhone
	theBox
)

func (j *Journal) class(mac phone.MAC, en *entry) class {
	switch {
	case mac.IsZero():
		return theBox
	case j.listed[mac]:
		return listedPhone
	case en.state.Leased:
		return leasedOnly
	}
	return stranger
}

// bound forgets MACs until there are no more than allowed; spare is not forgotten.
func (j *Journal) bound(spare phone.MAC) {
	for {
		strangers, known := 0, 0
		for mac, en := range j.entries {
			switch j.class(mac, en) {
			case stranger:
				strangers++
			case leasedOnly, listedPhone:
				known++
			}
		}
		var victim phone.MAC
		switch {
		case strangers > j.cfg.MaxStrangers:
			victim = j.leastActive(spare, stranger)
		case known > j.cfg.MaxPhones:
			victim = j.leastActive(spare, leasedOnly)
			if victim.IsZero() {
				victim = j.leastActive(spare, listedPhone)
			}
		}
		if victim.IsZero() {
			return
		}
		j.forget(victim)
	}
}

// leastActive returns the MAC of a class that was silent for longest, or the zero MAC.
func (j *Journal) leastActive(spare phone.MAC, of class) (victim phone.MAC) {
	var since time.Time
	for mac, en := range j.entries {
		if mac != spare && j.class(mac, en) == of && (victim.IsZero() || en.active.Before(since)) {
			victim, since = mac, en.active
		}
	}
	return victim
}

// forget removes all that is known of a MAC.
func (j *Journal) forget(mac phone.MAC) {
	en := j.entries[mac]
	j.drop(mac, en, len(en.refs))
	j.remove[phoneKey(mac)] = true
	for _, a := range en.addrs {
		delete(j.at, a)
	}
	delete(j.entries, mac)
}

// drop removes the n oldest events of a timeline.
func (j *Journal) drop(mac phone.MAC, en *entry, n int) {
	inStore := len(en.refs) - len(en.fresh)
	for i, r := range en.refs[:n] {
		if i < inStore {
			j.remove[eventKey(r.id, mac)] = true
		}
		en.bytes -= r.size
		j.bytes -= r.size
	}
	if n > inStore {
		en.fresh = slices.Delete(en.fresh, 0, n-inStore)
	}
	en.refs = slices.Delete(en.refs, 0, n)
}

// shrink keeps all timelines together below their bound: strangers go first, then of the unlisted phones, and at last of
// all, the one that takes most loses the older quarter of its events.
func (j *Journal) shrink() {
	for j.bytes > j.cfg.MaxBytes {
		if victim := j.leastActive(phone.MAC{}, stranger); !victim.IsZero() && len(j.entries) > 1 {
			j.forget(victim)
			continue
		}
		mac, en := j.biggest(func(c class) bool { return c == leasedOnly })
		if en == nil {
			mac, en = j.biggest(func(class) bool { return true })
		}
		if en == nil {
			return
		}
		j.drop(mac, en, (len(en.refs)+3)/4)
	}
}

// biggest returns whoever of some classes has the longest timeline; nil when none of them has an event.
func (j *Journal) biggest(of func(class) bool) (mac phone.MAC, found *entry) {
	for m, en := range j.entries {
		if len(en.refs) > 0 && of(j.class(m, en)) && (found == nil || en.bytes > found.bytes) {
			mac, found = m, en
		}
	}
	return mac, found
}

// SetListed says which phones the site lists; it replaces the ones before.
func (j *Journal) SetListed(macs []phone.MAC) {
	j.mu.Lock()
	defer j.mu.Unlock()
	clear(j.listed)
	for _, m := range macs {
		j.listed[m] = true
	}
	j.bound(phone.MAC{})
}

// SetLeased says which phones have a lease now; it replaces what events of leases told before.
func (j *Journal) SetLeased(macs []phone.MAC) {
	j.mu.Lock()
	defer j.mu.Unlock()
	leased := make(map[phone.MAC]bool, len(macs))
	for _, mac := range macs {
		leased[mac] = true
	}
	for mac, en := range j.entries {
		if en.state.Leased != leased[mac] { // all else would be written to the card every few seconds
			en.state.Leased, en.dirty = leased[mac], true
		}
	}
	j.bound(phone.MAC{})
}
