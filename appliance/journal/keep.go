package journal

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"phonebox/services/phone"
)

// Run looks at the time each second (stuck, the minute of quiet) and writes what is new, until ctx ends; then it writes
// the rest. It may be called again.
func (j *Journal) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return j.Flush()
		case <-t.C:
			j.Tick()
			if j.due() {
				_ = j.Flush() // logged; tried again with the next event
			}
		}
	}
}

// due reports whether the oldest event that is not stored will be too old soon. The write itself takes time as well.
func (j *Journal) due() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.oldest.IsZero() && time.Since(j.oldest) >= j.cfg.WriteEvery/2
}

// Tick looks at the time once: phones may become stuck or ready by it, which their timelines tell. Run calls it. Between
// a few dozen phones it lets others at the journal.
func (j *Journal) Tick() {
	now, at := time.Now(), j.cfg.Now().Round(0).UTC()
	for macs := range slices.Chunk(j.MACs(), batch) {
		j.mu.Lock()
		for _, mac := range macs {
			en := j.entries[mac]
			if en == nil || !en.state.tick(j.moment(mac, now, at)) {
				continue
			}
			j.dirty(en)
			j.add(Event{MAC: mac, Service: boxService, Kind: Note, Text: noteText(&en.state.Phone)}, now, true)
		}
		j.mu.Unlock()
	}
}

// batch is how many phones are looked at under one lock.
const batch = 64

// noteText tells a step that came with time alone.
func noteText(p *Phone) string {
	switch p.Step {
	case phone.Stuck:
		return "is stuck, waiting for " + p.WaitingFor + ". " + p.Problem
	case phone.Ready:
		return "is ready"
	}
	return "is in step " + string(p.Step) + " now"
}

// find returns where an event stands in the timeline; false when it was dropped.
func (en *entry) find(id uint64) (int, bool) {
	return slices.BinarySearchFunc(en.refs, id, func(r ref, id uint64) int { return cmp.Compare(r.id(), id) })
}

// restore reads the store back.
func (j *Journal) restore(ctx context.Context) error {
	now := time.Now()
	err := j.store.ScanJournal(ctx, phonePrefix, func(key string, value []byte) bool {
		mac, ok := macOfKey(key)
		if !ok {
			return true
		}
		s, err := decodeState(mac, value)
		if err != nil {
			j.log.Warn("phone not readable", "err", err)
			return true
		}
		s.restored(now)
		en := &entry{state: s, written: true}
		j.entries[mac] = en
		if s.Address.IsValid() {
			j.at[s.Address] = mac
			en.addrs = append(en.addrs, s.Address)
		}
		return true
	})
	if err == nil {
		err = j.restoreEvents(ctx)
	}
	if err == nil {
		err = j.restoreExchanges(ctx)
	}
	byAge := slices.SortedFunc(maps.Values(j.entries), func(a, b *entry) int { return a.state.Updated.Compare(b.state.Updated) })
	for _, en := range byAge {
		j.moves++
		en.active = j.moves
		j.join(en)
		j.bytes += en.bytes
	}
	return err
}

func (j *Journal) restoreEvents(ctx context.Context) error {
	return j.store.ScanJournal(ctx, eventPrefix, func(key string, value []byte) bool {
		id, mac, ok := parseEventKey(key)
		if !ok {
			return true
		}
		j.lastID = max(j.lastID, id)
		en := j.entries[mac]
		if en == nil {
			en = &entry{state: newState(mac)}
			j.entries[mac] = en
		}
		r := newRef(id, len(value)+eventKeySize)
		en.refs = append(en.refs, r)
		en.bytes += r.size()
		return true
	})
}

// restoreExchanges notes which exchanges the store holds; one whose phone is not known any more goes.
func (j *Journal) restoreExchanges(ctx context.Context) error {
	return j.store.ScanJournal(ctx, exchangePrefix, func(key string, value []byte) bool {
		mac, slot, ok := parseExchangeKey(key)
		if !ok {
			return true
		}
		en := j.entries[mac]
		if en == nil {
			j.remove[key] = true
			return true
		}
		en.written = true
		en.exchanges[slot].size = len(key) + len(value)
		en.bytes += len(key) + len(value)
		return true
	})
}

func macOfKey(key string) (mac phone.MAC, ok bool) {
	if len(key) != len(phonePrefix)+len(mac) {
		return mac, false
	}
	copy(mac[:], key[len(phonePrefix):])
	return mac, true
}
