package web

import (
	"time"

	"phonebox/services/phone"
)

// Activity is what goes on at the box, and what it noticed that needs a person.
type Activity interface {
	// Transfers returns the files on their way to phones, those with the most to go, and how many there are in all.
	Transfers(most int) (list []Transfer, all int)
	// Recent returns what phones asked in the last minute.
	Recent() Recent
	// Hour returns how far the phones were in each minute of the last hour in which the box ran, the oldest first; the last is
	// the minute that runs.
	Hour() []Minute
	// Needs returns what needs a person and cannot be seen from the rest of the box's state. Where it is there, the notices of
	// the status are not shown beside it.
	Needs() []Need
}

// Transfer is a file on its way to a phone.
type Transfer struct {
	MAC     phone.MAC     `json:"mac,omitzero"` // zero = nobody knows whose address it is
	Address string        `json:"address"`
	File    string        `json:"file"`
	Size    int64         `json:"size"`    // in bytes
	Bytes   int64         `json:"bytes"`   // that the phone has
	Took    time.Duration `json:"took_ns"` // since it was asked for
	Waiting bool          `json:"waiting"` // for its turn: others are sent first
}

// Recent is what phones asked in the last minute.
type Recent struct {
	Leases int          `json:"leases"` // addresses given, renewals left out
	Files  int          `json:"files"`  // sent to the last byte
	Times  int          `json:"times"`  // answers with the time
	Names  int          `json:"names"`  // names that were asked for
	Last   []PhoneEvent `json:"last"`   // a few of them, the newest first
}

// Minute is how far the phones were at the end of a minute.
type Minute struct {
	At time.Time `json:"at"` // when it began, by the box's clock as it is now
	Tally
}

// Tally counts phones by what matters. Phones that the site does not list are counted apart; what has an address and shows no
// sign of being a phone is not counted.
type Tally struct {
	Listed   int `json:"listed"`
	Ready    int `json:"ready"`
	OnTheWay int `json:"on_the_way"` // seen, and not ready yet
	Firmware int `json:"firmware"`   // of whom firmware is being written; not in OnTheWay
	Stuck    int `json:"stuck"`
	Never    int `json:"never"`    // listed and never seen
	Unlisted int `json:"unlisted"` // phones that nobody listed
}

// Count counts phones.
func Count(phones []Phone) (t Tally) {
	for i := range phones {
		p := &phones[i]
		if !p.Known {
			if looksLikePhone(p) {
				t.Unlisted++
			}
			continue
		}
		t.Listed++
		switch p.Step {
		case phone.Ready:
			t.Ready++
		case phone.Upgrading:
			t.Firmware++
		case phone.Stuck:
			t.Stuck++
		case "":
			t.Never++
		default:
			t.OnTheWay++
		}
	}
	return t
}

// looksLikePhone reports whether a device that nobody listed showed that it is a phone: by its DHCP class, or a file that it
// asked for. A laptop has an address and no more.
func looksLikePhone(p *Phone) bool {
	return p.Model != "" || p.Load != "" || p.Protocol != "" || p.Step != "" && p.Step != phone.Seen && p.Step != phone.Addressed
}

// Level says how much a need presses.
type Level int

// The levels, the worst first.
const (
	Pressing Level = iota // phones do not work because of it
	Due                   // they will not, or somebody waits for a person
	Someday               // worth a look when there is time
)

// Need is one thing that needs a person.
type Need struct {
	Key   string   `json:"key"` // a-z, 0-9 and -; the same as long as it is the same need
	Level Level    `json:"level"`
	What  string   `json:"what"`           // a short sentence: The box does not know the right time.
	Why   string   `json:"why"`            // one sentence: what that means, and the cure
	More  []string `json:"more,omitempty"` // sentences: what is known of it
	Who   []string `json:"who,omitempty"`  // names and addresses of those that it is about; they are shown as they are
	Do    []Deed   `json:"do"`
}

// Deed is a link or a button that does something about a need; the first of a need is the one that is meant.
type Deed struct {
	Text   string   `json:"text"`
	Path   string   `json:"path"`
	Form   bool     `json:"form,omitempty"`   // it is sent; else it is a link
	Values []string `json:"values,omitempty"` // of the form's field server
	Clock  bool     `json:"clock,omitempty"`  // it is the form that takes the browser's time
}
