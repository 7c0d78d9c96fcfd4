package ladder

import "phonebox/services/phone"

// span is a range of releases of one protocol: from lo, up to but without hi, each a major and a minor number.
type span struct {
	protocol phone.Protocol
	lo, hi   [2]int
}

// holds reports whether a load is in the span.
func (s span) holds(l phone.LoadName) bool {
	v := [2]int{l.Version[0], l.Version[1]}
	return !l.IsZero() && !l.Loader && l.Protocol == s.protocol && !less(v, s.lo) && less(v, s.hi)
}

// meets reports whether the span has releases of that major.
func (s span) meets(major int) bool { return s.lo[0] <= major && less([2]int{major, 0}, s.hi) }

func less(a, b [2]int) bool { return a[0] < b[0] || a[0] == b[0] && a[1] < b[1] }

// lastMajor is the last release of the 7940 and 7960, for either protocol.
const lastMajor = 8

// firstXML are the SCCP loads that read XML. phones.md names 3.1 (P00303010102) as the first rung for those that don't;
// whether 3.0 does is not known, and so it counts only where the phone was seen to ask for XML.
var firstXML = span{phone.SCCP, [2]int{3, 1}, end}

// end is after every release.
var end = [2]int{lastMajor + 1, 0}

// class is a node of the graph: loads from which the same steps lead on.
type class struct {
	id     string
	span   span   // no release for loaderAlone
	words  string // for people
	loader bool   // the universal loader is there
	signed bool   // it takes signed images and no others (phones.md c.3)
	xml    Answer // an SCCP image reads XML
}

// The classes, each once.
var (
	sccpOld     = class{"sccp-old", span{phone.SCCP, [2]int{0, 0}, [2]int{3, 1}}, "SCCP from before XML", false, false, No}
	sccp3       = class{"sccp-3", span{phone.SCCP, [2]int{3, 1}, [2]int{4, 0}}, "SCCP 3.x", false, false, Yes}
	sccp4       = class{"sccp-4", span{phone.SCCP, [2]int{4, 0}, [2]int{5, 0}}, "SCCP 4.x", false, false, Yes}
	sccp5       = class{"sccp-5", span{phone.SCCP, [2]int{5, 0}, [2]int{6, 0}}, "SCCP 5.x", false, true, Yes}
	sccpLoader  = class{"sccp-loader", span{phone.SCCP, [2]int{6, 0}, end}, "SCCP 6.x or later", true, true, Yes}
	sip2        = class{"sip-2", span{phone.SIP, [2]int{0, 0}, [2]int{2, 3}}, "SIP before 2.3", false, false, Unknown}
	sip3        = class{"sip-3", span{phone.SIP, [2]int{2, 3}, [2]int{4, 4}}, "SIP 2.3 to 4.3", false, false, Unknown}
	sip44       = class{"sip-4.4", span{phone.SIP, [2]int{4, 4}, [2]int{5, 0}}, "SIP 4.4", false, false, Unknown}
	sip50       = class{"sip-5.0", span{phone.SIP, [2]int{5, 0}, [2]int{5, 2}}, "SIP 5.0 or 5.1", false, true, Unknown}
	sip52       = class{"sip-5.2", span{phone.SIP, [2]int{5, 2}, [2]int{6, 0}}, "SIP 5.2 or later", false, true, Unknown}
	sip6        = class{"sip-6", span{phone.SIP, [2]int{6, 0}, [2]int{7, 0}}, "SIP 6.x", false, true, Unknown}
	sip7        = class{"sip-7", span{phone.SIP, [2]int{7, 0}, [2]int{8, 0}}, "SIP 7.x", true, true, Unknown}
	sip8        = class{"sip-8", span{phone.SIP, [2]int{8, 0}, end}, "SIP 8.x", true, true, Unknown}
	loaderAlone = class{"loader", span{}, "the universal loader without an application", true, true, Unknown}
)

var classes = []class{sccpOld, sccp3, sccp4, sccp5, sccpLoader, sip2, sip3, sip44, sip50, sip52, sip6, sip7, sip8, loaderAlone}

// candidate is what a phone may be running: a load, or with none any of a class.
type candidate struct {
	class class
	load  phone.LoadName
}

// candidateOf sorts a load into its class; ok is false for MGCP and for releases that nobody made. xml is Yes where the
// phone was seen to ask for XML.
func candidateOf(load phone.LoadName, xml Answer) (candidate, bool) {
	if load.Loader {
		return candidate{loaderAlone, load}, true
	}
	for _, c := range classes {
		if c.span.holds(load) {
			if c.id == sccpOld.id && load.Version[0] == 3 && xml == Yes {
				c = sccp3
			}
			return candidate{c, load}, true
		}
	}
	return candidate{}, false
}

// words says what it is.
func (c candidate) words() string {
	if c.load.IsZero() || c.load.Loader {
		return c.class.words
	}
	return c.load.Name
}

// maybe reports whether the candidate could be that load.
func (c candidate) maybe(l phone.LoadName) bool {
	if !c.load.IsZero() {
		return c.load.Name == l.Name
	}
	return c.class.span.holds(l)
}

// suffix is what an image from before the loader adds to a load's name.
func (c class) suffix() string {
	if c.signed {
		return ".sbn"
	}
	return ".bin"
}
