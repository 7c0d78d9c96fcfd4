package ladder

import (
	"fmt"
	"strings"
	"time"

	"phonebox/services/phone"
)

// Load is a firmware load on the shelf.
type Load struct {
	Name    string   // P0S3-8-12-00
	Files   []string // that are there and whole, with suffix
	Missing []string // empty = the load is whole; else names, each with the reason where there is one
	Loader  string   // the loader image of its bundle, without suffix: P003-8-12-00; "" = it has none
}

// Shelf is the firmware that is there.
type Shelf []Load

// Step is one rung: the phone fetches Files, writes them and then runs To.
type Step struct {
	From    string        `json:"from"`              // the load, or in words what it is believed to be: "SIP 4.x"
	To      string        `json:"to"`                // the load
	Naming  phone.Naming  `json:"naming"`            // what the files say to the phone while the step lasts (phones.md c.5)
	Files   []string      `json:"files"`             // that the phone fetches for it, in order, with suffix
	Missing []string      `json:"missing,omitempty"` // of Files, what is not on the shelf or not whole, with the reason
	Source  string        `json:"source"`            // how well it is documented, and where: "written down by Cisco ... (docs/phones.md c.4 [CME2])"
	Takes   time.Duration `json:"takes"`             // from the phone's power-up to To running (phones.md a.4)
	Display string        `json:"display"`           // what the phone's screen and lamps show meanwhile
	// Maybe: what the phone runs is not known exactly, and it may be on To already. It then does not fetch Files.
	Maybe bool `json:"maybe,omitempty"`
	// Confirm: a start with the load named that it should run already, to be sure of it before the next step. To is From.
	// Nothing of it needs to be on the shelf: Files are what the phone may have again if the writing had failed.
	Confirm bool `json:"confirm,omitempty"`
}

// Path is the way of one phone.
type Path struct {
	To    string `json:"to"`
	Steps []Step `json:"steps"` // empty = it is there
	// Missing are the files of all steps that are not on the shelf, a sentence each.
	Missing []string `json:"missing,omitempty"`
}

// Expects says whether the phone may be given this firmware file in this step, else why not: only the files of the step.
// A phone that adds the other suffix to the name (.bin for .sbn) is not what it was believed to be.
func (s Step) Expects(file phone.FileName) (ok bool, why string) {
	other := false
	for _, f := range s.Files {
		if strings.EqualFold(f, file.Clean) {
			return true, ""
		}
		other = other || file.Load != "" && strings.EqualFold(phone.ParseFileName(f).Load, file.Load)
	}
	switch {
	case other:
		return false, fmt.Sprintf("the step to %s gives the phone %s; it asks for %s, so it does not run what it was taken for (%s)", s.To, strings.Join(s.Files, " and "), file.Clean, s.From)
	case s.Confirm:
		return false, fmt.Sprintf("the phone starts once to show that it runs %s; it asks for %s, so it does not", s.To, file.Clean)
	}
	return false, fmt.Sprintf("%s is no file of the step from %s to %s", file.Clean, s.From, s.To)
}

// Plan finds the way from what a phone is believed to run to a load. The error is a sentence for people: why no way is
// known, and what to do.
//
// Of all ways it takes the one with the fewest files missing from the shelf, then the fewest steps, then the best
// documented ones. A rung that is not on the shelf is named by its usual load.
//
// A step is planned only if it is safe for every load that the phone may be running. It is safe for a load if it is on the
// ladder (edges), or if a phone with that load would ask for no file of the step: images from before 5.0 add .bin to the
// name, later ones .sbn, the loader .loads, and only the files of the step are given (Expects). So a phone that is on
// SIP 4.x, by its User-Agent, is told 4.4: every earlier one may take it, and one that is on 4.4 does not ask. An SCCP
// phone that reads XML is told 5.x, with and without signature: it is on 3.x or 4.x and takes it, or on 5.x and goes
// sideways or does not ask. (SCCP that does not read XML is told 3.1 first, by OS79XX.TXT.)
//
// Where a load is only likely, because its writing may have failed or a person said it, the first step is a start that
// confirms it, unless the next step is safe for what else may run. For a load that only CDP tells that is all that fits what
// the phone showed itself.
func Plan(from Belief, to string, shelf Shelf) (Path, error) {
	target, ok := phone.ParseLoad(to)
	if !ok || target.Loader || target.Protocol != phone.SIP && target.Protocol != phone.SCCP {
		return Path{}, fmt.Errorf("%q is not the name of a SIP or SCCP load of the 7940 and 7960", to)
	}
	p := newPlanner(shelf, target)
	b, err := believe(from, p.spelled(target))
	if err != nil {
		return Path{}, err
	}
	steps, ok := p.best(b, target)
	if !ok {
		return Path{}, p.noWay(from, b, target)
	}
	if len(b.doubt) > 0 && (len(steps) == 0 && !b.staysHarmless(p.shelf) || len(steps) > 0 && !b.harmless(steps[0])) {
		c := p.confirm(b)
		if len(steps) > 0 {
			steps[0].From = c.To
		}
		steps = append([]Step{c}, steps...)
	}
	path := Path{To: p.spelled(target), Steps: steps}
	path.lack()
	return path, nil
}

// lack collects what is missing over all steps.
func (p *Path) lack() {
	told := map[string]bool{}
	for _, s := range p.Steps {
		for _, m := range s.Missing {
			name, reason, bad := strings.Cut(m, " (")
			if told[strings.ToUpper(name)] {
				continue
			}
			told[strings.ToUpper(name)] = true
			if bad {
				p.Missing = append(p.Missing, fmt.Sprintf("%s is not fit to be sent (%s: the step to %s needs it, upload it again", name, reason, s.To))
			} else {
				p.Missing = append(p.Missing, fmt.Sprintf("%s is not on the firmware shelf: the step to %s needs it, upload it", name, s.To))
			}
		}
	}
}
