package journal

import (
	"net/netip"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// Kind says what an event means for the phone's step.
type Kind string

// The kinds. Facts of a phone's boot come first; Note is everything else that belongs into its timeline.
const (
	Packet       Kind = "packet"        // any packet of the phone (a DISCOVER, say): begins a boot when it is a DHCP one
	Lease        Kind = "lease"         // our ACK; Renewal tells a renewal from a boot
	Request      Kind = "request"       // a read request for File
	Transfer     Kind = "transfer"      // a transfer of File began, goes on or ended: see Phase
	FileMissing  Kind = "file_missing"  // File was answered with ERROR 1; Harmless tells if the phone needs it
	FileRefused  Kind = "file_refused"  // File was not for who asked
	Time         Kind = "time"          // the phone asked the time and got it
	Name         Kind = "name"          // the phone asked a name
	SIPAlive     Kind = "sip_alive"     // OPTIONS answered
	SIPSilent    Kind = "sip_silent"    // OPTIONS not answered
	HTTPFile     Kind = "http_file"     // the phone fetched a page or the logo
	Released     Kind = "released"      // a file with a password is about to be sent
	LeaseTrouble Kind = "lease_trouble" // NAK, DECLINE, pool empty, not stored
	LeaseEnded   Kind = "lease_ended"   // RELEASE or expiry
	Restart      Kind = "restart"       // check-sync was sent
	Hint         Kind = "hint"          // Clue tells what the phone runs: its CDP announcement, a person
	Note         Kind = "note"
)

// Phase of a transfer.
type Phase string

// The phases.
const (
	Started  Phase = "started"
	Progress Phase = "progress"
	Sent     Phase = "sent" // the last ACK came
	Aborted  Phase = "aborted"
)

// Event is one thing that happened to a phone. The journal fills ID, Step and, where zero, Time.
type Event struct {
	ID       uint64            `json:"id"`
	Time     time.Time         `json:"time"`
	MAC      phone.MAC         `json:"mac"`
	Service  string            `json:"service"` // dhcp, tftp, sntp, dns, sip, web, box
	Kind     Kind              `json:"kind"`
	Text     string            `json:"text"` // a sentence for people
	Address  netip.Addr        `json:"address,omitzero"`
	File     phone.FileName    `json:"file,omitzero"`
	Phase    Phase             `json:"phase,omitempty"`
	Transfer uint64            `json:"transfer,omitempty"`
	Size     int64             `json:"size,omitempty"`
	Bytes    int64             `json:"bytes,omitempty"`
	Harmless bool              `json:"harmless,omitempty"`
	Renewal  bool              `json:"renewal,omitempty"`
	Class    string            `json:"class,omitempty"` // option 60
	Load     string            `json:"load,omitempty"`  // the load that a file names
	Step     phone.Step        `json:"step"`            // after the event
	Details  map[string]string `json:"details,omitempty"`
	Agent    string            `json:"agent,omitempty"` // User-Agent of an answer to OPTIONS
	Clue     *ladder.Clue      `json:"clue,omitempty"`  // of a Hint; it is kept with the phone, not in the timeline
	Exchange *Exchange         `json:"-"`               // what was asked and sent by DHCP; it is kept with the phone, too
	Count    int               `json:"count,omitempty"` // the event stands for so many equal ones since Since; 0 = itself
	Since    time.Time         `json:"since,omitzero"`
}

// Phone is what is known of a phone now.
type Phone struct {
	MAC        phone.MAC      `json:"mac"`
	Address    netip.Addr     `json:"address,omitzero"`
	Model      string         `json:"model"` // "7940", "7960" or ""
	Load       string         `json:"load"`  // the load that it was last seen running, "" = not known
	Protocol   phone.Protocol `json:"protocol"`
	Loader     bool           `json:"loader"` // the universal loader was seen
	Step       phone.Step     `json:"step"`
	Since      time.Time      `json:"since"` // of the step
	WaitingFor string         `json:"waiting_for"`
	Problem    string         `json:"problem"`
	Updated    time.Time      `json:"updated,omitzero"` // last sign of life; zero = never seen
	Belief     ladder.Belief  `json:"belief,omitzero"`  // what the clues say together; Load, Protocol, Loader and Model follow it
}
