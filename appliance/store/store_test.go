package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"phonebox/appliance/store"
	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
)

func open(t testing.TB, dir string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.OpenWith(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}) }

// record makes a lease with everything set; the key and the names hold bytes that are no UTF-8.
func record(i int) lease.Record {
	hw := []byte{0, 6, 0xD7, 0xAA, byte(i >> 8), byte(i)}
	start := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC).Add(time.Duration(i) * time.Minute)
	return lease.Record{
		Key: lease.Key(hw), HType: 1, HWAddr: hw, ClientID: append([]byte{1}, hw...), Address: addr(i), State: lease.Bound,
		Start: start, End: start.Add(8 * time.Hour), Duration: 8 * time.Hour, Trusted: i%2 == 0,
		Hostname: "SEP\xff", VendorClass: "Cisco Systems, Inc. IP Phone CP-7960G\xfe",
	}
}

func wantLeases(t *testing.T, s *store.Store, want ...lease.Record) {
	t.Helper()
	got, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b lease.Record) int { return a.Address.Compare(b.Address) })
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("leases (-want +got):\n%s", d)
	}
}

func TestRecordsComeBackAsStored(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	zero := lease.Record{Address: addr(3), State: lease.Declined}
	if err := s.Commit(t.Context(), record(1), record(2), zero); err != nil {
		t.Fatal(err)
	}
	wantLeases(t, s, record(1), record(2), zero)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, store.Options{})
	wantLeases(t, s, record(1), record(2), zero)
	if f := s.Faults(); len(f) > 0 {
		t.Errorf("faults of a good file: %q", f)
	}
}

// A client that shows up elsewhere, or seems to, keeps what it was told before: only the address tells records apart.
func TestRecordReplacesThatOfItsAddressAlone(t *testing.T) {
	for _, fold := range []bool{false, true} {
		dir := t.TempDir()
		s := open(t, dir, store.Options{})
		again := func() { // what it knows must be on disk as well
			t.Helper()
			if fold {
				if err := s.FoldNow(); err != nil {
					t.Fatal(err)
				}
			}
			s.Close()
			s = open(t, dir, store.Options{})
		}
		commit := func(records ...lease.Record) {
			t.Helper()
			for _, r := range records {
				if err := s.Commit(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
		}
		moved := record(1)
		moved.Address = addr(9)
		taken := record(5)
		taken.Address = addr(2)
		declined := lease.Record{Address: addr(7), State: lease.Declined}
		other := lease.Record{Address: addr(8), State: lease.Declined}
		commit(record(1), record(2), declined, other, moved, taken)
		wantLeases(t, s, record(1), moved, taken, declined, other)
		again()
		wantLeases(t, s, record(1), moved, taken, declined, other)
		commit(record(2), record(7), lease.Erased(addr(1)), lease.Erased(addr(8)), lease.Erased(addr(77)))
		wantLeases(t, s, moved, record(2), record(7))
		again()
		wantLeases(t, s, moved, record(2), record(7))
		commit(record(8), lease.Erased(addr(9)), moved)
		again()
		wantLeases(t, s, moved, record(2), record(7), record(8))
	}
}

func TestRecordWithoutAddressIsRefusedAlone(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	if err := s.Commit(t.Context(), lease.Record{Key: "x"}); err == nil {
		t.Error("a record without an address was stored")
	}
	bad := record(1)
	bad.Start = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.Commit(t.Context(), bad); err == nil {
		t.Error("a time that cannot be written was stored")
	}
	if err := s.Commit(t.Context(), record(1)); err != nil {
		t.Error(err)
	}
}

func TestValues(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	ctx := t.Context()
	if v, err := s.Value(ctx, "site"); v != nil || err != nil {
		t.Errorf("an absent value: %q, %v", v, err)
	}
	for name, v := range map[string][]byte{"site": []byte("name = \"x\""), "empty": {}, "gone": []byte("1"), "big": make([]byte, 1<<20)} {
		if err := s.SetValue(ctx, name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetValue(ctx, "gone", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.SetDecision(ctx, dhcp.Decision{Serve: true}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir, store.Options{})
	if v, err := s.Value(ctx, "site"); string(v) != "name = \"x\"" || err != nil {
		t.Errorf("site: %q, %v", v, err)
	}
	if v, err := s.Value(ctx, "empty"); v == nil || len(v) != 0 || err != nil {
		t.Errorf("an empty value must differ from an absent one: %v, %v", v, err)
	}
	if v, err := s.Value(ctx, "gone"); v != nil || err != nil {
		t.Errorf("a removed value: %q, %v", v, err)
	}
	if v, err := s.Value(ctx, "big"); len(v) != 1<<20 || err != nil {
		t.Errorf("big: %d bytes, %v", len(v), err)
	}
	if d, err := s.Decision(ctx); !d.Serve || err != nil {
		t.Errorf("decision: %+v, %v", d, err)
	}
	if err := s.SetValue(ctx, "huge", make([]byte, 9<<20)); err == nil {
		t.Error("a value of 9 MiB was taken")
	}
}

// gate is a sync that the test lets pass, one transaction at a time.
type gate struct {
	entered chan struct{}
	pass    chan error
	count   atomic.Int32
}

func newGate() *gate { return &gate{entered: make(chan struct{}, 100), pass: make(chan error)} }

func (g *gate) sync() error {
	g.count.Add(1)
	g.entered <- struct{}{}
	return <-g.pass
}

func TestAllThatWaitsGoesIntoOneTransaction(t *testing.T) {
	g := newGate()
	s := open(t, t.TempDir(), store.Options{BeforeSync: g.sync})
	var done sync.WaitGroup
	commit := func(i int) {
		done.Go(func() {
			if err := s.Commit(t.Context(), record(i)); err != nil {
				t.Error(err)
			}
		})
	}
	commit(0)
	<-g.entered // the first transaction is being written
	for i := 1; i <= 64; i++ {
		commit(i)
	}
	for s.Waiting() < 64 {
		time.Sleep(time.Millisecond) // polling, with the test's own deadline
	}
	g.pass <- nil
	<-g.entered
	g.pass <- nil
	done.Wait()
	if n := g.count.Load(); n != 2 {
		t.Errorf("65 commits took %d transactions, want 2", n)
	}
	if got, _ := s.Leases(t.Context()); len(got) != 65 {
		t.Errorf("%d leases are stored, want 65", len(got))
	}
}

func TestCommitReturnsOnlyAfterTheSync(t *testing.T) {
	g := newGate()
	s := open(t, t.TempDir(), store.Options{BeforeSync: g.sync})
	returned := make(chan error, 1)
	go func() { returned <- s.Commit(t.Context(), record(1)) }()
	<-g.entered
	select {
	case err := <-returned:
		t.Fatalf("the commit returned (%v) before its transaction was synced", err)
	default:
	}
	g.pass <- nil
	if err := <-returned; err != nil {
		t.Error(err)
	}
}

func TestCommitsOfOneAddressKeepTheirOrder(t *testing.T) {
	g := newGate()
	s := open(t, t.TempDir(), store.Options{BeforeSync: g.sync})
	var done sync.WaitGroup
	for i := range 10 {
		r := record(1)
		r.Hostname = fmt.Sprint(i)
		done.Go(func() { _ = s.Commit(t.Context(), r) })
		if i == 0 {
			<-g.entered
			continue
		}
		for s.Waiting() < i {
			time.Sleep(time.Millisecond) // polling
		}
	}
	g.pass <- nil
	<-g.entered
	g.pass <- nil
	done.Wait()
	got, err := s.Leases(t.Context())
	if err != nil || len(got) != 1 || got[0].Hostname != "9" {
		t.Errorf("want the last record alone, got %v, %v", got, err)
	}
}

func TestFailingSyncFailsEveryWaiterAndTheNextIsTried(t *testing.T) {
	g := newGate()
	reg := prometheus.NewRegistry()
	s := open(t, t.TempDir(), store.Options{BeforeSync: g.sync, Metrics: reg})
	errs := make(chan error, 10)
	go func() { errs <- s.Commit(t.Context(), record(0)) }()
	<-g.entered
	for i := 1; i < 10; i++ {
		go func() { errs <- s.Commit(t.Context(), record(i)) }()
	}
	for s.Waiting() < 9 {
		time.Sleep(time.Millisecond) // polling
	}
	boom := errors.New("the card is gone")
	g.pass <- nil
	if err := <-errs; err != nil {
		t.Errorf("the first group: %v", err)
	}
	<-g.entered
	g.pass <- boom
	for range 9 {
		if err := <-errs; !errors.Is(err, boom) {
			t.Errorf("a waiter of the failed group got %v", err)
		}
	}
	if !errors.Is(s.Failing(), boom) {
		t.Errorf("Failing says %v", s.Failing())
	}
	go func() { errs <- s.Commit(t.Context(), record(20)) }()
	<-g.entered
	g.pass <- nil
	if err := <-errs; err != nil || s.Failing() != nil {
		t.Errorf("after the failure: %v, Failing %v", err, s.Failing())
	}
	wantLeases(t, s, record(0), record(20))
}

// TestFailingFdatasync lets the store itself meet a log that takes writes and cannot sync them: /dev/null under its
// descriptor. A failed group leaves nothing that the next one does not overwrite.
func TestFailingFdatasync(t *testing.T) {
	var file *os.File
	dir := t.TempDir()
	s := open(t, dir, store.Options{OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		if filepath.Base(name) == "leases-1.log" {
			file = f
		}
		return f, err
	}})
	if err := s.Commit(t.Context(), record(1), record(2)); err != nil {
		t.Fatal(err)
	}
	swap := func(with int) {
		if err := unix.Dup3(with, int(file.Fd()), unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	good, err := unix.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(good)
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	moved := record(1)
	moved.Address = addr(3)

	swap(int(null.Fd()))
	if err := s.Commit(t.Context(), moved); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a commit whose fdatasync fails returned %v", err)
	}
	swap(good)

	again := record(1)
	again.Address = addr(4)
	if err := s.Commit(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	wantLeases(t, s, record(1), again, record(2))
	s.Close()
	wantLeases(t, open(t, dir, store.Options{}), record(1), again, record(2))
}

func TestCommitStopsWaitingWhenItsContextEnds(t *testing.T) {
	g := newGate()
	s := open(t, t.TempDir(), store.Options{BeforeSync: g.sync})
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 1)
	go func() { errs <- s.Commit(ctx, record(1)) }()
	<-g.entered
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	g.pass <- nil
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	g := newGate()
	dir := t.TempDir()
	s := open(t, dir, store.Options{BeforeSync: g.sync})
	errs := make(chan error, 2)
	go func() { errs <- s.Commit(t.Context(), record(1)) }()
	<-g.entered
	go func() { errs <- s.Commit(t.Context(), record(2)) }()
	for s.Waiting() < 1 {
		time.Sleep(time.Millisecond) // polling
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	g.pass <- nil
	<-g.entered
	g.pass <- nil
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Commit(t.Context(), record(3)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a commit after Close: %v", err)
	}
	wantLeases(t, open(t, dir, store.Options{}), record(1), record(2))
}

func TestSecondProcessIsToldWhoHasIt(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, store.Options{})
	_, err := store.Open(dir, nil)
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

func TestMetricsCountGroups(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := open(t, t.TempDir(), store.Options{Metrics: reg})
	if err := s.Commit(t.Context(), record(1)); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "phonebox_store_requests_total" && f.Metric[0].Counter.GetValue() == 1 {
			return
		}
	}
	t.Error("the commit was not counted")
}
