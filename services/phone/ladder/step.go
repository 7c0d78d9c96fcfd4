package ladder

import (
	"slices"
	"time"

	"phonebox/services/phone"
)

// How long a step takes from power-up until the new load runs.
const (
	takesLoader  = 100 * time.Second // up to: three boots (phones.md a.8)
	takesImage   = 90 * time.Second  // one image from before the loader; nobody measured it
	takesConfirm = 60 * time.Second  // a start: 24 s from .loads to SIPDefault.cnf (phones.md a.4), DHCP and CDP before
)

// What a phone shows meanwhile (phones.md a.3).
const (
	showsImage   = "The screen says Upgrading Software and the three button lamps flash; then the phone restarts by itself."
	showsLoader  = "The screen says Upgrading Software and the three button lamps flash; the phone restarts by itself up to twice."
	showsConfirm = "The phone starts as usual."
)

// step makes the step from any of the candidates to a load.
func (p *planner) step(may []candidate, from string, to phone.LoadName, e *edge) Step {
	s := Step{
		From: from, To: p.spelled(to), Source: e.rank.words() + " (docs/" + e.source + ")", Takes: takesImage, Display: showsImage,
		Maybe: slices.ContainsFunc(may, func(c candidate) bool { return c.maybe(to) }),
	}
	if to.Universal() {
		s.Takes, s.Display = takesLoader, showsLoader
		s.loaderStep(may[0].class, p.loaderOf(to))
	} else {
		s.imageStep(may, to)
	}
	s.Missing = p.missing(to, s.Files)
	return s
}

// loaderOf is the loader image of a load's bundle: as the shelf has it, else as such bundles are named (phones.md c.1).
func (p *planner) loaderOf(l phone.LoadName) string {
	if on := p.shelf[l.Name]; on != nil && on.Loader != "" {
		return on.Loader
	}
	if l.Protocol == phone.SIP {
		return "P003" + l.Name[len("P003"):]
	}
	return l.Name
}

// loaderStep is a step to a load of the universal loader (phones.md c.5). With the loader all names are the load. Without
// it the phone is told the loader image first, which then asks for the rest: OS79XX.TXT moves SIP there, loadInformation
// SCCP. In an SCCP bundle both have one name.
func (s *Step) loaderStep(from class, loader string) {
	s.Naming = phone.Naming{OS79XX: s.To, ImageVersion: s.To, LoadInformation: s.To, Needs: s.To + ".loads"}
	s.Files = []string{s.To + ".loads", loader + ".sbn", s.To + ".sb2"}
	if !from.loader {
		s.Naming.OS79XX, s.Naming.LoadInformation = loader, loader
		s.Files = []string{loader + ".sbn", s.To + ".loads", s.To + ".sb2"}
	}
}

// imageStep is a step to a load from before the loader, which is one image (phones.md c.5). The suffix is what the
// phone's image adds, not the new one: 4.4 fetches 5.3 as .bin. A phone on SIP 7.x, going down, takes signed images.
func (s *Step) imageStep(may []candidate, to phone.LoadName) {
	s.Naming = phone.Naming{OS79XX: s.To, ImageVersion: s.To, LoadInformation: s.To}
	if to.Protocol == phone.SIP && !may[0].class.loader {
		s.Naming.LoadInformation = "" // SIP does not read it, and SCCP goes by OS79XX.TXT
	}
	for _, suffix := range []string{".bin", ".sbn"} {
		if slices.ContainsFunc(may, func(c candidate) bool { return c.class.suffix() == suffix }) {
			s.Files = append(s.Files, s.To+suffix)
		}
	}
	s.Naming.Needs = s.Files[0]
}

// confirm is a start that shows whether the load that is taken to run does: told it, the phone asks for nothing. If the
// writing had failed, it asks for the image again and may have it, where that is a step of the ladder.
func (p *planner) confirm(b believed) Step {
	load := b.may[0].load
	s := Step{
		From: p.spelled(load), To: p.spelled(load), Source: "told what it runs, a phone asks for nothing (docs/phones.md a)",
		Takes: takesConfirm, Display: showsConfirm, Maybe: true, Confirm: true,
	}
	if load.Loader { // the name of no load: told nothing, the loader hunts, and an older image asks for OS79XX.TXT
		return s
	}
	s.Naming = phone.Stay(s.To)
	if b.before == nil {
		return s
	}
	if e := b.before.edgeTo(load); e != nil {
		again := p.step([]candidate{*b.before}, b.before.words(), load, e)
		if len(again.Missing) == 0 {
			s.Files, s.Takes = again.Files, again.Takes
		}
	}
	return s
}
