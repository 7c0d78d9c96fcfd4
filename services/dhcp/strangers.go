package dhcp

import (
	"fmt"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
)

// A made-up MAC costs an attacker nothing and the pool an address. So clients that were never seen, are not listed and
// do not look like a Cisco phone (strangers) are limited once their asking no longer looks like that of clients: offers
// are not taken up, or the pool runs dry. As long as it does, any number of them is served.
const (
	// takeUp is the time in which a client answers an OFFER: phones do within a second or two (phones.md a).
	takeUp = 4 * time.Second
	// untakenMost is how many offers may lie about that nobody took up, beside as many as were taken up in the last minute
	// and as many as packets were lost before they were read: in a storm with losses some always do.
	untakenMost = 64
	// lowPool is how many addresses must be free, or a quarter of a smaller pool.
	lowPool = 256
	// portMost is how many offers one port (option 82) may leave lying about while others are limited for it.
	portMost = 8
	// portsKept bounds the ports that are told apart.
	portsKept = 4096
	// sayLimit is how often the limit is reported, and how long it is shown after it last bit.
	sayLimit = time.Minute
)

// The strangers that are served while the limit bites: the network as a whole, and one port.
var (
	strangerAllowance = allowance{burst: 32, every: 250 * time.Millisecond}
	portAllowance     = allowance{burst: 4, every: 10 * time.Second}
	declineAllowance  = allowance{burst: 8, every: time.Minute}
)

// allowance is a rate: burst at once, and one more every so often.
type allowance struct {
	burst float64
	every time.Duration
}

// bucket counts what is left of an allowance.
type bucket struct {
	left float64
	at   time.Time // zero = it is full
}

func (b *bucket) take(a allowance, now time.Time) bool {
	if b.at.IsZero() {
		b.left = a.burst
	} else {
		b.left = min(a.burst, b.left+float64(now.Sub(b.at))/float64(a.every))
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// port is what came through one port of a switch or relay, as option 82 names it; "" for all that came without.
type port struct {
	untaken           float64 // offers to strangers less those taken up, fading over a minute
	faded             time.Time
	asking, declining bucket
}

// strangers limits clients that were never seen. The server's lock guards it.
type strangers struct {
	limiting bool
	why      string  // the limit bit last
	taken    float64 // leases of the last minute, fading
	lost     float64 // packets that the kernel dropped, likewise
	ports    *recent[string, *port]

	refused int       // since said
	said    time.Time // when the limit was last reported
	last    time.Time // when it last bit
	where   string    // the port that it bit last
}

func newStrangers() *strangers { return &strangers{ports: newRecent[string, *port](portsKept)} }

// port returns what is known of the port that the packet came through.
func (x *strangers) port(r *request, now time.Time) *port {
	name := circuitOf(r)
	p, ok := x.ports.get(name)
	if !ok {
		p = &port{faded: now}
		x.ports.put(name, p)
	}
	p.untaken *= max(0, 1-now.Sub(p.faded).Seconds()/60)
	p.faded = now
	return p
}

// circuitOf returns the port that a relay or switch names in option 82; "" = none.
func circuitOf(r *request) string { return string(r.relay.circuit) }

// look judges once a second whether strangers are to be limited: untaken is how many offers were not taken up in time.
func (x *strangers) look(untaken int) {
	x.taken *= 1 - 1.0/60
	x.lost *= 1 - 1.0/60
	x.limiting = float64(untaken) > untakenMost+x.taken+x.lost
}

// admit reports whether a stranger is served now, where so many of so many addresses are free.
func (x *strangers) admit(r *request, free, all int, now time.Time) bool {
	switch {
	case x.limiting:
		x.why = "ask for addresses and do not take them"
	case free < min(lowPool, all/4):
		x.why = "ask for addresses while few are left"
	default:
		return true
	}
	p := x.port(r, now)
	if circuitOf(r) == "" {
		return p.asking.take(strangerAllowance, now)
	}
	return p.untaken < portMost || p.asking.take(portAllowance, now)
}

// trouble is the sentence that is shown while the limit bites.
func (x *strangers) trouble(now time.Time) string {
	if x.last.IsZero() || now.Sub(x.last) >= sayLimit {
		return ""
	}
	return x.sentence()
}

func (x *strangers) sentence() string {
	where := ""
	if x.where != "" {
		where = fmt.Sprintf(" (the last one on port %s)", idText([]byte(x.where)))
	}
	return fmt.Sprintf("devices that were never seen here%s %s, as a program that uses up the pool would; they are answered slowly, phones and known devices as ever", where, x.why)
}

// manner is the sentence without the port, for what is counted: who sends a flood may name any number of ports.
func (x *strangers) manner() string { return "devices that were never seen here " + x.why }

// stranger reports whether nothing speaks for the client.
func (s *Server) stranger(r *request) bool {
	return !s.familiar(r) && !looksLikePhone(r.client.VendorClass)
}

// limited refuses a stranger over the limit; the caller holds the lock.
func (s *Server) limited(eff *effects, r *request, m lease.Moment) bool {
	asks := r.typ == dhcpv4.MessageTypeDiscover || r.typ == dhcpv4.MessageTypeRequest && !s.table.Promised(r.client.Key)
	if !asks || !s.stranger(r) || s.st.locate(r) != nil {
		return false
	}
	if free, all := s.table.Room(r.place); s.strangers.admit(r, free, all, m.Mono) {
		return false
	}
	x := s.strangers
	s.notAnswered("stranger_limit", x.manner(), r.mac, 1)
	x.refused++
	x.last, x.where = m.Mono, circuitOf(r)
	if x.said.IsZero() || m.Mono.Sub(x.said) >= sayLimit {
		why := fmt.Sprintf("%s; %d packets were not answered for it", x.sentence(), x.refused)
		s.log.Warn("strangers are limited", "mac", r.mac, "reason", why)
		eff.event(s.eventOf(r, Event{Kind: EventIgnored, Reason: why}))
		x.refused, x.said = 0, m.Mono
	}
	return true
}

// offeredTo and tookUp keep the account of strangers.
func (s *Server) offeredTo(r *request, m lease.Moment) {
	if s.stranger(r) {
		s.strangers.port(r, m.Mono).untaken++
	}
}

func (s *Server) tookUp(r *request, m lease.Moment) {
	s.strangers.taken++
	if p := s.strangers.port(r, m.Mono); p.untaken >= 1 {
		p.untaken--
	}
}
