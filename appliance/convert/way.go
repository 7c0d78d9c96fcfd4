package convert

import (
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

const (
	maxAttempts = 3                // failed tries of a step, then the phone is left alone
	maxBroke    = 3                // times that a transfer broke off, which make one failed try
	maxCuts     = 5                // power cuts in mid-transfer in a row, which make one too: it may be the phone that gives up
	maxSilence  = 10 * time.Minute // a phone that was not heard of for so long loses its turn
	maxIdle     = 15 * time.Minute // so does one that asks for its files all the while, and for no image of its step
	askedLately = 5 * time.Minute  // who asked within that stands in the queue
	reserveTime = 5 * time.Second  // a step that a file named is kept for the phone until its request is seen
	nudgeEvery  = time.Minute
	maxNudges   = 3
	// idleTime without a request means that the phone is done with its boot; a polling one asks every 31 s (phones.md a.5).
	idleTime = 45 * time.Second
	// answeredTime is that for one whose SIP application answers: it has its configuration.
	answeredTime = 10 * time.Second
	// proofTime after a boot a phone that shows its old load has not started the new one.
	proofTime = time.Minute
	// settleTime is how long a state must last before the timeline tells it: a boot brings one clue after the other.
	settleTime = 30 * time.Second
)

// record is what lasts of a phone's conversion over a power cut of the box.
type record struct {
	Order  Order     `json:"order,omitempty"` // Skip, Stop or After; "" = go on
	Next   bool      `json:"next,omitempty"`
	To     string    `json:"to,omitempty"` // the load that it set out for
	Set    time.Time `json:"set,omitzero"`
	Phase  Phase     `json:"phase,omitempty"` // as it was told last
	Reason reason    `json:"reason,omitempty"`
	At     time.Time `json:"changed,omitzero"`
	Done   int       `json:"done,omitempty"`

	Turn     bool   `json:"turn,omitempty"`
	Step     string `json:"step,omitempty"`  // the load to which the step leads that it takes, or took last
	From     string `json:"from,omitempty"`  // the load that it surely ran before; "" = not known
	Image    string `json:"image,omitempty"` // of that step, which was released to it: its flash has begun
	Whole    string `json:"whole,omitempty"` // of that step, which it fetched whole last
	Booted   bool   `json:"booted,omitempty"`
	Attempts int    `json:"attempts,omitempty"`
	Broke    int    `json:"broke,omitempty"`
	Cuts     int    `json:"cuts,omitempty"`
	Failed   string `json:"failed,omitempty"` // the step that failed for good
	Cause    string `json:"cause,omitempty"`  // of the last failed try, a sentence
	Told     news   `json:"told,omitzero"`    // of the phase, into the timeline
	Finish   string `json:"finish,omitempty"` // the step that goes on although the site no longer wants it: see halfway
	Ran      string `json:"ran,omitempty"`    // the load of the universal loader that surely ran last
	Lost     bool   `json:"lost,omitempty"`   // it asked for the application of Ran since

	Start string  `json:"start,omitempty"` // what it ran when it set out last, in words
	Taken []Taken `json:"taken,omitempty"` // the steps since then
}

// news is what a timeline is told of once.
type news struct {
	Phase  Phase  `json:"phase"`
	Reason reason `json:"reason,omitempty"`
}

// way is one phone's way. Its methods are called with the director's mu held.
type way struct {
	mac phone.MAC
	record
	dirty bool // the record differs from the stored one

	// Timers, on the monotonic clock; zero = never.
	seen     time.Time // last sign of life
	asked    time.Time // last request that belongs to a search for a load
	answered time.Time // last answer of its SIP application
	acted    time.Time // last of these or of a transfer, or when it got its turn
	moved    time.Time // when it got its turn, or an image last
	started  time.Time // its last boot
	took     time.Time // when it got its turn
	queued   time.Time // since when it waits for its turn
	reserved time.Time // until then a place is kept for it
	nudged   time.Time
	writing  time.Time // until then it may be writing; the images that are being sent keep it going
	nudges   int
	refusal  string // why it could not be restarted

	open  map[uint64]phone.FileName // images that are being sent to it, by transfer
	image string                    // that it fetched last, for the text
	sent  int64                     // bytes of that image
	size  int64                     // of it; 0 = not known
	broke bool                      // the transfer of an image broke off, and the phone did not boot since
	sees  bool                      // it was said that its power must not be cut

	view view // as last looked at
	show string
}

// maxTaken bounds the steps that are remembered of one phone; the longest way has fewer.
const maxTaken = 12

// maxOpen bounds the transfers that are remembered of one phone.
const maxOpen = 16

// begun reports whether the flash of a step was begun and is not done.
func (w *way) begun(s *ladder.Step) bool { return w.Image != "" && strings.EqualFold(w.Step, s.To) }

// halfway reports whether a step that leads to the universal loader began and is not done: the phone may have no
// application, and would show "Protocol Application Invalid" until it is told a load (phones.md c.6). That an image of the
// application was asked for is enough, because the one before it may be erased first.
func (w *way) halfway() bool {
	if l, ok := phone.ParseLoad(w.Step); !ok || !l.Universal() || w.Failed != "" {
		return false
	}
	return len(w.open) > 0 || w.Whole != "" || phone.ParseFileName(w.Image).Kind == phone.KindApplication
}

// reservation reports whether a place is kept for it.
func (w *way) reservation(now time.Time) bool { return now.Before(w.reserved) }

// unplug reports whether its power may be cut.
func (w *way) unplug(now time.Time) bool { return len(w.open) == 0 && !now.Before(w.writing) }

// alive reports whether it was heard of lately.
func (w *way) alive(now time.Time) bool { return !w.seen.IsZero() && now.Sub(w.seen) < maxSilence }

// start begins a step.
func (w *way) start(s *ladder.Step, b ladder.Belief) {
	if !strings.EqualFold(w.Step, s.To) {
		w.Image, w.Whole, w.Booted, w.Attempts, w.Broke, w.Cuts, w.Cause = "", "", false, 0, 0, 0, ""
		w.nudges, w.refusal = 0, ""
	}
	w.Step, w.From, w.dirty = s.To, "", true
	if b.Confidence == ladder.Sure && !strings.EqualFold(b.Load, s.To) {
		w.From = b.Load
	}
}

// take gives the phone its turn.
func (w *way) take(d *Director, now time.Time) {
	if w.Turn || w.view.step == nil {
		return
	}
	d.setOut(w)
	w.start(w.view.step, w.view.belief)
	w.Turn, w.took, w.acted, w.moved, w.reserved, w.queued = true, now, now, now, time.Time{}, time.Time{}
	w.Told = news{Phase: Going}
	d.report(w, "takes its next step, "+stepText(w.view.step))
}

// end takes the turn away.
func (w *way) end() {
	w.Turn, w.dirty = false, true
	w.reserved, w.queued = time.Time{}, time.Time{}
}

// boot notes that the phone starts anew: what it was writing is written, or the power cut came first. A transfer that it
// did not wait for is a power cut, not a bad cable.
func (w *way) boot(d *Director, now time.Time) {
	if (len(w.open) > 0 || w.broke) && w.Turn && w.Image != "" {
		w.Cuts++
		w.dirty = true
		if w.Cuts >= maxCuts {
			w.Cuts = 0
			w.fail(d, causeCuts(w.Image))
		}
	}
	w.open, w.broke = nil, false
	w.writing, w.started = now, now
	if w.Whole != "" && !w.Booted {
		w.Booted, w.dirty = true, true
	}
	w.mayUnplug(d, now, "started again")
}

// mayUnplug tells once that the power may be cut again.
func (w *way) mayUnplug(d *Director, now time.Time, why string) {
	if w.sees && w.unplug(now) {
		w.sees = false
		d.report(w, why+": its power may be cut again")
	}
}

// fail counts a failed try of the step.
func (w *way) fail(d *Director, cause string) {
	w.Attempts, w.Cause, w.Whole, w.Booted, w.Broke, w.dirty = w.Attempts+1, cause, "", false, 0, true
	if w.Attempts < maxAttempts {
		d.report(w, "did not get to "+w.Step+" at try "+number(w.Attempts)+" of "+number(maxAttempts)+". "+cause)
		return
	}
	w.Failed = w.Step
	w.Image = ""
	w.end()
	d.metrics.steps.WithLabelValues("failed").Inc()
}

// tick looks at what time alone changes.
func (w *way) tick(d *Director, now time.Time) {
	if len(w.open) > 0 && now.Sub(w.acted) >= phone.UpgradeGrace { // the server gives a transfer up long before; its end was not seen
		w.open, w.broke = nil, true
	}
	if w.Turn && now.Sub(w.acted) >= maxSilence && len(w.open) == 0 {
		d.report(w, "lost its turn: it asked for nothing for ten minutes. It goes on when it asks again")
		w.end()
	}
	if w.Turn && now.Sub(w.moved) >= maxIdle && len(w.open) == 0 {
		w.idles(d)
	}
	showsOld := w.From != "" && w.view.belief.Confidence == ladder.Sure && strings.EqualFold(w.view.belief.Load, w.From)
	if w.Turn && w.Booted && w.Whole != "" && showsOld && now.Sub(w.started) >= proofTime {
		w.fail(d, "It fetched "+w.Whole+" whole, started again, and still runs "+w.From+".")
	}
	w.mayUnplug(d, now, "must have written its firmware by now, or given it up")
}

// idles takes the turn of a phone that asks for its files and for no image of its step. That counts as a failed try where
// an application runs; a loader alone has nothing else to do than to search on.
func (w *way) idles(d *Director) {
	if b := w.view.belief; b.Protocol == phone.ProtocolUnknown || runs(b, w.Step) {
		d.report(w, "lost its turn: "+lowerFirst(causeIdle(w.view.step)))
	} else {
		w.fail(d, causeIdle(w.view.step))
	}
	if w.Turn {
		w.end()
	}
}

// wouldFail reports whether asking for an image means that the last try failed: it had it whole, started again, and
// wants it again.
func (w *way) wouldFail(file phone.FileName) bool {
	return w.Booted && w.Whole != "" && strings.EqualFold(w.Whole, file.Clean)
}

// causeAgain says why a phone fetches an image again that it had whole (phones.md c.6).
func causeAgain(file string) string {
	return "It fetched " + file + " whole, started again, and asks for it again: the image was renamed, is damaged or not signed for this phone " +
		"(its display says Image Authentication Failed), or its power was cut while it wrote it."
}

// causeIdle says that a phone does not take what its files name.
func causeIdle(s *ladder.Step) string {
	return "For a quarter of an hour it asked for its files, which name the load, and it does not ask for " + firstFile(s) + ": " +
		"look whether it gets its files from this box (TFTP server, Alternate TFTP in its network settings), and what its display says."
}

// causeCuts says why a phone starts again before it has an image whole.
func causeCuts(file string) string {
	return "It started again " + times(maxCuts) + " before it had " + file + " whole: its power fails, or it gives up because the transfer breaks off. " +
		"Look at its power supply, its cable, and the duplex setting of the switch port."
}

// causeBroke says why transfers break off (phones.md a.8).
func causeBroke(file string) string {
	return "The transfer of " + file + " broke off " + times(maxBroke) + ": look at its cable, the duplex setting of the switch port, and the link."
}
