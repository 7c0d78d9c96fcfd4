package web

import (
	"context"
	"time"
)

// Starter is what the first-run wizard needs of the box beside its settings. Errors for people are *PublicError or *Refused.
type Starter interface {
	// StartState returns how far the wizard has come, and SetStartState keeps it over restarts.
	StartState() (StartState, error)
	SetStartState(ctx context.Context, state StartState) error
	// Neighbours are the devices that announced themselves to the box (CDP, LLDP), switches first.
	Neighbours() []Neighbour
	// Propose returns settings that fit what was seen on the wire. It may ask the wire which addresses are free, which takes a
	// second or two.
	Propose(ctx context.Context) Proposal
	// CheckFields says what the settings would refuse of these values, and changes nothing.
	CheckFields(values map[string]string) error
	// MovesItself reports whether the box sets its own address, so that a new one is in force at once.
	MovesItself() bool
	// Move puts values with another address of the box in force a moment after it returned, so that the answer to whoever asked
	// still arrives. Unless Arrived is called within MoveTime the box goes back to where it was.
	Move(ctx context.Context, values map[string]string, etag string) error
	// Moving returns the address that the box moved to and that nobody has been seen at yet; "" = it has not moved.
	Moving() string
	// Arrived says that a person found the page at the new address.
	Arrived()
	// CheckProxy looks a telephone system up as a phone does and asks whether it is there, within five seconds.
	CheckProxy(ctx context.Context, host, port string) ProxyCheck
}

// MoveTime is how long a person has to open the page at a new address of the box before it goes back to the old one.
const MoveTime = 10 * time.Minute

// StartState is how far the first-run wizard has come.
type StartState struct {
	Wanted bool     `json:"wanted"` // the box had no settings and no password when it was first switched on
	Done   []string `json:"done"`   // names of steps
	Later  []string `json:"later"`  // that were left for later
	// Problem is a sentence about something that happened meanwhile, such as that the box went back to its old address.
	Problem string `json:"problem,omitempty"`
}

// Neighbour is a device on the wire that announced itself, as a rule the switch. What it does not tell is empty or 0.
type Neighbour struct {
	Protocol string    `json:"protocol"` // CDP or LLDP
	MAC      string    `json:"mac"`
	Name     string    `json:"name"`
	Platform string    `json:"platform"`
	Port     string    `json:"port"`
	Address  string    `json:"address"`
	VLAN     int       `json:"vlan"`       // of frames without a tag, as the box sends them
	Voice    int       `json:"voice_vlan"` // that it tells phones to use
	Switch   bool      `json:"switch"`
	Heard    time.Time `json:"heard"`
}

// Proposal is what the settings could be.
type Proposal struct {
	Values map[string]string // by key; keys that are left out stay as they are
	Why    string            // a sentence: what it was made of; "" = nothing was seen that asks for other settings
}

// ProxyCheck is what asking a telephone system showed.
type ProxyCheck struct {
	OK        bool     `json:"ok"`
	Verdict   string   `json:"verdict"` // answers, no_answer, name_not_found, not_configured, failed
	Text      string   `json:"text"`    // a sentence
	NAT       string   `json:"nat,omitempty"`
	Addresses []string `json:"addresses"` // that the name leads to, with their ports
	Server    string   `json:"server"`    // what it calls itself
	TookMS    float64  `json:"took_ms"`
}
