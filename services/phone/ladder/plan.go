package ladder

import (
	"errors"
	"time"

	"phonebox/services/phone"
)

// Load is a firmware load on the shelf.
type Load struct {
	Name    string   // P0S3-8-12-00
	Files   []string // that are there and whole, with suffix
	Missing []string // empty = the load is whole; else names, each with the reason where there is one
	Loader  string   // the loader image of its bundle, without suffix: P003-8-12-00; "" = it has none
}

// Shelf is the firmware that is there.
type Shelf []Load

// Step is one rung: the phone fetches Files, writes them and then runs To.
type Step struct {
	From    string        `json:"from"`              // the load, or in words what it is believed to be: "SIP 4.x"
	To      string        `json:"to"`                // the load
	Naming  phone.Naming  `json:"naming"`            // what the files say to the phone while the step lasts (phones.md c.5)
	Files   []string      `json:"files"`             // that the phone fetches for it, in order, with suffix
	Missing []string      `json:"missing,omitempty"` // of Files, what is not on the shelf or not whole, with the reason
	Source  string        `json:"source"`            // phones.md c.4 [CME2]
	Takes   time.Duration `json:"takes"`             // from the phone's power-up to To running (phones.md a.4)
	Display string        `json:"display"`           // what the phone's screen and lamps show meanwhile
	// Maybe: what the phone runs is not known exactly, and it may be on To already. It then does not fetch Files.
	Maybe bool `json:"maybe,omitempty"`
	// Confirm: a start with the load named that it should run already, to be sure of it before the next step. To is From.
	Confirm bool `json:"confirm,omitempty"`
}

// Expects says whether the phone may be given this firmware file in this step, else why not.
func (s Step) Expects(file phone.FileName) (ok bool, why string) { return false, "" }

// Plan finds the way from what a phone is believed to run to a load. The error is a sentence for people: why no way is
// known, and what to do.
func Plan(from Belief, to string, shelf Shelf) (Path, error) { return Path{}, errors.ErrUnsupported }

// Path is the way of one phone.
type Path struct {
	To    string `json:"to"`
	Steps []Step `json:"steps"` // empty = it is there
	// Missing are the files of all steps that are not on the shelf, a sentence each.
	Missing []string `json:"missing,omitempty"`
}
