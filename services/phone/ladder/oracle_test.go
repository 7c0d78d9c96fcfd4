package ladder_test

import (
	"strings"

	"phonebox/services/phone"
)

// onLadder is phones.md c.4 read once more, with c.5 for the legs to 8.x and within the loader, and c.3 for steps between
// images of the same kind: written from that table and from nothing of the package, so that a mistake can't hide. A from
// of "" or of a loader's name is a loader without an application.
func onLadder(from, to string) bool {
	f, _ := phone.ParseLoad(from)
	t, ok := phone.ParseLoad(to)
	if !ok || t.Loader {
		return false
	}
	fv, tv := f.Version[0]*100+f.Version[1], t.Version[0]*100+t.Version[1]
	toSIP, toSCCP := t.Protocol == phone.SIP, t.Protocol == phone.SCCP
	switch {
	case from == "" || f.Loader:
		return toSIP && tv >= 700 || toSCCP && tv >= 600
	case f.Protocol == phone.SCCP && fv < 301: // very old
		return toSCCP && tv >= 301 && tv < 400
	case f.Protocol == phone.SCCP && fv < 500: // 3.x and 4.x
		return toSCCP && tv >= 500 && tv < 600 || toSIP && tv < 300 && fv < 400 || toSCCP && tv >= 301 && tv < 500 && tv/100 >= fv/100
	case f.Protocol == phone.SCCP && fv < 600: // 5.x
		return toSIP && tv >= 500 || toSCCP && tv >= 500
	case f.Protocol == phone.SCCP: // with the loader
		return toSIP && tv >= 700 || toSCCP && tv >= 600
	case fv < 203:
		return toSIP && tv == 203
	case fv < 404:
		return toSIP && tv >= 404 && tv < 500 || toSIP && tv < 404 && tv >= 203
	case fv < 500:
		return toSIP && tv >= 503 && tv < 600 || toSIP && tv >= 404 && tv < 500
	case fv < 502: // 6.x wants 5.2
		return toSIP && tv >= 500 && tv < 600
	case fv < 600:
		return toSIP && tv >= 600 && tv < 700 || toSIP && tv >= 502 && tv < 600
	case fv < 700:
		return toSIP && tv >= 600
	case fv < 800:
		return toSIP && tv >= 500 || toSCCP && tv >= 700
	}
	return toSIP && tv >= 700 || toSCCP && tv >= 700
}

// universe are loads that phones may run: those that phones.md names, and others of each kind.
var universe = []string{
	"P00302000100", "P00303000100", "P00303010102", "P00303020214", "P00304010000", "P00305000300", sccp5, "P00306000200", "P00307020300",
	"P00308000900", sccp8, "P0030801SR02", "P0S30200", "P0S30202", "P0S30203", "P0S3-03-0-00", "P0S3-03-2-00", "P0S3-04-0-00", "P0S3-04-1-00",
	"P0S3-04-4-00", "P0S3-05-0-00", "P0S3-05-1-00", "P0S3-05-2-00", "P0S3-05-3-00", "P0S3-06-0-00", "P0S3-06-1-00", "P0S3-06-3-00",
	"P0S3-07-1-00", "P0S3-07-4-00", "P0S3-07-5-00", "P0S3-08-2-00", "P0S3-08-9-00", sip8, "P003-07-4-00", "P003-8-12-00",
}

// handset is a phone as phones.md a.2 to a.4 and c describe it, without a network: it asks for files, and takes what it
// is given if its image would. It is written from those pages alone.
type handset struct {
	load      string // P003-...: the loader alone
	loaderIn  string // the loader in flash, "" = none
	readsXML  bool   // an SCCP image from before 5.0
	skipsTXT  bool   // a later SCCP that asks for OS79XX.TXT only after a factory reset (COMM1)
	asksTrust bool   // an SCCP 5.x that asks for a trust list first (phones.md a.1)
	answers   bool   // answers SIP OPTIONS
}

func (h *handset) runs() phone.LoadName {
	l, _ := phone.ParseLoad(h.load)
	return l
}

func (h *handset) suffix() string {
	if h.runs().Signed() {
		return ".sbn"
	}
	return ".bin"
}

// server is what a phone talks to.
type server interface {
	class(model bool)
	told(asks string) phone.Naming // the phone asks for a file that may name a load
	give(file string) bool         // the phone asks for a firmware file
	agent(s string)
	runsOn(load string) // what a journal sees: it was told this, and did not ask for it
	fetched(load, before string)
}

const mac = "0006D7AA2A2E"

// failed as cut means that the power is cut while it writes, so that what it fetched is not there.
const failed = 2

// boot is one start, up to a reset or to an application that runs. cut is how many images it gets before its power is
// cut, below 0 for none, or failed. It returns true when it started again because of an image.
func (h *handset) boot(s server, cut int) (reset bool) {
	if h.loaderIn != "" {
		return h.bootLoader(s, cut)
	}
	s.class(false)
	l := h.runs()
	if !h.skipsTXT || l.Protocol == phone.SIP {
		txt := s.told("OS79XX.TXT").OS79XX
		other := len(txt) > 3 && (txt[2] != h.load[2] || l.Protocol == phone.SCCP && !h.readsXML && !strings.EqualFold(txt, h.load))
		if other && h.flash(s, txt, cut) {
			return true
		}
	} else if h.asksTrust {
		s.told("CTLSEP" + mac + ".tlv")
	}
	var name string
	switch {
	case l.Protocol == phone.SIP:
		s.told("SIPDefault.cnf")
		name = s.told("SIP" + mac + ".cnf").ImageVersion
	case h.readsXML:
		name = s.told("SEP" + mac + ".cnf.xml").LoadInformation
	default:
		s.told("SEPDefault.cnf")
		return false
	}
	switch {
	case strings.EqualFold(name, h.load):
		s.runsOn(name)
	case name != "" && h.flash(s, name, cut):
		return true
	}
	if l.Protocol == phone.SIP {
		s.told("RINGLIST.DAT")
		h.agent(s)
	}
	return false
}

// flash is an image from before the loader that fetches another one.
func (h *handset) flash(s server, name string, cut int) bool {
	if !s.give(name+h.suffix()) || cut == 0 {
		return false
	}
	before := h.load
	l, _ := phone.ParseLoad(name)
	if cut == failed {
		if l.Loader || l.Universal() {
			name = "P003-8-12-00"
		}
		s.fetched(name, before)
		return true
	}
	if l.Loader || l.Universal() { // the loader image of a bundle
		h.load, h.loaderIn = "P003-8-12-00", name
		s.fetched("P003-8-12-00", before)
		return true
	}
	h.load, h.readsXML = name, l.Protocol == phone.SCCP && l.Version[0] >= 3
	s.fetched(name, before)
	return true
}

func (h *handset) bootLoader(s server, cut int) bool {
	s.class(true)
	s.told("CTLSEP" + mac + ".tlv")
	name := s.told("SEP" + mac + ".cnf.xml").LoadInformation
	l, _ := phone.ParseLoad(name)
	switch {
	case name != "" && s.give(name+".loads") && l.Universal():
		loader := name
		if l.Protocol == phone.SIP {
			loader = "P003" + name[4:]
		}
		if h.loaderIn != loader {
			if !s.give(loader+".sbn") || cut == 0 {
				return false
			}
			h.loaderIn = loader
			return true
		}
		if !strings.EqualFold(h.load, name) {
			if !s.give(name+".sb2") || cut == 1 {
				return false
			}
			s.fetched(name, h.load)
			if cut != failed {
				h.load = name
			}
			return true
		}
	case h.runs().Protocol == phone.SIP && !h.runs().Loader && name != "" && !l.Universal() && s.give(name+".sbn"):
		// The application fetches an image from before the loader (CME2: down from 7.x).
		s.fetched(name, h.load)
		h.load, h.loaderIn = name, ""
		return true
	}
	return h.application(s, name)
}

// application is what the loader starts.
func (h *handset) application(s server, told string) bool {
	if h.runs().Loader {
		return false // "Protocol Application Invalid"
	}
	if strings.EqualFold(told, h.load) {
		s.runsOn(told)
	}
	if h.runs().Protocol == phone.SIP {
		s.told("SIPDefault.cnf")
		h.agent(s)
	} else {
		s.told("7960-font.xml")
	}
	return false
}

func (h *handset) agent(s server) {
	v := h.runs().Version[0]
	switch {
	case !h.answers:
	case v >= 8:
		s.agent("Cisco-CP7960G/8.0")
	case v >= 4:
		s.agent("CSCO/" + string(rune('0'+v)))
	default:
		s.agent("Cisco-SIPIPPhone/" + string(rune('0'+v)))
	}
}
