package convert

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

type noCard struct{}

func (noCard) Value(context.Context, string) ([]byte, error)       { return nil, nil }
func (noCard) SetValue(context.Context, string, []byte) error      { return nil }
func (noCard) belief(phone.MAC) (b ladder.Belief, heard time.Time) { return b, heard }
func (noCard) restart(context.Context, phone.MAC) error            { return nil }
func stranger4(i int) phone.MAC                                    { return phone.MAC{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)} }

// Where unlisted phones are converted, a flood of MACs takes the places of those that were silent for longest, and never
// that of a listed phone or of one that is being written to.
func TestRoomIsTakenOfWhoWasSilentForLongest(t *testing.T) {
	d, err := New(Config{Target: "P0S3-8-12-00", Unlisted: true, Phones: []Phone{{MAC: phone.MAC{1}}}}, Deps{
		Belief: noCard{}.belief, Shelf: func() ladder.Shelf { return nil }, Restart: noCard{}.restart, Report: func(phone.MAC, string) {},
		Store: noCard{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	see := func(i int) { d.Observe(journal.Event{MAC: stranger4(i), Service: "dhcp", Kind: journal.Packet}) }
	see(0)
	d.ways[stranger4(0)].Image = "P0S3-8-12-00.sb2" // its flash began
	for i := 1; i < 3*maxPhones; i++ {
		see(i)
		if i%10 == 0 {
			see(1) // it goes on asking
		}
	}
	if len(d.ways) != maxPhones {
		t.Errorf("%d phones are kept, want %d", len(d.ways), maxPhones)
	}
	for _, mac := range []phone.MAC{{1}, stranger4(0), stranger4(1), stranger4(3*maxPhones - 1), stranger4(2*maxPhones + 10)} {
		if d.ways[mac] == nil {
			t.Errorf("%s was forgotten", mac)
		}
	}
	for _, i := range []int{2, maxPhones, 2*maxPhones - 10} {
		if d.ways[stranger4(i)] != nil {
			t.Errorf("the %dth is kept, which was silent for longest", i)
		}
	}
	for _, w := range d.ways {
		w.Turn = true
	}
	if see(9 * maxPhones); d.ways[stranger4(9*maxPhones)] != nil {
		t.Error("room was taken of a phone in the middle of its step")
	}
}
