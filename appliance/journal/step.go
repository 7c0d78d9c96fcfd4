package journal

import (
	"net/netip"
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// trouble says why a phone is stuck; it decides what lets it go again.
type trouble string

const (
	troubleNone        trouble = ""
	troubleTime        trouble = "time"        // too long in one step
	troubleMissing     trouble = "missing"     // a firmware file that it needs is not there (phones.md c.6)
	troubleUnreachable trouble = "unreachable" // asks again although it was answered (a.7, a.8)
	troubleUnusable    trouble = "unusable"    // asks for CTLSEP and SEP about once a second (a.8)
	troubleBreaks      trouble = "breaks"      // transfers break off (a.8)
	troubleImage       trouble = "image"       // fetches the same image again and again (c.6)
	troubleOld         trouble = "old"         // too old for XML (c.6)
)

// maxOpen bounds the transfers that are remembered for one phone.
const maxOpen = 32

// state is all that is known of a phone. apply and tick are the only ways to change it; neither asks a clock, so that
// the same events at the same times always give the same steps. What has a JSON name lasts over a restart.
type state struct {
	Phone
	Base    phone.Step `json:"base"` // the step below Stuck
	Trouble trouble    `json:"trouble,omitempty"`
	IsPhone bool       `json:"is_phone"`          // it asked like one; a laptop is never stuck
	Booted  bool       `json:"booted"`            // its boot was seen; else it may have been running all along
	Leased  bool       `json:"leased,omitempty"`  // it has a lease of ours
	Gone    bool       `json:"gone,omitempty"`    // its lease ended
	Pending string     `json:"pending,omitempty"` // load that it fetched whole and writes now
	Flashed string     `json:"flashed,omitempty"` // image that it fetched last
	Times   int        `json:"times,omitempty"`   // how often in a row
	Silent  bool       `json:"silent,omitempty"`  // did not answer OPTIONS lately

	Clues []ladder.Clue `json:"clues,omitempty"` // to what it runs

	// Of this boot.
	App     bool           `json:"app,omitempty"`      // its SIP application was seen
	Quiet   bool           `json:"quiet,omitempty"`    // it asks for nothing more, and showed no SIP application
	Asked   bool           `json:"asked,omitempty"`    // it asked for a file
	Fetched phone.Protocol `json:"fetched,omitempty"`  // of the application that it fetched whole before this boot
	Wanted  []string       `json:"wanted,omitempty"`   // loads of which it asked for an image
	Hunted  bool           `json:"hunted,omitempty"`   // it got a file that tells it what to run
	Extras  bool           `json:"extras,omitempty"`   // it got the ring list or the dial plan
	Told    string         `json:"told,omitempty"`     // load that the files name
	ToldSIP string         `json:"told_sip,omitempty"` // of them those of the SIP application
	Loads   string         `json:"loads,omitempty"`    // load whose .loads it got
	Lacks   string         `json:"lacks,omitempty"`    // name of a file that it needs and did not get
	Why     string         `json:"why,omitempty"`      // why not, in words
	NoImage bool           `json:"no_image,omitempty"`
	Acked   time.Time      `json:"acked,omitzero"`        // when this boot got its address from us; the box's time
	First   string         `json:"first,omitempty"`       // the file that it asked for first after that
	After   time.Duration  `json:"first_after,omitempty"` // how long after that

	next     string    // what its conversion does or waits for, a sentence; "" = nothing
	offered  string    // load that the file being sent names
	open     transfers // that run
	percent  int64     // of the firmware that is being sent
	mark     uint64    // transfers up to this number began before the boot
	ackedAt  time.Time // Acked for timers; zero = not since the box started
	asksNot  bool      // it has an address of ours and asks for no file
	entered  time.Time // of Base; this and the next two are for timers
	hunt     time.Time // last request that belongs to a search for a load
	firmware time.Time // end of the last firmware transfer
	told     time.Time // when it got the last file that names a load to its SIP application
	xml      string    // load that the last XML file of this boot named, until the phone is seen to go on from it
	xmlAt    time.Time // when it got that file
	blind    time.Time // when the box started again, while it is not known how the boot went on meanwhile
	answered time.Time // last answer to OPTIONS
	repeats  repeats
}

// moment is what apply needs to know besides the event.
type moment struct {
	now      time.Time // for timers: Go's monotonic clock, which nobody sets
	at       time.Time // for people: the box's time
	transfer uint64    // the highest number of a transfer that was seen so far, of any phone
	target   string    // load that the site wants on this phone; "" = none
}

func newState(mac phone.MAC) *state { return &state{Phone: Phone{MAC: mac}} }

// migrate readies a state that was read back. The version before knew the load without the clues to it.
func (s *state) migrate() {
	if len(s.Clues) == 0 && s.Load != "" {
		s.Clues = []ladder.Clue{ladder.ToldNot(s.Load, s.Updated)}
	}
	if len(s.Clues) > 0 {
		s.conclude()
	}
}

// restored readies a state that was stored: its timers begin anew.
func (s *state) restored(now time.Time) {
	s.entered, s.hunt, s.firmware, s.blind = now, now, now, now
}

// rank orders the steps of a boot; Stuck has none.
func rank(p phone.Step) int {
	switch p {
	case phone.Seen:
		return 1
	case phone.Addressed:
		return 2
	case phone.Loading:
		return 3
	case phone.Upgrading:
		return 4
	case phone.Configured:
		return 5
	case phone.Ready:
		return 6
	}
	return 0
}

// enter begins a step.
func (s *state) enter(step phone.Step, at, now time.Time) {
	s.Base, s.Step, s.Since, s.entered = step, step, at, now
	s.Trouble, s.Problem = troubleNone, ""
}

// raise goes on to a step if that is further than the present one.
func (s *state) raise(step phone.Step, at, now time.Time) {
	if rank(step) > rank(s.Base) {
		s.enter(step, at, now)
	}
}

// stick makes the phone stuck in the step where it is.
func (s *state) stick(t trouble, problem string, at time.Time) {
	if s.Step != phone.Stuck {
		s.Since = at
	}
	s.Step, s.Trouble, s.Problem = phone.Stuck, t, problem
}

// release ends being stuck; the step below goes on, with its timer anew.
func (s *state) release(at, now time.Time) {
	if s.Step == phone.Stuck {
		s.enter(s.Base, at, now)
	}
}

// boot begins a boot: a reboot returns every phone to seen. A phone that asks for an address over and over has not
// come further by that.
func (s *state) boot(e *Event, m moment) {
	s.mark = m.transfer
	if s.Base != phone.Seen || s.Gone {
		s.Fetched = ""
	}
	s.restarted(e.Time)
	if s.Booted && s.Base == phone.Seen && !s.Gone {
		return
	}
	s.Gone = false
	s.App, s.Quiet, s.Asked, s.Hunted, s.Extras, s.NoImage, s.Silent = false, false, false, false, false, false, false
	s.Told, s.ToldSIP, s.Loads, s.Lacks, s.Why, s.offered, s.xml, s.Wanted = "", "", "", "", "", "", "", nil
	s.open, s.percent, s.firmware = nil, 0, time.Time{}
	s.Acked, s.ackedAt, s.First, s.After, s.asksNot = time.Time{}, time.Time{}, "", 0, false
	s.repeats = repeats{}
	s.Booted, s.blind = true, time.Time{}
	if len(s.Clues) > 0 {
		s.conclude() // what was only likely has to be seen again in this boot
	}
	s.enter(phone.Seen, e.Time, m.now)
}

// apply takes one event in and fills its Step.
func (s *state) apply(e *Event, m moment) {
	if e.Service == boxService && e.Kind != Hint { // no sign of life: a phone that was never seen stays so
		e.Step = s.Step
		return
	}
	if e.Kind == Hint && e.Clue != nil && e.Clue.Source == ladder.FromPerson {
		s.hint(e)
		e.Step = s.Step
		return
	}
	if s.Base == "" {
		s.enter(phone.Seen, e.Time, m.now)
	}
	s.Updated = e.Time
	s.learnClass(e.Class, e.Time)
	switch e.Kind {
	case Packet:
		s.packet(e, m)
	case Lease:
		s.back(e, m)
		s.address(e)
		s.acked(e, m)
		s.raise(phone.Addressed, e.Time, m.now)
	case LeaseEnded:
		s.Gone, s.Silent, s.Address = true, false, netip.Addr{}
		s.enter(phone.Seen, e.Time, m.now)
	case LeaseTrouble:
		s.Why = e.Text
	case Request, FileMissing:
		s.back(e, m)
		s.request(e, m)
	case FileRefused:
		s.refused(e, m)
	case Transfer:
		s.back(e, m)
		s.transfer(e, m)
	case Time, Name, HTTPFile:
		s.back(e, m)
		s.address(e)
		s.raise(phone.Addressed, e.Time, m.now)
	case SIPAlive:
		s.back(e, m)
		s.alive(e, m)
	case SIPSilent:
		s.Silent = s.Base == phone.Ready && s.Protocol == phone.SIP
	case Hint:
		s.hint(e)
	case Released, Restart, Note:
	}
	s.ready(e.Time, m)
	s.describe()
	e.Step = s.Step
}

// back notes that a phone whose lease had ended shows itself.
func (s *state) back(e *Event, m moment) {
	if s.Gone {
		s.Gone = false
		s.enter(phone.Seen, e.Time, m.now)
	}
}

func (s *state) address(e *Event) {
	if e.Address.IsValid() {
		s.Address = e.Address
	}
}

// packet is a packet without further meaning. Of DHCP it begins a boot, unless it renews a lease or the phone has an
// address of its own and asks for the rest (DHCPINFORM).
func (s *state) packet(e *Event, m moment) {
	switch {
	case e.Service == "dhcp" && !e.Renewal && !e.Address.IsValid():
		s.boot(e, m)
	case e.Address.IsValid():
		s.back(e, m)
		s.address(e)
		s.raise(phone.Addressed, e.Time, m.now)
	default:
		s.back(e, m)
	}
}

// lateAnswer is how long after the beginning of a boot an answer to OPTIONS may still be that of before the boot.
const lateAnswer = 10 * time.Second

// alive: the SIP application answered OPTIONS.
func (s *state) alive(e *Event, m moment) {
	s.Silent, s.answered = false, m.now
	s.address(e)
	s.learnAgent(e)
	s.runs(phone.SIP, e.Time, m)
	if rank(s.Base) >= rank(phone.Configured) && m.now.Sub(s.told) >= provedAfter {
		s.proved(s.ToldSIP, e.Time)
	}
	switch {
	case s.Base == phone.Configured:
		s.Extras = true
	case rank(s.Base) < rank(phone.Loading) && (!s.Booted || m.now.Sub(s.entered) > lateAnswer):
		// It asked for no file since we look: it was running before, and a phone without a configuration would poll.
		s.enter(phone.Ready, e.Time, m.now)
	}
}

// ready applies the rule for SIP: configured, then the application seen, and no file open.
func (s *state) ready(at time.Time, m moment) {
	if s.Base != phone.Configured || !s.Extras || len(s.open) > 0 {
		return
	}
	s.enter(phone.Ready, at, m.now)
}

// asksBy is how long after its address a phone has asked for its first file, if it asks us: they need a few seconds.
const asksBy = 30 * time.Second

// acked notes that a boot got its address; a renewal is none.
func (s *state) acked(e *Event, m moment) {
	if !e.Renewal && s.First == "" {
		s.Acked, s.ackedAt = e.Time, m.now
	}
}

// took notes the first request for a file after the address. It shows that the phone went by a TFTP server that names this
// box: of options 66 and 150 and the field siaddr, which all do, it cannot be told which.
func (s *state) took(e *Event, m moment) {
	s.asksNot = false
	if s.First != "" || s.Acked.IsZero() {
		return
	}
	s.First = e.File.Clean
	if s.After = e.Time.Sub(s.Acked); !s.ackedAt.IsZero() {
		s.After = m.now.Sub(s.ackedAt)
	}
}

// tick looks at the time: the end of an upgrade, the minute of quiet after which a phone on SCCP is ready, and stuck.
func (s *state) tick(m moment) (changed bool) {
	before := s.Step
	if s.Gone || !s.Booted || s.Base == "" {
		return false
	}
	if s.Base == phone.Upgrading && !s.flashing() && m.now.Sub(s.firmware) >= phone.UpgradeGrace {
		s.enter(phone.Loading, m.at, m.now)
		s.hunt = m.now
	}
	s.asksNot = s.Base == phone.Addressed && s.IsPhone && s.First == "" && !s.ackedAt.IsZero() && m.now.Sub(s.ackedAt) >= asksBy
	if s.wentOn(m) {
		s.enter(phone.Ready, m.at, m.now)
	}
	if s.quiet(m) {
		s.quietly(m)
		if m.target == "" || strings.EqualFold(s.Load, m.target) {
			s.enter(phone.Ready, m.at, m.now)
		} else {
			s.Lacks = "the load " + m.target
			s.Why = "the phone speaks SCCP and no file names that load to it yet"
		}
	}
	if limit := s.limit(); limit > 0 && s.Step != phone.Stuck && s.IsPhone && m.now.Sub(s.entered) >= limit {
		s.stick(troubleTime, s.tooLong(), m.at)
	}
	s.describe()
	return s.Step != before
}

// pollsBy is how long after the last request a SIP application that has no configuration has asked for it again: it does so
// every 31 s, now and then after 34 (phones.md a.5).
const pollsBy = 40 * time.Second

// wentOn reports whether a phone came to the end of its boot while the box was off, or in the seconds of which the journal
// was lost: its SIP application answers and, unlike one without a configuration, asks for nothing.
func (s *state) wentOn(m moment) bool {
	return !s.blind.IsZero() && rank(s.Base) < rank(phone.Ready) && s.answered.After(s.blind) && len(s.open) == 0 && m.now.Sub(s.blind) >= pollsBy
}

// quiet reports whether the phone got what it should run, does not search any more, and showed no SIP application.
func (s *state) quiet(m moment) bool {
	if s.Base != phone.Loading || s.App || !s.Hunted || len(s.open) > 0 || m.now.Sub(s.hunt) < phone.QuietTime {
		return false
	}
	for _, name := range []string{s.Told, s.Loads} {
		if name != "" && !application(name, phone.SCCP) {
			return false // it is on its way to something else
		}
	}
	return true
}

// limit is how long a phone may stay in its step: what the phone itself needs, plus half.
func (s *state) limit() time.Duration {
	switch {
	case s.Base == phone.Ready:
		return 0
	case s.Base == phone.Upgrading:
		return phone.FlashTime * 3 / 2
	case s.Base == phone.Loading && s.App:
		return phone.PollInterval * 3 / 2
	}
	return phone.LoaderHunt * 3 / 2
}

// flashing reports whether a firmware transfer runs.
func (s *state) flashing() bool {
	for _, t := range s.open {
		if t.file.Kind.IsFirmware() {
			return true
		}
	}
	return false
}
