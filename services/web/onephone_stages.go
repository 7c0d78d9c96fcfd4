package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// The states of a stage of a boot.
const (
	stageDone    = "done"
	stageNow     = "now"
	stageAhead   = "ahead"
	stageTrouble = "trouble"
	stageNone    = "none" // it is not needed, or did not come
)

// stageWords say a state beside its colour.
var stageWords = map[string]string{
	stageDone: "done", stageNow: "now", stageAhead: "ahead", stageTrouble: "needs you", stageNone: "not needed",
}

// stageView is a stage of a boot: one place of the strip.
type stageView struct {
	Key, Name string
	State     string
	Word      string // the state in words
	At, Time  string // when it began
	Took      string
	Said      string
	Expect    string // what is normal, while it is not done
	Files     []*fetched
	More      []stageLine
	Percent   int // of a transfer that runs; 0 = none
}

// stageLine is something else that belongs to a stage.
type stageLine struct{ At, Time, Text string }

// stripView is the strip of one boot.
type stripView struct {
	Stages  []stageView
	Head    string // when it began and how it ended
	At      string
	Current bool
	ID      uint64
	Boots   []bootView
	Path    string
}

// bootFacts is what the stages are made of.
type bootFacts struct {
	*boot
	phone   Phone
	way     *conversionView
	current bool
	now     time.Time
	files   []*fetched
	percent int
	reached int // the rank of the furthest step

	clockKnown bool // the box knows the time now
}

// strip makes the strip of a boot.
func (f *bootFacts) strip() []stageView {
	stages := []stageView{f.dhcp(), f.loading(), f.firmware(), f.clock(), f.names(), f.sip()}
	f.settle(stages)
	for i := range stages {
		if stages[i].Word == "" {
			stages[i].Word = stageWords[stages[i].State]
		}
	}
	return stages
}

// settle makes the stages fit each other: one is "now", the trouble stands where the phone is, and in a boot that is over
// nothing is ahead.
func (f *bootFacts) settle(stages []stageView) {
	if !f.current {
		for i := range stages {
			switch stages[i].State {
			case stageNow:
				stages[i].State, stages[i].Word = stageTrouble, "ended here"
				if f.reached >= wayRank(phone.Ready) {
					stages[i].State, stages[i].Word = stageDone, ""
				} else if stages[i].Said == "" {
					stages[i].Said = "It came no further in this boot."
				}
				stages[i].Expect = ""
			case stageAhead:
				stages[i].State, stages[i].Word, stages[i].Expect = stageNone, "not reached", ""
				stages[i].Said = cmp.Or(stages[i].Said, "It did not come to that.")
			}
		}
		return
	}
	if f.phone.Step == phone.Stuck {
		at := slices.IndexFunc(stages, func(s stageView) bool { return s.State == stageTrouble })
		if at < 0 {
			at = slices.IndexFunc(stages, func(s stageView) bool { return s.State == stageNow })
		}
		if at < 0 {
			at = slices.IndexFunc(stages, func(s stageView) bool { return s.State == stageAhead })
		}
		if at >= 0 {
			stages[at].State = stageTrouble
			comesNoFurther(stages, at)
		}
		return
	}
	if f.phone.Step == "" {
		return // nothing has begun
	}
	if !slices.ContainsFunc(stages, func(s stageView) bool { return s.State == stageNow || s.State == stageTrouble }) && f.reached < wayRank(phone.Ready) {
		if at := slices.IndexFunc(stages, func(s stageView) bool { return s.State == stageAhead }); at >= 0 {
			stages[at].State = stageNow
		}
	}
}

// comesNoFurther leaves one place where a stuck phone is: what came before that is over.
func comesNoFurther(stages []stageView, at int) {
	for i := range stages[:at] {
		if stages[i].State == stageNow {
			stages[i].State, stages[i].Expect = stageDone, ""
		}
	}
}

// begin notes when a stage began.
func (f *bootFacts) begin(v *stageView, at time.Time) {
	v.At, v.Time = at.UTC().Format(time.RFC3339), timeWords(at, f.now)
}

func (f *bootFacts) dhcp() stageView {
	v := stageView{Key: "dhcp", Name: "Address", State: stageAhead, Expect: "A few seconds after it was plugged in; a slow switch port takes up to a minute."}
	var asked time.Time
	for i := range f.events {
		e := &f.events[i]
		if e.Service != "dhcp" {
			continue
		}
		if asked.IsZero() && v.State == stageAhead {
			asked = e.since()
			f.begin(&v, asked)
			v.State = stageNow
		}
		switch {
		case e.Kind == "lease" && !e.Facts.Renewal:
			v.State, v.Took, v.Said, v.Expect = stageDone, tookWords(e.Time.Sub(asked)), capped(e.Text)+".", ""
		case e.Kind == "lease_trouble" && v.State != stageDone:
			v.Said = capped(stop(e.Text))
		case e.Kind == "lease" || e.Kind == "lease_ended" || e.Kind == "lease_trouble":
			v.More = append(v.More, stageLine{e.Time.UTC().Format(time.RFC3339), timeWords(e.Time, f.now), capped(stop(e.Text))})
		}
	}
	if v.State != stageDone && f.reached >= wayRank(phone.Addressed) {
		v.State, v.Expect = stageDone, ""
		v.Said = cmp.Or(v.Said, "It did not ask this box for an address: it has one of its own, or kept the one that it had.")
	}
	if n := len(v.More); n > maxStageLines {
		v.More = v.More[n-maxStageLines:]
	}
	return v
}

// maxStageLines is how many lines a stage shows beside its files.
const maxStageLines = 6

func (f *bootFacts) loading() stageView {
	v := stageView{Key: "files", Name: "Files", State: stageAhead, Expect: "About half a minute after it was switched on, when each file is answered at once."}
	got, fine, lacks, later := 0, 0, 0, 0
	for _, one := range f.files {
		if isImageKind(one.kind) {
			continue
		}
		v.Files = append(v.Files, one)
		switch one.Mark {
		case "got":
			got++
		case "fine":
			fine++
		case thereNow:
			later++
		case "missing", "refused", "broke off":
			lacks++
		}
	}
	if first := f.first(func(e *PhoneEvent) bool { return e.Facts.File != "" && !isImage(e.Facts.File) }); first != nil {
		f.begin(&v, first.since())
		v.State = stageNow
	}
	if len(v.Files) > 0 {
		v.Said = fetchedSentence(got, fine, later, lacks)
	}
	done := f.first(func(e *PhoneEvent) bool { return wayRank(e.Step) >= wayRank(phone.Configured) })
	switch {
	case done != nil && v.State == stageNow:
		v.State, v.Expect = stageDone, ""
		if first := f.first(func(e *PhoneEvent) bool { return e.Facts.File != "" }); first != nil {
			v.Took = tookWords(done.Time.Sub(first.since()))
		}
	case f.current && v.State == stageNow && f.lacksConfiguration():
		v.State = stageTrouble
	}
	return v
}

// fetchedSentence counts files: "5 files came, 3 are not there and that is fine."
func fetchedSentence(got, fine, later, lacks int) string {
	parts := []string{"It asked for files, and none has come yet"}
	if got > 0 {
		parts[0] = fmt.Sprintf("%s came", count(got, "file"))
	}
	if fine > 0 {
		parts = append(parts, fmt.Sprintf("%d not there, and that is fine", fine))
	}
	if later > 0 {
		parts = append(parts, fmt.Sprintf("%d there since it asked", later))
	}
	if lacks > 0 {
		parts = append(parts, fmt.Sprintf("%d missing that it needs", lacks))
	}
	return strings.Join(parts, "; ") + "."
}

// lacksConfiguration reports whether the phone asked for its own configuration in vain.
func (f *bootFacts) lacksConfiguration() bool {
	for _, one := range f.files {
		if one.kind == phone.KindSIP && (one.Mark == "missing" || one.Mark == "refused") {
			return true
		}
	}
	return false
}

func isImage(name string) bool { return isImageKind(phone.ParseFileName(name).Kind) }

func isImageKind(k phone.Kind) bool { return k == phone.KindLoads || k.IsFirmware() }

func (f *bootFacts) firmware() stageView {
	v := stageView{Key: "firmware", Name: "Firmware", State: stageAhead, Expect: "Only if it is to run another load: one to two minutes for each of its files, ten at most."}
	written := ""
	for _, one := range f.files {
		if !isImageKind(one.kind) {
			continue
		}
		v.Files = append(v.Files, one)
		switch {
		case one.Mark == "missing", one.Mark == "refused", one.Mark == "broke off":
			v.State = stageTrouble
			v.Said = fmt.Sprintf("It needs %s.", one.Name)
		case one.Mark == "got" && one.kind.IsFirmware() && v.State != stageTrouble:
			written, v.Took = one.Name, tookWords(one.took)
		}
	}
	if first := f.first(func(e *PhoneEvent) bool { return e.Facts.File != "" && isImage(e.Facts.File) }); first != nil {
		f.begin(&v, first.since())
		if v.State == stageAhead {
			v.State = stageNow
		}
	}
	switch {
	case v.State == stageTrouble:
		v.Expect = "One to two minutes once it is there, ten at most."
	case f.current && f.way != nil && len(f.way.Missing) > 0 && f.way.Phase == "blocked":
		v.State = stageTrouble
		v.Said = "It is to run " + f.way.Target + ", and files of its next step are not on the shelf."
		v.Expect = "One to two minutes once they are there, ten at most."
	case f.current && f.phone.Step == phone.Upgrading:
		v.State, v.Percent = stageNow, f.percent
		v.Said = "It fetches or writes firmware. Do not cut its power."
	case written != "":
		v.State, v.Expect = stageDone, ""
		v.Said = "It fetched " + written + ", wrote it and started again."
	case f.reached >= wayRank(phone.Configured):
		v.State, v.Expect = stageNone, ""
		v.Said = "Nothing had to be written."
		if f.current && f.phone.Load != "" {
			v.Said = "Nothing had to be written: it runs " + f.phone.Load + "."
		}
	}
	return v
}

func (f *bootFacts) clock() stageView {
	v := stageView{Key: "time", Name: "Time", State: stageAhead, Expect: "Within a minute of its configuration, if that tells it to ask."}
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != "time" {
			continue
		}
		if v.State == stageAhead {
			f.begin(&v, e.since())
		}
		v.State, v.Said, v.Expect = stageDone, capped(stop(e.Text)), ""
		if e.Details["stratum"] == "16" {
			v.State = stageTrouble
		}
	}
	if v.State == stageTrouble && f.clockKnown {
		v.State, v.Said = stageDone, "It asked while the box did not know the time yet. Now the box does, and the phone asks again by itself."
	}
	return f.optional(v, "It has not asked this box for the time.")
}

func (f *bootFacts) names() stageView {
	v := stageView{Key: "names", Name: "Names", State: stageAhead, Expect: "As soon as it has its configuration, if that holds a name."}
	asked := map[string]int{}
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != "name" {
			continue
		}
		if v.State == stageAhead {
			f.begin(&v, e.since())
		}
		v.State, v.Expect = stageDone, ""
		asked[e.Text]++
		line := stageLine{e.Time.UTC().Format(time.RFC3339), timeWords(e.Time, f.now), capped(stop(e.Text))}
		if i := slices.IndexFunc(v.More, func(l stageLine) bool { return l.Text == line.Text }); i >= 0 {
			v.More = slices.Delete(v.More, i, i+1)
		}
		v.More = append(v.More, line)
	}
	if n := len(asked); n > 0 {
		v.Said = fmt.Sprintf("It asked for %s.", count(n, "name"))
		for text := range asked {
			if strings.Contains(text, "no name server had an answer") || strings.Contains(text, "asks nobody for") {
				v.State = stageTrouble
				v.Said = fmt.Sprintf("It asked for %s, and not all have an answer.", count(n, "name"))
			}
		}
	}
	if n := len(v.More); n > maxStageLines {
		v.More = v.More[n-maxStageLines:]
	}
	return f.optional(v, "It has asked this box for no name.")
}

// optional ends a stage that a phone may leave out.
func (f *bootFacts) optional(v stageView, without string) stageView {
	if v.State == stageAhead && f.reached >= wayRank(phone.Ready) {
		v.State, v.Said, v.Expect = stageNone, without, ""
	}
	return v
}

func (f *bootFacts) sip() stageView {
	v := stageView{Key: "sip", Name: "SIP", State: stageAhead, Expect: "1 to 2 seconds after its configuration."}
	configured := f.first(func(e *PhoneEvent) bool { return wayRank(e.Step) >= wayRank(phone.Configured) })
	ready := f.first(func(e *PhoneEvent) bool { return e.Step == phone.Ready })
	if configured != nil {
		f.begin(&v, configured.Time)
		v.State = stageNow
	}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == "sip_alive" {
			v.Said = capped(stop(e.Text))
		}
	}
	switch {
	case ready != nil && f.current && f.phone.Protocol == phone.SCCP:
		v.State, v.Said, v.Expect = stageNone, "It runs SCCP and is as ready as this box can make it.", ""
	case ready != nil:
		v.State, v.Expect = stageDone, ""
		v.Said = cmp.Or(v.Said, "Its application runs: it fetched its ring list or its dial plan.")
		f.begin(&v, ready.Time)
		v.Took = tookWords(ready.Time.Sub(f.began())) + " in all"
	case f.current && f.phone.Protocol == phone.SCCP:
		v.State = stageAhead
		v.Said = "It runs SCCP now."
		v.Expect = "Once it has its SIP firmware."
	}
	if f.current && ready != nil && f.phone.Protocol != phone.SCCP && f.phone.Problem != "" && strings.Contains(f.phone.Problem, "does not answer") {
		v.State, v.Said = stageTrouble, f.phone.Problem
	}
	return v
}

// first is the first event of the boot for which is holds; nil = none.
func (f *bootFacts) first(is func(*PhoneEvent) bool) *PhoneEvent {
	for i := range f.events {
		if is(&f.events[i]) {
			return &f.events[i]
		}
	}
	return nil
}

// capped begins a sentence with a capital letter.
func capped(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
