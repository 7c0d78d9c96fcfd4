package dns

import (
	"crypto/x509"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is the zone and where the rest is asked.
type Config struct {
	Listen    netip.AddrPort        // the box's address and port 53, UDP and TCP
	Interface string                // the only interface that is served; "" = any
	Server    netip.Prefix          // the box's address; only clients of its subnet (and the box itself) are answered
	Subnets   []netip.Prefix        // networks behind relays, whose clients are answered as well
	Domain    string                // the zone, without a trailing dot
	Hosts     map[string]netip.Addr // the site's own names, relative to Domain
	Proxy     string                // host of sip.proxy, for _sip._udp; "" = none
	ProxyPort uint16
	Proxies   []Proxy // of single lines
	NoTime    bool    // the box does not tell the time, so that there is no _ntp._udp
	// Rescued are names that phones ask for and that nobody else answers, lower case, with their addresses. They win over
	// upstream and never over the zone.
	Rescued   map[string]netip.Addr
	Upstream  []Upstream // empty = names outside of the zone are refused
	TimeNames []string   // names of time servers: asked in clear while the time is not known and TLS fails for that alone
	Inside    []string   // domains of the world whose names may have addresses in the served networks
}

// Names gives the names that come and go with leases, relative to the zone and lower case.
type Names interface {
	// Lookup returns the address of a phone's name: its label as a host name, sep<mac>, or what it calls itself.
	Lookup(name string) (netip.Addr, bool)
	// Reverse returns the preferred name of an address.
	Reverse(addr netip.Addr) (string, bool)
}

// Deps are what the server needs from outside; Names, Log and Report are required.
type Deps struct {
	Names   Names
	Log     *slog.Logger
	Report  func(Event)           // must not block
	Metrics prometheus.Registerer // nil = no metrics
	// Changes counts how often Names changed, for the serial of the zone; nil = never.
	Changes func() uint32
	Now     func() time.Time // for the first serial; nil = time.Now

	// Time is the box's time and whether it is trusted, for the certificates of upstream servers; nil = the system's, trusted.
	// While it is not trusted it should be the latest of all that is known.
	Time  func() (now time.Time, trusted bool)
	Roots *x509.CertPool // the authorities that upstream servers need; nil = the system's
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventAnswered EventKind = "answered"
	EventDropped  EventKind = "dropped"  // Reason says why
	EventUpstream EventKind = "upstream" // Reason says what happened with the servers upstream; there is no question
)

// Event is one question, or what happened with the servers upstream.
type Event struct {
	Kind   EventKind
	Time   time.Time
	From   netip.AddrPort
	Name   string // the question, lower case, without the trailing dot
	Type   string // A, SRV, PTR, ...
	Result string // NOERROR, NXDOMAIN, REFUSED, SERVFAIL, NODATA
	Local  bool   // answered from the zone
	Stale  bool   // answered as it was before, for no server upstream answers
	Took   time.Duration
	Reason string
}
