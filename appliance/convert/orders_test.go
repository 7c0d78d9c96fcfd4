package convert_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// TestStopAfterThisStep: a phone that is in the middle of a step ends it and is left out then; one that waits is left out at
// once. Both go on when a person says so, also after the box lost its power.
func TestStopAfterThisStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(2, sip812))
		w.plug(1, sip44)
		w.until(time.Hour, "its first image is on its way", func() bool { return w.busy() == 1 })
		if s := w.state(1); !s.Sending || s.File != sip53+".bin" || s.Left <= 0 {
			t.Errorf("while its image is on its way: %+v", s)
		}
		var running journal.Event
		w.mu.Lock()
		running = journal.Event{
			MAC: number(1), Service: "tftp", Kind: journal.Transfer, Phase: journal.Progress, Transfer: w.next, File: phone.ParseFileName(sip53 + ".bin"), Bytes: 1000, Size: 4000,
		}
		w.mu.Unlock()
		d, _ := w.director()
		d.Observe(running)
		if s := w.state(1); s.Sent != 1000 || s.Size != 4000 {
			t.Errorf("a quarter of its image is sent: %d of %d", s.Sent, s.Size)
		}
		running.Transfer += 1000 // from before a boot
		running.Bytes = 2000
		d.Observe(running)
		if s := w.state(1); s.Sent != 1000 {
			t.Errorf("a transfer that is not known counts: %d", s.Sent)
		}
		if n, err := d.OrderAll(t.Context(), []phone.MAC{number(1), number(2), number(99)}, convert.After); n != 2 || err != nil {
			t.Fatalf("%d phones took the order (%v), want those that are listed", n, err)
		}
		if s := w.want(1, convert.Going); s.Order != convert.After || !strings.Contains(s.Text, "left out after this step") {
			t.Errorf("in the middle of its step: %+v", s)
		}
		w.want(2, convert.Skipped)
		w.cut()
		w.start()
		w.until(time.Hour, "it is left out", func() bool { return w.state(1).Phase == convert.Skipped })
		time.Sleep(time.Hour)
		s := w.want(1, convert.Skipped)
		if s.Belief.Load != sip53 || len(s.Taken) == 0 || s.Taken[len(s.Taken)-1].To != sip53 || s.Done != len(s.Taken) || s.Back != "" {
			t.Errorf("after its step: it is believed to run %q, took %+v", s.Belief.Load, s.Taken)
		}
		d, _ = w.director()
		if _, err := d.OrderAll(t.Context(), d.Listed(), convert.Go); err != nil {
			t.Fatal(err)
		}
		w.allArrive(2 * time.Hour)
		s = w.state(1)
		var to []string
		for _, step := range s.Taken {
			to = append(to, step.To)
		}
		if n := len(to); n != 4 || to[1] != sip53 || to[3] != sip812 || s.Taken[2].From != sip53 || s.Taken[3].At.IsZero() {
			t.Errorf("it took %+v", s.Taken)
		}
		if !strings.HasPrefix(s.Start, "SIP 4") {
			t.Errorf("it set out from %q", s.Start)
		}
		if _, err := d.OrderAll(t.Context(), d.Listed(), "dance"); err == nil {
			t.Error("an order that there is not was taken")
		}
	})
}

// TestPreviewChangesNothing: what another target would mean is what happens once it is set.
func TestPreviewChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := listed(4, "")
		cfg.Phones[1].Load = convert.Stay
		w := newWorld(t, cfg)
		w.plug(1, sip44)
		w.plug(2, sip44)
		w.plug(3, sip812)
		time.Sleep(5 * time.Minute)
		d, _ := w.director()
		got := d.Preview(sip812)
		if len(got) != 4 {
			t.Fatalf("%d phones, want all that are listed", len(got))
		}
		if s := got[0]; s.Phase != convert.Waiting || len(s.Path.Steps) < 4 || s.Path.Steps[1].To != sip53 || s.Left < 5*time.Minute || s.Target != sip812 {
			t.Errorf("a phone on %s: %+v", sip44, s)
		}
		if s := got[1]; s.Phase != convert.Arrived || !s.Pinned || len(s.Path.Steps) != 0 {
			t.Errorf("one that is to stay: %+v", s)
		}
		if s := got[3]; s.Phase != convert.Waiting || !strings.Contains(s.Text, "not seen yet") {
			t.Errorf("one that was never seen: %+v", s)
		}
		w.mu.Lock()
		w.shelf = w.shelf[:0]
		w.mu.Unlock()
		if s := d.Preview(sip812)[0]; s.Phase != convert.Blocked || !strings.Contains(s.Text, "not on the firmware shelf") {
			t.Errorf("with nothing on the shelf: %+v", s)
		}
		if s := d.Preview("P0S30203")[2]; s.Phase != convert.Blocked || !strings.Contains(s.Text, "no way back") {
			t.Errorf("from %s down to 2.3: %+v", sip812, s)
		}
		time.Sleep(10 * time.Minute)
		if len(w.images()) != 0 || w.state(1).Target != "" {
			t.Errorf("looking ahead began a conversion: %v", w.images())
		}
	})
}

// TestTheWayBack: a phone that came from a load can be sent back there, where a way is known and its files are on the shelf.
func TestTheWayBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(2, sip89))
		w.plug(1, sip89)
		w.plug(2, sip53)
		w.allArrive(time.Hour) // the box knows by now what they run
		w.cfg.Target = sccp8
		d, _ := w.director()
		d.Apply(w.cfg)
		w.allArrive(2 * time.Hour)
		time.Sleep(5 * time.Minute)
		s := w.want(1, convert.Arrived)
		if s.Start != sip89 || s.Back != sip89 {
			t.Fatalf("it came from %q, the way back leads to %q", s.Start, s.Back)
		}
		w.mu.Lock()
		shelf := w.shelf
		w.shelf = slices.DeleteFunc(slices.Clone(w.shelf), func(l ladder.Load) bool { return l.Name == sip89 })
		w.mu.Unlock()
		if s := w.state(1); s.Back != "" {
			t.Errorf("without its files on the shelf the way back leads to %q", s.Back)
		}
		w.mu.Lock()
		w.shelf = shelf
		w.mu.Unlock()
		w.cfg.Phones[0].Load = s.Back
		d.Apply(w.cfg)
		w.phones[number(1)].off() // a phone on SCCP asks when it starts
		w.phones[number(1)].on()
		w.allArrive(2 * time.Hour)
		if got := w.state(1); got.Belief.Load != sip89 || got.Start != sccp8 {
			t.Errorf("back again it runs %q, and set out from %q", got.Belief.Load, got.Start)
		}
		// What was done is told as long as nothing else is wanted, also once the site names no load any more.
		w.cfg.Target, w.cfg.Phones[0].Load = "", ""
		d.Apply(w.cfg)
		if got := w.state(1); got.Start != sccp8 || len(got.Taken) != 1 || got.Taken[0].To != sip89 {
			t.Errorf("after the site names no load: from %q by %+v", got.Start, got.Taken)
		}
	})
}
