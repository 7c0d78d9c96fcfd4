package ladder

import (
	"time"

	"phonebox/services/phone"
)

// Source says where a clue comes from.
type Source string

// The sources of clues.
const (
	FromClass   Source = "class"   // DHCP option 60 (phones.md b)
	FromNames   Source = "names"   // the files that it asks for, and their order (phones.md a.1 to a.4)
	FromToldNot Source = "told"    // it was told a load and did not ask for it: it runs it (phones.md a, common first steps)
	FromFetched Source = "fetched" // it fetched an image whole and started again
	FromAgent   Source = "agent"   // User-Agent or Server of an answer to SIP OPTIONS (phones.md f.2)
	FromCDP     Source = "cdp"     // its CDP announcement
	FromPerson  Source = "person"  // the site says what it runs
)

// Confidence says how far a clue may be trusted; more is better.
type Confidence int

// The confidences.
const (
	NoIdea Confidence = iota
	Guess             // fits, and other things fit as well
	Likely            // true unless something went wrong meanwhile, or somebody lied
	Sure              // the phone itself said or showed it
)

// Answer is yes, no, or not known.
type Answer int8

// The answers; the zero value is "not known".
const (
	Unknown Answer = iota
	Yes
	No
)

// Clue is one observation. Fields that it says nothing about are zero.
type Clue struct {
	Source     Source         `json:"source"`
	Confidence Confidence     `json:"confidence"`
	At         time.Time      `json:"at"`
	Text       string         `json:"text"` // a sentence for people: what was seen and what it means
	Model      string         `json:"model,omitempty"`
	Protocol   phone.Protocol `json:"protocol,omitempty"`
	Load       string         `json:"load,omitempty"`     // exact name, without suffix
	NotLoad    string         `json:"not_load,omitempty"` // it asked for an image of this load, so it does not run it yet
	Before     string         `json:"before,omitempty"`   // FromFetched: the load that still runs if the writing failed; "" = not known
	Major      int            `json:"major,omitempty"`    // first number of the release
	Loader     Answer         `json:"loader,omitempty"`   // the universal loader is there
	Signed     Answer         `json:"signed,omitempty"`   // the image takes signed files (.sbn) and no others (phones.md c.3)
	XML        Answer         `json:"xml,omitempty"`      // an SCCP image reads XML
}

// Belief is what is known of what a phone runs, all clues taken together.
type Belief struct {
	Model      string         `json:"model"`
	Load       string         `json:"load"`             // "" = not known
	Before     string         `json:"before,omitempty"` // Load is only Likely: what runs if its writing failed
	Protocol   phone.Protocol `json:"protocol"`
	Major      int            `json:"major,omitempty"`
	Loader     Answer         `json:"loader"`
	Signed     Answer         `json:"signed"`
	XML        Answer         `json:"xml"`
	Confidence Confidence     `json:"confidence"` // of Load, or of Protocol and Major while that is not known
	Why        []string       `json:"why"`        // the clues that decided, a sentence each
	// Beside is set where Load is what a CDP announcement says, which nobody signed: what is known without that.
	Beside *Facts `json:"beside,omitempty"`
}

// Facts are what is known of a phone short of its load.
type Facts struct {
	Protocol   phone.Protocol `json:"protocol,omitempty"`
	Major      int            `json:"major,omitempty"`
	Loader     Answer         `json:"loader,omitempty"`
	Signed     Answer         `json:"signed,omitempty"`
	XML        Answer         `json:"xml,omitempty"`
	Confidence Confidence     `json:"confidence,omitempty"` // of Protocol and Major
}
