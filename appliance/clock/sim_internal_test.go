package clock

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"phonebox/services/sntp"
)

// Sim is the clock of a computer whose crystal is wrong, and that slews and is set as the kernel does it. True time is
// that of the time package. The real clock is never set by a test.
type Sim struct {
	mu             sync.Mutex
	last           time.Time // of true time
	wall           time.Time
	up             time.Duration
	crystal, drift float64 // ppm
	left           time.Duration
	synced         bool
	fail           error
	rtc            []time.Time
	Steps, Slews   []time.Duration
	Written        []time.Time
	DriftSet       []float64
	rtcFail        error
}

// NewSim is off by some time and by so many ppm.
func NewSim(off time.Duration, ppm float64) *Sim {
	now := time.Now().Round(0)
	return &Sim{last: time.Now(), wall: now.Add(off), crystal: ppm}
}

func (m *Sim) advance() {
	now := time.Now()
	true := now.Sub(m.last)
	m.last = now
	slewed := min(m.left.Abs(), time.Duration(float64(true)*maxSlew))
	if m.left < 0 {
		slewed = -slewed
	}
	m.left -= slewed
	went := true + time.Duration(float64(true)*(m.crystal+m.drift)*1e-6) + slewed
	m.wall, m.up = m.wall.Add(went), m.up+went
}

func (m *Sim) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance()
	return m.wall
}

func (m *Sim) Uptime() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance()
	return m.up
}

func (m *Sim) Synchronised() (bool, time.Duration) { return m.synced, 5 * time.Millisecond }

func (m *Sim) Step(d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.advance()
	m.wall = m.wall.Add(d)
	m.Steps = append(m.Steps, d)
	return nil
}

func (m *Sim) Slew(d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.advance()
	m.left = d
	if d != 0 {
		m.Slews = append(m.Slews, d)
	}
	return nil
}

func (m *Sim) SetDrift(ppm float64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.advance()
	m.drift = ppm
	m.DriftSet = append(m.DriftSet, ppm)
	return nil
}

func (m *Sim) ReadRTC() ([]time.Time, error) {
	if len(m.rtc) == 0 && m.rtcFail == nil {
		return nil, errNoRTC
	}
	return m.rtc, m.rtcFail
}

func (m *Sim) WriteRTC(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Written = append(m.Written, t)
	return m.rtcFail
}

// Jump is somebody else who sets the clock.
func (m *Sim) Jump(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance()
	m.wall = m.wall.Add(d)
}

// Break lets setting fail from now on.
func (m *Sim) Break(err error) *Sim { m.fail = err; return m }

// Sync lets the kernel say that something keeps its clock right.
func (m *Sim) Sync() *Sim { m.synced = true; return m }

// RTC gives the computer real-time clocks.
func (m *Sim) RTC(t ...time.Time) *Sim { m.rtc = t; return m }

// Touched counts what was set.
func (m *Sim) Touched() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.Steps) + len(m.Slews) + len(m.Written) + len(m.DriftSet)
}

// Taken returns what was set so far.
func (m *Sim) Taken() (steps, slews []time.Duration, written []time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Steps, m.Slews, m.Written
}

// source is a simulated server. It tells true time, but for what is wrong with it.
type source struct {
	off           time.Duration // of its clock
	delay, jitter time.Duration // of each way: at least, and at most more
	asymmetry     time.Duration // more on the way there
	stratum       uint8
	leap          sntp.Leap
	dead, unsync  bool
	kiss          string
	asked         int
}

// network answers in place of one, at the addresses 192.0.2.1 and on. It is for one bubble of synctest.
type network struct {
	mu    sync.Mutex
	rnd   *rand.Rand
	m     map[string]*source
	names map[string][]string // addresses of names; for others nobody answers
}

func newNetwork(seed uint64) *network {
	return &network{rnd: rand.New(rand.NewPCG(seed, 1)), m: map[string]*source{}}
}

func (n *network) way(s *source) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return s.delay + time.Duration(n.rnd.Int64N(int64(s.jitter)+1))
}

func (n *network) exchange(m System) func(context.Context, netip.AddrPort) answer {
	return func(ctx context.Context, addr netip.AddrPort) answer {
		if ctx.Err() != nil { // there is no time left to ask
			return answer{at: m.Now(), err: ctx.Err()}
		}
		n.mu.Lock()
		s := *n.m[addr.Addr().String()]
		n.m[addr.Addr().String()].asked++
		n.mu.Unlock()
		t1 := m.Now()
		if s.dead {
			time.Sleep(queryTimeout)
			return answer{at: m.Now(), err: os.ErrDeadlineExceeded}
		}
		time.Sleep(n.way(&s) + s.asymmetry)
		t2 := time.Now().Round(0).Add(s.off)
		time.Sleep(n.way(&s))
		t4 := m.Now()
		a := answer{
			at: t4, offset: (t2.Sub(t1) + t2.Sub(t4)) / 2, delay: t4.Sub(t1), disp: 2 * time.Microsecond,
			told: told{stratum: max(1, s.stratum), leap: s.leap, delay: time.Millisecond, disp: time.Millisecond},
		}
		if s.unsync {
			a.err, a.unfit = errors.New("not synchronised"), true
		}
		if s.kiss != "" {
			a.err, a.kiss = errors.New("kiss of death"), s.kiss
		}
		return a
	}
}

func (n *network) lookUp(ctx context.Context, name string) (list []netip.Addr, err error) {
	n.mu.Lock()
	addrs, known := n.names[name]
	n.mu.Unlock()
	if !known {
		<-ctx.Done()
		return nil, &net.DNSError{Err: ctx.Err().Error(), Name: name, IsTimeout: true} // as the resolver of the net package
	}
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	return list, nil
}

func (n *network) asked(addr string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.m[addr].asked
}

func (n *network) set(addr string, change func(*source)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n.m[addr])
}

// lab is a box, its computer and its network in virtual time.
type lab struct {
	*Clock
	t     *testing.T
	sim   *Sim
	net   *network
	mu    sync.Mutex
	told  []Event
	stop  func()
	slack time.Duration // by which the servers are wrong without telling
}

// start runs a clock in a bubble of synctest.
func start(t *testing.T, cfg Config, st Store, sim *Sim, n *network) *lab {
	t.Helper()
	l := &lab{t: t, sim: sim, net: n}
	if cfg.BootID == "" {
		cfg.BootID = t.Name()
	}
	c, err := New(cfg, Deps{Store: st, Log: quietLog, System: sim, Report: func(e Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told = append(l.told, e)
	}})
	if err != nil {
		t.Fatal(err)
	}
	l.Clock = c
	c.exchange, c.lookUp = n.exchange(sim), n.lookUp
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *lab) tale() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.told)
}

// wrong is how far the box's time is from true time.
func (l *lab) wrong() time.Duration { return l.Now().Round(0).Sub(time.Now().Round(0)) }

// honest wants the box's time to be as right as it says, when it says so; and the leap indicator to fit.
func (l *lab) honest(when string) {
	l.t.Helper()
	q, wrong := l.Quality(), l.wrong()
	if (q.Stratum == 0) != (q.Leap == sntp.LeapUnsync) {
		l.t.Errorf("%s: stratum %d with leap %d", when, q.Stratum, q.Leap)
	}
	if bound := q.RootDelay/2 + q.RootDispersion + l.slack; q.Stratum > 0 && wrong.Abs() > bound {
		l.t.Errorf("%s: the time is wrong by %s, but told as within %s (stratum %d)", when, wrong, bound, q.Stratum)
	}
}

// watch looks at the time every second: it is honest, and goes neither back nor much faster or slower than it should.
func (l *lab) watch(d time.Duration, when string) (most time.Duration) {
	l.t.Helper()
	before := l.Now()
	for end := time.Now().Add(d); time.Now().Before(end) && !l.t.Failed(); {
		time.Sleep(time.Second)
		l.honest(when)
		now := l.Now()
		if went := now.Sub(before); went < 999*time.Millisecond || went > 1001*time.Millisecond {
			l.t.Errorf("%s: the time went on by %s within a second", when, went)
		}
		if s := l.Status(); l.Quality().RootDispersion < s.Slewing.Abs() {
			l.t.Errorf("%s: %s is still to be slewed, the root dispersion is %s", when, s.Slewing, l.Quality().RootDispersion)
		}
		before, most = now, max(most, l.wrong().Abs())
	}
	return most
}

// skip lets time pass, and looks whether the box is honest every minute.
func (l *lab) skip(d time.Duration, when string) {
	l.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end) && !l.t.Failed(); {
		time.Sleep(min(time.Minute, time.Until(end)))
		l.honest(when)
	}
}
