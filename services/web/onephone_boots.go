package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// boot is what a phone did from one start to the next.
type boot struct {
	id     uint64 // of its first event, which names it in an address
	events []PhoneEvent
}

func (b *boot) began() time.Time { return b.events[0].since() }

// since is when an event, or the first of those that it stands for, happened.
func (e *PhoneEvent) since() time.Time {
	if e.Facts.Count > 1 && !e.Facts.Since.IsZero() {
		return e.Facts.Since
	}
	return e.Time
}

// last is the furthest step that the phone came to in this boot, and when.
func (b *boot) last() (step phone.Step, at time.Time) {
	for _, e := range b.events {
		if wayRank(e.Step) > wayRank(step) {
			step, at = e.Step, e.Time
		}
	}
	return step, at
}

// stepOrder are the steps in the order in which they are taken.
var stepOrder = []phone.Step{phone.Seen, phone.Addressed, phone.Loading, phone.Upgrading, phone.Configured, phone.Ready}

// wayRank is 0 for a step that is none of the way.
func wayRank(s phone.Step) int { return slices.Index(stepOrder, s) + 1 }

// bootsOf divides a timeline, the oldest boot first. A boot begins with a search for an address after the phone had got
// further than that. Of a phone that has its address from elsewhere it begins with the file that it asks for first after a
// start, once its application was seen (phones.md a.2 to a.4).
func bootsOf(events []PhoneEvent) []boot {
	var out []boot
	further, application := false, false
	for i := range events {
		e := &events[i]
		kind := phone.KindOther
		if e.Facts.File != "" {
			kind = phone.ParseFileName(e.Facts.File).Kind
		}
		starts := e.Facts.Boot && further ||
			application && isAsked(e) && e.Facts.Count < 2 && (kind == phone.KindTrustList || kind == phone.KindOS79XX)
		if len(out) == 0 || starts {
			out = append(out, boot{id: e.ID})
			further, application = false, false
		}
		b := &out[len(out)-1]
		b.events = append(b.events, *e)
		further = further || e.Kind == "lease" || isAsked(e) || e.Kind == "transfer"
		application = application || e.Kind == "sip_alive" || e.Step == phone.Ready || kind == phone.KindRingList || kind == phone.KindDialPlan
	}
	return out
}

// isAsked reports whether an event is a request for a file, answered or not.
func isAsked(e *PhoneEvent) bool {
	return e.Kind == "request" || e.Kind == "file_missing" || e.Kind == "file_refused"
}

// bootView is an entry of the list of boots.
type bootView struct {
	Path, Time, At, Said, Mood string
	Shown                      bool
}

// maxBoots is how many boots the page lists.
const maxBoots = 30

// bootList is the list of a phone's boots, the newest first.
func bootList(path string, boots []boot, shown uint64, now time.Time) []bootView {
	var out []bootView
	for i := len(boots) - 1; i >= 0 && len(out) < maxBoots; i-- {
		b := &boots[i]
		v := bootView{
			Path: path, Time: timeWords(b.began(), now), At: b.began().UTC().Format(time.RFC3339), Shown: b.id == shown,
		}
		if i < len(boots)-1 {
			v.Path = fmt.Sprintf("%s?boot=%d", path, b.id)
		}
		v.Said, v.Mood = bootOutcome(b, i == len(boots)-1)
		out = append(out, v)
	}
	return out
}

// bootOutcome says in a few words how far a boot came.
func bootOutcome(b *boot, current bool) (said, mood string) {
	step, at := b.last()
	if step == phone.Ready {
		return "ready after " + tookWords(at.Sub(b.began())), "good"
	}
	for i := len(b.events) - 1; i >= 0; i-- {
		e := &b.events[i]
		if e.Kind == "transfer" && e.Facts.Phase == "sent" && phone.ParseFileName(e.Facts.File).Kind.IsFirmware() {
			return "fetched " + e.Facts.File, "busy"
		}
	}
	words, mood := stepInWords(step)
	if current {
		return words, mood
	}
	return "came as far as: " + words, "warn"
}

// tookWords writes how long something took, as finely as it matters.
func tookWords(d time.Duration) string {
	switch {
	case d < 0: // the box's clock was set back meanwhile
		return "a moment"
	case d < 10*time.Millisecond:
		return "under 0.01 s"
	case d < time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < 2*time.Hour:
		return count(int(d.Minutes()), "minute")
	}
	return count(int(d.Hours()), "hour")
}

// exactBytes writes a size with its thousands apart.
func exactBytes(n int64) string {
	digits := fmt.Sprint(n)
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	unit := " bytes"
	if n == 1 {
		unit = " byte"
	}
	return strings.Join(append([]string{digits}, groups...), ",") + unit
}
