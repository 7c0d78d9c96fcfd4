package clock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dhcp"
	"phonebox/services/sntp"
)

// Config is where the time comes from; Apply replaces it as a whole.
type Config struct {
	Upstream []string  // NTP servers: host or host:port; empty = the network is never asked
	Manage   bool      // set the system clock and the RTC; false = keep an offset of our own
	RTC      string    // device of the real-time clock, used with Manage only; "" = each /dev/rtc*
	Floor    time.Time // when the program was built: the time can't be earlier
	BootID   string    // what tells one start of the kernel from the next; "" = read it from /proc
}

// Store keeps small values over a restart; nil content is an absent value.
type Store interface {
	Value(ctx context.Context, name string) ([]byte, error)
	SetValue(ctx context.Context, name string, content []byte) error
}

// Deps are what the clock needs from outside; Store and Log are required.
type Deps struct {
	Store    Store
	Log      *slog.Logger
	Resolver func() *net.Resolver  // what names of servers are looked up with; nil = the system's resolver
	Report   func(Event)           // nil = nobody listens; must not block
	System   System                // nil = the clock of this machine, which is set with Config.Manage only
	Metrics  prometheus.Registerer // nil = no metrics
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventStarted EventKind = "started" // the time at the start was chosen
	EventSynced  EventKind = "synced"  // the time comes from an upstream server now, or from another one
	EventLost    EventKind = "lost"    // no upstream server answers any more, or they don't agree
	EventSet     EventKind = "set"     // a person set the time
	EventFailed  EventKind = "failed"  // the system clock or the RTC could not be set
	// EventOutvoted: a server tells another time than most, and is not believed.
	EventOutvoted EventKind = "outvoted"
	// EventDoubted: the time has not been confirmed for so long that it is not trusted any more.
	EventDoubted EventKind = "doubted"
)

// Event is one change of what the clock goes by.
type Event struct {
	Kind   EventKind
	Time   time.Time // after the change
	Source string
	Offset time.Duration // by how much the time was corrected; positive = it was behind
	Text   string        // a sentence for people
}

// Status is what is known about the time now.
type Status struct {
	Trusted bool
	Source  string        // in words
	Stratum int           // 16 = not synchronised
	Offset  time.Duration // the last correction; positive = the time was behind
	Since   time.Time     // of it; zero = never
	Error   time.Duration // how wrong the time may be: root delay / 2 + root dispersion
	Problem string        // a sentence, or "": why upstream is not followed, why the clock can't be set
	Held    time.Duration // how long ago an upstream server that the box goes by was last heard; 0 = it goes by none
	Drift   float64       // ppm by which the system clock is made to run faster
	Slewing time.Duration // the part of the corrections that is still being spread over time
	RTC     string        // what was found of real-time clocks at the start, a sentence
	Servers []Server
}

// Server is an upstream server as it looks now.
type Server struct {
	Name    string // as configured
	Address netip.Addr
	Verdict string // followed, agrees, outlier, not right, silent; "" = not asked yet
	Stratum int    // as it says; 0 = it has said nothing
	Offset  time.Duration
	Delay   time.Duration // of the way there and back
	Error   time.Duration // how wrong the offset may be
	Reach   uint8         // a bit for each of the last eight questions, 1 = answered
	Why     string        // why its last answer was none; "" = it was one
}

// ErrNotBelieved is what errors of [Clock.Set] are: the text of the error says why to people.
var ErrNotBelieved = errors.New("the time was not believed")

type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

func (refusal) Is(target error) bool { return target == ErrNotBelieved }

// Clock is the time of the box. It is safe for concurrent use.
type Clock struct {
	deps Deps
	sys  System
	wake chan struct{} // Apply changed the servers, or a jump was seen

	events   *prometheus.CounterVec                              // nil = no metrics
	exchange func(context.Context, netip.AddrPort) answer        // ask, but in tests that have no network
	lookUp   func(context.Context, string) ([]netip.Addr, error) // a name, with the resolver; but in such tests

	saving sync.Mutex // held while the time is stored; taken before mu

	mu       sync.Mutex
	cfg      Config
	scale    scale
	ref      reference
	peers    []*peer
	looked   map[string]time.Time // when names of servers were looked up, on the system clock
	unfound  map[string]error     // why names of servers gave no address the last time
	system   *peer                // the server that is followed, also while it is silent; nil = the time has another source
	used     time.Time            // of its sample by which the clock was corrected
	trend    []measurement
	drift    float64       // ppm by which the system clock is made to run faster, learnt from the servers
	stored   float64       // the drift as it was stored
	skew     float64       // how fast the clock may go wrong by itself, in seconds per second
	last     time.Duration // the last correction
	problem  string        // of upstream
	failure  string        // of setting
	rtc      string        // what was found of real-time clocks at the start
	synced   time.Time     // last answer of an upstream server that was followed, on the system clock
	doubted  *doubt        // the last choice, if it was too far off to be believed at once
	burst    int           // rounds that follow each other quickly
	trusted  bool          // at the last look
	sure     time.Time     // a time that has certainly passed, and the uptime then
	sureUp   time.Duration
	unsaved  bool    // what the clock goes by changed since it was stored
	steps    int     // counts corrections, so that a measurement from before one is not used after it
	previous instant // for jumped
}

var (
	_ dhcp.Clock = (*Clock)(nil)
	_ sntp.Clock = (*Clock)(nil)
)

// New makes the clock and sets the time to the best that is known without the network: with Manage that may set the
// system clock. It starts nothing.
//
// Without Manage a correction is an offset, which moves the monotonic readings of Now as well: what runs on timers
// should take its times from [time.Now].
func New(cfg Config, deps Deps) (*Clock, error) {
	if deps.Store == nil || deps.Log == nil {
		return nil, errors.New("making the clock: a store and a logger are required")
	}
	c := &Clock{deps: deps, cfg: cfg, sys: deps.System, wake: make(chan struct{}, 1), looked: map[string]time.Time{}, unfound: map[string]error{}, burst: burst}
	c.exchange = c.ask
	c.lookUp = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return c.deps.Resolver().LookupNetIP(ctx, "ip4", host)
	}
	if c.sys == nil {
		c.sys = machine{rtc: cfg.RTC}
	}
	if deps.Report == nil {
		c.deps.Report = func(Event) {}
	}
	if deps.Resolver == nil {
		c.deps.Resolver = func() *net.Resolver { return net.DefaultResolver }
	}
	if cfg.BootID == "" {
		c.cfg.BootID = bootID()
	}
	if err := c.register(deps.Metrics); err != nil {
		return nil, err
	}
	c.begin(context.Background())
	return c, nil
}

// Now returns the box's time with Go's monotonic reading.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	system := c.sys.Now()
	return system.Add(c.scale.offset(system))
}

// Adjust turns a time of the system clock, such as the kernel's receive time of a packet, into the box's time.
func (c *Clock) Adjust(system time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return system.Add(c.scale.offset(c.sys.Now()))
}

// Trusted reports whether the time may be believed.
func (c *Clock) Trusted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ref.trusted(c.age())
}

// age is how long ago the clock was set.
func (c *Clock) age() time.Duration { return c.ref.age(c.now(), c.sys.Now()) }

// Quality returns what an NTP answer says about the time.
func (c *Clock) Quality() sntp.Quality {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.quality()
}

// quality counts what is still to be slewed as an error. The caller holds mu.
func (c *Clock) quality() sntp.Quality {
	q := c.ref.quality(c.age())
	if q.Stratum > 0 {
		q.RootDispersion += c.scale.pending(c.sys.Now()).Abs()
	}
	return q
}

// Status returns what is known about the time now.
func (c *Clock) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, now := c.quality(), c.sys.Now()
	s := Status{
		Trusted: c.ref.trusted(c.age()), Source: c.ref.Source, Stratum: int(q.Stratum), Offset: c.last, Since: c.ref.At,
		Error: q.RootDelay/2 + q.RootDispersion, Problem: c.failure,
		Drift: c.drift, Slewing: c.scale.pending(now), RTC: c.rtc, Servers: c.servers(now),
	}
	if c.asks() {
		s.Held = max(1, now.Sub(c.synced))
	}
	if !s.Trusted {
		s.Stratum = unsynchronised
	}
	if s.Problem == "" {
		s.Problem = c.problem
	}
	return s
}

func (c *Clock) servers(now time.Time) []Server {
	var list []Server
	for _, p := range c.peers {
		s := Server{Name: p.name, Address: p.addr.Addr(), Verdict: string(p.verdict), Reach: p.reach}
		if p.verdict.right() && p.reach&1 == 0 {
			s.Verdict = string(verdictSilent) // now; what it said before still counts
		}
		if p.why != nil {
			s.Why = p.why.Error()
		}
		if one, ok := p.candidate(now, c.skew); ok {
			s.Stratum, s.Offset = int(one.sample.told.stratum), one.offset
			s.Delay, s.Error = one.sample.delay, one.distance
		}
		list = append(list, s)
	}
	for _, name := range c.cfg.Upstream {
		if slices.ContainsFunc(c.peers, func(p *peer) bool { return p.name == name }) {
			continue
		}
		s := Server{Name: name}
		if why := c.unfound[name]; why != nil {
			s.Verdict, s.Why = string(verdictSilent), why.Error()
		} else if _, looked := c.looked[name]; looked {
			s.Verdict, s.Why = string(verdictSilent), "it leads to a server that is asked already"
		}
		list = append(list, s)
	}
	return list
}

// Apply takes new settings. Whether the clock is managed, and the RTC, stay as they were at the start.
func (c *Clock) Apply(cfg Config) error {
	c.mu.Lock()
	changed := !slices.Equal(c.cfg.Upstream, cfg.Upstream)
	c.cfg.Upstream = slices.Clone(cfg.Upstream)
	if changed {
		c.burst, c.doubted = burst, nil
		clear(c.looked)
		clear(c.unfound)
	}
	if len(cfg.Upstream) == 0 {
		c.problem, c.peers = "", nil
	}
	c.mu.Unlock()
	if changed {
		c.poke()
	}
	return nil
}

func (c *Clock) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// browserError is how wrong a time from a browser may be at once: the way of the request, and whole seconds.
const browserError = time.Second

// maxYear is the last year that is believed.
const maxYear = 2099

// Set takes the time from a person's browser. It refuses a time before the build or after 2099, and any while an
// upstream server of the settings was followed within the last hour; such errors are [ErrNotBelieved]. A wrong time can be set right
// again by the same means, or by a server.
func (c *Clock) Set(ctx context.Context, t time.Time) error {
	if t.Before(c.cfg.Floor) || t.Year() > maxYear {
		return refusal{fmt.Sprintf("found %s, allowed is a time after %s, when this program was built, and a year up to %d",
			t.UTC().Format(time.RFC3339), c.cfg.Floor.UTC().Format(time.RFC3339), maxYear)}
	}
	c.mu.Lock()
	if c.asks() && c.sys.Now().Sub(c.synced) < time.Hour {
		source := c.ref.Source
		c.mu.Unlock()
		return refusal{fmt.Sprintf("the time comes from the NTP server %s, which knows it better", source)}
	}
	events := c.setTo(t)
	c.ref = reference{Source: sourceBrowser, Stratum: stratumBrowser, ID: localID, Dispersion: browserError}
	c.stamp()
	events = append(events, Event{
		Kind: EventSet, Offset: c.last, Text: fmt.Sprintf("The time was set from a browser: %s.", t.UTC().Format(time.DateTime+" UTC")),
	})
	c.mu.Unlock()
	c.report(events...)
	c.writeRTC()
	c.poke() // the servers may be reachable as well
	return c.save(ctx, false)
}

// asks reports whether the server that is followed is still in the settings. The caller holds mu.
func (c *Clock) asks() bool { return c.system != nil && slices.Contains(c.cfg.Upstream, c.system.name) }

// setTo moves the clock to a time that a person tells, and gives up what it went by. The caller holds mu.
func (c *Clock) setTo(t time.Time) []Event {
	system := c.sys.Now()
	delta := t.Round(0).Sub(system.Round(0).Add(c.scale.goal(system)))
	small := delta.Abs() < slewLimit && c.ref.trusted(c.age())
	c.system, c.trend, c.doubted, c.burst = nil, nil, nil, burst
	for _, p := range c.peers {
		p.backed = false
	}
	if small {
		return c.slew(delta)
	}
	return c.step(delta)
}

// stamp notes that the clock was set by the reference just now. The caller holds mu.
func (c *Clock) stamp() { c.ref.At, c.ref.mono = c.now(), c.sys.Now() }

// failed notes that setting failed and returns an event when that is new. The caller holds mu.
func (c *Clock) failed(what string, err error) []Event {
	text := fmt.Sprintf("%s (%v).", what, err)
	if c.failure == text {
		return nil
	}
	c.failure = text
	return []Event{{Kind: EventFailed, Text: text}}
}

// report fills the events and passes them on; the caller does not hold mu.
func (c *Clock) report(events ...Event) {
	for _, e := range events {
		e.Time, e.Source = c.Now(), c.Status().Source
		level := slog.LevelInfo
		if e.Kind == EventLost || e.Kind == EventFailed || e.Kind == EventOutvoted || e.Kind == EventDoubted {
			level = slog.LevelWarn
		}
		if c.events != nil {
			c.events.WithLabelValues(string(e.Kind)).Inc()
		}
		c.deps.Log.Log(context.Background(), level, "clock", "event", string(e.Kind), "source", e.Source, "offset", e.Offset, "text", e.Text)
		c.deps.Report(e)
	}
}
