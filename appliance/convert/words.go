package convert

import (
	"fmt"
	"strings"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// text says in a sentence or two what a phone does or waits for, and what to do.
func (d *Director) text(w *way) string {
	v := &w.view
	switch v.phase {
	case Arrived:
		return arrivedText(w)
	case Waiting:
		return d.waitingText(w)
	case Going:
		if w.Order == After {
			return goingText(w) + " It is left out after this step, as a person wanted it."
		}
		return goingText(w)
	case Blocked:
		return blockedText(v)
	case Failed:
		text := fmt.Sprintf("Three tries of the step to %s failed, so it is left alone. %s Put that right, then press Go on.", w.Failed, w.Cause)
		if noApplication(v.belief) {
			text += " Until then it has no application, and its display says Protocol Application Invalid."
		}
		return text
	case Skipped:
		return "It was left out of the conversion by a person. Press Go on to convert it."
	case Stopped:
		if w.halfway() || noApplication(v.belief) {
			return "It was stopped in the middle of a step, so it may have no application and say Protocol Application Invalid. " +
				"No load is named to it and no image is sent to it: press Go on, and it finishes the step."
		}
		return "It was stopped: no load is named to it and no image is sent to it. Press Go on to convert it."
	}
	return ""
}

func arrivedText(w *way) string {
	v := &w.view
	switch {
	case v.target == "" && w.lost(v):
		return "Its application seems to be lost, so it is told " + w.Ran + " again, which it ran last."
	case v.target == "" && v.belief.Load == "" && v.belief.Protocol == phone.ProtocolUnknown && v.belief.Loader == ladder.Yes:
		return "The site leaves it on what it runs, which is not known. Should its display say Protocol Application Invalid, name a load for it " +
			"(firmware.target, or load of this phone)."
	case v.target == "" && v.belief.Load == "":
		return "The site leaves it on what it runs, which is not known exactly."
	case v.target == "":
		return "The site leaves it on what it runs, " + v.belief.Load + "."
	}
	return "It runs " + v.target + ", as it should."
}

func (d *Director) waitingText(w *way) string {
	v := &w.view
	switch v.reason {
	case unseen:
		return "It was not seen yet. Power it up where it gets its address and files from this box."
	case maybe:
		return fmt.Sprintf("It runs %s; it is not known whether that is %s, and it is left as it is. To find out, and to convert it if need be, upload these "+
			"files to the firmware shelf: %s.", v.first().From, v.target, strings.Join(v.first().Missing, ", "))
	case unknown:
		return "It is not known yet what it runs. Its next start shows it: cut its power for a moment."
	}
	next := "Its next step is " + stepText(v.step) + ". "
	if d.full(v.now) {
		text := next + fmt.Sprintf("It waits for its turn: %s at once, and all places are taken.", plural(d.parallel, "phone is", "phones are")+" converted")
		if v.belief.Protocol == phone.SCCP {
			text += " A phone on SCCP asks when it starts, so cut its power for a moment when a place is free."
		}
		return text
	}
	switch {
	case !w.alive(v.now):
		return next + "It takes it when it is powered up."
	case w.nudges >= maxNudges && w.unplug(v.now):
		return next + stubborn(w)
	case w.nudges > 0:
		return next + fmt.Sprintf("It was told to restart (%d of %d) and has not asked for its files yet.", w.nudges, maxNudges)
	case v.belief.Protocol == phone.SIP:
		return next + "It is told to restart as soon as it is idle."
	}
	return next + "It takes it when it asks for its files: at its next start. Cut its power for a moment if that takes longer than three minutes."
}

func goingText(w *way) string {
	v := &w.view
	try := ""
	if w.Attempts > 0 {
		try = fmt.Sprintf(" This is try %d of %d: %s", w.Attempts+1, maxAttempts, w.Cause)
	}
	switch {
	case len(w.open) > 0:
		return "It takes the step to " + w.Step + ": " + w.image + " is being sent to it. " + sentence(unplugText(phone.ParseFileName(w.image).Kind, v.belief)) + try
	case !w.unplug(v.now):
		return "It takes the step to " + w.Step + ": it writes " + w.image + " into its flash. " + sentence(unplugText(phone.ParseFileName(w.image).Kind, v.belief)) + try
	case v.step != nil && v.step.Confirm:
		return "It should run " + v.step.To + " already, and its next start shows whether it does." + byHand(w) + try
	case w.Image != "" && w.Booted:
		return "It takes the step to " + w.Step + ": it started again and goes on." + byHand(w) + try
	}
	return "It takes its next step, " + stepText(v.step) + ". It is told so in its files and has to ask for " + firstFile(v.step) + " now." + byHand(w) + try
}

// byHand says what is left when the phone does not restart by itself.
func byHand(w *way) string {
	switch {
	case w.nudges >= maxNudges:
		return " " + stubborn(w)
	case w.view.belief.Protocol != phone.SIP && w.view.now.Sub(w.acted) > phone.LoaderHunt:
		return " It has not asked for three minutes: cut its power for a moment."
	}
	return ""
}

func blockedText(v *view) string {
	switch v.reason {
	case otherKind:
		return fmt.Sprintf("It is a %s; only the 7940 and 7960 are converted.", v.model)
	case noApp:
		return "It has the universal loader and no application, so its display says Protocol Application Invalid, and the site names no load for it: " +
			"name one (firmware.target, or load of this phone), and upload its files to the firmware shelf. It then recovers by itself."
	case lacksFile:
		first := v.first()
		return fmt.Sprintf("Its next step, %s, needs files that are not on the firmware shelf: %s. Upload them.", stepText(first), strings.Join(first.Missing, ", "))
	}
	if v.err == nil {
		return "No safe step is known. Say in the settings of this phone what it runs (runs)."
	}
	return sentence(v.err.Error())
}

// unplugText says what cutting the power would do now. Only a loader, or an image from before the loader, has nothing
// that could fetch it again (phones.md c.6, last line).
func unplugText(k phone.Kind, b ladder.Belief) string {
	if k == phone.KindApplication {
		return "don't cut its power: it writes its firmware; were it cut, the loader would fetch it again"
	}
	if b.Loader == ladder.Yes {
		return "don't cut its power: it writes its loader, and a cut now could be the end of it"
	}
	return "don't cut its power: it writes its firmware, and a cut now could be the end of it"
}

// runsText says what a phone is believed to run.
func runsText(b ladder.Belief) string {
	switch {
	case b.Load != "" && b.Confidence >= ladder.Sure:
		return b.Load
	case b.Load != "":
		return b.Load + " (likely)"
	case b.Protocol == phone.ProtocolUnknown && b.Loader == ladder.Yes:
		return "the universal loader, with an application that is not known"
	case b.Protocol == phone.ProtocolUnknown:
		return "something that is not known"
	}
	name := map[phone.Protocol]string{phone.SIP: "SIP", phone.SCCP: "SCCP", phone.MGCP: "MGCP"}[b.Protocol]
	if b.Major > 0 {
		return fmt.Sprintf("%s %d.x", name, b.Major)
	}
	return name + ", not known which"
}

func stepText(s *ladder.Step) string {
	if s == nil {
		return "none"
	}
	if s.Confirm {
		return "a start that shows whether it runs " + s.To
	}
	return "from " + s.From + " to " + s.To
}

// stubborn says that telling the phone to restart is in vain.
func stubborn(w *way) string {
	text := "It was told to restart three times and did not: restart it by hand, by cutting its power for a moment."
	if w.refusal != "" {
		text += " (" + w.refusal + ")"
	}
	return text
}

// firstFile names the file with which the step begins.
func firstFile(s *ladder.Step) string {
	if s == nil || len(s.Files) == 0 {
		return "its files"
	}
	return s.Files[0]
}

// pathText lists the steps of a way.
func pathText(p ladder.Path) string {
	var names []string
	for _, s := range p.Steps {
		if !s.Confirm {
			names = append(names, s.To)
		}
	}
	if len(names) == 0 {
		return "no step, it is there"
	}
	return plural(len(names), "step", "steps") + ": " + strings.Join(names, ", then ")
}

func steps(n int) string {
	if n == 0 {
		return ""
	}
	return ", after " + plural(n, "step", "steps")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "one " + one
	}
	return number(n) + " " + many
}

func times(n int) string { return number(n) + " times" }

func number(n int) string {
	words := []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
	if n >= 0 && n < len(words) {
		return words[n]
	}
	return fmt.Sprint(n)
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// sentence makes a sentence of an error.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// clone copies a path, so that who gets it may do with it what he wants.
func clone(p ladder.Path) ladder.Path {
	p.Steps = append([]ladder.Step(nil), p.Steps...)
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Files, s.Missing = append([]string(nil), s.Files...), append([]string(nil), s.Missing...)
	}
	p.Missing = append([]string(nil), p.Missing...)
	return p
}
