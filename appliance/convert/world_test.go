package convert_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// Loads of the tests' shelf.
const (
	sip23    = "P0S30203"
	sip44    = "P0S3-04-4-00"
	sip53    = "P0S3-05-3-00"
	sip63    = "P0S3-06-3-00"
	sip74    = "P0S3-07-4-00"
	sip812   = "P0S3-8-12-00"
	sip89    = "P0S3-08-9-00"
	sccp31   = "P00303010102"
	sccp5    = "P00305000500"
	sccp8    = "P00308000900"
	loader8  = "P003-8-12-00"
	ofModel  = "7960"
	parallel = 3
)

func number(i int) phone.MAC { return phone.MAC{0, 6, 0xD7, 0xAA, byte(i >> 8), byte(i)} }

func fullShelf() ladder.Shelf {
	var s ladder.Shelf
	for _, name := range []string{sip23, sip44, sip53, sip63, sccp31, sccp5} {
		s = append(s, ladder.Load{Name: name, Files: []string{name + ".bin", name + ".sbn"}})
	}
	for name, loader := range map[string]string{sip74: "P003-07-4-00", sip89: "P003-08-9-00", sip812: loader8} {
		s = append(s, ladder.Load{Name: name, Loader: loader, Files: []string{name + ".loads", name + ".sb2", loader + ".sbn", loader + ".bin"}})
	}
	return append(s, ladder.Load{Name: sccp8, Loader: sccp8, Files: []string{sccp8 + ".loads", sccp8 + ".sb2", sccp8 + ".sbn", sccp8 + ".bin"}})
}

// store is a card that lasts over restarts of the box.
type store struct {
	mu     sync.Mutex
	values map[string][]byte
	fail   error
	writes int
	bytes  int
}

func (s *store) Value(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key], nil
}

func (s *store) SetValue(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.values == nil {
		s.values = map[string][]byte{}
	}
	s.values[key] = value
	s.writes++
	s.bytes += len(value)
	return nil
}

// noStore is the journal's card: nothing lasts there.
type noStore struct{}

func (noStore) WriteJournal(context.Context, map[string][]byte, []string) error { return nil }
func (noStore) ScanJournal(context.Context, string, func(string, []byte) bool) error {
	return nil
}
func (noStore) ReadJournal(context.Context, []string, func(string, []byte)) error { return nil }

// world is a box with its phones; time is the bubble's.
type world struct {
	t       *testing.T
	ctx     context.Context
	end     context.CancelFunc
	cfg     convert.Config
	store   *store
	metrics prometheus.Registerer
	stop    context.CancelFunc
	done    chan error
	phones  map[phone.MAC]*virtual

	mu      sync.Mutex
	d       *convert.Director
	j       *journal.Journal
	shelf   ladder.Shelf
	reports map[phone.MAC][]string
	waits   map[phone.MAC]string
	sending map[phone.MAC]bool // phones to which an image is being sent now
	most    int                // of them at once
	order   []phone.MAC        // in which they got images
	nudged  map[phone.MAC]int
	next    uint64 // transfer
	off     bool   // the box has no power
}

func newWorld(t *testing.T, cfg convert.Config) *world {
	t.Helper()
	w := &world{
		t: t, cfg: cfg, store: &store{}, phones: map[phone.MAC]*virtual{}, shelf: fullShelf(), reports: map[phone.MAC][]string{},
		waits: map[phone.MAC]string{}, sending: map[phone.MAC]bool{}, nudged: map[phone.MAC]int{},
	}
	w.ctx, w.end = context.WithCancel(t.Context())
	j, err := journal.New(journal.Config{}, noStore{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w.j = j
	w.start()
	t.Cleanup(func() { w.halt(); w.end() })
	return w
}

// start powers the box up; the journal is taken to have lasted.
func (w *world) start() {
	w.t.Helper()
	d, err := convert.New(w.cfg, convert.Deps{
		Belief: w.j.Belief,
		Shelf: func() ladder.Shelf {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Clone(w.shelf)
		},
		Restart: w.restart,
		Report: func(mac phone.MAC, text string) {
			w.mu.Lock()
			w.reports[mac] = append(w.reports[mac], text)
			w.mu.Unlock()
			w.j.Add(journal.Event{MAC: mac, Service: "box", Kind: journal.Note, Text: text})
		},
		Waits: func(mac phone.MAC, text string) {
			w.mu.Lock()
			w.waits[mac] = text
			w.mu.Unlock()
		},
		Store: w.store, Now: time.Now, Log: slog.New(slog.DiscardHandler), Metrics: w.metrics,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.ctx)
	w.mu.Lock()
	w.d, w.stop, w.done, w.off = d, stop, make(chan error, 1), false
	done := w.done
	w.mu.Unlock()
	go func() { done <- d.Run(ctx) }()
	go func() { _ = w.j.Run(ctx) }()
}

// halt ends the box in good order.
func (w *world) halt() {
	w.mu.Lock()
	off := w.off
	w.off = true
	w.mu.Unlock()
	if off {
		return
	}
	w.stop()
	<-w.done
}

// cut takes the box's power away: what is not on the card by now is lost.
func (w *world) cut() {
	w.store.mu.Lock()
	w.store.fail = errors.New("the power is cut")
	w.store.mu.Unlock()
	w.halt()
	w.mu.Lock()
	clear(w.sending)
	w.mu.Unlock()
	w.store.mu.Lock()
	w.store.fail = nil
	w.store.mu.Unlock()
}

func (w *world) director() (*convert.Director, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.d, !w.off
}

func (w *world) restart(_ context.Context, mac phone.MAC) error {
	w.mu.Lock()
	w.nudged[mac]++
	w.mu.Unlock()
	p := w.phones[mac]
	if p == nil || !p.sip.Load() || p.deaf {
		return errors.New("it did not answer")
	}
	select {
	case p.sync <- struct{}{}:
	default:
	}
	return nil
}

func (w *world) state(i int) convert.State {
	w.t.Helper()
	d, _ := w.director()
	s, ok := d.State(number(i))
	if !ok {
		w.t.Fatalf("nothing is known of phone %d", i)
	}
	return s
}

func (w *world) want(i int, p convert.Phase) convert.State {
	w.t.Helper()
	s := w.state(i)
	if s.Phase != p {
		w.t.Fatalf("phone %d is %s (%s), want %s; it was told: %s", i, s.Phase, s.Text, p, strings.Join(w.told(i), " | "))
	}
	return s
}

func (w *world) told(i int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.reports[number(i)])
}

// images returns the phones in the order in which images were sent to them.
func (w *world) images() []phone.MAC {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.order)
}

// busy counts the phones to which an image is being sent.
func (w *world) busy() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sending)
}

// until lets time pass until a condition holds.
func (w *world) until(limit time.Duration, what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(time.Second) {
		if time.Now().After(end) {
			for mac := range w.phones {
				s := w.state(int(mac[5]))
				w.t.Logf("%s runs %s: %s, %s", mac, w.phones[mac].words(), s.Phase, s.Text)
			}
			w.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func (w *world) allArrive(limit time.Duration) {
	w.t.Helper()
	w.until(limit, "all phones arrive", func() bool {
		for mac := range w.phones {
			if d, on := w.director(); !on {
				return false
			} else if s, _ := d.State(mac); s.Phase != convert.Arrived {
				return false
			}
		}
		return true
	})
	for mac, p := range w.phones {
		d, _ := w.director()
		s, _ := d.State(mac)
		if !strings.EqualFold(p.runs(), s.Target) {
			w.t.Errorf("%s runs %s, and the box says that it arrived at %s", mac, p.words(), s.Target)
		}
	}
}

// see puts an event into the journal and before the director, as the box does.
func (w *world) see(e journal.Event) {
	d, on := w.director()
	if !on {
		return
	}
	w.j.Add(e)
	d.Observe(e)
}

func listed(n int, target string) convert.Config {
	cfg := convert.Config{Target: target, Parallel: parallel}
	for i := 1; i <= n; i++ {
		cfg.Phones = append(cfg.Phones, convert.Phone{MAC: number(i)})
	}
	return cfg
}

func address(mac phone.MAC) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, mac[4], mac[5]}) }

func class(model string) string {
	if model == "" {
		return "Cisco Systems, Inc. IP Phone\x00"
	}
	return fmt.Sprintf("Cisco Systems, Inc. IP Phone CP-%sG\x00", model)
}
