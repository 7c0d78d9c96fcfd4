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

// Table is every address that is in use, promised, or was: one client per address, and for each client one address in a
// network (see tidy). It is not safe for concurrent use; the caller holds a lock of its own.
type Table struct {
	rules   rules
	careful bool // the store does not take records: see Careful

	entries map[netip.Addr]*entry
	byKey   map[Key]*entry // the latest of a client; the others follow by next
	holds   map[netip.Addr]*hold
	holdOf  map[Key]netip.Addr
	disk    map[netip.Addr]stored // what the store holds, as far as it could be read or was written
	dirty   map[netip.Addr]*entry // entries that differ from what is on disk
	stamp   stamp

	forgotten map[netip.Addr]struct{} // without an entry, and maybe with a record on disk

	// The same, sorted for the questions that come with every packet: see pool.
	pools    []*pool // by Place
	alive    pile[*entry]
	promised pile[*hold]
	lapsed   []*entry       // ended by themselves; Expire reports them
	declined map[string]int // quarantines that run, by hardware address
	listed   map[Key]*waits // where a listed client waits for an address
	unseen   int            // listed clients of which there is no record
}

// entry is a record with its life on the monotonic clock.
type entry struct {
	rec      *Record   // replaced and never changed: what is on disk may be the same one
	deadline time.Time // when Bound or Declined ends
	told     bool      // acknowledged since this process started: what was told is not shortened
	dirty    bool      // differs from what is on disk
	next     *entry    // of the same client, not later than this one

	inAlive, inGone int // its places among those that run and those that ended
}

func newEntry(rec *Record) *entry { return &entry{rec: rec, inAlive: noPlace, inGone: noPlace} }

// hold keeps an address for one client while it is offered or being written to disk.
type hold struct {
	key   Key
	addr  netip.Addr
	until time.Time
	taken bool // the client asked for it
	at    int  // its place among all
}

// stored is what the disk says of an address.
type stored struct {
	rec      *Record
	deadline time.Time // until when the record on disk protects the address
}

// New returns an empty table.
func New(s Settings) *Table {
	t := &Table{
		rules:   newRules(s),
		entries: make(map[netip.Addr]*entry), byKey: make(map[Key]*entry),
		holds: make(map[netip.Addr]*hold), holdOf: make(map[Key]netip.Addr),
		disk: make(map[netip.Addr]stored), forgotten: make(map[netip.Addr]struct{}),
		dirty: make(map[netip.Addr]*entry), declined: make(map[string]int),
		alive: pile[*entry]{
			less:  func(a, b *entry) bool { return a.deadline.Before(b.deadline) },
			place: func(e *entry) *int { return &e.inAlive },
		},
		promised: pile[*hold]{
			less:  func(a, b *hold) bool { return a.until.Before(b.until) },
			place: func(h *hold) *int { return &h.at },
		},
	}
	t.build()
	return t
}

// Apply takes new settings. Leases stay until they end, also where they no longer fit; those are not renewed
// ([Table.Standing] says Unusable or Reserved).
func (t *Table) Apply(s Settings) {
	t.rules = newRules(s)
	t.build()
}

// Duration returns the length of a normal lease of the address.
func (t *Table) Duration(addr netip.Addr) time.Duration {
	if p, ok := t.rules.placeOf(addr); ok {
		return t.rules.networks[p].Duration
	}
	return t.rules.Duration
}

func (e *entry) live(m Moment) bool {
	return (e.rec.State == Bound || e.rec.State == Declined) && m.Mono.Before(e.deadline)
}

// keep promises the address to the client until then; an earlier promise to the same client ends.
func (t *Table) keep(key Key, addr netip.Addr, until time.Time) {
	if h, ok := t.holds[addr]; ok && h.key == key && t.holdOf[key] == addr {
		h.until, h.taken = until, false
		t.promised.fix(h.at)
		return
	}
	t.drop(key)
	if old, ok := t.holds[addr]; ok {
		t.drop(old.key)
	}
	h := &hold{key: key, addr: addr, until: until}
	t.holds[addr], t.holdOf[key] = h, addr
	t.promised.push(h)
	t.sort(addr)
	t.recount(key)
}

// drop takes back what was promised to the client, and returns the address.
func (t *Table) drop(key Key) (netip.Addr, bool) {
	addr, ok := t.holdOf[key]
	if ok {
		t.promised.remove(t.holds[addr].at)
		delete(t.holds, addr)
		delete(t.holdOf, key)
		t.sort(addr)
		t.recount(key)
	}
	return addr, ok
}

// heldByOther reports whether the address is promised to another client.
func (t *Table) heldByOther(key Key, addr netip.Addr, m Moment) bool {
	h, ok := t.holds[addr]
	return ok && h.key != key && m.Mono.Before(h.until)
}

// put makes e the entry of its address.
func (t *Table) put(e *entry) {
	old, replaced := t.entries[e.rec.Address]
	if replaced {
		t.leave(old)
		t.unlink(old)
	}
	t.entries[e.rec.Address] = e
	t.link(e)
	delete(t.dirty, e.rec.Address)
	delete(t.forgotten, e.rec.Address)
	if e.dirty {
		t.dirty[e.rec.Address] = e
	}
	if e.rec.State == Bound || e.rec.State == Declined {
		t.live(e)
	}
	t.sort(e.rec.Address)
	t.recount(e.rec.Key)
	if replaced {
		t.recount(old.rec.Key)
	}
	t.tidy(e.rec.Key)
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
	t.holds[addr].taken = true
	rec := c.record()
	rec.Address, rec.State = addr, Bound
	rec.Start, rec.Trusted = m.wall(), m.Trusted
	rec.Duration, rec.End = d, rec.Start.Add(d+Slack(d))
	return rec
}

// Abort gives up what Begin kept.
func (t *Table) Abort(rec Record) { t.drop(rec.Key) }

// Finish makes the lease of a record from Begin run, from now and for the record's Duration. onDisk tells whether the
// record was written; [Table.Stored] was called for it then. It refuses when the address went to somebody else meanwhile,
// which takes a disk slower than OfferTime. A record that is yet to be written does not end before what the client is told
// now. Another lease of the client goes on to its end.
func (t *Table) Finish(rec Record, onDisk bool, m Moment) error {
	if old, ok := t.entries[rec.Address]; t.heldByOther(rec.Key, rec.Address, m) ||
		(ok && old.live(m) && old.rec.Key != rec.Key) {
		t.Unsure(rec)
		t.drop(rec.Key)
		return refusal("taken", "%s went to another while it was written to disk", rec.Address)
	}
	t.drop(rec.Key)
	if h, ok := t.holds[rec.Address]; ok { // a promise that lapsed
		t.drop(h.key)
	}
	if end := m.wall().Add(rec.Duration); !onDisk && (end.After(rec.End) || rec.Trusted != m.Trusted) {
		rec.Start, rec.End, rec.Trusted = m.wall(), end, m.Trusted
	}
	e := newEntry(t.shared(rec))
	e.deadline, e.told, e.dirty = m.Mono.Add(rec.Duration), true, !onDisk
	t.put(e)
	return nil
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
	t.tidy(key)
	return true
}

// end gives an entry whose lease is over this record.
func (t *Table) end(e *entry, rec Record, s State) {
	t.unlive(e)
	rec.State = s
	t.change(e, rec)
	t.sort(e.rec.Address)
	t.recount(e.rec.Key)
}

// Decline puts an address that its client found in use into quarantine. It refuses when the client neither has the
// address nor was offered it, and when the client has put too many there already (the address is then free again).
func (t *Table) Decline(key Key, hwaddr []byte, addr netip.Addr, m Moment) error {
	e, leased := t.entries[addr]
	leased = leased && e.rec.Key == key
	if h, ok := t.holds[addr]; !leased && !(ok && h.key == key) {
		return refusal("not_its_own", "%s is not an address that this client was given", addr)
	}
	t.lapse(m)
	if t.declined[string(hwaddr)] >= DeclineLimit {
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
	e := newEntry(&rec)
	e.deadline, e.told, e.dirty = m.Mono.Add(DeclineTime), true, true
	t.put(e)
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
