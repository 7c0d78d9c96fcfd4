package convert

import (
	"context"
	"slices"
	"strings"
	"time"

	"phonebox/appliance/journal"
	"phonebox/services/phone"
)

// Observe takes in what a phone did. It has to be called before the first block of a file leaves that was asked for: a
// flash that begins is written to the card first, so that the box knows of it after a power cut.
func (d *Director) Observe(e journal.Event) {
	if e.MAC.IsZero() || e.Service == "box" {
		return
	}
	now := time.Now()
	d.mu.Lock()
	w := d.way(e.MAC)
	if w == nil {
		d.mu.Unlock()
		return
	}
	if e.Kind == journal.Transfer && e.Phase == journal.Progress { // there are many, and they change nothing
		w.seen, w.acted = now, now
		w.progress(&e)
		d.mu.Unlock()
		return
	}
	d.plans.stock(d.deps.Shelf())
	released := false
	switch e.Kind {
	case journal.Packet:
		w.seen = now
		if e.Service == "dhcp" && !e.Renewal && !e.Address.IsValid() {
			w.boot(d, now)
		}
	case journal.Request, journal.FileMissing:
		w.seen = now
		released = w.request(d, &e, now)
	case journal.FileRefused: // mostly somebody else asked; an image that was refused to the phone itself is a request of it
		if e.File.Kind.IsFirmware() && w.wouldFail(e.File) {
			w.request(d, &e, now)
		}
	case journal.Transfer:
		w.seen = now
		w.transfer(d, &e, now)
	case journal.SIPAlive:
		w.seen, w.answered = now, now
	case journal.Lease, journal.Time, journal.Name, journal.HTTPFile, journal.Restart:
		w.seen = now
	case journal.LeaseTrouble, journal.LeaseEnded, journal.SIPSilent, journal.Released, journal.Hint, journal.Note:
	}
	d.look(w, now)
	d.mu.Unlock()
	if released {
		ctx, cancel := context.WithTimeout(context.Background(), saveTime)
		_ = d.saveShard(ctx, shardOf(e.MAC)) // logged; a card that fails must not keep the phone waiting
		cancel()
	}
	d.deliver()
}

// request notes that the phone asked for a file. released tells that an image of its step is about to be sent to it for
// the first time.
func (w *way) request(d *Director, e *journal.Event, now time.Time) (released bool) {
	if searches(e.File.Kind) {
		w.asked, w.acted = now, now
		if w.Whole != "" && !w.Booted && !e.File.Kind.IsFirmware() && e.File.Kind != phone.KindLoads {
			w.boot(d, now) // DHCP did not show it: a static address
		}
	}
	d.look(w, now)
	step := w.view.step
	names := step != nil && e.Load != "" && e.Kind == journal.Request &&
		slices.ContainsFunc([]string{step.Naming.OS79XX, step.Naming.ImageVersion, step.Naming.LoadInformation},
			func(load string) bool { return strings.EqualFold(load, e.Load) })
	if names && !step.Confirm && (w.Turn || w.reservation(now)) {
		w.take(d, now)
	}
	if !e.File.Kind.IsFirmware() {
		return false
	}
	if e.File.Kind == phone.KindApplication && w.Ran != "" && strings.EqualFold(e.File.Load, w.Ran) && !w.Lost {
		w.Lost, w.dirty = true, true
	}
	switch {
	case w.wouldFail(e.File):
		w.fail(d, causeAgain(e.File.Clean))
	case w.broke:
		w.broke = false
		if w.Broke++; w.Broke >= maxBroke {
			w.fail(d, causeBroke(e.File.Clean))
		}
		w.dirty = true
	}
	if e.Kind != journal.Request || w.Failed != "" || step == nil {
		return false
	}
	if ok, _ := step.Expects(e.File); !ok {
		return false
	}
	w.take(d, now)
	if w.Image == e.File.Clean {
		return false
	}
	w.Image, w.dirty = e.File.Clean, true
	return true
}

// searches reports whether a name belongs to the search for a load that a boot begins with (phones.md a.2 to a.4).
func searches(k phone.Kind) bool {
	switch k {
	case phone.KindOS79XX, phone.KindTrustList, phone.KindSEP, phone.KindSEPOld, phone.KindSIP, phone.KindMGC,
		phone.KindXMLDefault, phone.KindSIPDefault, phone.KindLoads:
		return true
	}
	return k.IsFirmware()
}

// transfer follows the images on their way to the phone.
func (w *way) transfer(d *Director, e *journal.Event, now time.Time) {
	if !e.File.Kind.IsFirmware() {
		return
	}
	_, known := w.open[e.Transfer]
	w.acted, w.moved = now, now
	switch e.Phase {
	case journal.Started:
		if w.open == nil {
			w.open = map[uint64]phone.FileName{}
		}
		for len(w.open) >= maxOpen {
			for id := range w.open {
				delete(w.open, id)
				break
			}
		}
		w.open[e.Transfer], w.image = e.File, e.File.Clean
		w.sent, w.size = 0, e.Size
		if !w.sees {
			w.sees = true
			d.report(w, "is about to write "+e.File.Clean+" into its flash: "+unplugText(e.File.Kind, w.view.belief))
		}
	case journal.Progress:
	case journal.Sent:
		if !known {
			return // from before the boot
		}
		delete(w.open, e.Transfer)
		w.writing = now.Add(phone.UpgradeGrace)
		w.broke = false
		if strings.EqualFold(w.Image, e.File.Clean) {
			w.Whole, w.Booted, w.Broke, w.Cuts, w.dirty = e.File.Clean, false, 0, 0, true
		}
	case journal.Aborted:
		if !known {
			return
		}
		delete(w.open, e.Transfer)
		w.writing = now.Add(phone.UpgradeGrace)
		w.broke = true
	}
}

// progress notes how much of an image was sent.
func (w *way) progress(e *journal.Event) {
	if _, known := w.open[e.Transfer]; known {
		w.image, w.sent, w.size = e.File.Clean, e.Bytes, e.Size
	}
}
