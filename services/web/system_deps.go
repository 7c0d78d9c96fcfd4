package web

import (
	"context"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"phonebox/services/phone"
)

// System is the box as a machine that is kept: what it is, its log, its backups, its earlier settings and who changed
// what. Texts that it returns are sentences without secrets.
type System interface {
	Computer
	Backups
	Changelog
	// Log returns lines of the daemon's log, the newest first, at most so many.
	Log(filter LogFilter, most int) LogLines
	// Diagnostics lists the parts of the bundle for asking help. None of them holds a secret.
	Diagnostics() []DiagnosticsPart
}

// Computer is what the box runs on.
type Computer interface {
	// Machine reads the facts anew.
	Machine() Machine
	// Powers says what can be done to daemon and computer.
	Powers() Powers
	// Power does one of them, soon after it returns: "restart", "reboot" or "off".
	Power(ctx context.Context, do string) error
}

// Machine is GET /api/v1/system: what the computer is and how it feels. Zero values were not to be had.
type Machine struct {
	Version   string     `json:"version"`
	Changed   bool       `json:"changed"` // built of sources that were changed after their last commit
	Go        string     `json:"go"`
	Kernel    string     `json:"kernel"`
	Board     string     `json:"board"`
	Arch      string     `json:"arch"`
	CPUs      int        `json:"cpus"`
	Load      float64    `json:"load"`       // of the last minute
	UptimeS   int64      `json:"uptime_s"`   // of the computer
	MemTotal  int64      `json:"mem_total"`  // bytes
	MemFree   int64      `json:"mem_free"`   // bytes
	Resident  int64      `json:"resident"`   // bytes that the daemon takes
	HeatC     float64    `json:"heat_c"`     // of the CPU, degrees Celsius; 0 = not known
	Supply    *Supply    `json:"supply"`     // null = the board does not tell
	DiskTotal int64      `json:"disk_total"` // of the data folder; bytes
	DiskFree  int64      `json:"disk_free"`
	ReadOnly  bool       `json:"read_only"` // the data folder cannot be written
	Data      string     `json:"data"`      // where that is
	Store     StoreFacts `json:"store"`
	Links     []Link     `json:"links"`
	// Supervisor says who starts the daemon again, and has a log of its own; "" = nobody known.
	Supervisor string `json:"supervisor"`
}

// Supply is what a Raspberry Pi says of its power supply and heat, now and since it was started.
type Supply struct {
	UnderVoltage    bool `json:"under_voltage"`
	Throttled       bool `json:"throttled"`
	Hot             bool `json:"hot"`
	WasUnderVoltage bool `json:"was_under_voltage"`
	WasThrottled    bool `json:"was_throttled"`
	WasHot          bool `json:"was_hot"`
}

// StoreFacts is what the store says.
type StoreFacts struct {
	Commits int64    `json:"commits"`   // groups of leases that were written
	MeanS   float64  `json:"mean_s"`    // what one took, sync included
	Slow    float64  `json:"slow"`      // the part of them that took longer than a quarter of a second
	Failing string   `json:"failing"`   // why leases cannot be written now; "" = they can
	Faults  []string `json:"faults"`    // damage that was found
	WaitMax int      `json:"waiting"`   // writes that wait now
	InMem   string   `json:"in_memory"` // why nothing lasts; "" = it does
}

// Link is a network interface.
type Link struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Up        bool     `json:"up"`      // switched on
	Running   bool     `json:"running"` // with a cable and somebody at its other end
	MTU       int      `json:"mtu"`
	Addresses []string `json:"addresses"`
	Ours      bool     `json:"ours"` // the one that phones are on
}

// Powers says what can be done; each is "" when it can, else a sentence why it cannot.
type Powers struct {
	Restart string `json:"restart"`
	Reboot  string `json:"reboot"`
	Off     string `json:"off"`
}

// LogFilter chooses lines of the log; zero values choose all.
type LogFilter struct {
	After   uint64   // lines behind this number
	Level   string   // debug, info, warn or error: this and above
	Service string   // the part that wrote it; "box" = none of the services
	Texts   []string // one of these is in it, in whatever case
	Text    string   // and this
}

// LogLines is an answer of the log.
type LogLines struct {
	Lines []LogLine `json:"lines"` // the newest first
	Last  uint64    `json:"last"`  // the number of the last line of all
	Gone  uint64    `json:"gone"`  // lines that are no longer kept
}

// LogLine is one line.
type LogLine struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Service string    `json:"service"` // "box" = none of the services
	Text    string    `json:"text"`
}

// DiagnosticsPart is a file of the bundle for asking help.
type DiagnosticsPart struct {
	Name  string // status.json
	About string // a sentence: what is in it
	Make  func(ctx context.Context) ([]byte, error)
}

// Backups makes and takes back what lasts. Errors of Stage, Restore and Undo are a *PublicError where people are at fault.
type Backups interface {
	// BackupParts lists what a backup made now could hold, in order.
	BackupParts() ([]BackupPart, error)
	// Backup writes a backup with these parts, encrypted unless passphrase is "". begin gets the name of the file and returns
	// where to write; what fails before begin was called can still be told to people.
	Backup(ctx context.Context, parts []string, passphrase string, begin func(name string) io.Writer) error
	// Stage reads a backup and says what restoring it would change. Nothing is changed.
	Stage(ctx context.Context, content io.Reader, passphrase string) (RestorePreview, error)
	// Staged is the backup that waits for a yes.
	Staged() (RestorePreview, bool)
	// Restore does it, as a whole: these parts of the staged backup with this ID.
	Restore(ctx context.Context, id string, parts []string) error
	// Forget drops the staged backup.
	Forget(ctx context.Context, id string) error
	// LastRestore is the one that can be taken back.
	LastRestore() (RestoreDone, bool)
	// Undo takes it back, once.
	Undo(ctx context.Context) error
}

// BackupPart is what can be backed up by itself.
type BackupPart struct {
	Name  string `json:"name"` // settings, files, firmware, certificate or password
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// RestorePreview says what a backup would change.
type RestorePreview struct {
	ID        string        `json:"id"`
	Made      time.Time     `json:"made"`
	Box       string        `json:"box"` // the name of the office where it was made
	By        string        `json:"by"`  // the version of phonebox that made it
	Encrypted bool          `json:"encrypted"`
	Parts     []RestorePart `json:"parts"`
	Warnings  []string      `json:"warnings"`
}

// RestorePart is what one part of a backup would change.
type RestorePart struct {
	Name     string       `json:"name"`
	Refused  string       `json:"refused,omitempty"` // why this part cannot be restored
	Files    int          `json:"files"`
	Bytes    int64        `json:"bytes"`
	Settings []KeyChange  `json:"settings,omitempty"`
	Changes  []FileChange `json:"changes,omitempty"`
	Same     int          `json:"same"` // files that are there already
}

// FileChange is one file that would be new, changed or gone.
type FileChange struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // new, changed or gone
	Size int64  `json:"size"`
}

// RestoreDone is a restore that was done.
type RestoreDone struct {
	Time  time.Time `json:"time"`
	Made  time.Time `json:"made"`
	Box   string    `json:"box"`
	Parts []string  `json:"parts"`
}

// KeyChange is one difference of the settings. It holds no secret.
type KeyChange struct {
	Key    string    `json:"key"`
	What   string    `json:"what"` // the key in words
	Who    string    `json:"who,omitempty"`
	MAC    phone.MAC `json:"mac,omitzero"`
	Old    string    `json:"old"`
	New    string    `json:"new"`
	Secret bool      `json:"secret,omitempty"` // Old and New are not told
	Kind   string    `json:"kind"`             // added, removed or changed
}

// Changelog knows who changed what, and the earlier settings.
type Changelog interface {
	// Changes returns what was changed, the newest first; kept is how many are kept at most.
	Changes() (list []AuditEntry, kept int)
	// Versions are the earlier settings, the newest first.
	Versions() ([]SiteVersion, error)
	// Version says what bringing one back would change; false when it is not there.
	Version(id string) (v SiteVersion, ok bool, err error)
	// BringBack makes it the settings of now, if these are still the ones of the etag.
	BringBack(ctx context.Context, id, etag string) error
}

// AuditEntry is one change.
type AuditEntry struct {
	ID    uint64      `json:"id"`
	Time  time.Time   `json:"time"`
	From  string      `json:"from"` // the address of who did it; "" = not over the network
	How   string      `json:"how"`  // page, api, file, stick or box
	What  string      `json:"what"` // a sentence
	Keys  []KeyChange `json:"keys,omitempty"`
	More  int         `json:"more,omitempty"` // changes of keys that are not listed, as there were too many
	MAC   phone.MAC   `json:"mac,omitzero"`   // the phone that it was about
	Label string      `json:"label,omitempty"`
}

// SiteVersion is a version of the earlier settings.
type SiteVersion struct {
	ID     string      `json:"id"`
	File   string      `json:"file"`  // site.toml.1
	Until  time.Time   `json:"until"` // when another took its place
	Phones int         `json:"phones"`
	Fault  string      `json:"fault,omitempty"` // why it cannot be brought back
	Keys   []KeyChange `json:"keys"`            // what bringing it back would change now
	ETag   string      `json:"etag"`            // of the settings of now
	Text   string      `json:"text"`            // with secrets masked
}

// Actor is who does something by a request, and how. The box finds it in the context of what is done.
type Actor struct {
	From netip.Addr // not valid = not over the network
	How  string     // page, api, file, stick or box
	// Entry is where the box notes the audit entry that this request made, so that the sentence which the page has for it
	// comes into the same one; 0 = none yet.
	Entry atomic.Uint64
}

type actorKey struct{}

// WithActor returns a context that says who acts.
func WithActor(ctx context.Context, a *Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who acts; nil when nobody said.
func ActorOf(ctx context.Context) *Actor {
	a, _ := ctx.Value(actorKey{}).(*Actor)
	return a
}
