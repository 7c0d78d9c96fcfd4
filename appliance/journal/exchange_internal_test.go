package journal

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"phonebox/services/phone"
)

func (s *kept) WriteJournal(_ context.Context, put map[string][]byte, remove []string) error {
	if s.fails {
		return errors.New("the card is full")
	}
	for _, k := range remove {
		delete(s.m, k)
	}
	maps.Copy(s.m, put)
	return nil
}

func (s *kept) ScanJournal(_ context.Context, prefix string, visit func(string, []byte) bool) error {
	for _, k := range slices.Sorted(maps.Keys(s.m)) {
		if strings.HasPrefix(k, prefix) && !visit(k, s.m[k]) {
			break
		}
	}
	return nil
}

func (s *kept) ReadJournal(_ context.Context, keys []string, visit func(string, []byte)) error {
	for _, k := range keys {
		if v := s.m[k]; v != nil {
			visit(k, v)
		}
	}
	return nil
}

// wirePacket looks like a DHCP packet: fields, two long unused ones, options, padding.
func wirePacket(first byte, options string, padding int) []byte {
	b := append([]byte{first, 1, 6, 0, 1, 2, 3, 4}, make([]byte, 228)...)
	return append(append(b, options...), make([]byte, padding)...)
}

func TestWhatAPhoneAskedAndGotIsKeptByteForByte(t *testing.T) {
	s := &kept{m: map[string][]byte{}}
	j := quietJournal(t, Config{}, s)
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	search := Exchange{Search: true, Address: home, Asked: wirePacket(1, "discover", 60), Sent: wirePacket(2, "offer", 0)}
	request := Exchange{
		Address: home, Asked: wirePacket(1, "request", 0), Sent: wirePacket(2, "ack", 20),
		Relay: netip.MustParseAddr("10.1.0.1"), Circuit: "Gi1/0/5", Remote: "0x0102",
	}
	add := func(x Exchange, text string) {
		j.Add(Event{MAC: mac, Service: "dhcp", Kind: Note, Time: at, Text: text, Exchange: &x})
		at = at.Add(time.Second)
	}
	add(Exchange{Search: true, Asked: []byte("an older search")}, "older")
	add(search, "was offered")
	add(request, "got")
	want := []Exchange{request, search}
	check := func(when string) {
		t.Helper()
		got := j.Exchanges(mac)
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreFields(Exchange{}, "Time", "Event"), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
		if len(got) > 0 && !got[0].Time.Equal(at.Add(-time.Second)) {
			t.Errorf("%s: the newest is of %s, want %s", when, got[0].Time, at.Add(-time.Second))
		}
	}
	check("in memory")
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	if j.entries[mac].exchanges[1].fresh != nil {
		t.Error("what is in the store is held in memory as well")
	}
	check("after the write")
	if size := len(s.m[exchangeKey(mac, 0)]); size > 150 {
		t.Errorf("an exchange takes %d bytes on the card", size)
	}
	j = quietJournal(t, Config{}, s)
	check("after a restart")
	checkRanks(t, j)

	no := Exchange{Asked: wirePacket(1, "request", 0), Why: "the pool is empty"}
	want = []Exchange{no, search}
	add(no, "was not answered")
	check("one half in the store")
}

func TestExchangesGoWithTheirPhoneAndCountIntoTheBound(t *testing.T) {
	s := &kept{m: map[string][]byte{}}
	j := quietJournal(t, Config{MaxStrangers: 2, MaxBytes: 10_000}, s)
	for i := range 5 {
		j.Add(Event{MAC: number(i), Service: "dhcp", Kind: Packet, Exchange: &Exchange{Asked: bytes.Repeat([]byte("a"), 3000)}})
		checkStore(t, j, s)
	}
	if n := len(j.Exchanges(number(4))); n != 1 || len(j.Exchanges(number(4))[0].Asked) != maxPacket {
		t.Errorf("the last one has %d exchanges", n)
	}
	if n := len(j.Exchanges(number(1))); n != 0 {
		t.Errorf("one that was forgotten has %d exchanges", n)
	}
	j.SetLeased([]phone.MAC{number(3), number(4)})
	for i := range 4 {
		j.Add(Event{MAC: number(3 + i%2), Service: "dhcp", Kind: Note, Exchange: &Exchange{Search: i < 2, Asked: bytes.Repeat([]byte("b"), 1500), Sent: bytes.Repeat([]byte("c"), 1500)}})
	}
	checkRanks(t, j)
	checkStore(t, j, s)
}

func FuzzDecodeExchange(f *testing.F) {
	f.Add(encodeExchange(&Exchange{Search: true, Address: home, Asked: wirePacket(1, "discover", 9), Sent: wirePacket(2, "offer", 0), Circuit: "1"}))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeExchange(b)
		if err != nil {
			return
		}
		if len(x.Asked) > maxPacket || len(x.Sent) > maxPacket {
			t.Fatalf("packets of %d and %d bytes", len(x.Asked), len(x.Sent))
		}
		again, err := decodeExchange(encodeExchange(&x))
		if err != nil || !bytes.Equal(again.Asked, x.Asked) || !bytes.Equal(again.Sent, x.Sent) || again.Address != x.Address || again.Why != x.Why {
			t.Errorf("%+v became %+v, %v", x, again, err)
		}
	})
}
