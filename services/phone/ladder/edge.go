package ladder

import "phonebox/services/phone"

// rank says how well a step is documented; less is better.
type rank int

const (
	documented rank = iota // a row of phones.md c.4
	recipe                 // a row of phones.md c.5
	inferred               // follows from c.3 and c.5; nobody wrote it down
	// conditional is a row that asks for more than the box can know. It is taken only where no other way leads on.
	conditional
)

// words say it to people.
func (r rank) words() string {
	switch r {
	case recipe:
		return "a recipe of people who did it"
	case inferred:
		return "nobody wrote it down; it follows from which images such phones take"
	case conditional:
		return "written down for some SCCP loads alone; whether this one obeys OS79XX.TXT is not known"
	}
	return "written down by Cisco or by people who did it"
}

// edge is a safe step from any load of a class to any load of a span.
type edge struct {
	from   []class
	to     span
	rank   rank
	source string // where it is written
	// up: only to later releases than the one that runs; downward the way over SIP 7.x is the documented one.
	up bool
}

// sip and sccp are spans from a release up to the start of another.
func sip(lo, hi [2]int) span  { return span{phone.SIP, lo, hi} }
func sccp(lo, hi [2]int) span { return span{phone.SCCP, lo, hi} }

// edges is the ladder of phones.md c.4, completed by c.5. What is not here is no step.
var edges = []edge{
	// SCCP upward.
	{from: []class{sccpOld}, to: sccp([2]int{3, 1}, [2]int{4, 0}), source: "phones.md c.4 [PALV]"},
	{from: []class{sccp3, sccp4}, to: sccp([2]int{5, 0}, [2]int{6, 0}), source: "phones.md c.4 [PALV]"},
	{from: []class{sccp5}, to: sccp([2]int{6, 0}, end), source: "phones.md c.4 [PALV]"},
	{from: []class{sccpLoader}, to: sccp([2]int{6, 0}, end), source: "phones.md c.4 [PALV]", up: true},

	// SCCP to SIP.
	{from: []class{sccp3}, to: sip([2]int{2, 0}, [2]int{3, 0}), rank: conditional, source: "phones.md c.4 [seed003]: where its SCCP load goes by OS79XX.TXT"},
	{from: []class{sccp5}, to: sip([2]int{5, 0}, [2]int{8, 0}), source: "phones.md c.4 [CME2]"},
	{from: []class{sccp5}, to: sip([2]int{8, 0}, end), rank: recipe, source: "phones.md c.5 [BLOG-A, BLOG-F, LOG-T]"},
	{from: []class{sccpLoader}, to: sip([2]int{7, 0}, end), source: "phones.md c.4 [LOG-J, DOC5455]"},

	// SIP upward.
	{from: []class{sip2}, to: sip([2]int{2, 3}, [2]int{2, 4}), source: "phones.md c.4 [seed001]"},
	{from: []class{sip3}, to: sip([2]int{4, 4}, [2]int{5, 0}), source: "phones.md c.4 [CME2]"},
	{from: []class{sip44}, to: sip([2]int{5, 3}, [2]int{6, 0}), source: "phones.md c.4 [CME2]"},
	{from: []class{sip50}, to: sip([2]int{5, 2}, [2]int{6, 0}), rank: inferred, source: "phones.md c.4 [seed001]: 6.x wants 5.2 or later; the step there is inferred from c.3"},
	{from: []class{sip52}, to: sip([2]int{6, 0}, [2]int{7, 0}), source: "phones.md c.4 [CME2, seed001]"},
	{from: []class{sip6}, to: sip([2]int{7, 0}, [2]int{8, 0}), source: "phones.md c.4 [CME2, BLOG-A, VI2]"},
	{from: []class{sip6}, to: sip([2]int{8, 0}, end), rank: recipe, source: "phones.md c.5 [BLOG-A, BLOG-F, LOG-T]"},
	{from: []class{sip7}, to: sip([2]int{8, 0}, end), source: "phones.md c.4 (8.x unconfirmed), c.5"},

	// SIP to SCCP.
	{from: []class{sip7}, to: sccp([2]int{7, 0}, end), source: "phones.md c.4 [CME2]"},
	{from: []class{sip8}, to: sccp([2]int{7, 0}, end), rank: recipe, source: "phones.md c.5 [COMM2]"},

	// Downward, to signed images.
	{from: []class{sip7}, to: sip([2]int{5, 0}, [2]int{7, 0}), source: "phones.md c.4 [CME2]"},

	// Within the universal loader, by name.
	{from: []class{sip7, sip8}, to: sip([2]int{7, 0}, end), rank: recipe, source: "phones.md c.5 [BLOG-A, LOG-T]"},
	{from: []class{sccpLoader}, to: sccp([2]int{6, 0}, end), rank: inferred, source: "phones.md c.5: the loader fetches what it is told by name (inferred)"},
	{from: []class{loaderAlone}, to: sip([2]int{7, 0}, end), source: "phones.md c.6 [VI2, GH-79, seed002], c.5"},
	{from: []class{loaderAlone}, to: sccp([2]int{6, 0}, end), rank: recipe, source: "phones.md c.6 [VI2], c.5"},

	// Within a class: the same kind of image, with or without signature (c.3).
	{from: []class{sccp3}, to: sccp3.span, rank: inferred, source: sameKind},
	{from: []class{sccp4}, to: sccp4.span, rank: inferred, source: sameKind},
	{from: []class{sccp3}, to: sccp4.span, rank: inferred, source: sameKind},
	{from: []class{sccp5}, to: sccp5.span, rank: inferred, source: sameKind},
	{from: []class{sip3}, to: sip3.span, rank: inferred, source: sameKind, up: true},
	{from: []class{sip44}, to: sip44.span, rank: inferred, source: sameKind, up: true},
	{from: []class{sip50}, to: sip50.span, rank: inferred, source: sameKind, up: true},
	{from: []class{sip52}, to: sip52.span, rank: inferred, source: sameKind, up: true},
	{from: []class{sip6}, to: sip6.span, rank: inferred, source: sameKind, up: true},
}

const sameKind = "phones.md c.3: the same kind of image (inferred)"

// edgeTo is the best documented step from a candidate to a load, nil where there is none.
func (c candidate) edgeTo(to phone.LoadName) *edge {
	var best *edge
	for i := range edges {
		e := &edges[i]
		if !e.starts(c, to) || !e.to.holds(to) {
			continue
		}
		if best == nil || e.rank < best.rank {
			best = e
		}
	}
	return best
}

// starts reports whether the edge begins at the candidate. Of a class of which the load is not known, a load of the same
// class counts as a step upward: phones.md names one load of each such class, and the phone that is on a later one goes
// sideways, with the same kind of image.
func (e *edge) starts(c candidate, to phone.LoadName) bool {
	for _, from := range e.from {
		if from.id != c.class.id {
			continue
		}
		return !e.up || c.load.IsZero() || later(to, c.load)
	}
	return false
}

// later reports whether a is a later release than b.
func later(a, b phone.LoadName) bool {
	for i := range a.Version {
		if a.Version[i] != b.Version[i] {
			return a.Version[i] > b.Version[i]
		}
	}
	return false
}
