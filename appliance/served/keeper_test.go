package served

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

// memory is a store that forgets when the test ends.
type memory struct {
	kept map[string][]byte
	fail error
}

func (m *memory) WriteJournal(_ context.Context, put map[string][]byte, remove []string) error {
	if m.fail != nil {
		return m.fail
	}
	for _, k := range remove {
		delete(m.kept, k)
	}
	for k, v := range put {
		m.kept[k] = bytes.Clone(v)
	}
	return nil
}

func (m *memory) ScanJournal(_ context.Context, prefix string, visit func(string, []byte) bool) error {
	for _, k := range slices.Sorted(maps.Keys(m.kept)) {
		if strings.HasPrefix(k, prefix) && !visit(k, m.kept[k]) {
			return nil
		}
	}
	return nil
}

func (m *memory) ReadJournal(_ context.Context, keys []string, visit func(string, []byte)) error {
	for _, k := range keys {
		if v, ok := m.kept[k]; ok {
			visit(k, v)
		}
	}
	return nil
}

var (
	theKey = bytes.Repeat([]byte{9}, 32)
	first  = phone.MAC{0, 6, 0xd7, 0, 0, 1}
	second = phone.MAC{0, 6, 0xd7, 0, 0, 2}
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func keeper(t *testing.T, cfg Config, m *memory) *Keeper {
	t.Helper()
	k, err := New(cfg, m, theKey, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatAPhoneGotLastOutlivesARestartAndHoldsNoPassword(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	k := keeper(t, Config{}, m)
	k.Got(first, "SIP.cnf", noon, []byte("line1_name: 208\nline1_password: \"hunter2\"\n"))
	k.Got(first, "SIPDefault.cnf", noon, []byte("image_version: P0S3-8-12-00\n"))
	if err := k.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, value := range m.kept {
		if strings.Contains(string(value), "hunter2") {
			t.Errorf("the password is stored under %q", key)
		}
	}
	k = keeper(t, Config{}, m)
	f, ok := k.File(first, "SIP.cnf")
	if !ok || !f.Time.Equal(noon) || f.Size != 42 || len(f.Lines) != 2 || f.Lines[0] != (Line{Text: "line1_name: 208"}) || f.Lines[1].Text != "line1_password: "+phone.HiddenSecret {
		t.Fatalf("after a restart: %+v (%v)", f, ok)
	}
	same := k.Lines([]byte("line1_password: \"hunter2\"\n"))[0]
	other := k.Lines([]byte("line1_password: \"hunter3\"\n"))[0]
	if f.Lines[1] != same || f.Lines[1] == other || other.Text != same.Text {
		t.Errorf("kept is %+v, the same password %+v, another %+v: want equal, equal, and another mark alone", f.Lines[1], same, other)
	}
	if _, ok := k.File(second, "SIP.cnf"); ok {
		t.Error("a phone that got nothing has a file")
	}
}

func TestWhatManyPhonesGetIsKeptOnce(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	k := keeper(t, Config{}, m)
	content := []byte(strings.Repeat("a: b\n", 100))
	for i := range 50 {
		k.Got(phone.MAC{2, 0, 0, 0, 0, byte(i)}, "SIPDefault.cnf", noon, content)
	}
	k.look()
	if k.bytes != len(content) || len(k.bodies) != 1 {
		t.Errorf("50 phones take %d bytes in %d contents, want %d in one", k.bytes, len(k.bodies), len(content))
	}
	for i := range 50 {
		k.Got(phone.MAC{2, 0, 0, 0, 0, byte(i)}, "SIPDefault.cnf", noon, []byte("a: c\n"))
	}
	if err := k.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.bytes != 5 || len(m.kept) != 51 {
		t.Errorf("after a change: %d bytes, %d entries of the store; want 5, 51", k.bytes, len(m.kept))
	}
}

func TestTheOldestGoFirst(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	k := keeper(t, Config{MaxBytes: 16_000, MaxFiles: 64}, m)
	for i := range 40 {
		for n := range MaxNames + 4 {
			at := noon.Add(time.Duration(i*100+n) * time.Second)
			k.Got(phone.MAC{2, 0, 0, 0, 0, byte(i)}, fmt.Sprintf("f%d", n), at, []byte(fmt.Sprintf("%d %d %s", i, n, rand.Text())))
			k.look()
			if k.bytes > 16_000 || k.count > 64 || len(k.files[phone.MAC{2, 0, 0, 0, 0, byte(i)}]) > MaxNames {
				t.Fatalf("%d bytes of %d files, want the bounds kept", k.bytes, k.count)
			}
		}
	}
	if _, ok := k.File(phone.MAC{2, 0, 0, 0, 0, 39}, fmt.Sprintf("f%d", MaxNames+3)); !ok {
		t.Error("the newest is gone")
	}
	if _, ok := k.File(phone.MAC{2, 0, 0, 0, 0, 0}, "f5"); ok {
		t.Error("the oldest is there")
	}
	if err := k.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := keeper(t, Config{}, m)
	if again.count != k.count || again.bytes != k.bytes || len(again.bodies) != len(k.bodies) {
		t.Errorf("read back are %d files of %d bytes, want %d of %d", again.count, again.bytes, k.count, k.bytes)
	}
	k.Got(first, "big", noon, make([]byte, MaxFile+1))
	if _, ok := k.File(first, "big"); ok {
		t.Error("a file above the bound is kept")
	}
}

func TestACardThatFailsCostsNothingThatIsKept(t *testing.T) {
	m := &memory{kept: map[string][]byte{}, fail: errors.New("the card is full")}
	k := keeper(t, Config{}, m)
	k.Got(first, "a", noon, []byte("one\n"))
	if err := k.Flush(t.Context()); err == nil {
		t.Fatal("a failed write is not told")
	}
	k.Got(first, "a", noon, []byte("two\n"))
	if f, ok := k.File(first, "a"); !ok || f.Lines[0].Text != "two" {
		t.Errorf("in memory is %+v", f)
	}
	m.fail = nil
	if err := k.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f, ok := keeper(t, Config{}, m).File(first, "a"); !ok || f.Lines[0].Text != "two" || len(m.kept) != 2 {
		t.Errorf("stored is %+v in %d entries, want the newer content and its entry alone", f, len(m.kept))
	}
}

func TestRepeatsAreCheap(t *testing.T) {
	k := keeper(t, Config{}, &memory{kept: map[string][]byte{}})
	content := []byte(strings.Repeat("line1_password: \"hunter2\"\n", 50))
	k.Got(first, "SIP.cnf", noon, content)
	k.look()
	if n := testing.AllocsPerRun(20, func() { k.Got(first, "SIP.cnf", noon.Add(time.Minute), content) }); n > 12 {
		t.Errorf("a repeat takes %.0f allocations, want no look at its lines", n)
	}
	if f, _ := k.File(first, "SIP.cnf"); !f.Time.Equal(noon.Add(time.Minute)) {
		t.Errorf("the time is %s, want that of the last", f.Time)
	}
	if _, same, known := k.Same(first, "SIP.cnf", content); !same || !known {
		t.Error("the same content is told as another")
	}
	if _, same, known := k.Same(first, "SIP.cnf", content[1:]); same || !known {
		t.Error("another content is told as the same")
	}
}

// A storm leaves the look for passwords to later, and none of its files is lost by that.
func TestAStormIsLookedAtLater(t *testing.T) {
	k := keeper(t, Config{}, &memory{kept: map[string][]byte{}})
	mac := func(i int) phone.MAC { return phone.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)} }
	for i := range maxWaiting + 10 {
		k.Got(mac(i), "SIP.cnf", noon, fmt.Appendf(nil, "line1_name: %d\n", i))
		k.Got(mac(i), "SIP.cnf", noon, fmt.Appendf(nil, "line1_name: %d again\n", i))
	}
	if len(k.waiting) >= maxWaiting {
		t.Errorf("%d wait", len(k.waiting))
	}
	for _, i := range []int{0, maxWaiting / 2, maxWaiting + 9} {
		if f, ok := k.File(mac(i), "SIP.cnf"); !ok || f.Lines[0].Text != fmt.Sprintf("line1_name: %d again", i) {
			t.Errorf("phone %d got %+v (%v)", i, f, ok)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("gf\x00\x06\xd7\x00\x00\x01SIP.cnf", []byte(`{"t":1,"z":2,"b":"AAAAAAAAAAAAAAAAAAAAAA=="}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		if e, err := decode(key, value); err == nil {
			again, err := decode(fileKey(e.mac, e.name), e.encode())
			if err != nil || again.name != e.name || again.body != e.body {
				t.Errorf("%+v becomes %+v (%v)", e, again, err)
			}
		}
	})
}
