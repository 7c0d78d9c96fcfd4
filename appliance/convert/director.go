package convert

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

const (
	// maxPhones bounds the phones that are kept apart from those that the site lists.
	maxPhones = 2000
	// defaultParallel is how many phones may be in a step at once unless the site says otherwise.
	defaultParallel = 8
	// lookEvery is how often the director looks at every phone.
	lookEvery = 3 * time.Second
)

// Director decides which phone may take its next step when. It is safe for concurrent use. [Director.Naming] and
// [Director.MayFetch] are what the phones' files go by; [Director.Observe] tells it what the phones did.
//
// Its timers count on Go's monotonic clock; [Deps].Now is for people alone, so that a clock that is set ends no turn.
type Director struct {
	deps Deps
	log  *slog.Logger

	saving sync.Mutex // held while a shard is written; taken before mu

	mu       sync.Mutex
	cfg      Config
	parallel int
	listed   map[phone.MAC]Phone
	ways     map[phone.MAC]*way
	dropped  [shards]bool // a phone of the shard was forgotten since it was written
	silent   []quiet      // phones of which room may be taken, in order
	sought   time.Time    // when that was made
	inVain   bool         // there were none
	plans    plans
	places   int       // that are free, as counted last
	counted  time.Time // when
	outbox   []message
	sending  bool // somebody delivers the outbox
	failing  bool // the last write failed
	metrics  *metrics
}

// New makes a director and reads back the state of every phone; a state that cannot be read costs the order of the
// queue, not safety, and is logged. It starts nothing.
func New(cfg Config, deps Deps) (*Director, error) {
	if deps.Belief == nil || deps.Shelf == nil || deps.Restart == nil || deps.Report == nil || deps.Store == nil || deps.Now == nil || deps.Log == nil {
		return nil, errors.New("making the director of conversions: all dependencies but metrics are required")
	}
	d := &Director{deps: deps, log: deps.Log, ways: map[phone.MAC]*way{}}
	d.metrics = newMetrics(d)
	if deps.Metrics != nil {
		if err := deps.Metrics.Register(d.metrics); err != nil {
			return nil, fmt.Errorf("registering the metrics of conversions: %w", err)
		}
	}
	d.configure(cfg)
	if err := d.load(context.Background()); err != nil {
		deps.Log.Warn("conversions not read", "err", err)
	}
	return d, nil
}

// Apply takes new settings. A phone that the site no longer lists is forgotten; one that gets another target sets out
// anew. Orders stay.
func (d *Director) Apply(cfg Config) {
	d.mu.Lock()
	d.configure(cfg)
	d.mu.Unlock()
	d.deliver()
}

// configure is called with mu held, or before anybody else knows d.
func (d *Director) configure(cfg Config) {
	d.cfg, d.parallel = cfg, cfg.Parallel
	if d.parallel <= 0 {
		d.parallel = defaultParallel
	}
	d.listed = make(map[phone.MAC]Phone, len(cfg.Phones))
	for _, p := range cfg.Phones {
		if !p.MAC.IsZero() {
			d.listed[p.MAC] = p
			d.way(p.MAC)
		}
	}
	for mac := range d.ways {
		d.forget(mac)
	}
}

// forget drops a phone that is none of the director's business any more, unless it is in the middle of a step.
func (d *Director) forget(mac phone.MAC) {
	if _, ok := d.listed[mac]; ok || d.cfg.Unlisted {
		return
	}
	if w := d.ways[mac]; w != nil {
		if d.aimed(w); w.Finish == "" {
			delete(d.ways, mac)
			d.dropped[shardOf(mac)] = true
		}
	}
}

// Run looks at all phones every few seconds: silent ones lose their turn, and those whose turn came are told to restart.
// It returns nil when ctx ends, after all is written.
func (d *Director) Run(ctx context.Context) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
			defer cancel()
			return d.save(last)
		case <-t.C:
		}
		for _, mac := range d.tick() {
			calls.Go(func() { d.restart(ctx, mac) })
		}
		d.deliver()
		_ = d.save(ctx) // logged; tried again with the next look
	}
}

// tick looks at every phone and returns those that have to be restarted now.
func (d *Director) tick() []phone.MAC {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.plans.stock(d.deps.Shelf())
	for mac, w := range d.ways {
		w.tick(d, now)
		d.look(w, now)
		d.forget(mac)
	}
	return d.nudges(now)
}

// Plan says how a phone would get from what it is believed to run to a load, with the firmware that is there. The error
// is a sentence for people.
func (d *Director) Plan(from ladder.Belief, to string) (ladder.Path, error) {
	return ladder.Plan(from, to, d.deps.Shelf())
}

// PlanLoad is Plan for a phone that surely runs a load.
func (d *Director) PlanLoad(from, to string) (ladder.Path, error) {
	clue, ok := ladder.Stated(from, d.deps.Now())
	if !ok {
		return ladder.Path{}, fmt.Errorf("%q is not the name of a load of the 7940 and 7960, such as P0S3-8-12-00", from)
	}
	clue.Confidence = ladder.Sure
	return d.Plan(ladder.Conclude([]ladder.Clue{clue}), to)
}

// way returns what is kept of a phone that the site lists, or, where all are converted, of any other; nil for one that
// is none of the director's business or for which there is no room.
func (d *Director) way(mac phone.MAC) *way {
	if w := d.ways[mac]; w != nil {
		return w
	}
	if _, ok := d.listed[mac]; !ok && (!d.cfg.Unlisted || mac.IsZero() || !d.room()) {
		return nil
	}
	w := &way{mac: mac}
	d.ways[mac] = w
	return w
}

// room makes room for a phone that the site does not list: one that holds no turn and was silent for longest goes. All are
// looked at once for a whole queue of those that may go, for in a flood of new MACs each needs room.
func (d *Director) room() bool {
	if len(d.ways) < maxPhones {
		return true
	}
	for range 2 {
		for len(d.silent) > 0 {
			next := d.silent[0]
			d.silent = d.silent[1:]
			if w := d.ways[next.mac]; w != nil && w.seen.Equal(next.seen) && d.mayGo(w) {
				delete(d.ways, next.mac)
				d.dropped[shardOf(next.mac)] = true
				return true
			}
		}
		now := time.Now()
		if d.inVain && now.Sub(d.sought) < seekEvery {
			return false
		}
		d.sought = now
		d.seek()
		d.inVain = len(d.silent) == 0
	}
	return false
}

// seekEvery is how long it is not looked again for phones of which room may be taken, when there were none.
const seekEvery = 100 * time.Millisecond

// quiet is a phone that may have to go, with when it was seen last.
type quiet struct {
	mac  phone.MAC
	seen time.Time
}

func (d *Director) mayGo(w *way) bool {
	_, ok := d.listed[w.mac]
	return !ok && !w.Turn && w.Image == ""
}

// seek makes the queue of those that may go, the one that was silent for longest first.
func (d *Director) seek() {
	d.silent = d.silent[:0]
	for _, w := range d.ways {
		if d.mayGo(w) {
			d.silent = append(d.silent, quiet{w.mac, w.seen})
		}
	}
	slices.SortFunc(d.silent, func(a, b quiet) int { return cmp.Or(a.seen.Compare(b.seen), bytes.Compare(a.mac[:], b.mac[:])) })
}

// message is something to be told outside once mu is free.
type message struct {
	mac   phone.MAC
	text  string
	waits bool // it is what the phone waits for, not a line of its timeline
}

// report puts a sentence into the phone's timeline, as soon as deliver is called.
func (d *Director) report(w *way, text string) {
	d.outbox = append(d.outbox, message{mac: w.mac, text: text})
}

// deliver sends what is in the outbox, in order and without holding mu: who hears it may call the director again.
func (d *Director) deliver() {
	for {
		d.mu.Lock()
		if d.sending || len(d.outbox) == 0 {
			d.mu.Unlock()
			return
		}
		batch := d.outbox
		d.outbox, d.sending = nil, true
		d.mu.Unlock()
		d.send(batch)
	}
}

func (d *Director) send(batch []message) {
	defer func() {
		d.mu.Lock()
		d.sending = false
		d.mu.Unlock()
	}()
	for _, m := range batch {
		if !m.waits {
			d.deps.Report(m.mac, m.text)
		} else if d.deps.Waits != nil {
			d.deps.Waits(m.mac, m.text)
		}
	}
}
