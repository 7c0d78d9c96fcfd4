package convert

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// State returns where the conversion of a phone stands; false for a phone that is none of the director's business.
func (d *Director) State(mac phone.MAC) (State, bool) {
	defer d.deliver()
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.ways[mac]
	if w == nil {
		return State{}, false
	}
	d.plans.stock(d.deps.Shelf())
	d.look(w, now)
	return d.state(w), true
}

// States returns all conversions, in the order of the MACs.
func (d *Director) States() []State {
	defer d.deliver()
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans.stock(d.deps.Shelf())
	out := make([]State, 0, len(d.ways))
	for _, w := range d.ways {
		d.look(w, now)
		out = append(out, d.state(w))
	}
	slices.SortFunc(out, func(a, b State) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })
	return out
}

func (d *Director) state(w *way) State {
	v := &w.view
	p := d.listed[w.mac]
	st := State{
		MAC: w.mac, Belief: v.belief, Target: v.target, Phase: v.phase, Text: d.text(w), Path: clone(v.path), Done: w.Done,
		Attempts: w.Attempts, Unplug: w.unplug(v.now), Set: w.Set, Changed: w.At,
		ByHand: d.asksForHands(w), Start: w.Start, Taken: slices.Clone(w.Taken), Order: w.Order, Pinned: p.Load != "", Back: d.back(w), Left: w.left(),
	}
	if !st.Unplug {
		st.File, st.Sent, st.Size, st.Sending = w.image, w.sent, w.size, len(w.open) > 0
	}
	return st
}

// asksForHands reports whether Text asks a person to restart the phone now.
func (d *Director) asksForHands(w *way) bool {
	v := &w.view
	switch {
	case !w.unplug(v.now):
		return false
	case v.phase == Going:
		return byHand(w) != ""
	case v.phase != Waiting || !w.alive(v.now):
		return false
	case v.reason == unknown:
		return v.now.Sub(w.asked) > phone.LoaderHunt
	case v.reason != noTurn || d.full(v.now):
		return false
	}
	return w.nudges >= maxNudges || v.belief.Protocol != phone.SIP && v.now.Sub(w.asked) > phone.LoaderHunt
}

// left is how long the steps of a phone will take, without what it may wait for its turn. One that takes longer than such a
// step does is taken to need a moment more.
func (w *way) left() time.Duration {
	const moment = 5 * time.Second
	var all time.Duration
	for i, s := range w.view.path.Steps {
		takes := s.Takes
		if i == 0 && w.Turn {
			takes = max(takes-w.view.now.Sub(w.took), moment)
		}
		all += takes
	}
	return all
}

// back is the load that a phone came from, where a person may want to send it back there: it does not go on, runs another
// load than then, and a way back is known whose files are all there. (One that lost its application on its way to a load that
// it refuses needs nobody for that: it is told the load before again.)
func (d *Director) back(w *way) string {
	v := &w.view
	if !slices.Contains([]Phase{Arrived, Failed, Skipped, Stopped}, v.phase) || !w.unplug(v.now) {
		return ""
	}
	for _, load := range []string{w.Start, w.Ran} {
		if l, ok := phone.ParseLoad(load); !ok || l.Loader || strings.EqualFold(load, v.target) {
			continue
		}
		if path, err := d.plans.plan(v.belief, load); err == nil && len(path.Steps) > 0 && len(path.Missing) == 0 {
			return load
		}
	}
	return ""
}

// orders are what a timeline says of each.
var orders = map[Order]string{
	Go: "is to go on with its conversion", Skip: "is left out of the conversion", Stop: "was stopped: it is told no load and sent no image",
	Next: "is to be converted before all that wait", After: "is to be left out after the step that it takes",
}

// Order tells one phone's conversion what a technician wants; it is on the card when it returns nil. The error is a
// sentence for people.
func (d *Director) Order(ctx context.Context, mac phone.MAC, o Order) error {
	defer d.deliver()
	text, ok := orders[o]
	if !ok {
		return errOrder(o)
	}
	d.mu.Lock()
	w := d.way(mac)
	if w == nil {
		d.mu.Unlock()
		return fmt.Errorf("the site does not list the phone %s, so it is not converted: add it to the site", mac)
	}
	w.order(o)
	d.report(w, text)
	d.plans.stock(d.deps.Shelf())
	d.look(w, time.Now())
	d.mu.Unlock()
	return d.saveShard(ctx, shardOf(mac))
}

func errOrder(o Order) error {
	return fmt.Errorf("found the order %q, allowed are go, skip, stop, next and after", string(o))
}

// OrderAll gives the same order to many phones and returns how many took it; those that are none of the director's business
// are passed over. All is on the card when it returns nil. The error is a sentence for people.
func (d *Director) OrderAll(ctx context.Context, macs []phone.MAC, o Order) (int, error) {
	text, ok := orders[o]
	if !ok {
		return 0, errOrder(o)
	}
	defer d.deliver()
	now, n := time.Now(), 0
	d.mu.Lock()
	d.plans.stock(d.deps.Shelf())
	for _, mac := range macs {
		w := d.way(mac)
		if w == nil {
			continue
		}
		n++
		w.order(o)
		d.report(w, text)
		d.look(w, now)
	}
	d.mu.Unlock()
	return n, d.save(ctx)
}

func (w *way) order(o Order) {
	w.dirty = true
	switch o {
	case After:
		if w.Order, w.Next = After, false; !w.Turn && w.Image == "" {
			w.Order = Skip // it takes no step
		}
	case Stop, Skip:
		w.Order, w.Next = o, false
		if w.Turn && (o == Stop || !w.halfway()) {
			w.end()
		}
	case Go, Next:
		w.Order, w.Next = "", o == Next
		w.Failed, w.Cause, w.Attempts, w.Broke, w.Cuts, w.Whole, w.Booted = "", "", 0, 0, 0, "", false
		w.nudges, w.nudged, w.refusal = 0, time.Time{}, ""
	}
	w.Told = news{}
}
