package lease

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"
)

// Moment is the time of a call, on both clocks: what runs is measured on Mono, which nobody can set; what is stored
// carries Wall.
type Moment struct {
	Mono    time.Time // from time.Now, with its monotonic reading
	Wall    time.Time
	Trusted bool // whether Wall may be believed
}

// wall returns the wall clock without a monotonic reading, so that what is stored and compared later is the wall clock.
func (m Moment) wall() time.Time { return m.Wall.Round(0) }

// Table is every address that is in use, promised, or was: at most one per client and one client per address. It is
// not safe for concurrent use; the caller holds a lock of its own.
type Table struct {
	rules   rules
	careful bool // the store does not take records: see Careful

	entries map[netip.Addr]*entry
	byKey   map[Key]netip.Addr
	ends    agenda[*entry] // the Bound and Declined ones
	dirty   map[netip.Addr]*entry
	holds   map[netip.Addr]*hold
	holdOf  map[Key]netip.Addr
	lapses  agenda[*hold]
	disk    map[netip.Addr]stored // what the store holds, as far as it could be read or was written
	diskOf  map[Key]netip.Addr
	stamp   stamp

	next      uint32    // where the search for an unused address goes on
	emptyTill time.Time // a search found nothing and nothing can come free before
}

// entry is a record with its life on the monotonic clock.
type entry struct {
	rec      *Record   // replaced and never changed: what is on disk may be the same one
	deadline time.Time // when Bound or Declined ends
	told     bool      // acknowledged since this process started: what was told is not shortened
	dirty    bool      // differs from what is on disk
	at       int       // in Table.ends
}

func (e *entry) ends() time.Time { return e.deadline }
func (e *entry) place() *int     { return &e.at }

// hold keeps an address for one client while it is offered or being written to disk.
type hold struct {
	key   Key
	addr  netip.Addr
	until time.Time
	at    int // in Table.lapses
}

func (h *hold) ends() time.Time { return h.until }
func (h *hold) place() *int     { return &h.at }

// stored is what the disk says of an address.
type stored struct {
	rec      *Record
	deadline time.Time // until when the record on disk protects the address
}

// New returns an empty table.
func New(s Settings) *Table {
	return &Table{
		rules:   newRules(s),
		entries: make(map[netip.Addr]*entry), byKey: make(map[Key]netip.Addr),
		dirty: make(map[netip.Addr]*entry), holds: make(map[netip.Addr]*hold), holdOf: make(map[Key]netip.Addr),
		disk: make(map[netip.Addr]stored), diskOf: make(map[Key]netip.Addr),
	}
}

// Apply takes new settings. Leases stay until they end, also where they no longer fit; those are not renewed
// ([Table.Standing] says Unusable or Reserved).
func (t *Table) Apply(s Settings) {
	t.rules = newRules(s)
	t.next, t.emptyTill = 0, time.Time{}
}

// Duration returns the length of a normal lease.
func (t *Table) Duration() time.Duration { return t.rules.Duration }

func (e *entry) live(m Moment) bool {
	return (e.rec.State == Bound || e.rec.State == Declined) && m.Mono.Before(e.deadline)
}

// keep promises the address to the client until then; an earlier promise to the same client ends.
func (t *Table) keep(key Key, addr netip.Addr, until time.Time) {
	if h, ok := t.holds[addr]; ok && h.key == key {
		h.until = until
		t.lapses.set(h)
		return
	}
	t.drop(key)
	if old, ok := t.holds[addr]; ok {
		t.drop(old.key)
	}
	h := &hold{key: key, addr: addr, until: until, at: -1}
	t.holds[addr], t.holdOf[key] = h, addr
	t.lapses.set(h)
}

// drop takes back what was promised to the client, and returns the address.
func (t *Table) drop(key Key) (netip.Addr, bool) {
	addr, ok := t.holdOf[key]
	if ok {
		t.lapses.remove(t.holds[addr])
		delete(t.holds, addr)
		delete(t.holdOf, key)
		t.emptyTill = time.Time{}
	}
	return addr, ok
}

// heldByOther reports whether the address is promised to another client.
func (t *Table) heldByOther(key Key, addr netip.Addr, m Moment) bool {
	h, ok := t.holds[addr]
	return ok && h.key != key && m.Mono.Before(h.until)
}

// put makes e the entry of its address and its key. It returns the address that the client had before, when that was
// another one.
func (t *Table) put(e *entry) (before netip.Addr) {
	e.at = -1
	if old, ok := t.entries[e.rec.Address]; ok {
		if t.byKey[old.rec.Key] == e.rec.Address {
			delete(t.byKey, old.rec.Key)
		}
		t.remove(old)
	}
	if addr, ok := t.byKey[e.rec.Key]; ok && addr != e.rec.Address {
		before = addr
		t.remove(t.entries[addr])
		t.emptyTill = time.Time{}
	}
	t.entries[e.rec.Address], t.byKey[e.rec.Key] = e, e.rec.Address
	if e.rec.State == Bound || e.rec.State == Declined {
		t.ends.set(e)
	}
	if e.dirty {
		t.dirty[e.rec.Address] = e
	}
	return before
}

func (t *Table) remove(e *entry) {
	t.ends.remove(e)
	delete(t.dirty, e.rec.Address)
	delete(t.entries, e.rec.Address)
}

// change gives an entry another record, which is not on disk yet.
func (t *Table) change(e *entry, rec Record) {
	e.rec, e.dirty = &rec, true
	t.dirty[rec.Address] = e
}

// Drop takes back the offer to a client: it chose another server. It reports whether there was one.
func (t *Table) Drop(key Key) bool {
	_, ok := t.drop(key)
	return ok
}

// Begin keeps the address for the client while its record is written, and returns that record, which protects the
// address for longer than d (see the package's text). The caller has asked [Table.Standing] before; [Table.Finish] or
// [Table.Abort] follows.
func (t *Table) Begin(c Client, addr netip.Addr, d time.Duration, m Moment) Record {
	t.keep(c.Key, addr, m.Mono.Add(OfferTime))
	rec := c.record()
	rec.Address, rec.State = addr, Bound
	rec.Start, rec.Trusted = m.wall(), m.Trusted
	rec.Duration, rec.End = d, rec.Start.Add(d+Slack(d))
	return rec
}

// Abort gives up what Begin kept.
func (t *Table) Abort(rec Record) { t.drop(rec.Key) }

// Finish makes the lease of a record from Begin run, from now and for the record's Duration. onDisk tells whether the
// record was written; [Table.Stored] was called for it then. It returns the address that the client had before, when
// that was another one, and refuses when the address went to somebody else meanwhile, which takes a disk slower than
// OfferTime.
func (t *Table) Finish(rec Record, onDisk bool, m Moment) (before netip.Addr, err error) {
	if old, ok := t.entries[rec.Address]; t.heldByOther(rec.Key, rec.Address, m) ||
		(ok && old.live(m) && old.rec.Key != rec.Key) {
		t.drop(rec.Key)
		return netip.Addr{}, refusal("taken", "%s went to another while it was written to disk", rec.Address)
	}
	t.drop(rec.Key)
	if h, ok := t.holds[rec.Address]; ok { // a promise that lapsed
		t.drop(h.key)
	}
	return t.put(&entry{rec: t.shared(rec), deadline: m.Mono.Add(rec.Duration), told: true, dirty: !onDisk}), nil
}

// Release ends the client's lease of the address at its own wish; the record stays so that it gets the same address
// again. It reports false when there is no such lease.
func (t *Table) Release(key Key, addr netip.Addr, m Moment) bool {
	e, ok := t.entries[addr]
	if !ok || e.rec.Key != key || e.rec.State != Bound {
		return false
	}
	rec := *e.rec
	rec.End, rec.Trusted = m.wall(), m.Trusted
	t.end(e, rec, Released)
	return true
}

func (t *Table) end(e *entry, rec Record, s State) {
	rec.State = s
	t.change(e, rec)
	t.ends.remove(e)
	t.emptyTill = time.Time{}
}

// Decline puts an address that its client found in use into quarantine. It refuses when the client neither has the
// address nor was offered it, and when the client has put too many there already (the address is then free again).
func (t *Table) Decline(key Key, hwaddr []byte, addr netip.Addr, m Moment) error {
	e, leased := t.entries[addr]
	leased = leased && e.rec.Key == key
	if h, ok := t.holds[addr]; !leased && !(ok && h.key == key) {
		return refusal("not_its_own", "%s is not an address that this client was given", addr)
	}
	if t.quarantinedBy(hwaddr, m) >= DeclineLimit {
		t.drop(key)
		if leased && e.rec.State == Bound {
			t.end(e, *e.rec, Released)
		}
		return refusal("decline_limit", "this client has declined %d addresses already", DeclineLimit)
	}
	t.drop(key)
	t.Quarantine(addr, hwaddr, m)
	return nil
}

func (t *Table) quarantinedBy(hwaddr []byte, m Moment) (n int) {
	for _, e := range t.ends.items {
		if e.rec.State == Declined && e.live(m) && string(e.rec.HWAddr) == string(hwaddr) {
			n++
		}
	}
	return n
}

// Quarantine keeps an address from everybody for DeclineTime: somebody uses it who did not get it here. hwaddr is who
// said so, or who answered a probe. The record has a key of its own, so that the next lease of the same client does not
// replace it.
func (t *Table) Quarantine(addr netip.Addr, hwaddr []byte, m Moment) {
	if h, ok := t.holds[addr]; ok {
		t.drop(h.key)
	}
	rec := Record{
		Key: Key("declined:" + addr.String()), HType: Ethernet, HWAddr: append([]byte(nil), hwaddr...),
		Address: addr, State: Declined, Start: m.wall(), Trusted: m.Trusted,
	}
	rec = rec.Shorten(DeclineTime)
	t.put(&entry{rec: &rec, deadline: m.Mono.Add(DeclineTime), told: true, dirty: true})
}

// Pardon ends the quarantine of an address when hwaddr is the one that it was put there for. It reports whether it was.
func (t *Table) Pardon(addr netip.Addr, hwaddr []byte, m Moment) bool {
	e, ok := t.entries[addr]
	if !ok || e.rec.State != Declined || !e.live(m) || !bytes.Equal(e.rec.HWAddr, hwaddr) {
		return false
	}
	t.end(e, *e.rec, Expired)
	return true
}

// Refusal is an error that says why a client does not get an address.
type Refusal struct {
	Code string // for counters: pool_empty, taken, ...
	Text string // a sentence for people, without a full stop
}

// Error returns the sentence.
func (r *Refusal) Error() string { return r.Text }

func refusal(code, format string, args ...any) error {
	return &Refusal{Code: code, Text: fmt.Sprintf(format, args...)}
}
