package journal

import (
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"phonebox/services/phone"
)

// foldWindow is how many kept lines back an equal one is looked for: a hunt of the loader is five files (phones.md a.4),
// a poll that gets its file is a request, a transfer that begins and one that ends.
const foldWindow = 8

// folded is a kept line that an equal one may still be counted into.
type folded struct {
	id    uint64
	like  uint64 // what the line says, see hash
	since int64  // ns since 1970
	count int
}

// likeSeed makes the hashes of this process; nobody outside can make two lines of the same hash.
var likeSeed = maphash.MakeSeed()

// hash stands for what a line says. The texts of the last lines of two thousand phones would take megabytes; that two lines
// have the same hash will not be seen by anybody.
func (l likeness) hash() uint64 { return maphash.Comparable(likeSeed, l) }

// likeness is what makes two lines of a timeline say the same. How long a transfer took is not in it.
type likeness struct {
	service, file, load, text, why string
	kind                           Kind
	phase                          Phase
	step                           phone.Step
}

// likenessOf returns what a line says, and whether it is of the sort that phones repeat for as long as they wait.
func likenessOf(e *Event) (l likeness, ok bool) {
	l = likeness{
		service: e.Service, kind: e.Kind, phase: e.Phase, file: e.File.Clean, load: e.Load, step: e.Step, text: e.Text, why: e.Details["why"],
	}
	switch e.Kind {
	case Request, FileMissing, FileRefused, LeaseTrouble, Name:
		return l, true
	case Packet:
		return l, !e.Renewal
	case Transfer:
		l.text = ""
		return l, !e.File.Kind.IsFirmware() && (e.Phase == Started || e.Phase == Sent)
	}
	return l, false
}

// fold counts an event into an equal line that stands among the last ones, if nothing but such lines came since: that
// line is dropped, and the event stands for both. A phone that polls for a day leaves a few lines and its history stays.
func (j *Journal) fold(en *entry, e *Event) {
	like, ok := likenessOf(e)
	if !ok {
		en.window = nil
		return
	}
	if en.windowStep != like.step {
		en.window, en.windowStep = en.window[:0], like.step
	}
	f := folded{id: e.ID, like: like.hash(), since: e.Time.UnixNano(), count: 1}
	if i := slices.IndexFunc(en.window, func(w folded) bool { return w.like == f.like }); i >= 0 {
		f.since, f.count = en.window[i].since, en.window[i].count+1
		j.unkeep(en, e, en.window[i].id)
		en.window = slices.Delete(en.window, i, i+1)
	}
	if len(en.window) == foldWindow {
		en.window = slices.Delete(en.window, 0, 1)
	}
	en.window = append(en.window, f)
	if f.count > 1 {
		e.Count, e.Since = f.count, time.Unix(0, f.since).UTC()
	}
}

// unkeep takes one of the last lines out of the timeline of e's phone.
func (j *Journal) unkeep(en *entry, e *Event, id uint64) {
	i, ok := en.find(id)
	if !ok {
		return // dropped meanwhile for the sake of a bound
	}
	j.weigh(en, -en.refs[i].size())
	inStore := len(en.refs) - len(en.fresh)
	if i < inStore {
		j.remove[eventKey(id, e.MAC)] = true
	} else {
		en.fresh = slices.Delete(en.fresh, i-inStore, i-inStore+1)
	}
	en.refs = slices.Delete(en.refs, i, i+1)
}

// told is the sentence of an event with how often it happened.
func told(e *Event) string {
	if e.Count < 2 {
		return e.Text
	}
	return fmt.Sprintf("%s (%d times in %s)", e.Text, e.Count, span(e.Time.Sub(e.Since)))
}

// span writes how long something went on, in words.
func span(d time.Duration) string {
	switch {
	case d < 0: // the box's clock was set back
		return "a while"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
