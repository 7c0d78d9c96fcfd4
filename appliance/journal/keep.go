package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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

// batch is how many phones are looked at or written under one lock.
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

// together is how many phones are written in one transaction: after a storm those of all together would take more memory
// than the timelines themselves.
const together = 512

// Flush writes all that is new and returns when it is on disk. What can't be written stays in memory, within the
// bounds, and is tried again.
func (j *Journal) Flush() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	changed := slices.Collect(maps.Keys(j.changed))
	j.oldest = time.Time{}
	j.mu.Unlock()
	for {
		some := changed[:min(together, len(changed))]
		changed = changed[len(some):]
		if err := j.write(j.pending(some)); err != nil {
			return err
		}
		if len(changed) == 0 {
			return nil
		}
	}
}

// write writes some phones. Those that can't be written are new again, and so are the ones that would have followed.
func (j *Journal) write(w writing) error {
	if len(w.put) == 0 && len(w.remove) == 0 {
		return nil
	}
	err := j.store.WriteJournal(context.Background(), w.put, w.remove)

	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.lost.Inc()
		if !j.failing {
			j.log.Warn("journal cannot be written", "err", err)
		}
		j.failing = true
		j.oldest = time.Now()
		for _, t := range w.taken {
			if j.entries[t.en.state.MAC] == t.en {
				j.dirty(t.en)
			}
		}
		return fmt.Errorf("writing the journal: %w", err)
	}
	j.failing = false
	j.stored(w)
	return nil
}

// writing is what is written in one transaction.
type writing struct {
	put    map[string][]byte
	remove []string
	taken  []taken
}

// taken is a phone of which something is written.
type taken struct {
	en        *entry
	last      uint64 // the newest of its events that are written
	exchanges [slots]*Exchange
}

// pending collects what is written of phones that changed. Between a few dozen phones it lets others at the journal.
func (j *Journal) pending(changed []*entry) writing {
	w := writing{put: make(map[string][]byte, 4*len(changed))}
	for some := range slices.Chunk(changed, batch) {
		j.mu.Lock()
		for _, en := range some {
			if _, still := j.changed[en]; still { // else it was forgotten meanwhile
				delete(j.changed, en)
				j.take(&w, en)
			}
		}
		j.mu.Unlock()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	w.remove = slices.Collect(maps.Keys(j.remove))
	return w
}

// take collects what is to be written of one phone.
func (j *Journal) take(w *writing, en *entry) {
	mac := en.state.MAC
	t := taken{en: en}
	put := func(key string, content []byte) {
		w.put[key] = content
		delete(j.remove, key) // it was forgotten and came back
		en.written = true
	}
	for _, k := range en.fresh {
		w.put[eventKey(k.id, mac)], t.last = k.content, k.id
	}
	for slot, held := range en.exchanges {
		if held.fresh != nil {
			put(exchangeKey(mac, slot), encodeExchange(held.fresh))
			t.exchanges[slot] = held.fresh
		}
	}
	if en.stale && !mac.IsZero() {
		if content, err := json.Marshal(en.state); err != nil {
			j.log.Error("phone not kept", "mac", mac, "err", err) // a program error
		} else {
			put(phoneKey(mac), content)
			en.stale = false
		}
	}
	w.taken = append(w.taken, t)
}

// stored takes out of memory what is in the store now. What was dropped while it was being written has to go from there
// with the next write.
func (j *Journal) stored(w writing) {
	for _, k := range w.remove {
		delete(j.remove, k)
	}
	for key := range w.put {
		id, mac, ok := parseEventKey(key)
		if !ok {
			continue
		}
		if en := j.entries[mac]; en != nil {
			if _, kept := en.find(id); kept {
				continue
			}
		}
		j.remove[key] = true
	}
	for _, t := range w.taken {
		n := 0
		for n < len(t.en.fresh) && t.en.fresh[n].id <= t.last {
			n++
		}
		if n > 0 {
			t.en.fresh = slices.Clone(t.en.fresh[n:])
		}
		for slot, x := range t.exchanges {
			if held := &t.en.exchanges[slot]; x != nil && held.fresh == x {
				size := exchangeKeySize + len(w.put[exchangeKey(t.en.state.MAC, slot)])
				if j.entries[t.en.state.MAC] == t.en {
					j.weigh(t.en, size-held.size)
				}
				held.size, held.fresh = size, nil
			}
		}
	}
}

// find returns where an event stands in the timeline; false when it was dropped.
func (en *entry) find(id uint64) (int, bool) {
	return slices.BinarySearchFunc(en.refs, id, func(r ref, id uint64) int { return cmp.Compare(r.id, id) })
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
		size := len(value) + eventKeySize
		en.refs = append(en.refs, ref{id, size})
		en.bytes += size
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
