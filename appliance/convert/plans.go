package convert

import (
	"slices"
	"strings"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// maxPlans bounds the plans that are remembered; a pallet needs a handful.
const maxPlans = 512

// plans remembers what the ladder said, because each request of each phone asks it. Only a change of the shelf makes it
// ask anew.
type plans struct {
	shelf ladder.Shelf
	known map[question]answer
}

// question is a belief, without its reasons, and a target.
type question struct {
	model, load, before, to string
	protocol                phone.Protocol
	major                   int
	loader, signed, xml     ladder.Answer
	confidence              ladder.Confidence
	announced               bool
	beside                  ladder.Facts
}

type answer struct {
	path ladder.Path
	err  error
}

// stock takes the firmware that is there now.
func (p *plans) stock(shelf ladder.Shelf) {
	if p.known == nil || !slices.EqualFunc(p.shelf, shelf, sameLoad) {
		p.shelf, p.known = shelf, map[question]answer{}
	}
}

func sameLoad(a, b ladder.Load) bool {
	return a.Name == b.Name && a.Loader == b.Loader && slices.Equal(a.Files, b.Files) && slices.Equal(a.Missing, b.Missing)
}

// plan is [ladder.Plan] with the firmware of stock. The path is shared and must not be changed.
func (p *plans) plan(b ladder.Belief, to string) (ladder.Path, error) {
	q := question{b.Model, b.Load, b.Before, to, b.Protocol, b.Major, b.Loader, b.Signed, b.XML, b.Confidence, false, ladder.Facts{}}
	if b.Beside != nil {
		q.announced, q.beside = true, *b.Beside
	}
	a, ok := p.known[q]
	if !ok {
		a.path, a.err = ladder.Plan(b, to, p.shelf)
		if len(p.known) >= maxPlans {
			clear(p.known)
		}
		p.known[q] = a
	}
	return a.path, a.err
}

// load finds a load on the shelf.
func (p *plans) load(name string) (ladder.Load, bool) {
	for _, l := range p.shelf {
		if strings.EqualFold(l.Name, name) {
			return l, true
		}
	}
	return ladder.Load{}, false
}
