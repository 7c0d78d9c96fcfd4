package journal

import (
	"time"

	"phonebox/services/phone"
)

// Trace are the facts of a phone's present boot by which a known trouble (phones.md c.6) is recognised. It is plain data:
// what the phone asked for and got, how often, and for how long.
type Trace struct {
	MAC      phone.MAC
	Step     phone.Step    // stuck among it
	Below    phone.Step    // the step below Stuck, else Step
	InStep   time.Duration // how long it is in Below
	Protocol phone.Protocol
	Load     string // that it runs; "" = not known
	Loader   bool   // the universal loader is there
	App      bool   // its SIP application was seen in this boot
	Trouble  string // what the journal recognised: time, missing, unreachable, unusable, breaks, image, old; "" = nothing

	Asked      string        // the name that it asks for over and over; "" = none
	AskedTimes int           // in a row, however answered
	AskedOver  time.Duration // from the first of them to now
	SEPTimes   int           // SEP<MAC>.cnf.xml in quick succession, each time answered
	OldTimes   int           // SEPDEFAULT.cnf and its like, which images too old for XML ask for
	Polls      int           // SIP<MAC>.cnf, asked by the SIP application and not got
	Broke      string        // the file of which the transfer breaks off; "" = none
	BrokeTimes int
	Image      string // the image that it fetched whole last and was not seen to run since; "" = none
	ImageTimes int

	Hunts   int            // searches for a load that it began
	Small   int            // files of one block that it got whole
	Fetched phone.Protocol // of the application that it fetched whole before it started; "" = none

	Told    string // load that its files name to it
	Hunted  bool   // it got a file that tells it what to run
	Lacks   string // name of a file that it needs and did not get
	Why     string // why not
	NoImage bool   // a firmware file that it asked for is not there
	Lease   string // what was wrong with its address, a sentence; "" = nothing
	Silent  bool   // its SIP application does not answer
}

// Trace returns the facts of a phone's present boot; false when it was never seen.
func (j *Journal) Trace(mac phone.MAC) (Trace, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	en := j.entries[mac]
	if en == nil || mac.IsZero() || en.state.Base == "" {
		return Trace{}, false
	}
	return en.state.trace(time.Now()), true
}

func (s *state) trace(now time.Time) Trace {
	r := &s.repeats
	t := Trace{
		MAC: s.MAC, Step: s.Step, Below: s.Base, InStep: now.Sub(s.entered), Protocol: s.Protocol, Load: s.Load, Loader: s.Loader, App: s.App,
		Trouble: string(s.Trouble), SEPTimes: r.seps, OldTimes: r.old, Polls: r.polls, Hunts: r.hunts, Small: r.small, Fetched: s.Fetched, Image: s.Flashed, ImageTimes: s.Times,
		Told: s.Told, Hunted: s.Hunted, Lacks: s.Lacks, Why: s.Why, NoImage: s.NoImage, Silent: s.Silent,
	}
	if r.count > 1 {
		t.Asked, t.AskedTimes, t.AskedOver = r.name, r.count, now.Sub(r.since)
	}
	if r.aborts > 0 {
		t.Broke, t.BrokeTimes = r.aborted, r.aborts
	}
	if s.Base == phone.Seen {
		t.Lease, t.Why = s.Why, ""
	}
	return t
}
