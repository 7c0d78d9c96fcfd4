package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// Config bounds the journal. Zero fields take the defaults, which are those of promise 8.
type Config struct {
	MaxEvents    int              // of one phone; default 1,000
	MaxPhones    int              // listed or leased; default 2,000
	MaxStrangers int              // other MACs; default 200
	MaxBytes     int              // of all timelines; default 32 MB
	WriteEvery   time.Duration    // an event is on disk after so long at the latest; default 5 s
	Now          func() time.Time // the box's time, for people; default time.Now
	Metrics      prometheus.Registerer
}

func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.MaxEvents, 1000)
	def(&c.MaxPhones, 2000)
	def(&c.MaxStrangers, 200)
	def(&c.MaxBytes, 32_000_000)
	if c.WriteEvery <= 0 {
		c.WriteEvery = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Store is where the journal lasts: keys with values, in the order of the keys.
type Store interface {
	// WriteJournal puts and removes entries at once; they are on disk when it returns nil.
	WriteJournal(ctx context.Context, put map[string][]byte, remove []string) error
	// ScanJournal visits the entries whose key has the prefix until visit returns false.
	ScanJournal(ctx context.Context, prefix string, visit func(key string, value []byte) bool) error
	// ReadJournal visits those of the keys that have an entry. Values are valid during the call only.
	ReadJournal(ctx context.Context, keys []string, visit func(key string, value []byte)) error
}

// boxService is the Service of events that the journal makes itself.
const boxService = "box"

// Journal is safe for concurrent use.
type Journal struct {
	cfg   Config
	store Store
	log   *slog.Logger

	writing sync.Mutex // held by Flush; taken before mu

	mu       sync.Mutex
	entries  map[phone.MAC]*entry
	groups   [classes]group
	moves    uint64                   // counts what makes entries active
	changed  map[*entry]struct{}      // those that have something to write
	scratch  []byte                   // for encoding
	at       map[netip.Addr]phone.MAC // the phone last seen there
	listed   map[phone.MAC]bool
	target   string               // firmware.target
	convert  bool                 // it holds for unlisted phones as well
	pinned   map[phone.MAC]string // phones with a target of their own
	stated   map[phone.MAC]string // what the site says that they run
	statedAt time.Time            // since when
	lastID   uint64
	transfer uint64          // the highest number of a transfer
	bytes    int             // of all timelines
	remove   map[string]bool // keys to remove from the store
	oldest   time.Time       // arrival of the oldest event that is not stored; zero = none
	subs     map[*subscriber]bool
	failing  bool // the last write failed
	lost     prometheus.Counter
}

// entry is one MAC.
type entry struct {
	place
	state      *state
	refs       []ref      // all events, oldest first
	fresh      []keep     // of them those that are not in the store, oldest first
	window     []folded   // the last lines, as long as they are such that equal ones fold
	windowStep phone.Step // in which they were told
	addrs      []netip.Addr
	exchanges  [slots]heldExchange
	bytes      int
	stale      bool // the state differs from the stored one
	written    bool // the store may hold something of it under its MAC
}

// dirty notes that the state of an entry has to be written.
func (j *Journal) dirty(en *entry) {
	en.stale = true
	j.change(en)
}

// change notes that something of an entry has to be written.
func (j *Journal) change(en *entry) { j.changed[en] = struct{}{} }

// ref is an event of a timeline: its number, and what it takes of the bound on all bytes. There may be two hundred thousand.
type ref uint64

// refSize is how many bits the size has: an event takes less than a megabyte (see [trim]).
const refSize = 20

func newRef(id uint64, size int) ref { return ref(id<<refSize | uint64(min(size, 1<<refSize-1))) }

func (r ref) id() uint64 { return uint64(r >> refSize) }

func (r ref) size() int { return int(r & (1<<refSize - 1)) }

type keep struct {
	id      uint64
	content []byte
}

// New makes a journal and reads back what the store holds. A store that cannot be read costs the history, not the
// journal: that is logged. It starts nothing.
func New(cfg Config, store Store, log *slog.Logger) (*Journal, error) {
	if store == nil || log == nil {
		return nil, errors.New("making the journal: a store and a logger are required")
	}
	j := &Journal{
		cfg: cfg.withDefaults(), store: store, log: log,
		entries: map[phone.MAC]*entry{}, changed: map[*entry]struct{}{}, at: map[netip.Addr]phone.MAC{}, listed: map[phone.MAC]bool{},
		remove: map[string]bool{}, subs: map[*subscriber]bool{},
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_journal_write_failures_total", Help: "Times that the journal could not be written; its events wait in memory.",
		}),
	}
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(j.lost); err != nil {
			return nil, fmt.Errorf("registering the journal's metrics: %w", err)
		}
	}
	if err := j.restore(context.Background()); err != nil {
		log.Warn("journal not read", "err", err)
	}
	return j, nil
}

// Add takes an event in; it never waits for the card. The zero MAC is the box itself: it has a timeline and no step.
func (j *Journal) Add(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.add(e, time.Now(), false)
}

// add is called with mu held. byTime says that the phone did nothing. now is for timers: an offset that the clock takes on moves its monotonic reading as well.
func (j *Journal) add(e Event, now time.Time, byTime bool) {
	if e.Time.IsZero() {
		e.Time = j.cfg.Now()
	}
	e.Time = e.Time.Round(0).UTC()
	trim(&e)
	j.lastID++
	e.ID = j.lastID
	en := j.entries[e.MAC]
	isNew := en == nil
	if isNew {
		en = &entry{state: newState(e.MAC)}
		en.state.stated(j.stated[e.MAC], j.statedAt)
		j.entries[e.MAC] = en
		j.join(en)
	}
	leased := en.state.Leased
	repeated := false
	if !e.MAC.IsZero() {
		repeated = en.repeats(&e)
		en.state.apply(&e, j.moment(e.MAC, now, e.Time))
		j.learn(en, &e)
		j.dirty(en)
	}
	if !byTime {
		j.touch(en)
	}
	if isNew || en.state.Leased != leased {
		j.bound(en)
	}
	j.transfer = max(j.transfer, e.Transfer)
	if e.Exchange != nil {
		j.exchanged(en, &e)
	}
	if !repeated && !(e.Kind == Transfer && e.Phase == Progress) {
		j.keep(en, &e, now)
	} else {
		j.shrink() // what was asked and sent takes room as well
	}
	if len(j.subs) > 0 {
		e.Text = told(&e)
		j.publish(e)
	}
}

func (j *Journal) moment(mac phone.MAC, now, at time.Time) moment {
	m := moment{now: now, at: at, transfer: j.transfer}
	if load, ok := j.pinned[mac]; ok {
		m.target = load
	} else if j.listed[mac] || j.convert {
		m.target = j.target
	}
	return m
}

// repeats reports whether an event says what the last one of its kind said already: a phone is asked each minute
// whether its SIP application answers, and a timeline full of that would hold nothing else.
func (en *entry) repeats(e *Event) bool {
	s := en.state
	switch e.Kind {
	case SIPAlive:
		return s.Step == phone.Ready && !s.Silent
	case SIPSilent:
		return s.Silent || s.Step != phone.Ready
	case Hint:
		return s.heard(e)
	}
	return false
}

// learn notes where a phone was seen and whether it has a lease.
func (j *Journal) learn(en *entry, e *Event) {
	switch e.Kind {
	case Lease:
		en.state.Leased = true
	case LeaseEnded:
		en.state.Leased = false
		return
	case FileRefused:
		return // who asked was not that phone
	}
	a := e.Address
	if !a.IsValid() || j.at[a] == e.MAC {
		return
	}
	if old := j.entries[j.at[a]]; old != nil {
		old.addrs = slices.DeleteFunc(old.addrs, func(x netip.Addr) bool { return x == a })
	}
	j.at[a] = e.MAC
	en.addrs = append(en.addrs, a)
	if len(en.addrs) > maxAddrs { // one phone used four addresses within an hour (phones.md a.8)
		delete(j.at, en.addrs[0])
		en.addrs = slices.Delete(en.addrs, 0, 1)
	}
}

const maxAddrs = 8

// keep puts an event into its timeline.
func (j *Journal) keep(en *entry, e *Event, now time.Time) {
	j.fold(en, e)
	scratch, err := appendEvent(j.scratch[:0], e)
	if err != nil {
		j.log.Error("event not kept", "err", err) // a program error: all of an event can be encoded
		return
	}
	j.scratch = scratch
	content := bytes.Clone(scratch)
	r := newRef(e.ID, len(content)+eventKeySize)
	en.refs = append(en.refs, r)
	en.fresh = append(en.fresh, keep{e.ID, content})
	j.weigh(en, r.size())
	j.change(en)
	if j.oldest.IsZero() {
		j.oldest = now
	}
	if len(en.refs) > j.cfg.MaxEvents {
		j.drop(en, len(en.refs)-j.cfg.MaxEvents)
	}
	j.shrink()
}

// Phones returns what is known of every phone now, in the order of their MACs.
func (j *Journal) Phones() []Phone {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Phone, 0, len(j.entries))
	for mac, en := range j.entries {
		if !mac.IsZero() {
			out = append(out, en.state.Phone)
		}
	}
	slices.SortFunc(out, func(a, b Phone) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })
	return out
}

// Phone returns what is known of one phone; false when it was never seen.
func (j *Journal) Phone(mac phone.MAC) (Phone, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	en := j.entries[mac]
	if en == nil || mac.IsZero() {
		return Phone{}, false
	}
	return en.state.Phone, true
}

// Events returns the timeline of a phone, oldest first; that of the zero MAC is the box's own.
func (j *Journal) Events(mac phone.MAC) []Event {
	j.mu.Lock()
	en := j.entries[mac]
	if en == nil {
		j.mu.Unlock()
		return nil
	}
	fresh := slices.Clone(en.fresh)
	var keys []string
	for _, r := range en.refs[:len(en.refs)-len(fresh)] {
		keys = append(keys, eventKey(r.id(), mac))
	}
	j.mu.Unlock()

	out := make([]Event, 0, len(keys)+len(fresh))
	take := func(id uint64, content []byte) {
		e, err := decodeEvent(id, mac, content)
		if err != nil {
			j.log.Warn("event not readable", "err", err)
			return
		}
		e.Text = told(&e)
		out = append(out, e)
	}
	err := j.store.ReadJournal(context.Background(), keys, func(key string, value []byte) {
		id, _, _ := parseEventKey(key)
		take(id, value)
	})
	if err != nil {
		j.log.Warn("timeline not readable", "mac", mac, "err", err)
	}
	for _, k := range fresh {
		take(k.id, k.content)
	}
	return out
}

// At returns the phone last seen at an address, and false when none was (phones.md a.8).
func (j *Journal) At(addr netip.Addr) (phone.MAC, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	mac, ok := j.at[addr]
	return mac, ok
}

// SetTarget says which load the site wants on its phones ("" = none), and whether on unlisted ones as well. A phone that
// speaks SCCP counts as ready only with that load.
func (j *Journal) SetTarget(load string, unlisted bool) { j.SetTargets(nil, load, unlisted) }

// SetTargets is SetTarget with the phones that have a target of their own ("" = none, whatever the site wants).
func (j *Journal) SetTargets(pinned map[phone.MAC]string, load string, unlisted bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pinned, j.target, j.convert = maps.Clone(pinned), load, unlisted
}

// SetStated says which loads the site says that its phones run; it replaces what was said before. What the phones show
// themselves later counts for more.
func (j *Journal) SetStated(loads map[phone.MAC]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stated, j.statedAt = maps.Clone(loads), j.cfg.Now().Round(0).UTC()
	for mac, en := range j.entries {
		if !mac.IsZero() && en.state.stated(j.stated[mac], j.statedAt) {
			j.dirty(en)
		}
	}
}

// SetConversion says what a phone's conversion does or waits for, a sentence; "" = nothing. A phone that is ready on a load
// from which it has to go on says so.
func (j *Journal) SetConversion(mac phone.MAC, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if en := j.entries[mac]; en != nil && !mac.IsZero() {
		en.state.next = text
		en.state.describe()
	}
}

// Belief returns what all clues say together of what a phone runs, and when it was last heard of (zero = never).
func (j *Journal) Belief(mac phone.MAC) (b ladder.Belief, heard time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if en := j.entries[mac]; en != nil {
		return en.state.Belief, en.state.Updated
	}
	s := newState(mac)
	s.stated(j.stated[mac], j.statedAt)
	return s.Belief, time.Time{}
}
