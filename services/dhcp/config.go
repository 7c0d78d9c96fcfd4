package dhcp

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// Config is what the server hands out and to whom. Zero values are as the fields say; Apply replaces it as a whole.
type Config struct {
	Listen        netip.AddrPort // normally 0.0.0.0:67
	Interface     string         // the only interface that is served
	Server        netip.Prefix   // the box's address and subnet: options 1, 28, 54, 66, 150 and siaddr
	Gateway       netip.Addr     // option 3; not valid = none is sent
	Domain        string         // option 15; "" = none
	DNS           []netip.Addr   // option 6; empty = none
	NTP           []netip.Addr   // option 42; empty = none
	Pool          []lease.Range
	Reservations  []Reservation
	Lease         time.Duration        // option 51; T1 is half of it, T2 seven eighths
	PhonesOnly    bool                 // answer Cisco phones and MACs of Known only
	Known         []phone.MAC          // the listed phones: the last free addresses of a pool are kept for them
	Models        map[phone.MAC]string // of listed phones: "7940" or "7960", where the site says it
	PingCheck     bool                 // probe an address before it is offered
	Authoritative bool                 // serve although another DHCP server answers
	Relayed       bool                 // -try: there is no wire to look at; no raw frames, no probes, no look for other servers
	Subnets       []Subnet             // networks behind relays
	Classes       []Class              // options for kinds of clients, in the order in which they are tried
}

// Subnet is a network behind a relay (giaddr, or the link or subnet that RFC 3527 and RFC 3011 name, lies in it).
type Subnet struct {
	Name    string       // for people
	Network netip.Prefix // does not overlap Server; the same as that of another subnet only with other circuits
	Gateway netip.Addr   // option 3; not valid = none is sent
	Pool    []lease.Range
	Lease   time.Duration // 0 = Config.Lease
	Circuit []string      // option 82: circuit ids (text, or 0x and hex digits) that Pool is kept for; empty = any
}

// Class gives clients options of their own. All conditions that are set must hold; the first class that fits is taken.
type Class struct {
	Name        string
	VendorClass string          // option 60 begins with it, in any case of letters; "" = any
	Model       string          // of the listed phone: "7940" or "7960"; "" = any
	MACs        []phone.MAC     // only these; nil = any
	Options     map[uint8]Value // instead of, or beside, what every client gets; see phone.ForbiddenOption and MayMeetCisco
}

// Value is the value of an option as a person writes it; exactly one field is set, or none, which leaves the option out.
type Value struct {
	Text      string
	Addresses []netip.Addr
	Bytes     []byte
}

// Reservation binds an address to a phone; it may lie in or outside of the pool.
type Reservation struct {
	MAC     phone.MAC
	Address netip.Addr
}

// Clock is the time as the server needs it.
type Clock interface {
	// Now returns the wall clock with Go's monotonic reading.
	Now() time.Time
	// Trusted reports whether the wall clock may be believed.
	Trusted() bool
}

// ErrIncomplete says that records may be missing, or that some may be older than what was acknowledged last: no record
// proves that its client still has its address, no gap proves that an address is free. A store returns it beside the
// records until its damage is too old to matter.
var ErrIncomplete = errors.New("leases may be missing")

// Store keeps leases over a power cut.
type Store interface {
	// Leases returns every stored record.
	Leases(ctx context.Context) ([]lease.Record, error)
	// Commit returns once all records are on disk; the ACK leaves after it. Concurrent calls are committed together.
	// A record replaces the one of its address, and no other; one that is [lease.Forgotten] only removes that.
	Commit(ctx context.Context, records ...lease.Record) error
	// Decision returns what a person said about another server on the wire, and SetDecision remembers it.
	Decision(ctx context.Context) (Decision, error)
	SetDecision(ctx context.Context, d Decision) error
}

// Decision is what a person said about another DHCP server on the wire; it outlives restarts.
type Decision struct {
	Serve   bool         `json:"serve"`             // go on although another server answers
	Servers []netip.Addr `json:"servers,omitempty"` // beside these; none, in what an older phonebox wrote, = beside any
	Blind   bool         `json:"blind,omitempty"`   // go on although the wire cannot be searched
	Time    time.Time    `json:"time,omitzero"`     // of the decision, on the server's clock
}

// Wire is the link: probes and raw frames. netdev implements it.
type Wire interface {
	// Up reports whether the cable is in and the box's address is set.
	Up() bool
	// Changes delivers a value after each change of Up.
	Changes() <-chan bool
	// Probe asks by ARP who has the address and waits at most for wait. It returns the hardware address that
	// answered and true, or false when nobody did.
	Probe(ctx context.Context, addr netip.Addr, wait time.Duration) (phone.MAC, bool, error)
	// SendUDP sends a UDP datagram in a raw frame to a hardware address, for a client that has no address yet.
	SendUDP(to phone.MAC, src, dst netip.AddrPort, payload []byte) error
	// Discover sends n DHCPDISCOVERs from a made-up MAC within wait and returns every server that offered,
	// except the box itself.
	Discover(ctx context.Context, n int, wait time.Duration) ([]OtherServer, error)
	// Overheard returns the servers, except the box itself, that were heard without asking since the link came up; Seen
	// is when last, on Go's clock.
	Overheard() []OtherServer
	// News delivers a value when Overheard has one more, and when another host seems to use the box's address.
	News() <-chan struct{}
	// Neighbour binds an address to a MAC in the kernel's table while a lease runs; a zero MAC removes it.
	Neighbour(addr netip.Addr, mac phone.MAC) error
}

// OtherServer is a DHCP server that answered on the wire and is not this box.
type OtherServer struct {
	Address  netip.Addr   `json:"address"` // option 54, else the source of the packet
	MAC      phone.MAC    `json:"mac"`     // zero where only a client spoke of it
	Offered  netip.Addr   `json:"offered"`
	First    time.Time    `json:"first"`             // when it was seen first; the server sets it
	Seen     time.Time    `json:"seen"`              // when last
	Options  []OptionText `json:"options,omitempty"` // of its OFFER, ACK or NAK
	Accepted bool         `json:"accepted"`          // somebody decided to serve beside it; the server sets it
}

// Deps are what the server needs from outside; Clock, Store, Wire, Log and Report are required (Wire may be nil for a
// server that is Relayed for good).
type Deps struct {
	Clock   Clock
	Store   Store
	Wire    Wire
	Log     *slog.Logger
	Report  func(Event)           // called on the server's goroutines; must not block
	Metrics prometheus.Registerer // nil = no metrics
	// NotAnswered is told of every packet that is not answered, as phonebox_dhcp_dropped_total counts them, where Report leaves
	// out what a client repeats: why, from whom (zero where that is not known) and how many. The server may hold its lock then:
	// it must not block, and not call the server. nil = nobody wants to know.
	NotAnswered func(reason string, mac phone.MAC, packets int)
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventSeen      EventKind = "seen"       // a packet came from that client (first of a transaction)
	EventOffer     EventKind = "offer"      // an address was offered
	EventAck       EventKind = "ack"        // an address was acknowledged, after it was on disk
	EventNak       EventKind = "nak"        // a request was refused
	EventDecline   EventKind = "decline"    // the client found the address in use
	EventRelease   EventKind = "release"    // the client gave the address back
	EventInform    EventKind = "inform"     // a client with an address of its own asked for options
	EventExpire    EventKind = "expire"     // a lease ran out
	EventIgnored   EventKind = "ignored"    // a packet was not answered: Reason says why
	EventHeld      EventKind = "held"       // another server answered: Other says which; nothing is served
	EventOther     EventKind = "other"      // another server began to answer: Other says which
	EventServing   EventKind = "serving"    // serving began (or goes on after a hold)
	EventNotStored EventKind = "not_stored" // a lease could not be written
	EventDuplicate EventKind = "duplicate"  // another host has the box's own address (MAC says which); nothing is served
)

// Event is one thing that the server did or refused to do.
type Event struct {
	Kind        EventKind
	Time        time.Time
	MAC         phone.MAC // zero for clients that are not on Ethernet
	Address     netip.Addr
	Still       netip.Addr // of EventRelease and EventExpire: the address of another network that the client goes on with
	VendorClass string     // option 60, trailing NULs removed
	Hostname    string     // option 12
	Requested   []uint8    // option 55
	Renewal     bool       // the client had the address already (RENEWING, REBINDING or INIT-REBOOT)
	Boot        bool       // the packet belongs to a start of the client (DISCOVER, SELECTING or INIT-REBOOT)
	Duration    time.Duration
	Reason      string // why a packet was ignored or refused, in words for people
	Other       []OtherServer
	Err         error
	Asked       []byte // the client's packet as it came, of all events of a packet; it is nobody's to change
	Sent        []byte // our answer as it left, of EventOffer, EventAck, EventNak and EventInform
	Relay       netip.Addr
	Circuit     string // option 82 suboption 1, as text or as 0x and hex digits; "" = none
	Remote      string // option 82 suboption 2, likewise
}

// Lease is one address in use, as the page, the DNS zone and promise 4 see it.
type Lease struct {
	MAC         phone.MAC
	Address     netip.Addr
	Expires     time.Time // on the server's clock
	Hostname    string
	VendorClass string
}
