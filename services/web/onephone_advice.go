package web

import (
	"fmt"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// adviceView is what to do for a phone now: one sentence, and the button that does it.
type adviceView struct {
	Text   string
	More   string // why, or what happens then
	Mood   string
	Button string // "" = there is nothing to press
	Href   string // of a button that leads somewhere
	Post   string // of a button that does something
	Name   string // of the button's value
	Value  string
}

// adviceFacts are what the advice is made of.
type adviceFacts struct {
	phone   Phone
	way     *conversionView
	explain Explanation
	held    bool // the box gives out no addresses
	noTime  bool // it asked the time, and the box does not know it
	lines   int  // that the site has for the phone
	changed []string
	path    string
}

// advise chooses what matters most. The order is the order of what a person can do about a phone: what must not be done,
// what lies with the box, what the phone lacks, what is wrong with it, and last what can be waited for.
func advise(f adviceFacts) adviceView {
	for _, one := range []func(adviceFacts) (adviceView, bool){
		adviseLeave, adviseList, adviseHeld, adviseFirmware, adviseLines, adviseStuck, adviseGone, adviseChanged, adviseTime, adviseWait,
	} {
		if v, ok := one(f); ok {
			return v
		}
	}
	return adviceView{Text: "Nothing has to be done: it works.", Mood: "good"}
}

// adviseLeave: a phone that writes firmware is left alone.
func adviseLeave(f adviceFacts) (adviceView, bool) {
	if f.phone.Step != phone.Upgrading && (f.way == nil || f.way.Unplug) {
		return adviceView{}, false
	}
	return adviceView{
		Text: "Wait, and do not cut its power: it is getting or writing firmware.", Mood: "warn",
		More: "It starts again by itself. A whole conversion takes three starts and one to two minutes; up to ten can be normal.",
	}, true
}

func adviseList(f adviceFacts) (adviceView, bool) {
	if f.phone.Known {
		return adviceView{}, false
	}
	return adviceView{
		Text: "Add this phone to the list: until then it gets no configuration.", Mood: "warn",
		More:   "A phone that runs SIP takes its configuration within half a minute after that, without a restart.",
		Button: "Add to the list", Href: "/phones/new?mac=" + f.phone.MAC.String(),
	}, true
}

func adviseHeld(f adviceFacts) (adviceView, bool) {
	if !f.held || f.phone.Step != phone.Seen && f.phone.Step != "" && f.phone.Step != phone.Stuck || f.phone.Address != "" {
		return adviceView{}, false
	}
	return adviceView{
		Text: "Decide whether this box gives out addresses: it holds back, because another DHCP server answers.", Mood: "bad",
		More: "The phone gets an address from the box a few seconds after that.", Button: "Decide", Href: "/",
	}, true
}

func adviseFirmware(f adviceFacts) (adviceView, bool) {
	w := f.way
	if w == nil {
		return adviceView{}, false
	}
	switch {
	case len(w.Missing) > 0 && w.Phase == "blocked":
		return adviceView{
			Text: fmt.Sprintf("Upload %s: its next step to %s needs that.", and(shorten(missingFiles(w), 4)), w.Target), Mood: "bad",
			More:   "All files of a load come in one archive from Cisco. It goes on by itself once they are on the shelf.",
			Button: "Upload firmware", Href: "/firmware",
		}, true
	case w.Phase == "stopped":
		return adviceView{Text: "Its conversion was stopped. Let it go on when you are ready.", Mood: "warn", Button: "Go on", Post: f.path + "/conversion", Name: "order", Value: "go"}, true
	case w.Phase == "failed":
		return adviceView{Text: "Its conversion failed. Read why below, mend that, and let it go on.", More: w.Text, Mood: "bad", Button: "Go on", Post: f.path + "/conversion", Name: "order", Value: "go"}, true
	case w.Phase == "blocked":
		return adviceView{Text: "There is no way to the load that it is to run. Choose another load for it.", More: w.Text, Mood: "bad", Button: "Choose its load", Href: f.path + "/load"}, true
	}
	return adviceView{}, false
}

// missingFiles are the files that the next step lacks; what is missing as a whole is told in sentences.
func missingFiles(w *conversionView) []string {
	for _, st := range w.Steps {
		if len(st.Missing) > 0 {
			return st.Missing
		}
	}
	return []string{"the files of " + w.Target}
}

// shorten bounds a list of names.
func shorten(names []string, most int) []string {
	if len(names) <= most {
		return names
	}
	return append(slices.Clone(names[:most-1]), fmt.Sprintf("%d more", len(names)-most+1))
}

func adviseLines(f adviceFacts) (adviceView, bool) {
	if f.lines > 0 || f.phone.Protocol == phone.SCCP {
		return adviceView{}, false
	}
	return adviceView{
		Text: "Give it a line: without one it can neither call nor be called.", Mood: "warn",
		More: "Restart it after that, if it is ready already.", Button: "Enter a line", Href: f.path + "/edit",
	}, true
}

func adviseStuck(f adviceFacts) (adviceView, bool) {
	if f.phone.Step != phone.Stuck {
		return adviceView{}, false
	}
	v := adviceView{Text: "Cut its power for a moment, and see here how far it comes.", Mood: "bad", More: f.phone.Problem}
	if len(f.explain.Troubles) > 0 {
		t := f.explain.Troubles[0]
		v.Text, v.More = t.Cure, t.Cause
	}
	switch {
	case f.phone.Protocol == phone.SIP && f.phone.Address != "":
		v.Button, v.Post = "Restart it", f.path+"/restart"
		if len(f.explain.Troubles) == 0 {
			v.Text = "Restart it, and see here how far it comes. If it does not answer, cut its power."
		}
	default:
		v.Button, v.Href = "What can be wrong", "/help"
	}
	return v, true
}

func adviseGone(f adviceFacts) (adviceView, bool) {
	switch {
	case f.phone.Step == "":
		return adviceView{Text: "Plug it in: this box has not seen it yet.", Mood: "quiet", More: "It shows up here within a minute."}, true
	case strings.Contains(f.phone.Problem, "Its lease ended"), strings.Contains(f.phone.Problem, "does not answer"):
		return adviceView{Text: "Look whether it has power and its cable: it does not show itself any more.", More: f.phone.Problem, Mood: "warn"}, true
	case strings.Contains(f.phone.Problem, "alternate TFTP"):
		return adviceView{Text: "Look at Alternate TFTP in the network settings of the phone, and set it to NO.", More: f.phone.Problem, Mood: "warn"}, true
	}
	return adviceView{}, false
}

// adviseChanged: what the phone got is not what it would get now.
func adviseChanged(f adviceFacts) (adviceView, bool) {
	if f.phone.Step != phone.Ready || len(f.changed) == 0 {
		return adviceView{}, false
	}
	what := " has changed since it read it."
	if len(f.changed) > 1 {
		what = " have changed since it read them."
	}
	v := adviceView{Text: "Restart it: " + and(shorten(f.changed, 3)) + what, Mood: "warn", More: "It restarts when it has been idle for 20 seconds, and is ready about half a minute later."}
	if f.phone.Protocol == phone.SCCP {
		v.More = "It runs SCCP, so only its power or its keys restart it."
		return v, true
	}
	v.Button, v.Post = "Restart it", f.path+"/restart"
	return v, true
}

// adviseTime: the phone works and shows no time, or a wrong one.
func adviseTime(f adviceFacts) (adviceView, bool) {
	if !f.noTime || f.phone.Step != phone.Ready {
		return adviceView{}, false
	}
	return adviceView{
		Text: "Set the clock of this box: it does not know the time, so the phone does not either.", Mood: "warn",
		More: "The phone asks again by itself. Calls work without that.", Button: "Set the clock", Href: "/time",
	}, true
}

func adviseWait(f adviceFacts) (adviceView, bool) {
	if f.phone.Step == phone.Ready {
		if f.way != nil && (f.way.Phase == "waiting" || f.way.Phase == "going") {
			return adviceView{Text: "Wait: its conversion comes to it.", More: f.way.Text, Mood: "busy"}, true
		}
		return adviceView{}, false
	}
	return adviceView{Text: "Wait: it is on its way.", More: strings.TrimSpace(f.explain.Waits + " " + f.explain.Long), Mood: "busy"}, true
}
