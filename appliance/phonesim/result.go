package phonesim

import (
	"net/netip"
	"time"

	"phonebox/services/phone"
)

// EventKind says what a virtual phone did or met.
type EventKind string

// The kinds of events.
const (
	EventBoot       EventKind = "boot"       // power on, or a reset
	EventStep       EventKind = "step"       // Step changed
	EventDHCP       EventKind = "dhcp"       // an offer, a lease, a refusal, a renewal
	EventRequest    EventKind = "request"    // File was asked for (the first request, not its repetitions)
	EventFile       EventKind = "file"       // File was got
	EventMissing    EventKind = "missing"    // File was answered with an error
	EventUnanswered EventKind = "unanswered" // File was asked for as often as a phone asks, in vain
	EventFlash      EventKind = "flash"      // an image goes into flash
	EventPower      EventKind = "power"      // the power was cut
	EventClock      EventKind = "clock"      // the time was got
	EventName       EventKind = "name"       // a name was asked
	EventPage       EventKind = "page"       // something was fetched over HTTP
	EventSIP        EventKind = "sip"        // a SIP request came or was sent
	EventTelnet     EventKind = "telnet"     // the command line opened, or somebody came or left
	EventFault      EventKind = "fault"      // a server did something that it must not do
	EventDone       EventKind = "done"       // the phone is where it is expected to get
)

// Event is one thing that happened to a virtual phone.
type Event struct {
	Time time.Time
	MAC  phone.MAC
	Kind EventKind
	Step phone.Step // after the event
	Text string     // a sentence for people
	File string     // the name as asked for
}

// Outcome is how a phone's run ended.
type Outcome string

// The outcomes.
const (
	OutcomeReady   Outcome = "ready"   // by the rules of the design, "Steps of a phone"
	OutcomePolling Outcome = "polling" // StateBare: it asks for its configuration every 31 s, as it should
	OutcomeFailed  Outcome = "failed"  // the time ran out first
	OutcomeDamaged Outcome = "damaged" // it is dead: the power was cut in the wrong moment, or it was given what phones.md c.4 does not allow
)

// Answer is what came of asking for a file.
type Answer string

// The answers.
const (
	AnswerGot        Answer = "got"        // the last block arrived and was acknowledged
	AnswerError      Answer = "error"      // a TFTP ERROR: Code and Text
	AnswerUnanswered Answer = "unanswered" // silence
	AnswerBroken     Answer = "broken"     // the transfer broke off
)

// File is the last answer to one name.
type File struct {
	Name   string        `json:"name"`
	Answer Answer        `json:"answer"`
	Code   uint16        `json:"code"` // of an error
	Text   string        `json:"text,omitempty"`
	Size   int           `json:"size"`
	SHA256 string        `json:"sha256,omitempty"`
	Boot   int           `json:"boot"` // in which boot, from 1
	Times  int           `json:"times"`
	Took   time.Duration `json:"took_ns"`
}

// Page is what came of an HTTP GET.
type Page struct {
	URL    string `json:"url"`
	Status int    `json:"status"` // 0 = no answer
	Size   int    `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Retransmissions counts what had to be sent again, per protocol.
type Retransmissions struct {
	DHCP int `json:"dhcp"`
	TFTP int `json:"tftp"`
	SNTP int `json:"sntp"`
	DNS  int `json:"dns"`
	SIP  int `json:"sip"`
}

// Result is what became of one phone. It holds no secret of a configuration.
type Result struct {
	MAC        phone.MAC     `json:"mac"`
	Model      string        `json:"model"`
	State      State         `json:"state"` // as it was switched on
	Broadcast  bool          `json:"broadcast"`
	Outcome    Outcome       `json:"outcome"`
	Step       phone.Step    `json:"step"`
	WaitingFor string        `json:"waiting_for,omitempty"`
	Problem    string        `json:"problem,omitempty"`
	After      time.Duration `json:"after_ns"` // from power on to the outcome
	Address    netip.Addr    `json:"address,omitzero"`
	Boots      int           `json:"boots"`
	// PowerCycles is how often the power was cut.
	PowerCycles int      `json:"power_cycles"`
	Display     string   `json:"display,omitempty"` // what it shows
	Load        string   `json:"load"`              // the application in flash at the end
	LoaderID    string   `json:"loader,omitempty"`  // LA_VERSION of the universal loader in flash
	Erased      bool     `json:"erased,omitempty"`  // there is no whole application in flash
	Damaged     bool     `json:"damaged,omitempty"` // the phone is dead
	Flashed     []string `json:"flashed,omitempty"` // names of the images written, in order
	Files       []File   `json:"files"`
	Pages       []Page   `json:"pages,omitempty"`
	Lines       []string `json:"lines,omitempty"` // line names of SIP<MAC>.cnf
	// ClockOffset is the server's time minus ours, in seconds; nil when the phone did not get the time.
	ClockOffset  *float64 `json:"clock_offset_s"`
	ClockStratum uint8    `json:"clock_stratum,omitempty"`
	// ClockServer is who told the time last, ClockAnswers how often the phone asked and was told, and ClockHeard how often it
	// took the time that somebody sends to everybody.
	ClockServer  netip.Addr `json:"clock_server,omitzero"`
	ClockAnswers int        `json:"clock_answers,omitempty"`
	ClockHeard   int        `json:"clock_heard,omitempty"`
	Proxy        string     `json:"proxy,omitempty"`         // where the proxy was found, address and port
	RegisterCode int        `json:"register_code,omitempty"` // the proxy's last answer to REGISTER of the first line; 0 = none
	// Registrations are the lines that register, in order.
	Registrations []Registration  `json:"registrations,omitempty"`
	Telnet        netip.AddrPort  `json:"telnet,omitzero"` // where the phone's command line listens; not valid = nowhere
	Retransmits   Retransmissions `json:"retransmissions"`
	// RetransmitsByLoss are those of Retransmits before which the link lost a frame from or to the phone on purpose ([Faults]),
	// RetransmitsByServers the others.
	RetransmitsByLoss    Retransmissions `json:"retransmissions_by_injected_loss"`
	RetransmitsByServers Retransmissions `json:"retransmissions_by_servers"`
	// Addressed is the time from power on to the first address of the last boot, 0 without one.
	Addressed time.Duration `json:"addressed_ns"`
	Renewals  Renewals      `json:"renewals"`
	Image     *Image        `json:"image,omitempty"`   // nil where none was to be fetched, or its turn never came
	MovedTo   netip.Addr    `json:"moved_to,omitzero"` // the address that the phone had after it was plugged in elsewhere
	Notes     []string      `json:"notes,omitempty"`   // ProfileBasic: what is odd about the servers, each once
	Faults    []string      `json:"faults,omitempty"`  // what the servers did wrong, each once
}

// Renewals counts what became of a phone's lease after it had it.
type Renewals struct {
	Renewed int `json:"renewed"`        // by the server that gave it
	Rebound int `json:"rebound"`        // by whoever answered, from T2 on
	Failed  int `json:"failed"`         // refused, or nobody answered until the lease ran out
	Lost    int `json:"lost_addresses"` // addresses that the phone had to give up
}

// Image is a file that a phone downloaded because [Config].Image says so.
type Image struct {
	Size   int           `json:"size"`
	SHA256 string        `json:"sha256,omitempty"`
	Done   time.Duration `json:"done_ns"` // from power on to the last block; 0 = not done
	Took   time.Duration `json:"took_ns"`
	Error  string        `json:"error,omitempty"`
}

// OK reports whether the phone got where it was expected to get and no server did anything wrong on the way.
func (r Result) OK() bool {
	there := r.Outcome == OutcomeReady || r.Outcome == OutcomePolling
	return there && len(r.Faults) == 0 && (r.Image == nil || r.Image.Done > 0)
}

// File returns the answer to a name (as asked for), and false when it was never asked for.
func (r Result) File(name string) (File, bool) {
	for _, f := range r.Files {
		if f.Name == name {
			return f, true
		}
	}
	return File{}, false
}
