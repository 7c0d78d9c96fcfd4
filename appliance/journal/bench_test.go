package journal_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"phonebox/appliance/journal"
	"phonebox/services/phone"
)

// noCard is a store that takes everything and keeps nothing: what is measured is the journal.
type noCard struct{}

func (noCard) WriteJournal(context.Context, map[string][]byte, []string) error { return nil }
func (noCard) ScanJournal(context.Context, string, func(string, []byte) bool) error {
	return nil
}
func (noCard) ReadJournal(context.Context, []string, func(string, []byte)) error { return nil }

// newMAC is one of four billion MACs that no phone of the tests has.
func newMAC(i int) phone.MAC {
	m := phone.MAC{2, 1}
	binary.BigEndian.PutUint32(m[2:], uint32(i))
	return m
}

func leasedJournal(b *testing.B, phones int) *journal.Journal {
	b.Helper()
	j := open(b, journal.Config{}, noCard{})
	for i := range phones {
		j.Add(journal.Event{MAC: mac(i), Service: "dhcp", Kind: journal.Packet, Text: "asks for an address"})
		j.Add(journal.Event{MAC: mac(i), Service: "dhcp", Kind: journal.Lease, Address: addr(i), Text: "got the address 10.77.1.5 for 8h"})
	}
	return j
}

// BenchmarkAddNewMACs is a flood of MACs that were never seen, beside 2,000 phones that have a lease.
func BenchmarkAddNewMACs(b *testing.B) {
	for _, phones := range []int{0, 2000} {
		b.Run(fmt.Sprintf("beside %d phones", phones), func(b *testing.B) {
			j := leasedJournal(b, phones)
			b.ReportAllocs()
			for i := range b.N {
				j.Add(journal.Event{MAC: newMAC(i), Service: "dhcp", Kind: journal.Packet, Text: "asks for an address"})
				if i%50_000 == 49_999 {
					_ = j.Flush()
				}
			}
		})
	}
}

// BenchmarkAddNewLeases is a boot storm of more phones than there is room for: each new one takes the place of another.
func BenchmarkAddNewLeases(b *testing.B) {
	j := leasedJournal(b, 2000)
	b.ReportAllocs()
	for i := range b.N {
		j.Add(journal.Event{MAC: newMAC(i), Service: "dhcp", Kind: journal.Lease, Address: addr(i % 60_000), Text: "got the address 10.77.1.5 for 8h"})
		if i%25_000 == 24_999 {
			_ = j.Flush()
		}
	}
}

// BenchmarkAddRenewals are events of 2,000 phones whose timelines fill the 32 MB.
func BenchmarkAddRenewals(b *testing.B) {
	j := leasedJournal(b, 2000)
	renew := func(i int) {
		j.Add(journal.Event{MAC: mac(i % 2000), Service: "dhcp", Kind: journal.Lease, Renewal: true, Address: addr(i % 2000), Text: "keeps the address 10.77.1.5 for 8h"})
		if i%100_000 == 99_999 {
			_ = j.Flush()
		}
	}
	for i := range 400_000 {
		renew(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		renew(i)
	}
}

// BenchmarkTick is the look at the time, once a second, with 2,000 phones in the middle of their boot.
func BenchmarkTick(b *testing.B) {
	j := leasedJournal(b, 2000)
	b.ReportAllocs()
	for b.Loop() {
		j.Tick()
	}
}

// BenchmarkFlushStorm writes what a storm of 1,000 phones leaves, 24 events of each, into a journal.db on the disk.
func BenchmarkFlushStorm(b *testing.B) {
	const phones, events = 1000, 24
	j := open(b, journal.Config{}, openStore(b, b.TempDir()))
	for i := range phones {
		j.Add(journal.Event{MAC: mac(i), Service: "dhcp", Kind: journal.Lease, Address: addr(i), Text: "got the address 10.77.1.5 for 8h"})
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for e := range events {
			for i := range phones {
				j.Add(journal.Event{MAC: mac(i), Service: "tftp", Kind: journal.Note, Address: addr(i), Text: fmt.Sprintf("asked for file %d of those that a phone wants", e)})
			}
		}
		b.StartTimer()
		if err := j.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory is what the timelines of a thousand phones take in memory as they fill: it ends at a thousand events each.
func BenchmarkMemory(b *testing.B) {
	for _, events := range []int{10, 50, 150, 300, 600, 1000, 1200} {
		b.Run(fmt.Sprintf("%d events each", events), func(b *testing.B) {
			for range b.N {
				before := heap()
				j := leasedJournal(b, 1000)
				for n := range events {
					for i := range 1000 {
						j.Add(journal.Event{MAC: mac(i), Service: "dhcp", Kind: journal.Kind(fmt.Sprintf("k%d", n%7)), Text: fmt.Sprintf("event %d", n)})
					}
					if n%20 != 19 {
						continue
					}
					if err := j.Flush(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(heap()-before)/1e6, "heap-MB")
				runtime.KeepAlive(j)
			}
		})
	}
}

// heap is what is in use after all garbage is gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
