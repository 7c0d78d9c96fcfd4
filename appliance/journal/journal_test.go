package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"phonebox/appliance/journal"
	"phonebox/appliance/store"
	"phonebox/services/phone"
)

func mac(i int) phone.MAC { return phone.MAC{0, 6, 0xD7, 0xAA, byte(i >> 8), byte(i)} }

func addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}) }

func openStore(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t testing.TB, cfg journal.Config, s journal.Store) *journal.Journal {
	t.Helper()
	j, err := journal.New(cfg, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func note(i int, text string) journal.Event {
	return journal.Event{MAC: mac(i), Service: "dhcp", Kind: journal.Note, Text: text}
}

func texts(events []journal.Event) string {
	var out []string
	for _, e := range events {
		out = append(out, e.Text)
	}
	return strings.Join(out, " ")
}

func TestTimelineComesBackAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	j := open(t, journal.Config{}, s)
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	file := phone.ParseFileName("SIP" + mac(1).Name() + ".cnf")
	j.Add(journal.Event{MAC: mac(1), Service: "dhcp", Kind: journal.Packet, Time: at, Class: "Cisco Systems, Inc. IP Phone CP-7940G\x00"})
	j.Add(journal.Event{MAC: mac(1), Service: "dhcp", Kind: journal.Lease, Time: at, Address: addr(1), Text: "got it", Details: map[string]string{"a": "b"}})
	j.Add(journal.Event{MAC: mac(1), Service: "tftp", Kind: journal.Transfer, Phase: journal.Started, Transfer: 7, File: file, Time: at, Address: addr(1), Size: 100})
	j.Add(journal.Event{MAC: mac(1), Service: "tftp", Kind: journal.Transfer, Phase: journal.Progress, Transfer: 7, File: file, Time: at, Address: addr(1), Bytes: 50})
	j.Add(journal.Event{MAC: mac(1), Service: "tftp", Kind: journal.Transfer, Phase: journal.Sent, Transfer: 7, File: file, Time: at, Address: addr(1), Bytes: 100})
	j.Add(journal.Event{Service: "box", Kind: journal.Note, Text: "the box started"})
	want, wantPhone := j.Events(mac(1)), j.Phones()
	if len(want) != 4 || want[3].Step != phone.Configured || want[3].File != file {
		t.Fatalf("events: %+v", want)
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	equal := []cmp.Option{cmpopts.EquateComparable(netip.Addr{})}
	if d := cmp.Diff(want, j.Events(mac(1)), equal...); d != "" {
		t.Errorf("after the write (-want +got):\n%s", d)
	}
	s.Close()

	j = open(t, journal.Config{}, openStore(t, dir))
	if d := cmp.Diff(want, j.Events(mac(1)), equal...); d != "" {
		t.Errorf("after a restart (-want +got):\n%s", d)
	}
	if d := cmp.Diff(wantPhone, j.Phones(), equal...); d != "" || len(wantPhone) != 1 || wantPhone[0].Model != "7940" {
		t.Errorf("phones after a restart (-want +got):\n%s", d)
	}
	if got := texts(j.Events(phone.MAC{})); got != "the box started" {
		t.Errorf("the box's own timeline: %q", got)
	}
	if m, ok := j.At(addr(1)); !ok || m != mac(1) {
		t.Errorf("at its address after a restart: %s, %t", m, ok)
	}
	j.Add(note(1, "next"))
	if got := j.Events(mac(1)); got[4].ID <= want[3].ID {
		t.Errorf("the numbers do not go on: %d after %d", got[4].ID, want[3].ID)
	}
	// The boot goes on where it was: the ring list makes it ready.
	j.Add(journal.Event{MAC: mac(1), Service: "tftp", Kind: journal.Transfer, Phase: journal.Sent, Transfer: 1, File: phone.ParseFileName("RINGLIST.DAT")})
	if p, _ := j.Phone(mac(1)); p.Step != phone.Ready {
		t.Errorf("step %s after a restart in the middle of a boot", p.Step)
	}
}

func TestOnlyTheLastEventsOfAPhoneAreKept(t *testing.T) {
	s := openStore(t, t.TempDir())
	j := open(t, journal.Config{MaxEvents: 5}, s)
	for i := range 12 {
		j.Add(note(1, fmt.Sprint(i)))
		if i%4 == 3 {
			if err := j.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	j.Add(note(1, "12"))
	if got := texts(j.Events(mac(1))); got != "8 9 10 11 12" {
		t.Errorf("kept %q", got)
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := s.ScanJournal(t.Context(), "e", func(string, []byte) bool { n++; return true })
	if err != nil || n != 5 {
		t.Errorf("the store holds %d events, %v; want 5", n, err)
	}
}

func TestStrangersMakeRoomForEachOtherAndNeverTakeThatOfPhones(t *testing.T) {
	s := openStore(t, t.TempDir())
	j := open(t, journal.Config{MaxStrangers: 3, MaxPhones: 3}, s)
	j.SetListed([]phone.MAC{mac(1), mac(2)})
	j.Add(note(1, "listed"))
	j.Add(journal.Event{MAC: mac(3), Service: "dhcp", Kind: journal.Lease, Address: addr(3), Text: "leased"})
	for i := 10; i < 20; i++ {
		j.Add(note(i, "stranger"))
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	want := func(wanted ...int) {
		t.Helper()
		var got []int
		for _, p := range j.Phones() {
			got = append(got, int(p.MAC[5]))
		}
		if d := cmp.Diff(wanted, got); d != "" {
			t.Errorf("kept (-want +got):\n%s", d)
		}
	}
	want(1, 3, 17, 18, 19)
	if e := j.Events(mac(10)); len(e) != 0 {
		t.Errorf("events of one that was forgotten: %v", e)
	}
	j.Add(note(2, "listed")) // three phones are full now
	j.Add(journal.Event{MAC: mac(4), Service: "dhcp", Kind: journal.Lease, Address: addr(4)})
	want(1, 2, 4, 17, 18, 19) // 3 had only a lease and was silent for longest
	j.SetListed(nil)
	j.SetLeased(nil)
	want(2, 4, 19)
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := len(open(t, journal.Config{}, s).Phones()); got != 3 {
		t.Errorf("the store holds %d phones, want 3", got)
	}
}

func TestAllTimelinesTogetherAreBounded(t *testing.T) {
	const limit = 100_000
	s := openStore(t, t.TempDir())
	j := open(t, journal.Config{MaxBytes: limit}, s)
	j.SetListed([]phone.MAC{mac(1), mac(2)})
	j.Add(note(2, "the one event of a quiet phone"))
	for i := range 50 {
		j.Add(note(100+i, strings.Repeat("x", 400)))
	}
	for i := range 2000 {
		j.Add(note(1, fmt.Sprintf("%d %s", i, strings.Repeat("y", 300))))
		if i%100 == 0 {
			if err := j.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	size := 0
	if err := s.ScanJournal(t.Context(), "e", func(k string, v []byte) bool { size += len(k) + len(v); return true }); err != nil {
		t.Fatal(err)
	}
	if size > limit || size < limit/2 {
		t.Errorf("the store holds %d bytes, want at most %d and not far less", size, limit)
	}
	if got := len(j.Phones()); got != 2 {
		t.Errorf("%d MACs are left, want the two listed ones", got)
	}
	if got := j.Events(mac(2)); len(got) != 1 {
		t.Errorf("the quiet phone lost its events to a noisy one")
	}
	if got := j.Events(mac(1)); !strings.HasPrefix(got[len(got)-1].Text, "1999 ") {
		t.Errorf("the last event is %q", got[len(got)-1].Text)
	}
}

// Promise 8: of all phones the unlisted are dropped first, also those that have a lease.
func TestUnlistedPhonesMakeRoomForListedOnes(t *testing.T) {
	j := open(t, journal.Config{MaxBytes: 100_000}, openStore(t, t.TempDir()))
	j.SetListed([]phone.MAC{mac(1)})
	j.Add(journal.Event{MAC: mac(2), Service: "dhcp", Kind: journal.Lease, Address: addr(2)})
	const events = 150
	for i := range events {
		j.Add(note(1, fmt.Sprintf("%d %s", i, strings.Repeat("x", 300))))
	}
	for i := range 400 {
		j.Add(note(2, fmt.Sprintf("%d %s", i, strings.Repeat("y", 100))))
	}
	if got := len(j.Events(mac(1))); got != events {
		t.Errorf("%d events of the listed phone are left, want all %d", got, events)
	}
	if got := len(j.Events(mac(2))); got == 0 {
		t.Error("nothing is left of the unlisted one")
	}
}

// The leases are told every few seconds; a phone of which nothing changed is not written again by that.
func TestLeasesThatStayAreNotWrittenAgain(t *testing.T) {
	s := &memory{}
	j := open(t, journal.Config{}, s)
	for _, n := range []int{1, 2} {
		j.Add(journal.Event{MAC: mac(n), Service: "dhcp", Kind: journal.Lease, Address: addr(n)})
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	clear(s.m)
	j.SetLeased([]phone.MAC{mac(1)})
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(s.m) != 1 {
		t.Errorf("%d entries were written, want the one phone whose lease ended", len(s.m))
	}
}

// memory is a store that can fail, and hold a write up until the test lets it go on.
type memory struct {
	mu    sync.Mutex
	m     map[string][]byte
	fail  error
	block func()
	look  func(put map[string][]byte, remove []string) error // what it returns becomes of the write
	count int
}

func (s *memory) WriteJournal(_ context.Context, put map[string][]byte, remove []string) error {
	if s.block != nil {
		s.block()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if s.fail != nil {
		return s.fail
	}
	if s.look != nil {
		if err := s.look(put, remove); err != nil {
			return err
		}
	}
	if s.m == nil {
		s.m = map[string][]byte{}
	}
	for _, k := range remove {
		delete(s.m, k)
	}
	for k, v := range put {
		s.m[k] = v
	}
	return nil
}

func (s *memory) ScanJournal(_ context.Context, prefix string, visit func(string, []byte) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(s.m)) {
		if strings.HasPrefix(k, prefix) && !visit(k, s.m[k]) {
			break
		}
	}
	return nil
}

func (s *memory) ReadJournal(_ context.Context, keys []string, visit func(string, []byte)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if v := s.m[k]; v != nil {
			visit(k, v)
		}
	}
	return nil
}

func (s *memory) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.m)
}

// After a storm the new events of all phones in one transaction would take more memory than the journal itself. When the card
// fails in between, what was not written is written later, and nothing twice.
func TestAStormIsWrittenInParts(t *testing.T) {
	const phones, events, most = 1300, 4, 512 << 10
	text := func(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("x", 200)) }
	s := &memory{}
	j := open(t, journal.Config{MaxStrangers: phones}, s)
	for i := range events {
		for n := range phones {
			j.Add(note(n, text(i)))
		}
	}
	writes, newest, broken := 0, "", errors.New("disk full")
	s.look = func(put map[string][]byte, remove []string) error {
		writes++
		size := 0
		keys := slices.Sorted(maps.Keys(put))
		for _, k := range keys {
			size += len(k) + len(put[k])
		}
		if size > most || len(remove) > 0 {
			t.Errorf("write %d: %d bytes and %d removals, wanted at most %d and none", writes, size, len(remove), most)
		}
		if len(keys) > 0 && keys[0][0] == 'e' {
			if keys[0] <= newest {
				t.Errorf("write %d: begins with an event that is older than one of the write before", writes)
			}
			if i := slices.IndexFunc(keys, func(k string) bool { return k[0] != 'e' }); i >= 0 {
				keys = keys[:i]
			}
			newest = keys[len(keys)-1]
		}
		if writes == 2 {
			return broken
		}
		return nil
	}
	if err := j.Flush(); !errors.Is(err, broken) || writes != 2 {
		t.Fatalf("got %v after %d writes, want a failure in the second of several", err, writes)
	}
	part := s.len()
	newest = ""
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	if part == 0 || part >= s.len() || writes < 4 {
		t.Errorf("%d of %d records were written before the failure, all in %d writes; want a part, in four at least", part, s.len(), writes)
	}
	j = open(t, journal.Config{MaxStrangers: phones}, s)
	for n := range phones {
		got := j.Events(mac(n))
		if len(got) != events {
			t.Fatalf("phone %d has %d events, want %d", n, len(got), events)
		}
		for i, e := range got {
			if e.Text != text(i) {
				t.Fatalf("event %d of phone %d is %q", i, n, e.Text)
			}
		}
	}
}

// What is dropped goes after what is new is there, some hundred entries at a time: a power cut in between must not cost a line
// into which others were counted.
func TestWhatIsDroppedGoesLastAndInParts(t *testing.T) {
	const phones, most = 2000, 512
	s := &memory{}
	j := open(t, journal.Config{MaxStrangers: phones}, s)
	ask := func() {
		for n := range phones {
			j.Add(journal.Event{MAC: mac(n), Service: "tftp", Kind: journal.FileMissing, File: phone.ParseFileName("RINGLIST.DAT"), Text: "asks"})
		}
	}
	ask()
	flush(t, j)
	ask() // counts into the lines before, which go
	removed := 0
	s.look = func(put map[string][]byte, remove []string) error {
		if removed > 0 && len(put) > 0 || len(remove) > most {
			t.Errorf("%d entries and %d removals after %d removals, wanted no entries after them and at most %d", len(put), len(remove), removed, most)
		}
		removed += len(remove)
		return nil
	}
	flush(t, j)
	if removed != phones {
		t.Errorf("%d entries were removed, want %d", removed, phones)
	}
	for n := range phones {
		if got := j.Events(mac(n)); len(got) != 1 || got[0].Count != 2 {
			t.Fatalf("phone %d has the events %+v, want one that stands for two", n, got)
		}
	}
}

func TestWhatCannotBeWrittenWaitsAndIsTriedAgain(t *testing.T) {
	s := &memory{fail: errors.New("disk full")}
	j := open(t, journal.Config{MaxEvents: 3}, s)
	for i := range 5 {
		j.Add(note(1, fmt.Sprint(i)))
		if err := j.Flush(); !errors.Is(err, s.fail) {
			t.Fatalf("got %v", err)
		}
	}
	if got := texts(j.Events(mac(1))); got != "2 3 4" {
		t.Errorf("in memory: %q", got)
	}
	s.fail = nil
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	j = open(t, journal.Config{}, s)
	if got := texts(j.Events(mac(1))); got != "2 3 4" {
		t.Errorf("in the store: %q", got)
	}
	if len(j.Phones()) != 1 {
		t.Error("the phone itself was not written")
	}
}

// TestAddDoesNotWaitForTheCard holds a write up and goes on; what is dropped meanwhile must not stay in the store.
func TestAddDoesNotWaitForTheCard(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := &memory{block: func() { entered <- struct{}{}; <-leave }}
	j := open(t, journal.Config{MaxEvents: 2}, s)
	j.Add(note(1, "0"))
	flushed := make(chan error, 1)
	go func() { flushed <- j.Flush() }()
	<-entered
	for i := 1; i < 5; i++ {
		j.Add(note(1, fmt.Sprint(i)))
	}
	if got := texts(j.Events(mac(1))); got != "3 4" {
		t.Errorf("during the write: %q", got)
	}
	leave <- struct{}{}
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	s.block = nil
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := texts(j.Events(mac(1))); got != "3 4" || s.len() != 3 {
		t.Errorf("after it: %q, %d entries in the store; want two events and the phone", got, s.len())
	}
}

func TestRunWritesWithinFiveSecondsAndWhenItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memory{}
		j := open(t, journal.Config{}, s)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- j.Run(ctx) }()
		time.Sleep(10 * time.Second) // of the bubble's clock
		if s.count != 0 {
			t.Errorf("%d writes although nothing happened", s.count)
		}
		j.Add(note(1, "a"))
		time.Sleep(5 * time.Second)
		if s.len() != 2 {
			t.Errorf("after 5 s the store holds %d entries, want the event and the phone", s.len())
		}
		j.Add(note(1, "b"))
		stop()
		if err := <-done; err != nil || s.len() != 3 {
			t.Errorf("at the stop: %v, %d entries", err, s.len())
		}
	})
}

func TestTimeAloneMakesAPhoneStuckAndTellsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.Config{}, &memory{})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = j.Run(ctx) }()
		live, cancel := j.Subscribe()
		defer cancel()
		j.Add(journal.Event{MAC: mac(1), Service: "dhcp", Kind: journal.Packet, Class: "Cisco Systems, Inc. IP Phone\x00"})
		time.Sleep(260 * time.Second)
		synctest.Wait()
		p, _ := j.Phone(mac(1))
		events := j.Events(mac(1))
		if p.Step != phone.Stuck || len(events) != 2 || events[1].Step != phone.Stuck || !strings.Contains(events[1].Text, "stuck") {
			t.Errorf("phone %+v, events %+v", p, events)
		}
		<-live
		if e := <-live; e.Step != phone.Stuck {
			t.Errorf("live: %+v", e)
		}
		if !p.Updated.Equal(events[0].Time) {
			t.Errorf("updated %s: what the box says is no sign of life", p.Updated)
		}
	})
}

// TestClockIsSetWhileAPhoneBoots: steps count on the monotonic clock.
func TestClockIsSetWhileAPhoneBoots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offset time.Duration
		j := open(t, journal.Config{Now: func() time.Time { return time.Now().Add(offset) }}, &memory{})
		j.Add(journal.Event{MAC: mac(1), Service: "dhcp", Kind: journal.Packet, Class: "Cisco Systems, Inc. IP Phone\x00"})
		offset = 26 * 365 * 24 * time.Hour
		time.Sleep(10 * time.Second)
		j.Tick()
		if p, _ := j.Phone(mac(1)); p.Step != phone.Seen {
			t.Errorf("step %s: a clock that was set made it stuck", p.Step)
		}
		offset = 0
		time.Sleep(250 * time.Second)
		j.Tick()
		if p, _ := j.Phone(mac(1)); p.Step != phone.Stuck {
			t.Errorf("step %s", p.Step)
		}
	})
}

func TestSlowSubscriberLosesAndNobodyWaits(t *testing.T) {
	j := open(t, journal.Config{}, &memory{})
	events, cancel := j.Subscribe()
	for i := range 1000 {
		j.Add(note(1, fmt.Sprint(i)))
	}
	if first := <-events; first.Text != "0" || first.ID == 0 || first.Step != phone.Seen {
		t.Errorf("first: %+v", first)
	}
	cancel()
	cancel()
	n := 1
	for range events {
		n++
	}
	if n >= 1000 || n < 100 {
		t.Errorf("%d events were delivered", n)
	}
	j.Add(note(1, "after")) // must not panic
}

func TestAtFollowsWhoWasSeenLast(t *testing.T) {
	j := open(t, journal.Config{}, &memory{})
	seen := func(m, a int, kind journal.Kind) {
		j.Add(journal.Event{MAC: mac(m), Service: "tftp", Kind: kind, Address: addr(a), File: phone.ParseFileName("SIPDefault.cnf")})
	}
	want := func(a, m int) {
		t.Helper()
		got, ok := j.At(addr(a))
		if ok != (m != 0) || ok && got != mac(m) {
			t.Errorf("at %s: %s, %t; want %d", addr(a), got, ok, m)
		}
	}
	seen(1, 1, journal.Request)
	seen(1, 2, journal.Request)
	want(1, 1)
	want(2, 1)
	seen(2, 1, journal.Request)
	want(1, 2)
	seen(1, 9, journal.FileRefused) // somebody else asked for its file
	want(9, 0)
	for i := 100; i < 120; i++ {
		seen(2, i, journal.Request)
	}
	want(1, 0)
	want(119, 2)
}

func TestAnswersToOptionsDoNotFillTheTimeline(t *testing.T) {
	j := open(t, journal.Config{}, &memory{})
	file := func(name string) {
		j.Add(journal.Event{MAC: mac(1), Service: "tftp", Kind: journal.Transfer, Phase: journal.Sent, File: phone.ParseFileName(name)})
	}
	file("SIP" + mac(1).Name() + ".cnf")
	file("RINGLIST.DAT")
	for _, k := range []journal.Kind{
		journal.SIPAlive, journal.SIPAlive, journal.SIPSilent, journal.SIPSilent, journal.SIPAlive, journal.SIPAlive,
	} {
		j.Add(journal.Event{MAC: mac(1), Service: "sip", Kind: k, Text: string(k)})
	}
	if got := texts(j.Events(mac(1))[2:]); got != "sip_silent sip_alive" {
		t.Errorf("kept %q", got)
	}
}

func TestLongTextIsCut(t *testing.T) {
	j := open(t, journal.Config{}, &memory{})
	j.Add(note(1, strings.Repeat("x", 1<<20)))
	if got := len(j.Events(mac(1))[0].Text); got > 1000 {
		t.Errorf("%d bytes of text were kept", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := openStore(t, t.TempDir())
	j := open(t, journal.Config{MaxEvents: 20, MaxStrangers: 5}, s)
	var done sync.WaitGroup
	for g := range 8 {
		done.Go(func() {
			for i := range 300 {
				j.Add(note(i%12, fmt.Sprint(g, i)))
				switch i % 50 {
				case 7:
					_ = j.Events(mac(i % 12))
				case 9:
					_ = j.Flush()
				case 11:
					j.SetListed([]phone.MAC{mac(g)})
				case 13:
					j.Tick()
				}
			}
		})
	}
	done.Wait()
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, p := range j.Phones() {
		total += len(j.Events(p.MAC))
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := s.ScanJournal(t.Context(), "e", func(string, []byte) bool { n++; return true }); err != nil || n != total {
		t.Errorf("the store holds %d events, the timelines %d, %v", n, total, err)
	}
}

func BenchmarkAdd(b *testing.B) {
	j := open(b, journal.Config{}, openStore(b, b.TempDir()))
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	for i := 0; b.Loop(); i++ {
		j.Add(journal.Event{
			MAC: mac(i % 2000), Service: "tftp", Kind: journal.Request, Address: addr(i % 2000), File: phone.ParseFileName("SIPDefault.cnf"),
			Text: "asks for SIPDefault.cnf",
		})
	}
	stop()
	if err := <-done; err != nil {
		b.Error(err)
	}
}

func openMemory() *memory { return &memory{} }

func flush(t *testing.T, j *journal.Journal) {
	t.Helper()
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
}
