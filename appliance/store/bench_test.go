package store_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"phonebox/appliance/store"
	"phonebox/services/dhcp/lease"
)

const inFile = 60000 // leases in the file of the benchmarks: nearly a /16

// cpu returns the microseconds of processor that the process has used, those of the kernel included.
func cpu() float64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e3
}

// written returns how many bytes the process has handed to write calls.
func written(tb testing.TB) (n float64) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		_, _ = fmt.Sscanf(line, "wchar: %g", &n) // other lines don't fit
	}
	return n
}

// filledStore returns a store whose leases.db holds inFile leases, and them.
func filledStore(tb testing.TB, o store.Options) (*store.Store, []lease.Record) {
	tb.Helper()
	s := open(tb, tb.TempDir(), o)
	all := make([]lease.Record, inFile)
	for i := range all {
		all[i] = record(i)
	}
	if err := s.Commit(tb.Context(), all...); err != nil {
		tb.Fatal(err)
	}
	if err := s.FoldNow(); err != nil {
		tb.Fatal(err)
	}
	return s, all
}

// BenchmarkCommit writes groups of leases over a full file: renewals at random, and new leases in the order of their
// addresses. What folding costs is in it: b.N should be large enough for several turns of the logs.
func BenchmarkCommit(b *testing.B) {
	for _, order := range []string{"random", "next"} {
		for _, group := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%s/group=%d", order, group), func(b *testing.B) {
				s, all := filledStore(b, store.Options{})
				batch := make([]lease.Record, group)
				n := 0
				b.ReportAllocs()
				b.ResetTimer()
				c, w := cpu(), written(b)
				for range b.N {
					for j := range batch {
						if batch[j] = all[n%inFile]; order == "random" {
							batch[j] = all[rand.IntN(inFile)]
						}
						n++
					}
					if err := s.Commit(b.Context(), batch...); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				if err := s.Close(); err != nil { // a fold that runs belongs to it
					b.Fatal(err)
				}
				b.ReportMetric((cpu()-c)/float64(n), "cpu-us/lease")
				b.ReportMetric((written(b)-w)/float64(n), "written-B/lease")
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "leases/s")
			})
		}
	}
}

// BenchmarkWaiters is the committer with many callers of one lease each.
func BenchmarkWaiters(b *testing.B) {
	for _, waiters := range []int{1, 64} {
		b.Run(fmt.Sprint(waiters), func(b *testing.B) {
			s := open(b, b.TempDir(), store.Options{})
			var next atomic.Int64
			var done sync.WaitGroup
			b.ResetTimer()
			for range waiters {
				done.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if err := s.Commit(b.Context(), record(int(i%2000))); err != nil {
							b.Error(err)
						}
					}
				})
			}
			done.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leases/s")
		})
	}
}

// TestSlowCardCostsLatencyNotThroughput: 200 callers share the syncs of a card that takes 20 ms for each.
func TestSlowCardCostsLatencyNotThroughput(t *testing.T) {
	const delay, callers, each = 20 * time.Millisecond, 200, 10
	var groups atomic.Int32
	s := open(t, t.TempDir(), store.Options{SyncDelay: delay, BeforeSync: func() error {
		groups.Add(1)
		return nil
	}})
	began := time.Now()
	var done sync.WaitGroup
	for c := range callers {
		done.Go(func() {
			for i := range each {
				if err := s.Commit(t.Context(), record(c*each+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	// A caller waits for the group that runs and for its own: 10 leases are 10 groups of all callers, or two halves in turn.
	if n := groups.Load(); n > 8*each { // a busy machine lets some come late
		t.Errorf("%d leases of %d callers took %d syncs, want at most %d", callers*each, callers, n, 8*each)
	}
	if took := time.Since(began); took < each*delay {
		t.Errorf("%d commits one after the other took %v: the delay of %v is not in the syncs", each, took, delay)
	}
	if got, err := s.Leases(t.Context()); err != nil || len(got) != callers*each {
		t.Errorf("%d leases are stored, want %d: %v", len(got), callers*each, err)
	}
}

// BenchmarkDay is a day of a site: each phone renews its lease of 8 hours every 4 hours, alone. All of it is written,
// as nothing before the store leaves renewals out.
func BenchmarkDay(b *testing.B) {
	for _, phones := range []int{24, 200, 1000} {
		b.Run(fmt.Sprintf("phones=%d", phones), func(b *testing.B) {
			dir := b.TempDir()
			s := open(b, dir, store.Options{})
			for i := range phones {
				if err := s.Commit(b.Context(), record(i)); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			w := written(b)
			for range b.N {
				for i := range 6 * phones {
					r := record((i * 7919) % phones)
					r.Start = r.Start.Add(time.Duration(i) * time.Minute)
					if err := s.Commit(b.Context(), r); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			days := float64(b.N)
			b.ReportMetric((written(b)-w)/days/1e6, "MB/day")
			b.ReportMetric((written(b)-w)/days/float64(6*phones), "B/renewal")
			size := 0.0
			for _, name := range []string{"leases.db", "leases-1.log", "leases-2.log"} {
				if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
					size += float64(info.Size())
				}
			}
			b.ReportMetric(size/1e6, "MB-files")
		})
	}
}

// BenchmarkJournalDay is what a day of renewals writes to the journal, with 100 entries of each phone in it: an event
// and the phone's state each time, in a transaction of its own, and the oldest event goes.
func BenchmarkJournalDay(b *testing.B) {
	for _, phones := range []int{24, 200, 1000} {
		b.Run(fmt.Sprintf("phones=%d", phones), func(b *testing.B) {
			const kept = 100
			dir := b.TempDir()
			s := open(b, dir, store.Options{})
			key := func(n, phone int) string { return fmt.Sprintf("e%016x%06x", n, phone) }
			put := map[string][]byte{}
			for n := range kept * phones {
				put[key(n, n%phones)] = make([]byte, 250)
			}
			if err := s.WriteJournal(b.Context(), put, nil); err != nil {
				b.Fatal(err)
			}
			n := kept * phones
			b.ResetTimer()
			w := written(b)
			for range b.N {
				for range 6 * phones {
					event := map[string][]byte{key(n, n%phones): make([]byte, 250), fmt.Sprintf("p%06x", n%phones): make([]byte, 800)}
					if err := s.WriteJournal(b.Context(), event, []string{key(n-kept*phones, n%phones)}); err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			b.StopTimer()
			b.ReportMetric((written(b)-w)/float64(b.N)/1e6, "MB/day")
			if info, err := os.Stat(filepath.Join(dir, "journal.db")); err == nil {
				b.ReportMetric(float64(info.Size())/1e6, "MB-file")
			}
		})
	}
}
