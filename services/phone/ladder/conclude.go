package ladder

import (
	"cmp"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// Conclude takes all clues of one phone together. It is pure, and the order of the clues does not matter.
//
// An exact load decides all that follows from its name. Which one, where several are named:
//   - What the phone shows later takes away a load that it contradicts: it asks for an image of that load, or with a
//     suffix, or in an order of files, that the load never asks for; or it answers SIP as another release. That goes for
//     what a person says as well: the phone is right, and Why says so.
//   - A fetched load counts where nothing exact is as new as it. Where it is contradicted, the load from before is back.
//   - What the phone itself shows (it was told a load, CDP) counts before what a person says; of these two that it was told
//     a load, because whoever is on the VLAN can forge CDP.
//
// Of everything else the newest clue counts, and a guess only where there is nothing better. Whether the loader is there:
// see loaderOf.
func Conclude(clues []Clue) Belief {
	all := slices.Clone(clues)
	slices.SortFunc(all, compare)
	sound, dropped := contradict(all)
	c := conclusion{clues: sound}
	decides := exactOf(sound, dropped)
	c.load(decides)
	c.facts()
	if decides != nil && decides.Source == FromCDP && decides.Confidence < Sure {
		c.beside(all)
	}
	for _, d := range dropped {
		c.why(d.because())
	}
	return c.Belief
}

// beside notes what is known without CDP.
func (b *conclusion) beside(all []Clue) {
	rest := Conclude(slices.DeleteFunc(slices.Clone(all), func(c Clue) bool { return c.Source == FromCDP && c.Load != "" }))
	b.Beside = &Facts{rest.Protocol, rest.Major, rest.Loader, rest.Signed, rest.XML, rest.Confidence}
}

// compare is a total order, oldest and least trusted first, so that equal sets of clues give equal beliefs.
func compare(a, b Clue) int {
	return cmp.Or(
		a.At.Compare(b.At), cmp.Compare(a.Confidence, b.Confidence), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Load, b.Load),
		cmp.Compare(a.Before, b.Before), cmp.Compare(a.NotLoad, b.NotLoad), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Major, b.Major),
		cmp.Compare(a.Loader, b.Loader), cmp.Compare(a.Signed, b.Signed), cmp.Compare(a.XML, b.XML), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Text, b.Text),
	)
}

// contradiction is an exact load that a later clue took away.
type contradiction struct{ load, by *Clue }

func (c contradiction) because() string {
	return c.load.Text + ", but that does not hold: later " + c.by.Text
}

// exactSources are the sources that name loads, in the order in which what they said wrongly is told.
var exactSources = [...]Source{FromCDP, FromFetched, FromPerson, FromToldNot}

// contradict takes out the loads that later clues contradict; of each source it returns the newest one. It is asked with
// each clue of each phone.
func contradict(all []Clue) (sound []Clue, dropped []contradiction) {
	var newest [len(exactSources)]contradiction
	sound = make([]Clue, 0, len(all))
	for i := range all {
		c, by := &all[i], -1
		if c.Load != "" {
			by = firstAgainst(all[i:], c)
		}
		if by < 0 {
			sound = append(sound, *c)
			continue
		}
		if of := slices.Index(exactSources[:], c.Source); of >= 0 {
			newest[of] = contradiction{c, &all[i+by]}
		}
	}
	for _, d := range newest {
		if d.load != nil {
			dropped = append(dropped, d)
		}
	}
	return sound, dropped
}

// firstAgainst returns where the first clue stands that contradicts c, or -1.
func firstAgainst(clues []Clue, c *Clue) int {
	for i := range clues {
		if contradicts(&clues[i], c) {
			return i
		}
	}
	return -1
}

// contradicts reports whether a later clue rules out that the load of an exact one still runs. Only files and SIP
// answers count: whether every image from before the loader leaves the model out of its DHCP class is not known.
func contradicts(later, c *Clue) bool {
	if !later.At.After(c.At) || later.Confidence < Likely || later.Source != FromNames && later.Source != FromAgent {
		return false
	}
	differ := func(a, b Answer) bool { return a != Unknown && b != Unknown && a != b }
	switch {
	case later.NotLoad != "" && strings.EqualFold(later.NotLoad, c.Load):
		return true
	case differ(later.Signed, c.Signed):
		return true
	case differ(later.Loader, c.Loader):
		// SCCP 5.x may ask for a trust list first as well (phones.md a.1).
		return later.Confidence == Sure || c.Protocol != phone.SCCP || c.Major != 5
	case later.Protocol != "" && later.Protocol != c.Protocol:
		load, ok := phone.ParseLoad(c.Load)
		return ok && (c.Protocol != "" || load.Loader) // an application runs, so it is not the loader alone
	}
	return later.Major != 0 && c.Major != 0 && later.Major != c.Major
}

// exactOf picks the clue that names the load, nil where none does.
func exactOf(sound []Clue, dropped []contradiction) *Clue {
	var shown, announced, fetched, said *Clue
	for i := range sound {
		switch c := &sound[i]; {
		case c.Load == "" || c.Confidence < Likely:
		case c.Source == FromFetched:
			fetched = c
		case c.Source == FromPerson:
			said = c
		case c.Source == FromCDP:
			announced = c
		default:
			shown = c
		}
	}
	if fetched == nil {
		fetched = before(sound, dropped, cmp.Or(shown, announced))
	}
	older := func(a, b *Clue) bool { return a == nil || b != nil && a.At.Before(b.At) }
	if announced != nil && (shown == nil || fetched != nil && older(shown, fetched)) &&
		(fetched == nil || older(fetched, announced) && !strings.EqualFold(fetched.Load, announced.Load)) {
		shown = announced
	}
	switch {
	case fetched != nil && older(shown, fetched) && older(said, fetched):
		return fetched
	case shown != nil && !older(shown, fetched):
		return shown
	}
	return said
}

// before is the load from before one that was fetched and turned out not to run. nil where that is contradicted as
// well, or known better.
func before(sound []Clue, dropped []contradiction, shown *Clue) *Clue {
	i := slices.IndexFunc(dropped, func(d contradiction) bool { return d.load.Source == FromFetched })
	if i < 0 || dropped[i].load.Before == "" {
		return nil
	}
	f := dropped[i].load
	c := exact(FromFetched, Likely, f.Before, f.At, "it still runs "+f.Before)
	if shown != nil && (shown.Load == c.Load || shown.At.After(c.At)) || firstAgainst(sound, &c) >= 0 {
		return nil
	}
	return &c
}

// conclusion is a belief in the making.
type conclusion struct {
	Belief
	clues []Clue // that are not contradicted, oldest first
	exact bool   // a load of this family is known: it decides
}

// why notes a reason, once.
func (b *conclusion) why(text string) {
	if text != "" && !slices.Contains(b.Why, text) {
		b.Why = append(b.Why, text)
	}
}

// load takes over what an exact load says.
func (b *conclusion) load(c *Clue) {
	if c == nil {
		return
	}
	b.Load, b.Before, b.Confidence = c.Load, c.Before, c.Confidence
	b.why(c.Text)
	if _, ok := phone.ParseLoad(c.Load); ok {
		b.Protocol, b.Major, b.Loader, b.Signed, b.exact = c.Protocol, c.Major, c.Loader, c.Signed, true
	}
	b.confirmLoader(c)
}

// confirmLoader takes the loader alone for sure once the phone behaved as one since it fetched it.
func (b *conclusion) confirmLoader(c *Clue) {
	if load, ok := phone.ParseLoad(c.Load); !ok || !load.Loader || c.Confidence == Sure {
		return
	}
	before, _ := phone.ParseLoad(c.Before)
	for _, l := range b.clues {
		if l.At.After(c.At) && l.Source == FromNames && l.Loader == Yes && (l.Confidence == Sure || !sccp5.span.holds(before)) {
			b.Confidence, b.Before = Sure, ""
			b.why(l.Text)
			return
		}
	}
}

// last is the newest clue that says something, a guess only where there is nothing better; nil where there is none.
func (b *conclusion) last(says func(c *Clue) bool) *Clue {
	var found *Clue
	for i := range b.clues {
		if c := &b.clues[i]; says(c) && (found == nil || c.Confidence >= Likely || found.Confidence < Likely) {
			found = c
		}
	}
	return found
}

// facts fills in what no exact load decides.
func (b *conclusion) facts() {
	if c := b.last(func(c *Clue) bool { return c.Model != "" }); c != nil {
		b.Model = c.Model
		defer b.why(c.Text)
	}
	b.XML = b.readsXML()
	if b.exact {
		return
	}
	if c := b.loaderOf(); c != nil {
		b.Loader = c.Loader
		b.why(c.Text)
	}
	if c := b.last(func(c *Clue) bool { return c.Signed != Unknown }); c != nil && b.Loader != Yes {
		b.Signed = c.Signed
		b.why(c.Text)
	} else if b.Loader == Yes {
		b.Signed = Yes
	}
	b.application()
}

// application fills in protocol and release of an application whose load is not known.
func (b *conclusion) application() {
	protocol := b.last(func(c *Clue) bool { return c.Protocol != "" })
	xml := b.last(func(c *Clue) bool { return c.XML == Yes })
	var confidence Confidence
	switch {
	case b.Loader == No && xml != nil && (protocol == nil || xml.At.After(protocol.At)):
		b.Protocol, confidence = phone.SCCP, Likely // without the loader nothing else asks for XML
		b.why(xml.Text)
	case protocol != nil:
		b.Protocol, confidence = protocol.Protocol, protocol.Confidence
		b.why(protocol.Text)
	}
	if c := b.last(func(c *Clue) bool { return c.Major != 0 && c.Protocol == b.Protocol }); c != nil && b.possible(c.Major) {
		b.Major = c.Major
		confidence = min(confidence, c.Confidence)
		b.why(c.Text)
	}
	if b.Load == "" { // a load of another family stays what it is
		b.Confidence = confidence
	}
}

// possible reports whether a release fits what else is known; a newer clue may have overtaken it.
func (b *conclusion) possible(major int) bool {
	firstWithLoader := 7
	if b.Protocol == phone.SCCP {
		firstWithLoader = 6
	}
	return (b.Loader == Unknown || b.Loader == answer(major >= firstWithLoader)) && (b.Signed == Unknown || b.Signed == answer(major >= 5))
}

// loaderOf picks the clue that says whether the universal loader is there. A phone gets it once in its life, so a sure
// clue that is older counts, unless all likely ones since then say otherwise: SCCP 5.x may ask for a trust list first,
// and then only its DHCP class tells it from the loader.
func (b *conclusion) loaderOf() *Clue {
	sure := b.last(func(c *Clue) bool { return c.Loader != Unknown && c.Confidence == Sure })
	likely := b.last(func(c *Clue) bool { return c.Loader != Unknown })
	if sure == nil || likely == nil || !likely.At.After(sure.At) {
		return cmp.Or(sure, likely)
	}
	for _, c := range b.clues {
		if c.At.After(sure.At) && c.Confidence == Likely && c.Loader == sure.Loader {
			return sure
		}
	}
	return likely
}

// readsXML tells whether SCCP reads XML. One Yes is enough: after an XML file that is missing an image may ask for an
// older one too, and no step leads back to images that don't.
func (b *conclusion) readsXML() Answer {
	load, ok := phone.ParseLoad(b.Load)
	switch {
	case ok && firstXML.holds(load):
		return Yes
	case b.last(func(c *Clue) bool { return c.XML == Yes }) != nil:
		return Yes
	case b.last(func(c *Clue) bool { return c.XML == No }) != nil:
		return No
	}
	return Unknown
}
