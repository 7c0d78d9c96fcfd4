package web

import (
	"fmt"
	"strings"
	"time"

	"phonebox/services/phone"
)

// fetched is what became of one file in a boot. Of a file that was asked for several times the last time counts.
type fetched struct {
	Name  string
	Text  string // "1,204 bytes in 0.02 s"
	Mood  string // good, quiet, busy, warn or bad
	Mark  string // the same in a word, for who does not see colours
	Time  string
	At    string
	Times int

	kind     phone.Kind
	started  time.Time
	transfer uint64
	size     int64
	took     time.Duration
}

// thereNow marks a file that was missing when the phone asked, and is no more.
const thereNow = "there now"

// fetchedIn follows each file of a boot through its events, in the order in which they were first asked for. present says what would
// become now of a file that was missing then, and why; "" = what the event says.
func fetchedIn(b *boot, now time.Time, present func(name string) (status, why string)) []*fetched {
	var order []*fetched
	byName := map[string]*fetched{}
	for i := range b.events {
		e := &b.events[i]
		if e.Facts.File == "" || e.Service != "tftp" && e.Kind != "request" {
			continue
		}
		key := strings.ToLower(e.Facts.File)
		f := byName[key]
		if f == nil {
			f = &fetched{Name: e.Facts.File, kind: phone.ParseFileName(e.Facts.File).Kind}
			byName[key] = f
			order = append(order, f)
		}
		f.take(e, now, present)
	}
	return order
}

// take follows one event of the file.
func (f *fetched) take(e *PhoneEvent, now time.Time, present func(string) (status, why string)) {
	times := max(e.Facts.Count, 1)
	set := func(mood, mark, text string) {
		f.Mood, f.Mark, f.Text = mood, mark, text
		f.At, f.Time = e.Time.UTC().Format(time.RFC3339), timeWords(e.Time, now)
	}
	switch e.Kind {
	case "request":
		f.Times += times
		set("busy", "asked", "Asked for.")
	case "file_missing":
		f.Times += times
		status, why := present(f.Name)
		if why == "" {
			why = e.Details["why"]
		}
		switch {
		case e.Facts.Harmless || status == "harmless":
			set("quiet", "fine", "Not there, and that is fine: "+uncapped(stop(why)))
		case status == "ok":
			set("busy", thereNow, "It was not there when the phone asked. It is now, and the phone gets it when it asks again.")
		default:
			set("bad", "missing", "Not there, and it is needed: "+uncapped(stop(why)))
		}
	case "file_refused":
		f.Times += times
		set("bad", "refused", "Refused: "+stop(e.Details["why"]))
	case "transfer":
		f.transferred(e, set)
	}
}

func (f *fetched) transferred(e *PhoneEvent, set func(mood, mark, text string)) {
	switch e.Facts.Phase {
	case "started":
		f.started, f.transfer, f.size = e.Time, e.Facts.Transfer, e.Facts.Size
		set("busy", "under way", exactBytes(e.Facts.Size)+" are on their way.")
	case "sent":
		f.size = e.Facts.Size
		f.took = 0
		text := exactBytes(e.Facts.Size)
		if f.transfer == e.Facts.Transfer && !f.started.IsZero() {
			f.took = e.Time.Sub(f.started)
			text += " in " + tookWords(f.took)
		}
		if f.took >= 100*time.Millisecond {
			text += fmt.Sprintf(", %d KB/s", int(float64(e.Facts.Size)/1000/f.took.Seconds()+0.5))
		}
		set("good", "got", text+".")
	case "aborted":
		set("bad", "broke off", "Broke off after "+exactBytes(e.Facts.Bytes)+" of "+exactBytes(e.Facts.Size)+reasonOf(e.Text)+".")
	}
}

// reasonOf cuts why a transfer broke off out of its sentence.
func reasonOf(text string) string {
	if _, why, ok := strings.Cut(text, ": "); ok {
		return ": " + strings.TrimSuffix(why, ".")
	}
	return ""
}

// stop ends a text with a full stop unless it has one.
func stop(s string) string { return strings.TrimSuffix(s, ".") + "." }

// uncapped begins a sentence in lower case, behind a colon; names and abbreviations stay.
func uncapped(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' || strings.HasPrefix(s, "A ") {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
