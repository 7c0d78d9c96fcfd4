package ladder

import (
	"cmp"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// usual are the loads that phones.md c.1 and c.4 name for the rungs.
var usual = []string{"P00303010102", "P00305000500", "P00307020300", "P0S30203", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-06-3-00", "P0S3-07-4-00"}

// usualRungs are the same, parsed.
var usualRungs = func() (list []candidate) {
	for _, name := range usual {
		load, _ := phone.ParseLoad(name)
		c, _ := candidateOf(load, Unknown)
		list = append(list, c)
	}
	return list
}()

// perClass bounds the whole loads of one class that are tried as rungs, newest first.
const perClass = 3

// planner searches the ladder with one shelf and one target.
type planner struct {
	shelf map[string]*Load // by name in upper case
	rungs []candidate      // the loads that a way may touch, target included
}

func newPlanner(shelf Shelf, target phone.LoadName) *planner {
	p := &planner{shelf: map[string]*Load{}}
	byClass := map[string][]candidate{}
	for i := range shelf {
		l := &shelf[i]
		load, ok := phone.ParseLoad(l.Name)
		c, known := candidateOf(load, Unknown)
		if !ok || load.Loader || !known {
			continue
		}
		p.shelf[load.Name] = l
		if len(l.Missing) == 0 {
			byClass[c.class.id] = append(byClass[c.class.id], c)
		}
	}
	p.rungs = slices.Clone(usualRungs)
	if c, ok := candidateOf(target, Unknown); ok {
		p.rungs = append(p.rungs, c)
	}
	for _, whole := range byClass {
		slices.SortFunc(whole, func(a, b candidate) int {
			return cmp.Or(slices.Compare(b.load.Version[:], a.load.Version[:]), cmp.Compare(a.load.Name, b.load.Name))
		})
		p.rungs = append(p.rungs, whole[:min(len(whole), perClass)]...)
	}
	byName := func(a, b candidate) int { return cmp.Compare(a.load.Name, b.load.Name) }
	slices.SortFunc(p.rungs, byName)
	p.rungs = slices.CompactFunc(p.rungs, func(a, b candidate) bool { return byName(a, b) == 0 })
	return p
}

// spelled is the name of a load as the shelf has it.
func (p *planner) spelled(l phone.LoadName) string {
	if on := p.shelf[l.Name]; on != nil {
		return on.Name
	}
	return l.Name
}

// cost is what a way costs; the first difference decides.
type cost struct{ conditional, missing, steps, rank, unusual int }

func (a cost) compare(b cost) int {
	return cmp.Or(
		cmp.Compare(a.conditional, b.conditional), cmp.Compare(a.missing, b.missing), cmp.Compare(a.steps, b.steps),
		cmp.Compare(a.rank, b.rank), cmp.Compare(a.unusual, b.unusual),
	)
}

// way is the best way found so far to one rung.
type way struct {
	cost  cost
	steps []Step
	done  bool
}

// best finds the cheapest way to the target (Dijkstra); no steps where the phone is there. Each way begins with one step
// that is safe for all candidates, and goes on from a load that is known.
func (p *planner) best(b believed, target phone.LoadName) ([]Step, bool) {
	if b.exact() && b.may[0].load.Name == target.Name {
		return nil, true
	}
	ways := map[string]*way{}
	p.spread(ways, &way{}, b.may, b.words)
	for {
		var next *way
		var at candidate
		for _, c := range p.rungs {
			if w := ways[c.load.Name]; w != nil && !w.done && (next == nil || w.cost.compare(next.cost) < 0) {
				next, at = w, c
			}
		}
		switch {
		case next == nil:
			return nil, false
		case at.load.Name == target.Name:
			return next.steps, true
		}
		next.done = true
		p.spread(ways, next, []candidate{at}, p.spelled(at.load))
	}
}

// spread notes the ways that go on by one step from what a way has reached.
func (p *planner) spread(ways map[string]*way, from *way, may []candidate, words string) {
	for _, to := range p.rungs {
		e := commonEdge(may, to.load)
		if e == nil || len(may) == 1 && may[0].load.Name == to.load.Name {
			continue
		}
		if w := ways[to.load.Name]; w != nil && w.done {
			continue
		}
		step := p.step(may, words, to.load, e)
		c := from.cost
		c.steps++
		c.rank += int(e.rank)
		if e.rank == conditional {
			c.conditional++
		}
		if len(step.Missing) > 0 {
			c.missing++
		}
		if !slices.Contains(usual, to.load.Name) {
			c.unusual++
		}
		if w := ways[to.load.Name]; w == nil || c.compare(w.cost) < 0 {
			ways[to.load.Name] = &way{cost: c, steps: append(slices.Clone(from.steps), step)}
		}
	}
}

// commonEdge is the step to a load that is on the ladder for all candidates, the least documented of theirs; nil where one
// has none. What a phone with the loader is told differs from what one without is told, so they have none in common.
func commonEdge(may []candidate, to phone.LoadName) *edge {
	var worst *edge
	for _, c := range may {
		e := c.edgeTo(to)
		if e == nil || c.class.loader != may[0].class.loader {
			return nil
		}
		if worst == nil || e.rank > worst.rank {
			worst = e
		}
	}
	return worst
}

// about reports whether a line of Missing is about a file: "name" or "name (reason)".
func about(missing, file string) bool {
	name, _, _ := strings.Cut(missing, " (")
	return strings.EqualFold(name, file)
}

// missing lists what a step to a load needs and the shelf does not have whole. A load counts as a whole: a part that is
// not fit holds back the others.
func (p *planner) missing(to phone.LoadName, files []string) []string {
	on := p.shelf[to.Name]
	if on == nil {
		return slices.Clone(files)
	}
	list := slices.Clone(on.Missing)
	for _, f := range files {
		if !slices.ContainsFunc(list, func(m string) bool { return about(m, f) }) &&
			!slices.ContainsFunc(on.Files, func(have string) bool { return strings.EqualFold(have, f) }) {
			list = append(list, f)
		}
	}
	return list
}
