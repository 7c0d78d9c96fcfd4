package journal

import (
	"time"

	"phonebox/services/phone"
)

// request is a read request, answered with a file or with ERROR 1.
func (s *state) request(e *Event, m moment) {
	f := e.File
	s.address(e)
	s.blind = time.Time{}
	if s.restarts(f.Kind) {
		s.boot(e, m)
	} else if begins(f.Kind) {
		s.restarted(e.Time)
	}
	s.took(e, m)
	s.Booted = true
	if f.Kind != phone.KindOther {
		s.IsPhone = true
	}
	s.raise(phone.Addressed, e.Time, m.now)
	s.raise(phone.Loading, e.Time, m.now)
	s.learnFile(e, m)
	s.offered = e.Load
	if e.Kind == FileMissing && !e.Harmless {
		s.missing(e)
	}
	s.again(f, e, m)
}

// restarts reports whether a request begins a boot that DHCP did not show (a static address, a lost packet): the first
// files of the boot orders (phones.md a.2-a.4), asked by a phone that was past them.
func (s *state) restarts(k phone.Kind) bool {
	flashed := s.Base == phone.Upgrading && !s.flashing()
	switch k {
	case phone.KindTrustList, phone.KindOS79XX:
		return flashed || rank(s.Base) >= rank(phone.Configured)
	case phone.KindSIPDefault:
		return flashed || s.Base == phone.Ready
	case phone.KindSEP:
		return flashed
	}
	return false
}

// begins reports whether a name is among the first of a boot: who asks for it has written what it fetched.
func begins(k phone.Kind) bool {
	return k == phone.KindTrustList || k == phone.KindOS79XX || k == phone.KindSIPDefault || k == phone.KindSEP || k == phone.KindSEPOld
}

// searches reports whether a name belongs to the hunt for a load.
func searches(k phone.Kind) bool {
	switch k {
	case phone.KindOS79XX, phone.KindTrustList, phone.KindSEP, phone.KindSEPOld, phone.KindSIP, phone.KindMGC,
		phone.KindXMLDefault, phone.KindSIPDefault, phone.KindLoads:
		return true
	}
	return k.IsFirmware()
}

// missing notes a file that the phone needs and that is not there.
func (s *state) missing(e *Event) {
	f := e.File
	s.Lacks, s.Why = f.Clean, e.Details["why"]
	switch {
	case f.Kind == phone.KindLoads || f.Kind.IsFirmware():
		s.NoImage = true
		if s.Why == "" {
			s.Why = "that file is not on the shelf"
		}
		s.stick(troubleMissing, "It is to load "+f.Clean+", and that file is not on the shelf.", e.Time)
	case s.Why != "":
	case f.Kind == phone.KindSIP:
		s.Why = "there is no configuration for this phone"
	default:
		s.Why = "that file is not there"
	}
}

// refused: the file was not for who asked, or the phone may not have it now. Only a request from where the phone itself is
// says something about it: asking for an image shows that it does not run that load.
func (s *state) refused(e *Event, m moment) {
	if e.Address.IsValid() && e.Address == s.Address {
		if e.File.Kind.IsFirmware() {
			s.learnFile(e, m)
		}
		s.Lacks, s.Why = e.File.Clean, e.Details["why"]
		if s.Why == "" {
			s.Why = "it was refused, because the request did not come from the phone itself"
		}
	}
}

// transfer is a transfer that began, goes on or ended. One from before the boot says nothing any more: the server gives
// it up half a minute later.
func (s *state) transfer(e *Event, m moment) {
	if e.Transfer != 0 && e.Transfer <= s.mark {
		return
	}
	s.address(e)
	s.Booted = true
	s.raise(phone.Addressed, e.Time, m.now)
	s.raise(phone.Loading, e.Time, m.now)
	switch e.Phase {
	case Started, Progress:
		s.opened(e, m)
	case Sent:
		s.open.end(e.Transfer)
		s.sent(e, m)
	case Aborted:
		s.open.end(e.Transfer)
		if e.File.Kind.IsFirmware() {
			s.firmware = m.now
		}
		s.brokeOff(e)
	}
}

func (s *state) opened(e *Event, m moment) {
	s.open.begin(e.Transfer, e.File)
	if !e.File.Kind.IsFirmware() {
		return
	}
	s.percent = 0
	if e.Size > 0 {
		s.percent = e.Bytes * 100 / e.Size
	}
	if s.Base != phone.Upgrading || s.Trouble == troubleMissing {
		s.enter(phone.Upgrading, e.Time, m.now)
	}
}

// sent: the last ACK came, so the phone has the file.
func (s *state) sent(e *Event, m moment) {
	f := e.File
	if s.letsGo(f) {
		s.release(e.Time, m.now)
	}
	if s.Lacks == f.Clean {
		s.Lacks, s.Why = "", ""
	}
	switch f.Kind {
	case phone.KindSEP, phone.KindXMLDefault:
		s.Told, s.Hunted = s.offered, true
		s.xml, s.xmlAt = s.offered, m.now
	case phone.KindOS79XX:
		s.Told, s.Hunted = s.offered, true
	case phone.KindSIPDefault:
		s.Told, s.ToldSIP, s.told = s.offered, s.offered, m.now
	case phone.KindSIP:
		if s.offered != "" {
			s.Told, s.ToldSIP = s.offered, s.offered
		}
		s.told = m.now
		s.raise(phone.Configured, e.Time, m.now)
	case phone.KindLoads:
		s.Loads, s.Hunted, s.NoImage = f.Load, true, false
	case phone.KindRingList, phone.KindDialPlan:
		s.Extras = true
	case phone.KindLoader, phone.KindApplication:
		s.flashed(e, m)
	}
	if e.Size < 512 && !f.Kind.IsFirmware() {
		s.repeats.small++
	}
	s.repeats.answered(f)
}

// flashed: the phone has the whole image and writes it now.
func (s *state) flashed(e *Event, m moment) {
	s.firmware = m.now
	s.pends(e.File)
	if s.Flashed == e.File.Clean {
		s.Times++
	} else {
		s.Flashed, s.Times = e.File.Clean, 1
	}
	if s.Base != phone.Upgrading {
		s.enter(phone.Upgrading, e.Time, m.now)
	}
	if s.Times >= maxFlashes {
		s.stick(troubleImage, "It fetched "+s.Flashed+" several times and does not start it: the image was renamed, is damaged, or is not signed "+
			"for this phone.", e.Time)
	}
}

// letsGo reports whether getting the file ends what the phone is stuck with.
func (s *state) letsGo(f phone.FileName) bool {
	switch s.Trouble {
	case troubleMissing, troubleBreaks:
		return f.Clean == s.Lacks
	case troubleUnusable:
		return f.Kind != phone.KindSEP && f.Kind != phone.KindTrustList
	case troubleImage, troubleOld:
		return false
	}
	return true
}

const (
	maxRequests = 5                // of the same file, unanswered: the loader's five of one port (phones.md a.7)
	requestSpan = 20 * time.Second // in which they come
	maxAborts   = 3                // of the same file in one boot
	maxFlashes  = 3                // of the same image, without its application having been seen
	maxOldAsks  = 6                // for SEPDEFAULT.cnf
)

// repeats finds what a phone does over and over (phones.md c.6). Its polling, every 31 s, is none of it.
type repeats struct {
	name    string    // asked for last
	since   time.Time // the first of the row
	count   int
	seps    int       // SEP<MAC>.cnf.xml, whatever was asked between
	sepFrom time.Time // the first of them
	old     int
	polls   int // SIP<MAC>.cnf, by the SIP application, without getting it
	hunts   int // first files of a search for a load
	small   int // files of one block that were got whole
	aborted string
	aborts  int
}

// answered: the phone got the file, so it is reached.
func (r *repeats) answered(f phone.FileName) {
	if f.Clean == r.name {
		r.count = 0
	}
	if f.Clean == r.aborted {
		r.aborts = 0
	}
	if f.Kind == phone.KindSIP {
		r.polls = 0
	}
}

// again counts a request.
func (s *state) again(f phone.FileName, e *Event, m moment) {
	r := &s.repeats
	if f.Clean != r.name || r.count == 0 || m.now.Sub(r.since) > requestSpan {
		r.name, r.since, r.count = f.Clean, m.now, 0
	}
	r.count++
	if f.Kind == phone.KindSEP && e.Kind == Request { // a file that is not there cannot be the unusable one
		if r.seps == 0 || m.now.Sub(r.sepFrom) > requestSpan {
			r.seps, r.sepFrom = 0, m.now
		}
		r.seps++
	}
	if f.Kind == phone.KindSEPOld {
		r.old++
	}
	if f.Kind == phone.KindSIP && s.App && e.Kind == FileMissing {
		r.polls++
	}
	if (f.Kind == phone.KindTrustList || f.Kind == phone.KindOS79XX) && r.count == 1 {
		r.hunts++
	}
	switch {
	case r.count >= maxRequests:
		s.Lacks, s.Why = f.Clean, "the answers do not reach the phone"
		s.stick(troubleUnreachable, "It asks for "+f.Clean+" again and again although it was answered: the answers do not reach the phone "+
			"(a firewall, a second network card, another cable).", e.Time)
	case r.seps >= maxRequests:
		s.Lacks, s.Why = f.Clean, "the phone cannot use what it gets"
		s.stick(troubleUnusable, "It asks for its configuration about once a second although it got it: it cannot use what is in it.", e.Time)
	case r.old >= maxOldAsks:
		s.stick(troubleOld, "Its firmware is too old to read XML; it needs OS79XX.TXT to name a newer SCCP load first.", e.Time)
	}
}

// brokeOff counts a transfer that the phone did not get whole.
func (s *state) brokeOff(e *Event) {
	r := &s.repeats
	if r.aborted != e.File.Clean {
		r.aborted, r.aborts = e.File.Clean, 0
	}
	r.aborts++
	if r.aborts >= maxAborts {
		s.Lacks, s.Why = e.File.Clean, "its transfer breaks off"
		s.stick(troubleBreaks, "Small answers reach it, but the transfer of "+e.File.Clean+" breaks off again and again: look at its cable, "+
			"the duplex setting of the switch port, and the link.", e.Time)
	}
}
