package journal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// What is written in one transaction. After a storm one of all phones would take several times the memory of the timelines
// themselves, and what is removed is read into memory, too.
const (
	partBytes    = 384 << 10
	partRemovals = 512
	// partEach is what an entry takes beside its bytes while it is being written.
	partEach = 64
)

// Flush writes all that is new and returns when it is on disk. What can't be written stays in memory, within the
// bounds, and is tried again.
//
// The events are written first, in the order of their numbers: their keys follow each other in the store, so that each of its
// pages is written once. Then the phones, and what is dropped goes last: a line that others were counted into may not be
// gone before the one that stands for all of them is there.
func (j *Journal) Flush() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	f := j.unsaved()
	for {
		w := j.part(&f)
		if len(w.put) == 0 && len(w.remove) == 0 {
			return nil
		}
		if err := j.write(w); err != nil {
			return err
		}
	}
}

// flush is what is left to write.
type flush struct {
	events []unsaved
	phones []*entry // that changed, in the order of their MACs
	remove []string
	all    bool              // remove was collected
	last   uint64            // the newest event that there was
	put    map[string][]byte // of each part in turn
}

// unsaved is an event that is not in the store.
type unsaved struct {
	id uint64
	en *entry
}

// unsaved returns what is new. Between a few dozen phones it lets others at the journal.
func (j *Journal) unsaved() (f flush) {
	f.put = map[string][]byte{}
	j.mu.Lock()
	f.phones, f.last = slices.Collect(maps.Keys(j.changed)), j.lastID
	j.oldest = time.Time{}
	j.mu.Unlock()
	for some := range slices.Chunk(f.phones, batch) {
		j.mu.Lock()
		for _, en := range some {
			for _, k := range en.fresh {
				f.events = append(f.events, unsaved{k.id, en})
			}
		}
		j.mu.Unlock()
	}
	slices.SortFunc(f.events, func(a, b unsaved) int { return cmp.Compare(a.id, b.id) })
	slices.SortFunc(f.phones, func(a, b *entry) int { return bytes.Compare(a.state.MAC[:], b.state.MAC[:]) })
	return f
}

// writing is what is written in one transaction.
type writing struct {
	put    map[string][]byte
	remove []string
	events []unsaved // of which something is in put
	taken  []taken
	size   int
	last   uint64 // the newest event that there was when the flush began
}

func (w *writing) add(key string, content []byte) {
	w.put[key] = content
	w.size += len(key) + len(content) + partEach
}

func (w *writing) full() bool { return w.size >= partBytes }

// taken is a phone that is written.
type taken struct {
	en        *entry
	exchanges [slots]*Exchange
}

// part takes what is written next out of f.
func (j *Journal) part(f *flush) writing {
	clear(f.put)
	w := writing{put: f.put, last: f.last}
	for len(f.events) > 0 && !w.full() {
		f.events = j.takeEvents(&w, f.events)
	}
	for len(f.phones) > 0 && !w.full() {
		f.phones = j.takePhones(&w, f.phones)
	}
	if w.full() {
		return w
	}
	if !f.all {
		j.mu.Lock()
		f.remove, f.all = slices.Sorted(maps.Keys(j.remove)), true
		j.mu.Unlock()
	}
	n := min(partRemovals, len(f.remove))
	w.remove, f.remove = f.remove[:n], f.remove[n:]
	return w
}

// takeEvents takes a few events and returns the rest. Some were dropped meanwhile.
func (j *Journal) takeEvents(w *writing, events []unsaved) []unsaved {
	j.mu.Lock()
	defer j.mu.Unlock()
	for n, u := range events {
		if n == batch || w.full() {
			return events[n:]
		}
		i, kept := slices.BinarySearchFunc(u.en.fresh, u.id, func(k keep, id uint64) int { return cmp.Compare(k.id, id) })
		if kept {
			w.add(eventKey(u.id, u.en.state.MAC), u.en.fresh[i].content)
			w.events = append(w.events, u)
		}
	}
	return nil
}

// takePhones takes a few phones and returns the rest.
func (j *Journal) takePhones(w *writing, phones []*entry) []*entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	for n, en := range phones {
		if n == batch || w.full() {
			return phones[n:]
		}
		if _, still := j.changed[en]; still { // else it was forgotten meanwhile
			j.take(w, en)
		}
	}
	return nil
}

// take collects what is to be written of one phone beside its events.
func (j *Journal) take(w *writing, en *entry) {
	if n := len(en.fresh); n == 0 || en.fresh[n-1].id <= w.last { // else it has events that are written next time
		delete(j.changed, en)
	}
	mac := en.state.MAC
	t := taken{en: en}
	put := func(key string, content []byte) {
		w.add(key, content)
		delete(j.remove, key) // it was forgotten and came back
		en.written = true
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

// write writes a part. Phones that can't be written are new again.
func (j *Journal) write(w writing) error {
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

// stored takes out of memory what is in the store now. What was dropped while it was being written has to go from there
// with the next write.
func (j *Journal) stored(w writing) {
	for _, k := range w.remove {
		delete(j.remove, k)
	}
	for _, u := range w.events {
		if !u.en.saved(u.id) {
			j.remove[eventKey(u.id, u.en.state.MAC)] = true
		}
	}
	for _, t := range w.taken {
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

// saved notes that an event is in the store now; false when it was dropped meanwhile. Those before it were written before it,
// or dropped: it is the first that is fresh.
func (en *entry) saved(id uint64) bool {
	if len(en.fresh) == 0 || en.fresh[0].id != id {
		return false
	}
	en.fresh[0] = keep{}
	if en.fresh = en.fresh[1:]; len(en.fresh) == 0 {
		en.fresh = nil
	}
	return true
}
