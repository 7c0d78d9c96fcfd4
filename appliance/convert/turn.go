package convert

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"phonebox/services/phone"
)

// restartTime is how long telling a phone to restart may take.
const restartTime = 20 * time.Second

// grant decides whether a phone may take its step now, and keeps a place for it until its request is seen. A flash that
// was begun goes on at once, even above the bound; the others wait in line.
func (d *Director) grant(w *way, now time.Time) bool {
	switch {
	case w.Turn:
		return true
	case w.begun(w.view.step), w.reservation(now):
	default:
		if !d.reached(w, now) {
			return false
		}
	}
	if until := now.Add(reserveTime); w.reserved.Before(until) {
		w.reserved = until
	}
	return true
}

// reached reports whether fewer phones stand in line before w than there are places. While a pallet waits there are none,
// and each of its phones asks again and again: who stands in line is then not looked at.
func (d *Director) reached(w *way, now time.Time) bool {
	free := d.free(w, now)
	if free <= 0 {
		return false
	}
	for _, other := range d.ways {
		if other != w && other.inLine(now) && !other.reservation(now) && other.before(w) {
			if free--; free <= 0 {
				return false
			}
		}
	}
	return true
}

// free counts the places that nobody but w holds.
func (d *Director) free(w *way, now time.Time) int {
	free := d.parallel
	for _, other := range d.ways {
		if other != w && (other.Turn || other.reservation(now)) {
			free--
		}
	}
	return free
}

// full reports whether all places are taken. It is for sentences, and so counts once a second at most.
func (d *Director) full(now time.Time) bool {
	if d.counted.IsZero() || now.Sub(d.counted) >= time.Second || now.Before(d.counted) {
		d.counted, d.places = now, d.free(nil, now)
	}
	return d.places <= 0
}

// inLine reports whether a phone waits for its turn and would take it: it asked lately, or can be told to ask.
func (w *way) inLine(now time.Time) bool {
	return w.view.phase == Waiting && w.view.reason == noTurn && !w.Turn &&
		(!w.asked.IsZero() && now.Sub(w.asked) < askedLately || w.restarts(now))
}

// before orders the line: those that a technician wants first, then who waited for longest.
func (w *way) before(other *way) bool {
	if w.Next != other.Next {
		return w.Next
	}
	return cmp.Or(w.queued.Compare(other.queued), bytes.Compare(w.mac[:], other.mac[:])) < 0
}

// restarts reports whether telling the phone to restart can make it ask for its files: a SIP application runs that is
// done with its boot, nothing is being written, and it was not told in vain too often.
func (w *way) restarts(now time.Time) bool {
	idle := idleTime
	if w.answered.After(w.asked) {
		idle = answeredTime
	}
	return w.view.belief.Protocol == phone.SIP && w.alive(now) && now.Sub(w.asked) >= idle && w.unplug(now) && w.nudges < maxNudges
}

// nudges returns the phones that have to be restarted now: those that stopped asking in the middle of their step, and
// those whose turn has come. For the latter a place is kept meanwhile.
func (d *Director) nudges(now time.Time) []phone.MAC {
	var out []phone.MAC
	nudge := func(w *way) {
		if w.restarts(now) && now.Sub(w.nudged) >= nudgeEvery {
			w.nudged, w.nudges = now, w.nudges+1
			out = append(out, w.mac)
		}
	}
	var line []*way
	for _, w := range d.ways {
		switch {
		case w.view.step != nil && (w.Turn || w.view.step.Confirm):
			nudge(w)
		case w.inLine(now) && !w.reservation(now):
			line = append(line, w)
		case w.reservation(now) && w.view.step != nil:
			if nudge(w); w.nudged.Equal(now) {
				w.reserved = now.Add(nudgeEvery + reserveTime)
			}
		}
	}
	slices.SortFunc(line, func(a, b *way) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	for _, w := range line[:min(len(line), max(0, d.free(nil, now)))] {
		if w.restarts(now) {
			nudge(w)
			w.reserved = now.Add(nudgeEvery + reserveTime)
		}
	}
	return out
}

// restart tells one phone to restart.
func (d *Director) restart(ctx context.Context, mac phone.MAC) {
	ctx, cancel := context.WithTimeout(ctx, restartTime)
	defer cancel()
	err := d.deps.Restart(ctx, mac)
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.ways[mac]; w != nil {
		w.refusal = ""
		if err != nil {
			w.refusal = err.Error()
			d.log.Debug("phone not restarted", "mac", mac, "err", err)
		}
	}
}
