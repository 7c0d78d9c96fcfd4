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

// Tick looks at the time once: phones may become stuck or ready by it, which their timelines tell. Run calls it.
func (j *Journal) Tick() {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	for _, mac := range slices.Collect(maps.Keys(j.entries)) {
		en := j.entries[mac]
		if mac.IsZero() || en == nil || !en.state.tick(j.moment(mac, now)) {
			continue
		}
		en.dirty = true
		active := en.active
		j.add(Event{MAC: mac, Service: boxService, Kind: Note, Text: noteText(&en.state.Phone)}, now)
		en.active = active
	}
}

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

// Flush writes all that is new and returns when it is on disk. What can't be written stays in memory, within the
// bounds, and is tried again.
func (j *Journal) Flush() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	put, remove, phones := j.pending()
	if len(put) == 0 && len(remove) == 0 {
		return nil
	}
	err := j.store.WriteJournal(context.Background(), put, remove)

	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.lost.Inc()
		if !j.failing {
			j.log.Warn("journal cannot be written", "err", err)
		}
		j.failing = true
		j.oldest = time.Now()
		for _, en := range phones {
			en.dirty = true
		}
		return fmt.Errorf("writing the journal: %w", err)
	}
	j.failing = false
	j.stored(put, remove)
	return nil
}

// pending collects what Flush writes; phones are those whose state is among it.
func (j *Journal) pending() (put map[string][]byte, remove []string, phones []*entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	put = map[string][]byte{}
	for mac, en := range j.entries {
		for _, k := range en.fresh {
			put[eventKey(k.id, mac)] = k.content
		}
		if !en.dirty || mac.IsZero() {
			continue
		}
		content, err := json.Marshal(en.state)
		if err != nil {
			j.log.Error("phone not kept", "mac", mac, "err", err) // a program error
			continue
		}
		put[phoneKey(mac)] = content
		delete(j.remove, phoneKey(mac)) // it was forgotten and came back
		en.dirty = false
		phones = append(phones, en)
	}
	j.oldest = time.Time{}
	return put, slices.Collect(maps.Keys(j.remove)), phones
}

// stored takes out of memory what is in the store now. What was dropped while it was being written has to go from there
// with the next write.
func (j *Journal) stored(put map[string][]byte, removed []string) {
	for _, k := range removed {
		delete(j.remove, k)
	}
	for key := range put {
		id, mac, ok := parseEventKey(key)
		if !ok {
			continue
		}
		en := j.entries[mac]
		if en != nil {
			if _, kept := en.find(id); kept {
				continue
			}
		}
		j.remove[key] = true
	}
	for mac, en := range j.entries {
		n := 0
		for n < len(en.fresh) && put[eventKey(en.fresh[n].id, mac)] != nil {
			n++
		}
		if n > 0 {
			en.fresh = slices.Clone(en.fresh[n:])
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
		j.entries[mac] = &entry{state: s, active: s.Updated}
		if s.Address.IsValid() {
			j.at[s.Address] = mac
			j.entries[mac].addrs = append(j.entries[mac].addrs, s.Address)
		}
		return true
	})
	if err != nil {
		return err
	}
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
		j.bytes += size
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
