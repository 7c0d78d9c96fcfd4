package journal

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

// inMemory is a store without a card.
type inMemory struct{ Store }

func quietJournal(t testing.TB, cfg Config, s Store) *Journal {
	t.Helper()
	j, err := New(cfg, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func number(i int) phone.MAC {
	return phone.MAC{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
}

// checkRanks compares the groups with what a look at all entries says.
func checkRanks(t *testing.T, j *Journal) {
	t.Helper()
	total, seen := 0, 0
	for c := range classes {
		g := &j.groups[c]
		n, before := 0, uint64(0)
		for en := g.first; en != nil; en = en.next {
			if j.entries[en.state.MAC] != en || j.class(en.state.MAC, en) != c || en.class != c {
				t.Fatalf("%s is in the group %d", en.state.MAC, c)
			}
			if en.active < before {
				t.Fatalf("%s is not in the order of activity", en.state.MAC)
			}
			if g.heap[en.heapAt] != en || en.heapAt > 0 && g.heap[(en.heapAt-1)/2].bytes < en.bytes {
				t.Fatalf("%s is not in the order of sizes", en.state.MAC)
			}
			before = en.active
			size := 0
			for _, r := range en.refs {
				size += r.size()
			}
			for _, held := range en.exchanges {
				size += held.size
			}
			if size != en.bytes {
				t.Fatalf("%s is said to take %d bytes, its parts take %d", en.state.MAC, en.bytes, size)
			}
			total += size
			n++
		}
		if n != g.n || n != len(g.heap) {
			t.Fatalf("group %d: %d in the list, %d in the heap, counted %d", c, n, len(g.heap), g.n)
		}
		seen += n
	}
	if seen != len(j.entries) || total != j.bytes || j.bytes > j.cfg.MaxBytes {
		t.Fatalf("%d of %d entries are in groups; %d bytes, counted %d, allowed %d", seen, len(j.entries), total, j.bytes, j.cfg.MaxBytes)
	}
	if known := j.groups[leasedOnly].n + j.groups[listedPhone].n; j.groups[stranger].n > j.cfg.MaxStrangers || known > j.cfg.MaxPhones {
		t.Fatalf("%d strangers and %d phones", j.groups[stranger].n, known)
	}
}

// Whatever happens, the lists and heaps say what looking at all entries would say, and every bound holds.
func TestRanksAreWhatTheyWouldBeCountedAnew(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := &kept{m: map[string][]byte{}}
	cfg := Config{MaxEvents: 8, MaxPhones: 12, MaxStrangers: 5, MaxBytes: 12_000}
	j := quietJournal(t, cfg, s)
	some := func() (out []phone.MAC) {
		for range r.IntN(12) {
			out = append(out, number(r.IntN(40)))
		}
		return out
	}
	for i := range 6000 {
		e := Event{MAC: number(r.IntN(40)), Service: "dhcp", Kind: Note, Text: strings.Repeat("x", r.IntN(300))}
		switch r.IntN(12) {
		case 0:
			e.Kind, e.Address = Lease, netip.AddrFrom4([4]byte{10, 77, 1, byte(r.IntN(60))})
		case 1:
			e.Kind = LeaseEnded
		case 2:
			e.Exchange = &Exchange{Search: r.IntN(2) == 0, Asked: make([]byte, r.IntN(1600)), Sent: make([]byte, r.IntN(400))}
		case 3:
			e.MAC = phone.MAC{}
		}
		j.Add(e)
		switch r.IntN(60) {
		case 0:
			s.fails = r.IntN(3) == 0
			_ = j.Flush()
		case 1:
			j.SetListed(some())
		case 2:
			j.SetLeased(some())
		case 3:
			j.Tick()
		case 4:
			s.fails = false
			_ = j.Flush()
			j.mu.Lock()
			events := j.lastID
			j.mu.Unlock()
			j = quietJournal(t, cfg, s)
			if j.lastID > events {
				t.Fatal("events from nowhere")
			}
			j.shrink() // what was read back is bound by the next event
			j.bound(nil)
		}
		checkRanks(t, j)
		if i%100 == 99 {
			checkStore(t, j, s)
		}
	}
}

// checkStore writes what is new and compares the store with what the journal says that it holds.
func checkStore(t *testing.T, j *Journal, s *kept) {
	t.Helper()
	s.fails = false
	for range 2 { // what was dropped while it was written goes with the next write
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]bool{}
	for mac, en := range j.entries {
		if !mac.IsZero() && en.written {
			want[phoneKey(mac)] = true
		}
		for _, ref := range en.refs {
			want[eventKey(ref.id(), mac)] = true
		}
		for slot, held := range en.exchanges {
			if held.size > 0 {
				want[exchangeKey(mac, slot)] = true
			}
		}
	}
	for key := range s.m {
		if !want[key] {
			t.Fatalf("the store holds %q, of which the journal does not know", key)
		}
	}
	for key := range want {
		if s.m[key] == nil && key[:1] != phonePrefix { // one that was only listed or leased may have no state to write
			t.Fatalf("the store lacks %q", key)
		}
	}
}

// kept is a store in memory that can fail.
type kept struct {
	inMemory
	m     map[string][]byte
	fails bool
}

// A flood of MACs that were never seen leaves nothing behind, and does not push out phones that have a lease.
func TestAFloodOfNewMACsCostsTheSameForEach(t *testing.T) {
	s := &kept{m: map[string][]byte{}}
	j := quietJournal(t, Config{}, s)
	for i := range 2000 {
		j.Add(Event{MAC: number(i), Service: "dhcp", Kind: Lease, Address: netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)})})
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range 60_000 { // without one write: three seconds of 20,000
		j.Add(Event{MAC: number(1_000_000 + i), Service: "dhcp", Kind: Packet, Text: "asks for an address"})
	}
	if len(j.entries) != 2200 || len(j.changed) > 200 || len(j.remove) != 0 {
		t.Errorf("%d entries, %d to be written, %d to be removed; want 2200, 200 and none", len(j.entries), len(j.changed), len(j.remove))
	}
	allocs := testing.AllocsPerRun(100, func() { j.Add(Event{MAC: number(5), Service: "dhcp", Kind: Note, Text: "x"}) })
	if allocs > 3 {
		t.Errorf("an event costs %.0f allocations, want 3 at most", allocs)
	}
	checkRanks(t, j)
}

// What is written by hand is what encoding/json would write.
func TestEventsAreWrittenAsJSON(t *testing.T) {
	at := time.Unix(1_700_000_000, 12345).UTC()
	for _, e := range []Event{
		{},
		{Time: at, Service: "dhcp", Kind: Lease, Text: "got the address 10.77.1.5", Address: home, Step: phone.Addressed, Renewal: true},
		{Time: at, Service: "tftp", Kind: Transfer, Text: "a \"quoted\" <b>&\\ \x00\x7f\xff ü \u2028", File: phone.ParseFileName("RINGLIST.DAT"), Phase: Sent, Transfer: 7, Size: 9, Bytes: 8},
		{Time: at, Service: "tftp", Kind: FileMissing, Harmless: true, Details: map[string]string{"why": "none"}, Load: "x", Class: "c\n", Agent: "a", Count: 3, Since: at},
	} {
		got, err := appendEvent(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		s := stored{
			Time: e.Time.UnixNano(), Service: e.Service, Kind: e.Kind, Text: e.Text, Address: e.Address, File: e.File.Clean,
			Phase: e.Phase, Transfer: e.Transfer, Size: e.Size, Bytes: e.Bytes, Harmless: e.Harmless, Renewal: e.Renewal,
			Class: e.Class, Load: e.Load, Step: e.Step, Details: e.Details, Agent: e.Agent, Count: e.Count,
		}
		if !e.Since.IsZero() {
			s.Since = e.Since.UnixNano()
		}
		want, err := json.Marshal(s)
		if err != nil || string(got) != string(want) {
			t.Errorf("got  %s\nwant %s (%v)", got, want, err)
		}
	}
}

func FuzzEncodeEvent(f *testing.F) {
	f.Add("text", "why", int64(4))
	f.Fuzz(func(t *testing.T, text, why string, n int64) {
		e := Event{Service: "tftp", Kind: Note, Text: text, Class: why, Size: n, Details: map[string]string{"why": why}}
		content, err := appendEvent(nil, &e)
		if err != nil || !json.Valid(content) {
			t.Fatalf("%q: %v", content, err)
		}
		back, err := decodeEvent(1, mac, content)
		if err != nil || back.Size != n || back.Text != strings.ToValidUTF8(back.Text, "") {
			t.Errorf("%+v, %v", back, err)
		}
	})
}

func ExampleJournal_Took() {
	s := newState(mac)
	s.Acked, s.First, s.After = time.Unix(1, 0), "OS79XX.TXT", 4*time.Second
	fmt.Println(s.tookWords())
	// Output:
	// It took the TFTP server that it was told: after 4 s it asked this box for OS79XX.TXT. Options 66 and 150 and the field siaddr all name this box, so which of them it went by cannot be told.
}
