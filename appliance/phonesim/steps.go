package phonesim

import "phonebox/services/phone"

// What phones.md c.4 and c.5 allow a phone to be given, written from there and from nowhere else: the servers' own table of
// these steps may be wrong, and here it shows.

// kind is what sort of image a phone is given.
type kind int

const (
	single      kind = iota // one image, from before the universal loader
	loaderImage             // the universal loader, as .bin or .sbn
	application             // .sb2, which the loader writes
)

// span is a run of releases of one protocol: from low up to but not including high, each major and minor.
type span struct {
	protocol  phone.Protocol
	low, high [2]int
}

// has reports whether the release lies within the span.
func (s span) has(r release) bool {
	return r.protocol == s.protocol && !r.before(s.low[0], s.low[1]) && r.before(s.high[0], s.high[1])
}

// allowedStep is one row of the ladder.
type allowedStep struct {
	from   span
	kind   kind
	to     span
	source string
}

// allowedSteps are the rows of phones.md c.4 and c.5. SCCP 4.x stands in none of them.
var allowedSteps = []allowedStep{
	// Without the universal loader.
	{span{phone.SCCP, [2]int{0, 0}, [2]int{3, 1}}, single, span{phone.SCCP, [2]int{3, 1}, [2]int{4, 0}}, "PALV"},
	{span{phone.SCCP, [2]int{3, 1}, [2]int{4, 0}}, single, span{phone.SCCP, [2]int{5, 0}, [2]int{6, 0}}, "PALV"},
	{span{phone.SCCP, [2]int{3, 0}, [2]int{4, 0}}, single, span{phone.SIP, [2]int{2, 0}, [2]int{3, 0}}, "seed003"},
	{span{phone.SCCP, [2]int{5, 0}, [2]int{6, 0}}, single, span{phone.SIP, [2]int{5, 0}, [2]int{7, 0}}, "CME2"},
	{span{phone.SCCP, [2]int{5, 0}, [2]int{6, 0}}, loaderImage, span{phone.SCCP, [2]int{6, 0}, [2]int{9, 0}}, "CME2, PALV"},
	{span{phone.SIP, [2]int{0, 0}, [2]int{2, 3}}, single, span{phone.SIP, [2]int{2, 3}, [2]int{2, 4}}, "seed001"},
	{span{phone.SIP, [2]int{2, 3}, [2]int{4, 4}}, single, span{phone.SIP, [2]int{4, 4}, [2]int{5, 0}}, "CME2"},
	{span{phone.SIP, [2]int{4, 4}, [2]int{5, 0}}, single, span{phone.SIP, [2]int{5, 3}, [2]int{6, 0}}, "CME2"},
	{span{phone.SIP, [2]int{5, 2}, [2]int{6, 0}}, single, span{phone.SIP, [2]int{6, 0}, [2]int{7, 0}}, "seed001"},
	// Of a SIP bundle alone: from SIP to SCCP a phone must be at 7.x first.
	{span{phone.SIP, [2]int{6, 0}, [2]int{7, 0}}, loaderImage, span{phone.SCCP, [2]int{7, 0}, [2]int{9, 0}}, "CME2, BLOG-A, VI2"},
	// Behind the universal loader.
	{span{phone.SCCP, [2]int{6, 0}, [2]int{9, 0}}, application, span{phone.SCCP, [2]int{6, 0}, [2]int{9, 0}}, "PALV"},
	{span{phone.SCCP, [2]int{6, 0}, [2]int{9, 0}}, application, span{phone.SIP, [2]int{7, 0}, [2]int{9, 0}}, "LOG-J"},
	{span{phone.SIP, [2]int{7, 0}, [2]int{9, 0}}, application, span{phone.SIP, [2]int{7, 0}, [2]int{9, 0}}, "CME2"},
	{span{phone.SIP, [2]int{7, 0}, [2]int{9, 0}}, application, span{phone.SCCP, [2]int{7, 0}, [2]int{9, 0}}, "CME2, COMM2"},
}

// stepAllowed reports whether a phone with that flash may be given the image. A loader without an application takes every
// application of its generation (phones.md c.6). An update within a major release (6.0 to 6.3) stands in no row; it is
// tolerated where the row does not name a release of that major to which the phone must go.
func stepAllowed(f Flash, k kind, load string) bool {
	from, to := parseRelease(f.Application), parseRelease(load)
	if k == application && f.Application == "" {
		return to.isUniversal()
	}
	if k == loaderImage && from.protocol == phone.SIP && !to.dashed {
		return false // P003-7-4-00 comes with SIP, P00307020300 with SCCP (phones.md c.1)
	}
	for _, s := range allowedSteps {
		if s.kind == k && s.from.has(from) && s.to.has(to) {
			return true
		}
	}
	early := from.before(2, 3) || from.protocol == phone.SCCP && from.before(3, 1)
	return k == single && from.protocol == to.protocol && from.version[0] == to.version[0] && !early &&
		!to.before(from.version[0], from.version[1])
}
