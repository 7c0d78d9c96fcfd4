package journal

import (
	"phonebox/services/phone"
)

// bound forgets MACs until there are no more than allowed; spare is not forgotten.
func (j *Journal) bound(spare *entry) {
	for {
		var victim *entry
		switch {
		case j.groups[stranger].n > j.cfg.MaxStrangers:
			victim = j.silent(stranger, spare)
		case j.groups[leasedOnly].n+j.groups[listedPhone].n > j.cfg.MaxPhones:
			victim = j.silent(leasedOnly, spare)
			if victim == nil {
				victim = j.silent(listedPhone, spare)
			}
		}
		if victim == nil {
			return
		}
		j.forget(victim)
	}
}

// forget removes all that is known of a MAC.
func (j *Journal) forget(en *entry) {
	mac := en.state.MAC
	j.drop(en, len(en.refs))
	j.dropExchanges(en)
	if en.written { // most of a flood never get so far
		j.remove[phoneKey(mac)] = true
	}
	for _, a := range en.addrs {
		delete(j.at, a)
	}
	j.leave(en)
	delete(j.changed, en)
	delete(j.entries, mac)
}

// drop removes the n oldest events of a timeline.
func (j *Journal) drop(en *entry, n int) {
	mac := en.state.MAC
	inStore := len(en.refs) - len(en.fresh)
	bytes := 0
	for i, r := range en.refs[:n] {
		if i < inStore {
			j.remove[eventKey(r.id(), mac)] = true
		}
		bytes += r.size()
	}
	if n > inStore {
		clear(en.fresh[:n-inStore]) // what they held is free at once, the places with the next growth
		en.fresh = en.fresh[n-inStore:]
	}
	en.refs = en.refs[n:]
	j.weigh(en, -bytes)
}

// shrink keeps all timelines together below their bound: strangers go first, then of the unlisted phones, and at last of
// all, the one that takes most loses the older quarter of its events.
func (j *Journal) shrink() {
	for j.bytes > j.cfg.MaxBytes {
		if victim := j.silent(stranger, nil); victim != nil && len(j.entries) > 1 {
			j.forget(victim)
			continue
		}
		en := j.biggest(leasedOnly)
		if en == nil {
			en = j.biggest(stranger, listedPhone, theBox)
		}
		switch {
		case en == nil:
			return
		case len(en.refs) > 0:
			j.drop(en, (len(en.refs)+3)/4)
		default:
			j.dropExchanges(en)
		}
	}
}

// SetListed says which phones the site lists; it replaces the ones before.
func (j *Journal) SetListed(macs []phone.MAC) {
	j.mu.Lock()
	defer j.mu.Unlock()
	clear(j.listed)
	for _, m := range macs {
		j.listed[m] = true
	}
	j.regroup()
	j.bound(nil)
}

// SetLeased says which phones have a lease now; it replaces what events of leases told before. Only MACs that the journal
// knows count (see [Journal.MACs]).
func (j *Journal) SetLeased(macs []phone.MAC) {
	leased := make(map[phone.MAC]bool, len(macs))
	for _, mac := range macs {
		leased[mac] = true
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for mac, en := range j.entries {
		if en.state.Leased != leased[mac] { // all else would be written to the card every few seconds
			en.state.Leased = leased[mac]
			j.dirty(en)
		}
	}
	j.regroup()
	j.bound(nil)
}

// MACs returns those of which something is known, in no order.
func (j *Journal) MACs() []phone.MAC {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]phone.MAC, 0, len(j.entries))
	for mac := range j.entries {
		if !mac.IsZero() {
			out = append(out, mac)
		}
	}
	return out
}
