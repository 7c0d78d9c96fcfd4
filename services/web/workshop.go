package web

import (
	"context"
	"io"
	"time"

	"phonebox/services/phone"
)

// Workshop is what a technician does with phones beyond their settings: conversions, files, imports, checks. Errors for
// people are *PublicError or *Refused.
type Workshop interface {
	// Conversion returns where a phone's conversion stands.
	Conversion(mac phone.MAC) (Conversion, bool)
	Conversions() []Conversion
	// Direct gives an order to a phone's conversion: go, skip, stop, next or after.
	Direct(ctx context.Context, mac phone.MAC, order string) error
	// Plan says how a phone would get from one load to another with the firmware that is there.
	Plan(from, to string) (Conversion, error)

	// Parameters returns every parameter of a phone with its value and where that comes from; secrets are masked. The zero
	// MAC means any phone of the site.
	Parameters(mac phone.MAC) ([]Parameter, bool)
	// Explain says for each file that the phone can ask for what it would get now and whether its absence matters.
	Explain(ctx context.Context, mac phone.MAC) (Explanation, error)

	// RestartAll restarts phones one after the other; no MACs = all that run SIP. Progress goes on after the call returns.
	RestartAll(ctx context.Context, macs []phone.MAC) error
	RestartProgress() RestartProgress
	// CheckLines registers each line of a phone (line 0 = all) at its proxy and takes the registration back.
	CheckLines(ctx context.Context, mac phone.MAC, line int) ([]LineCheck, error)
	// AskPhone asks the phone itself over telnet, where the site enables that.
	AskPhone(ctx context.Context, mac phone.MAC) (PhoneReport, error)

	// Import reads an archive of a TFTP root, a .csv, an .xlsx or a .vcf; dry = say only what it would do.
	Import(ctx context.Context, name string, content io.Reader, dry bool) (ImportReport, error)
	// Waiting returns the imports from USB sticks that wait for a yes; Decide says it, or no.
	Waiting() []ImportReport
	Decide(ctx context.Context, id string, yes bool) (ImportReport, error)
	// ExportPhones returns the list of phones as "csv" or "xlsx"; secrets only when asked for.
	ExportPhones(format string, secrets bool) (content []byte, name, contentType string, err error)

	DialPlan() DialPlan
	// ReadDialPlan reads a dialplan.xml of somewhere else as tolerantly as phones do; what is odd is a warning.
	ReadDialPlan(text string) (DialPlan, error)
	// SetDialPlan takes the rules of the editor.
	SetDialPlan(ctx context.Context, plan DialPlan, etag string) error
	// TestNumber says which rule wins for a number.
	TestNumber(plan DialPlan, number string) (DialResult, error)
	// ReadyPlan returns the ready-made plan of a country; Countries are their codes.
	ReadyPlan(country string) (DialPlan, bool)
	Countries() []string

	Contacts() (contacts []Contact, etag string)
	SetContacts(ctx context.Context, contacts []Contact, etag string) error

	Rings() []Ring
	// AddRing converts a WAV and puts it on the ring list; it says what was changed ("cut to 2.01 s").
	AddRing(ctx context.Context, name string, wav io.Reader) (said string, err error)
	RemoveRing(ctx context.Context, file string) error
	// SetLogo converts a picture; nil takes the drawn name again. Logo returns the BMP that phones get, as a PNG.
	SetLogo(ctx context.Context, picture io.Reader) (said string, err error)
	Logo() (png []byte, own bool)

	// Images returns every file of the firmware shelf.
	Images() []FirmwareFile
	RemoveFile(ctx context.Context, name string) error
	// NextChange says when the phones' clocks change next: "28 March 2027, 02:00"; "" = never.
	NextChange() string
	// PhoneClock says what the clock of a phone shows; the zero MAC means any phone without a time zone of its own.
	PhoneClock(mac phone.MAC) PhoneClock
	// PhoneClocks are those of the phones for which that is not what holds for all.
	PhoneClocks() []PhoneClock
	// Troubles are the known troubles of these phones, with their cures.
	Troubles() []Trouble
}

// Conversion is one phone's way to its load.
type Conversion struct {
	MAC      phone.MAC        `json:"mac"`
	Label    string           `json:"label,omitempty"`
	Runs     string           `json:"runs"` // the load, or in words: "SIP 4.x, not known which"
	Sure     string           `json:"sure"` // how that is known, a sentence
	Target   string           `json:"target"`
	Phase    string           `json:"phase"` // arrived, waiting, going, blocked, failed, skipped, stopped
	Text     string           `json:"text"`
	Steps    []ConversionStep `json:"steps"`
	Missing  []string         `json:"missing"`
	Done     int              `json:"done"`
	Attempts int              `json:"attempts"`
	Unplug   bool             `json:"unplug"` // false: its power must not be cut now
	Changed  time.Time        `json:"changed,omitzero"`

	Start  string            `json:"start,omitempty"`   // what it ran when it set out, in words
	Set    time.Time         `json:"set,omitzero"`      // when that was
	Taken  []ConversionTaken `json:"taken,omitempty"`   // the steps that it took since
	ByHand bool              `json:"by_hand,omitempty"` // it goes on only when a person cuts its power for a moment
	Order  string            `json:"order,omitempty"`   // skip, stop or after while it holds
	Pinned bool              `json:"pinned,omitempty"`  // the site names a load for this phone alone, or leaves it on what it runs
	Back   string            `json:"back,omitempty"`    // the load that it came from, where it can be sent back there

	File    string  `json:"file,omitempty"`   // the image that is being sent to it or that it writes; "" = none
	Sent    int64   `json:"sent,omitempty"`   // bytes of it
	Size    int64   `json:"size,omitempty"`   // 0 = not known
	Sending bool    `json:"sending"`          // it is on its way; false beside a File: it is being written
	LeftS   float64 `json:"left_s,omitempty"` // seconds that its steps will take from now on, without waiting for a turn
}

// ConversionTaken is a step that a phone took.
type ConversionTaken struct {
	From string    `json:"from"` // the load, or in words what it was believed to run
	To   string    `json:"to"`
	At   time.Time `json:"at"`
}

// ConversionStep is one rung.
type ConversionStep struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Files   []string `json:"files"`
	Missing []string `json:"missing,omitempty"`
	Source  string   `json:"source"`
	Minutes float64  `json:"minutes"`
	Display string   `json:"display"`
	Maybe   bool     `json:"maybe,omitempty"`
	Confirm bool     `json:"confirm,omitempty"` // only a start that shows what it runs
}

// Parameter is one parameter of a phone, as it holds.
type Parameter struct {
	Name    string   `json:"name"`
	Value   string   `json:"value"`
	From    string   `json:"from"`
	Hidden  []string `json:"hidden,omitempty"` // "the site: g711alaw"
	File    string   `json:"file"`
	Allowed string   `json:"allowed"`
	Default string   `json:"default"`
	First   string   `json:"first,omitempty"` // release
	Help    string   `json:"help"`
}

// Explanation is what a person should know of a phone now.
type Explanation struct {
	Step     string        `json:"step"`
	Waits    string        `json:"waits"` // what it waits for
	Long     string        `json:"long"`  // for how long that is normal
	Next     string        `json:"next"`  // what comes then
	Files    []ExplainFile `json:"files"`
	Troubles []Trouble     `json:"troubles"` // recognised now
	Clues    []string      `json:"clues"`    // what is known of what it runs, and from what
}

// ExplainFile is one file that the phone can ask for.
type ExplainFile struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, harmless, missing, refused
	Why    string `json:"why"`
}

// PhoneClock is what a phone's clock shows now and after the next change.
type PhoneClock struct {
	MAC    phone.MAC `json:"mac,omitzero"` // zero = all that are told nothing of their own
	Label  string    `json:"label,omitempty"`
	Zone   string    `json:"zone"`  // IANA name of where it is
	Told   string    `json:"told"`  // what it was told, in words
	Shows  []ShownAt `json:"shows"` // now, and at the next change: of the phone, of the zone, or of both at once
	Doubts []string  `json:"doubts,omitempty"`
	// Warning says how the phone differs from its zone in the next ten years; "" = not at all.
	Warning string `json:"warning,omitempty"`
	// Restart says that the phone goes by what it was told before, until it starts again.
	Restart bool `json:"restart,omitempty"`
}

// ShownAt is what a phone shows at a moment.
type ShownAt struct {
	At     time.Time `json:"at"`      // UTC
	Local  string    `json:"local"`   // what the phone shows then: "Sun 28 Mar 2027, 03:00"
	Before string    `json:"before"`  // and just before, where it changes then
	Offset string    `json:"offset"`  // of that from UTC: "+02:00"
	Wrong  int       `json:"wrong_s"` // by how many seconds the phone is ahead of its zone
}

// Trouble is a known trouble (phones.md c.6).
type Trouble struct {
	Symptom string `json:"symptom"` // as the phone or the page shows it
	Cause   string `json:"cause"`
	Cure    string `json:"cure"`
}

// RestartProgress is how far restarting many phones has come.
type RestartProgress struct {
	Running bool          `json:"running"`
	Total   int           `json:"total"`
	Done    int           `json:"done"`
	Failed  []RestartFail `json:"failed"`
}

// RestartFail is a phone that could not be restarted.
type RestartFail struct {
	MAC phone.MAC `json:"mac"`
	Why string    `json:"why"`
}

// LineCheck is what registering one line showed.
type LineCheck struct {
	Line    int    `json:"line"`
	Name    string `json:"name"`
	Proxy   string `json:"proxy"`
	OK      bool   `json:"ok"`
	Verdict string `json:"verdict"` // the words of sip.VerdictKind: right_password, wrong_password, no_answer, ...
	Text    string `json:"text"`    // a sentence
	NAT     string `json:"nat,omitempty"`
}

// PhoneReport is what a phone said of itself over telnet.
type PhoneReport struct {
	Lines  []string `json:"lines"`  // a sentence each: which line is registered where
	Lacks  []string `json:"lacks"`  // parameters that are unprovisioned
	Output string   `json:"output"` // what it printed, without passwords
}

// ImportReport says what an import would do or did.
type ImportReport struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"` // of the upload or the stick
	Dry      bool            `json:"dry"`
	Verdicts []ImportVerdict `json:"verdicts"`
	Summary  string          `json:"summary"`        // "3 phones added, 1 changed, 12 files stored, 2 left out"
	Site     string          `json:"site,omitempty"` // dry: what the site file would become, secrets masked
}

// ImportVerdict is what becomes of one file or row.
type ImportVerdict struct {
	Where    string   `json:"where"`   // SIP0006D7AA2A2E.cnf, row 7
	Verdict  string   `json:"verdict"` // phone, site, firmware, ring, logo, dial plan, contacts, own file, ignored, refused
	Text     string   `json:"text"`
	Warnings []string `json:"warnings,omitempty"` // "line 12: nat_enabel is not known; nat_enable was probably meant"
}

// DialPlan is a dial plan as the editor shows it.
type DialPlan struct {
	Country  string     `json:"country"` // BE, ...; "" = own rules
	Rules    []DialRule `json:"rules"`
	Text     string     `json:"text,omitempty"` // the file
	Warnings []string   `json:"warnings,omitempty"`
	ETag     string     `json:"etag,omitempty"`
}

// DialRule is a row.
type DialRule struct {
	Match   string `json:"match"`
	Timeout string `json:"timeout"` // seconds; "" = the phone's default
	User    string `json:"user"`
	Rewrite string `json:"rewrite"`
	Route   string `json:"route"`
	Tone    string `json:"tone"` // up to three, with commas
	Comment string `json:"comment"`
}

// DialResult is what a phone would do with a number.
type DialResult struct {
	Rule  int      `json:"rule"` // 1-based; 0 = none
	Match string   `json:"match"`
	Sent  string   `json:"sent"`
	After string   `json:"after"` // "at once", "after 5 s"
	Route string   `json:"route"`
	Trace []string `json:"trace"` // digit by digit, a sentence each
}

// Contact is an entry of the directory besides the phones.
type Contact struct {
	Name   string `json:"name"`
	Number string `json:"number"`
}

// Ring is a ring of the ring list.
type Ring struct {
	Name    string  `json:"name"`
	File    string  `json:"file"`
	Seconds float64 `json:"seconds"`
	Fault   string  `json:"fault,omitempty"`
}

// FirmwareFile is a file of the shelf.
type FirmwareFile struct {
	Name   string   `json:"name"`
	Size   int64    `json:"size"`
	SHA256 string   `json:"sha256"`
	Inside string   `json:"inside"` // the name that it was signed under
	Loader string   `json:"loader"` // loader id
	Loads  []string `json:"loads"`  // that it is a part of
	Fault  string   `json:"fault,omitempty"`
	Same   []string `json:"same,omitempty"` // other files with the same content
}
