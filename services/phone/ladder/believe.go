package ladder

import (
	"fmt"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// believed is a belief as the loads that may be running.
type believed struct {
	may   []candidate // one with a load, or classes; each must have the step on the ladder
	doubt []candidate // what else may run if may[0] does not: the step must do it no harm
	words string
	// before is what runs if the writing of may[0] failed; nil where that is not known.
	before *candidate
	// announced: may[0] is what CDP says.
	announced bool
}

// exact reports whether one load is taken to run.
func (b *believed) exact() bool { return len(b.may) == 1 && !b.may[0].load.IsZero() }

// harmless reports whether a step is safe for all that the phone may run otherwise.
func (b *believed) harmless(s Step) bool {
	to, _ := phone.ParseLoad(s.To)
	return !slices.ContainsFunc(b.doubt, func(d candidate) bool {
		return d.load.Name != to.Name && d.edgeTo(to) == nil && d.fetches(s)
	})
}

// staysHarmless reports whether naming the load that is announced, with the files of the shelf, is safe for all that may run
// instead: each has a step there, or asks for none of its files.
func (b *believed) staysHarmless(shelf map[string]*Load) bool {
	l := b.may[0].load
	s := Step{To: l.Name, Naming: phone.Stay(l.Name)}
	if on := shelf[l.Name]; on != nil {
		s.Files = on.Files
	}
	return b.announced && b.harmless(s)
}

// fetches reports whether a phone that runs this would ask for a file of the step: whichever name it goes by, and
// whether or not it reads all of the files that name one.
func (c candidate) fetches(s Step) bool {
	for _, name := range []string{s.Naming.OS79XX, s.Naming.ImageVersion, s.Naming.LoadInformation} {
		asks := []string{name + c.class.suffix()}
		if c.class.loader {
			asks = append(asks, name+".loads")
		}
		for _, file := range asks {
			if name != "" && slices.ContainsFunc(s.Files, func(f string) bool { return strings.EqualFold(f, file) }) {
				return true
			}
		}
	}
	return false
}

// believe reads a belief; the error says why no step at all can be planned.
func believe(b Belief, target string) (believed, error) {
	if b.Model != "" && !isOurs(b.Model) {
		return believed{}, fmt.Errorf("the phone is a %s, and %s is for the 7940 and 7960", b.Model, target)
	}
	if b.Load != "" && b.Confidence >= Likely {
		return believeLoad(b, target)
	}
	if b.Protocol == phone.MGCP {
		return believed{}, fmt.Errorf("the phone runs MGCP, from which no way to %s is known", target)
	}
	var v believed
	for _, c := range classes {
		if b.allows(c) {
			v.may = append(v.may, candidate{class: c})
		}
	}
	if len(v.may) == 0 {
		return believed{}, fmt.Errorf("what the phone shows does not fit together, so no step to %s is safe: restart it and let it ask for its files once more", target)
	}
	v.words = b.inWords(v.may)
	return v, nil
}

// believeLoad is for a load that is known, be it for sure or not.
func believeLoad(b Belief, target string) (believed, error) {
	load, _ := phone.ParseLoad(b.Load)
	c, ok := candidateOf(load, b.XML)
	if !ok {
		return believed{}, fmt.Errorf("the phone runs %s, from which no way to %s is known", b.Load, target)
	}
	v := believed{may: []candidate{c}, words: c.words()}
	if b.Confidence == Sure {
		return v, nil
	}
	before, _ := phone.ParseLoad(b.Before)
	if d, ok := candidateOf(before, Unknown); ok { // that the new load reads XML says nothing of the old one
		v.before, v.doubt = &d, []candidate{d}
		return v, nil
	}
	if c.class.id == sccpOld.id && b.XML == No {
		return v, nil // it reads no file that could confirm its load, but it was seen to be too old for XML
	}
	beside := Belief{}
	if f := b.Beside; f != nil {
		beside = Belief{Protocol: f.Protocol, Major: f.Major, Loader: f.Loader, Signed: f.Signed, XML: f.XML, Confidence: f.Confidence}
		v.announced = true
	}
	for _, c := range classes {
		if beside.allows(c) {
			v.doubt = append(v.doubt, candidate{class: c})
		}
	}
	return v, nil
}

// allows reports whether a phone may be running a load of the class, by what is known.
func (b *Belief) allows(c class) bool {
	fits := func(known Answer, is bool) bool { return known == Unknown || known == answer(is) }
	if !fits(b.Loader, c.loader) || !fits(b.Signed, c.signed) {
		return false
	}
	major := b.Major
	if b.Confidence < Likely {
		major = 0
	}
	if c.id == loaderAlone.id {
		return major == 0 // an application that tells its release runs
	}
	if b.Protocol != "" && b.Protocol != c.span.protocol || major != 0 && !c.span.meets(major) {
		return false
	}
	return c.span.protocol != phone.SCCP || c.loader || b.XML == Unknown || b.XML == c.xml
}

// inWords says what a phone may run.
func (b *Belief) inWords(may []candidate) string {
	var apps []class
	for _, c := range may {
		if c.class.id != loaderAlone.id {
			apps = append(apps, c.class)
		}
	}
	switch {
	case len(apps) == 0:
		return loaderAlone.words
	case b.Protocol == "" && b.Loader == Yes:
		return "the universal loader with a load that is not known"
	case b.Protocol == "":
		return "a load that is not known"
	case len(apps) == 1 && b.Major == 0:
		return apps[0].words
	}
	first, last := apps[0], apps[len(apps)-1]
	low, high := max(first.span.lo[0], 2), last.span.hi[0]
	if last.span.hi[1] == 0 {
		high--
	}
	if b.Major != 0 && b.Confidence >= Likely {
		low, high = b.Major, b.Major
	}
	name := strings.ToUpper(string(b.Protocol))
	switch {
	case low == high:
		return fmt.Sprintf("%s %d.x", name, low)
	case first.id == sccpOld.id:
		return fmt.Sprintf("%s up to %d.x", name, high)
	}
	return fmt.Sprintf("%s %d.x to %d.x", name, low, high)
}
