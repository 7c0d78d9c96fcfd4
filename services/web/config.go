package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
)

// Config is where the page is and to whom it answers.
type Config struct {
	HTTP      netip.AddrPort // the box's port 80; with Single: the one loopback port
	HTTPS     netip.AddrPort // port 443; not valid with Single
	Server    netip.Prefix   // before a password is set, only addresses of this network are answered
	Domain    string         // phonebox.<domain> is a name of the box
	Names     []string       // further host names that requests may carry
	PlainHTTP bool           // web.plain_http: passwords and /api on port 80 as well
	Single    bool           // -try: all on the one loopback port
	CertDir   string         // -data/certs
	Version   string
}

// Deps are what the page needs from outside; all are required but where it says what nil means.
type Deps struct {
	Box     Box
	Shop    Workshop
	Files   PhoneFiles
	Secrets Secrets
	Forms   SiteForms // the settings as forms; nil = those pages say that they are not there
	Now     func() time.Time
	Uptime  func() time.Duration // of the process; nothing sets it. nil = counted from New
	Log     *slog.Logger
	Metrics prometheus.Gatherer // served at /metrics; nil = an empty page
	Report  func(Event)         // must not block
	// Start is what the first-run wizard needs; nil = there is no wizard.
	Start Starter
	// Activity is what goes on now, for the overview; nil = it shows no transfers and no chart.
	Activity Activity
	// Converter is what the pages of conversions need beyond Shop; nil = they show and order only what Shop can.
	Converter Converter
	// Registerer takes the page's own counters; nil = they are not exported.
	Registerer prometheus.Registerer
	// Fleet changes many phones at once and keeps the lines that wait for one; nil = the pages say that this box cannot.
	Fleet Fleet
	// Desk serves the page of one phone; nil = nothing is known of what phones got last, and none can be recorded.
	Desk Desk
	// Editors shows the bytes of directory, rings and logo to their editors; nil = those pages say that they are not there.
	Editors Editors
	// Names are what people called phones, lines and other people, which stays as it is in every language, and the version of
	// them; nil = a name that is also a word of the page is translated in sentences.
	Names func() (version string, names func() []string)
	// System is the box as a machine: its log, backups, changes and power; nil = its pages are not there.
	System System
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventLogin       EventKind = "login"
	EventLoginFailed EventKind = "login_failed"
	EventSetup       EventKind = "setup"      // the first password was set
	EventChanged     EventKind = "changed"    // a person changed something: What says it
	EventSecrets     EventKind = "secrets"    // the site was read with its secrets
	EventSlowed      EventKind = "slowed"     // logins of an address are refused for a while: too many passwords were wrong
	EventDropped     EventKind = "dropped"    // a request was refused: What says why
	EventPhoneFile   EventKind = "phone_file" // a phone fetched a file over HTTP: What is its path
)

// Event is one thing that a person or a phone did over HTTP.
type Event struct {
	Kind EventKind
	Time time.Time
	From netip.Addr
	MAC  phone.MAC
	What string
	Code int
	By   *Actor // who, and how; nil = nobody said
}

// Secrets keeps the password's hash and the session keys over restarts.
type Secrets interface {
	Password() (hash string, err error) // "" = none set yet
	SetPassword(hash string) error
	SessionStore
}

// Status is GET /api/v1/status.
type Status struct {
	Version  string             `json:"version"`
	UptimeS  int64              `json:"uptime_s"`
	Ready    bool               `json:"ready"`
	Services map[string]Service `json:"services"` // dhcp, tftp, sntp, dns, web, sip
	Clock    Clock              `json:"clock"`
	Others   []OtherDHCP        `json:"other_dhcp_servers"`
	Decision DHCPDecision       `json:"dhcp_decision"`
	Network  Network            `json:"network"`
	// Notices are sentences that a person should read: a refused site file, a store that cannot be written, ...
	Notices []string `json:"notices,omitempty"`
	// NotAnswered are the packets and requests of the last hour that got no answer, the most frequent reason first.
	NotAnswered []NotAnswered `json:"not_answered"`
}

// NotAnswered is one reason why packets were not answered.
type NotAnswered struct {
	Service string    `json:"service"`
	Reason  string    `json:"reason"` // in words
	Count   int       `json:"count"`
	MAC     phone.MAC `json:"mac,omitzero"` // of the last one; zero = not known
	Address string    `json:"address,omitempty"`
	Last    time.Time `json:"last"`
}

// Service is the state of one service.
type Service struct {
	State  string `json:"state"` // running, held, failed or off
	Detail string `json:"detail"`
}

// Clock is what the box knows about the time.
type Clock struct {
	Trusted bool    `json:"trusted"`
	Source  string  `json:"source"`
	Stratum int     `json:"stratum"`
	OffsetS float64 `json:"offset_s"`
	// ErrorS is how wrong the time may be; HeldS how long ago the server that the box goes by was heard, 0 = it goes by none.
	ErrorS   float64      `json:"error_s"`
	HeldS    float64      `json:"held_s"`
	DriftPPM float64      `json:"drift_ppm"`         // by which the computer's own clock is made to run faster
	Now      time.Time    `json:"now"`               // the box's time, UTC
	Since    time.Time    `json:"since,omitzero"`    // of the last correction
	RTC      string       `json:"rtc,omitempty"`     // a sentence: what was found of real-time clocks at the start
	Problem  string       `json:"problem,omitempty"` // a sentence: why no server is followed, why the clock can't be set
	Servers  []TimeServer `json:"servers,omitempty"`
}

// TimeServer is an upstream time server.
type TimeServer struct {
	Name    string  `json:"name"` // as configured
	Address string  `json:"address"`
	Verdict string  `json:"verdict"` // followed, agrees, outlier, not right, disagrees, silent; "" = not asked yet
	Stratum int     `json:"stratum"` // 0 = it has said nothing usable
	OffsetS float64 `json:"offset_s"`
	DelayS  float64 `json:"delay_s"`
	ErrorS  float64 `json:"error_s"`
	Reach   uint8   `json:"reach"`         // a bit for each of the last eight questions, 1 = answered
	Why     string  `json:"why,omitempty"` // why its last answer could not be used
}

// OtherDHCP is another DHCP server on the wire.
type OtherDHCP struct {
	Address  string       `json:"address"`
	MAC      string       `json:"mac"`     // "" = only a client spoke of it
	Offered  string       `json:"offered"` // "" = nothing was heard of
	First    time.Time    `json:"first"`
	Seen     time.Time    `json:"seen"` // last
	Options  []DHCPOption `json:"options,omitempty"`
	Accepted bool         `json:"accepted"` // somebody decided that the box serves beside it
}

// DHCPOption is an option of a DHCP packet in words.
type DHCPOption struct {
	Code  uint8  `json:"code"`
	Name  string `json:"name"` // "" = one that phonebox has no name for
	Value string `json:"value"`
}

// DHCPDecision is what a person decided about other DHCP servers; the zero value = nothing.
type DHCPDecision struct {
	Serve   bool      `json:"serve"`
	Servers []string  `json:"servers"` // beside these
	Every   bool      `json:"every"`   // beside every one, as older versions let people decide
	Blind   bool      `json:"blind"`   // although the wire cannot be searched
	Time    time.Time `json:"time"`
}

// Network is the interface of the box, and what is wrong on its wire.
type Network struct {
	Condition      string `json:"condition"` // missing, down, unplugged, no_address or ready
	Text           string `json:"text"`      // a sentence, what is wrong included
	MAC            string `json:"mac"`
	Duplicate      string `json:"duplicate"`       // the MAC of another host with the box's address; "" = none
	Foreign        string `json:"foreign_network"` // a network on this wire that is not the box's; "" = none
	ForeignGateway string `json:"foreign_gateway"`
}

// Phone is an entry of GET /api/v1/phones.
type Phone struct {
	MAC        phone.MAC      `json:"mac"`
	Label      string         `json:"label"`
	Model      string         `json:"model"`
	Address    string         `json:"address"`
	Load       string         `json:"load"`
	Protocol   phone.Protocol `json:"protocol"`
	Known      bool           `json:"known"`
	Step       phone.Step     `json:"step"` // "" = listed and never seen
	WaitingFor string         `json:"waiting_for"`
	Problem    string         `json:"problem"`
	Updated    time.Time      `json:"updated"`
	Lines      string         `json:"lines"` // the numbers of its lines, with ", " between them
}

// PhoneEvent is an entry of a timeline.
type PhoneEvent struct {
	ID      uint64            `json:"id"`
	Time    time.Time         `json:"time"`
	MAC     phone.MAC         `json:"mac"`
	Service string            `json:"service"`
	Kind    string            `json:"kind"`
	Text    string            `json:"text"` // a sentence for people
	Step    phone.Step        `json:"step"` // after the event
	Details map[string]string `json:"details,omitempty"`
	Facts   EventFacts        `json:"facts,omitzero"`
}

// PhoneDHCP is GET /api/v1/phones/{mac}/dhcp: what a phone asked by DHCP last, and what it got.
type PhoneDHCP struct {
	// Took says what the phone made of the TFTP server that it was told with its address; "" = not known yet.
	Took string `json:"took"`
	// Exchanges are the last search for an address and the last other request, the newest first.
	Exchanges []Exchange `json:"exchanges"`
}

// PhoneTime is GET /api/v1/phones/{mac}/time.
type PhoneTime struct {
	Asked *TimeAsked `json:"asked"` // its last question for the time; null = none is known
}

// TimeAsked is a question of a phone for the time, and what it was told. Of a phone that asks all the time one in ten seconds
// is told, with how many there were.
type TimeAsked struct {
	Time        time.Time `json:"time"`
	Address     string    `json:"address"` // of the phone
	Mode        int       `json:"mode"`    // of its packet: 3 = client, 1 = symmetric
	Version     int       `json:"version"` // of NTP
	To          string    `json:"to"`      // where it sent that: the box, or an address of everybody
	Destination string    `json:"destination"`
	Stratum     int       `json:"stratum"`   // that it was told; 16 = that the box does not know the time
	TooOften    bool      `json:"too_often"` // it was told to ask less often instead (kiss code RATE)
	Count       int       `json:"count"`     // so many questions since the one before that was told
}

// Exchange is one packet of a phone and the answer to it.
type Exchange struct {
	Time     time.Time    `json:"time"`
	Type     string       `json:"type"`      // DISCOVER, REQUEST, INFORM
	SentType string       `json:"sent_type"` // OFFER, ACK, NAK; "" = it was not answered
	Address  string       `json:"address"`   // that the answer is about
	Why      string       `json:"why"`       // why it was not answered
	Relay    string       `json:"relay"`     // the relay that it came through; "" = none
	Circuit  string       `json:"circuit"`   // what the relay says of the port (option 82, suboption 1)
	Remote   string       `json:"remote"`    // and of itself (suboption 2)
	Asked    []DHCPOption `json:"asked"`
	AskedHex string       `json:"asked_hex"` // the packet as it came, from op to the padding
	Sent     []DHCPOption `json:"sent"`
	SentHex  string       `json:"sent_hex"`
}

// Names is what the page knows of names: GET /api/v1/names, and its missing ones GET /api/v1/names/missing.
type Names struct {
	Missing []MissingName
	Mapped  []MappedName
	Hosts   []string // of dns.hosts
	Domain  string
	On      bool   // the box answers names
	Local   string // the name that multicast DNS answers for, such as phonebox.local; "" = none now
}

// MissingName is a name that somebody asked an IPv4 address for and that has none.
type MissingName struct {
	Name     string    `json:"name"`
	Why      string    `json:"why"` // in words
	Count    int       `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Mappable bool      `json:"mappable"` // it can be led somewhere
	Askers   []Asker   `json:"askers"`   // the last few, the most eager first
}

// Asker is somebody who asked for a name.
type Asker struct {
	MAC     phone.MAC `json:"mac,omitzero"` // zero = not known
	Label   string    `json:"label,omitempty"`
	Address string    `json:"address"`
	Count   int       `json:"count"`
	Last    time.Time `json:"last"`
}

// MappedName is a name that the settings lead somewhere.
type MappedName struct {
	Name    string `json:"name"`
	Target  string `json:"target"`  // phonebox, a host, or an address
	Address string `json:"address"` // where that is now
}

// Fault is one thing wrong with settings.
type Fault struct {
	Line    int    `json:"line"` // 0 for a form
	Key     string `json:"key"`
	Found   string `json:"found"`
	Allowed string `json:"allowed"`
}

// Refused is the error of settings that were refused as a whole.
type Refused struct{ Faults []Fault }

// Error lists the faults, a line each.
func (r *Refused) Error() string {
	s := "the settings were refused"
	for _, f := range r.Faults {
		s += "\n" + f.Key + ": found " + f.Found + ", allowed " + f.Allowed
	}
	return s
}

// StaleError says that the settings changed since they were read.
type StaleError struct{}

// Error implements error.
func (StaleError) Error() string {
	return "the settings changed since this page was loaded; load it again"
}

// Field is one setting of the site as a form shows it.
type Field struct {
	Key     string // network.address
	Group   string // Network
	Label   string // Address of the box
	Help    string
	Value   string   // lists: one entry a line
	Kind    string   // text, number, bool, list, choice, map (name = value, one a line)
	Choices []string // for choice
	Secret  bool     // Value is masked; an unchanged mask keeps the value

	Words     []string // what each of Choices means; nil = they speak for themselves
	Allowed   string   // what is allowed, for a sentence
	Default   string   // in the notation of Value
	Required  bool     // nothing is no value
	Example   string   // a value that is allowed; of lists and maps one entry
	Unit      string   // in what it is counted, for a sentence; "" = in nothing
	Catalogue bool     // the names of the map are parameters of the phones' catalogue
}

// PhoneEntry is a listed phone as the form shows it.
type PhoneEntry struct {
	MAC, Model, Label, Address string
	OpenConfig, OwnFiles       bool
	Zone                       string // IANA name; "" = that of the site
	Lines                      []LineEntry
	Parameters                 map[string]string
	Forced                     map[string]string // names that the catalogue does not know
	Load, Runs                 string            // its own target, "stay" or ""; the load that a person says it runs
}

// LineEntry is a line of a listed phone. An unchanged [Mask] as Password keeps the password.
type LineEntry struct {
	Name, AuthName, Password, DisplayName, ShortName string
	Proxy, Port                                      string // "" = those of the site
}

// Mask stands for a secret that is set.
const Mask = "********"

// Settings is the site file, read and changed as a whole. Every change takes the etag that it is based on; errors are
// *Refused, StaleError, or a failure of the box.
type Settings interface {
	TOML(secrets bool) (text []byte, etag string)
	Replace(ctx context.Context, text []byte, etag string) (newETag string, err error)
	Fields() (fields []Field, etag string)
	SetFields(ctx context.Context, values map[string]string, etag string) error
	Phone(mac phone.MAC) (entry PhoneEntry, etag string, ok bool)
	// PutPhone adds a phone (zero mac) or replaces the one with that mac.
	PutPhone(ctx context.Context, mac phone.MAC, entry PhoneEntry, etag string) error
	RemovePhone(ctx context.Context, mac phone.MAC, etag string) error
}

// FileAnswer is what a phone would get for a name now; Body is nil unless Status is "ok".
type FileAnswer struct {
	Status      string // ok, harmless, missing, refused
	Why         string
	Body        []byte
	ContentType string
}

// UploadVerdict says what became of one uploaded file.
type UploadVerdict struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Why  string `json:"why"`
}

// Firmware is the shelf.
type Firmware struct {
	Loads  []FirmwareLoad `json:"loads"`
	Faults []string       `json:"faults"` // files that are not served, and why
}

// FirmwareLoad is one load on the shelf.
type FirmwareLoad struct {
	Name    string   `json:"name"`
	Files   []string `json:"files"`
	Missing []string `json:"missing"`
}

// Box is the appliance as the page sees it.
type Box interface {
	Status() Status
	// Health probes every enabled service; failed maps the service to a sentence.
	Health(ctx context.Context) (status Status, failed map[string]string)
	Phones() []Phone
	Phone(mac phone.MAC) (Phone, bool)
	Events(mac phone.MAC) ([]PhoneEvent, bool)
	// DHCP returns what a phone asked by DHCP last and what it got; false for a phone that is not known.
	DHCP(mac phone.MAC) (PhoneDHCP, bool)
	// Time returns when a phone asked the time last and what it was told; false for a phone that is not known.
	Time(mac phone.MAC) (PhoneTime, bool)
	// Subscribe delivers all events live until cancel is called; a reader that is too slow loses events, never blocks.
	Subscribe() (events <-chan PhoneEvent, cancel func())
	Settings() Settings
	File(ctx context.Context, mac phone.MAC, name string) (FileAnswer, error)
	Restart(ctx context.Context, mac phone.MAC) error
	Firmware() Firmware
	// AddFirmware stores one uploaded file (an image or an archive of images) and says what became of each part, also of
	// those before an error.
	AddFirmware(ctx context.Context, name string, content io.Reader) ([]UploadVerdict, error)
	SetClock(ctx context.Context, unix float64) error
	// ServeAnyway ends a hold of DHCP because these servers answered; none = those that are known now. HoldBack takes
	// that back for all of them. LookAgain searches the wire now.
	ServeAnyway(ctx context.Context, servers []netip.Addr) error
	HoldBack(ctx context.Context) error
	LookAgain()
	// Names returns the names that nobody answers and those that the settings lead somewhere.
	Names() Names
	// MapName leads a name to a target (phonebox, a host, an address) from now on; an empty target takes that back. Errors
	// are *Refused or a failure of the box.
	MapName(ctx context.Context, name, target string) error
	// Gokrazy is the handler of the operating system's own page, behind our login; nil where there is none.
	Gokrazy() http.Handler
}

// PhoneFiles answers the GETs of phones: name is the path without the leading "/phone/", query its query string.
type PhoneFiles interface {
	PhoneFile(ctx context.Context, from netip.Addr, name, query string) (FileAnswer, http.Header)
}
