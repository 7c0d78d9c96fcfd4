package provision

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"phonebox/services/phone"
)

// Config is what the site wants of its phones; Apply replaces it as a whole.
type Config struct {
	SiteName        string
	Box             netip.Addr     // TFTP, time and HTTP server that the files name
	HTTP            netip.AddrPort // where /phone/ is served; port 80 is left out of URLs
	Domain          string
	Zone            string // IANA name
	SNTPMode        string // what sntp_mode says
	TimeEnabled     bool   // false: sntp_server is cleared
	Proxy           string // "" = lines are written with proxy_register 0
	ProxyPort       uint16
	Register        bool
	Parameters      map[string]string // further parameters of SIPDefault.cnf; secret ones go into each SIP<MAC>.cnf
	Target          string            // load that listed phones should run; "" = leave each on what it runs
	ConvertUnlisted bool
	Phones          []Phone
	Models          map[string]map[string]string // parameters by model ("7940", "7960"), between the site's and the phone's
	Forced          map[string]string            // names that the catalogue does not know, written into SIPDefault.cnf as they are
	Contacts        []phone.Entry                // people besides the site's phones, for the directory
	DialPlan        []byte                       // dialplan.xml; nil = the one that works everywhere
}

// Phone is a listed phone.
type Phone struct {
	MAC        phone.MAC
	Model      string // "7940", "7960" or "" (learn it)
	Label      string
	Address    netip.Addr // reservation; not valid = from the pool
	OpenConfig bool       // SIP<MAC>.cnf to whoever asks
	OwnFiles   bool       // files of the folder win over generated ones
	Lines      []Line
	Zone       string // IANA name of where this phone is; "" = the site's
	Parameters map[string]string
	Forced     map[string]string // names that the catalogue does not know, written as they are
}

// Line is one line of a phone.
type Line struct {
	Name, AuthName, Password, DisplayName, ShortName string
	Proxy                                            string // "" = the site's
	Port                                             uint16 // of Proxy; 0 = the site's
}

// Guide decides what a phone is told of firmware (promises 6 and 9): the appliance's conversions.
type Guide interface {
	// Naming says what the files name to a phone now, and why it is not on its way ("" where it is, or has arrived).
	Naming(mac phone.MAC) (n phone.Naming, why string)
	// MayFetch says whether the phone may have a firmware file now, else why not.
	MayFetch(mac phone.MAC, file phone.FileName) (ok bool, why string)
}

// Running is what a phone was seen running; empty where it is not known.
type Running struct {
	Model    string         // "7940" or "7960", learnt from option 60
	Load     string         // P0S3-8-12-00
	Protocol phone.Protocol // of the application that was last seen
	Loader   bool           // the universal loader was seen (CTLSEP asked, or option 60 with a model)
}

// Observer says what is known about phones; the journal implements it through the appliance.
type Observer interface {
	// Running returns what that phone was seen running.
	Running(mac phone.MAC) Running
	// At returns the phone last seen at an address (phones.md a.8), and false when nobody was.
	At(addr netip.Addr) (phone.MAC, bool)
}

// Guard keeps promise 4: it says whether the frames of addr carry mac and no live lease gives addr to another
// (through a relay and with -try: whether the lease of addr is mac's). why is a sentence for the journal when not.
// It may ask the wire, for at most a second.
type Guard interface {
	Holds(ctx context.Context, addr netip.Addr, mac phone.MAC) (ok bool, why string)
}

// Status sorts answers; the words are part of the HTTP API.
type Status string

// The statuses.
const (
	OK       Status = "ok"
	Harmless Status = "harmless" // missing, and the phone does not need it
	Missing  Status = "missing"  // missing, and the phone needs it: Why says what to do
	Refused  Status = "refused"  // it is not for who asked
)

// Query is a request for a name.
type Query struct {
	Name string
	From netip.Addr // who asks; not valid for the page's preview
	MAC  phone.MAC  // the page's preview: the phone that is meant. Zero: found from the name, else from From
}

// Answer is what a phone gets. Content is nil unless Status is OK.
type Answer struct {
	Status      Status
	Why         string         // a sentence for people: why it is missing or refused, what to do
	File        phone.FileName // the name, understood
	MAC         phone.MAC      // the phone that the answer is for; zero if not known
	Listed      bool           // the site lists that phone
	Content     io.ReaderAt
	Bytes       []byte // the whole of it, where it is in memory: shared by answers and never changed; stays what it was when the file changes
	Size        int64
	Close       func() error // may be nil
	ContentType string       // for HTTP
	Generated   bool         // made by phonebox, not a file of the folder
	Secret      bool         // holds a SIP password: its release was reported before
	Load        string       // the load that the file names (OS79XX.TXT, SEP, XMLDefault, SIPDefault, SIP)
}

// FileFault is something wrong with a file in the folder, shown on the page.
type FileFault struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Verdict says what became of one uploaded file.
type Verdict struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Why  string `json:"why"`
}

// Load is a firmware load found in the folder.
type Load struct {
	Name     string         `json:"name"`
	Protocol phone.Protocol `json:"protocol"`
	Files    []string       `json:"files"`
	Missing  []string       `json:"missing"` // empty = whole: it is served. Else file names, with the reason where the file is there
	Loader   string         `json:"loader"`  // the loader image of its bundle: P003-8-12-00; "" = it has none
}

// Release is reported before a file with a password leaves (promise 4).
type Release struct {
	MAC  phone.MAC
	From netip.Addr // not valid for the page's preview
	Name string
}

// Deps are what it needs from outside; Dir, Observer, Guard, Log and Released are required.
type Deps struct {
	Dir      string // -data/tftp: firmware, rings, own files; opened with os.Root, made when absent
	Observer Observer
	Guard    Guard
	Guide    Guide // nil = each phone is told what it was seen running
	// Facts are what a phone's own page tells of it; nil = the page leaves them out.
	Facts    func(mac phone.MAC) Facts
	Log      *slog.Logger
	Released func(Release) // must not return before the release is in the journal
	// LeastImage is the size below which an image is taken for cut off, in bytes; 0 = 64 KB. Tests have small images.
	LeastImage int64
	// Room tells how many bytes uploads may take now, so that the card keeps room for what must not fail; nil = as many as
	// the file system has.
	Room func() int64
	// Now is the wall clock, from which the rules of the time zone hold; nil = time.Now. A clock that was never set does
	// no harm.
	Now func() time.Time
}
