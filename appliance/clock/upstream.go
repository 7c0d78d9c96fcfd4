package clock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"

	"phonebox/services/sntp"
)

const (
	queryTimeout = 3 * time.Second
	perName      = 4 // addresses of one name, such as pool.ntp.org
	maxServers   = 8 // asked in one round
	// maxDistance is how wrong a server may be by its own account; clients such as chronyd draw the line at 3 s.
	maxDistance = 3 * time.Second
	lookUpEvery = time.Hour      // names of which a server fell silent are looked up again
	denied      = 24 * time.Hour // how long a server is left alone that doesn't want to be asked (RFC 5905 section 7.4)
)

// round asks all servers at once and takes what they answer. It returns how many gave a usable answer, and why the others
// gave none. Those that are known are asked while names are looked up: a name server that is gone must not cost the time.
func (c *Clock) round(ctx context.Context, servers []string) (good int, why error) {
	servers = servers[:min(len(servers), maxServers)]
	each := min(max(1, maxServers/max(1, len(servers))), perName)
	c.mu.Lock()
	steps := c.steps
	c.peers = slices.DeleteFunc(c.peers, func(p *peer) bool { return !slices.Contains(servers, p.name) })
	c.mu.Unlock()
	var q questions
	why = c.enlist(ctx, servers, each, false)
	q.ask(ctx, c)
	why = errors.Join(why, c.enlist(ctx, servers, each, true))
	q.ask(ctx, c)
	q.asking.Wait()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steps != steps {
		return 0, errStepped
	}
	errs := []error{why}
	for i, p := range q.asked {
		switch {
		case !slices.Contains(c.peers, p): // its name leads elsewhere by now
		case c.take(p, *q.answers[i]):
			good++
		default:
			errs = append(errs, fmt.Errorf("asking %s the time: %w", p, p.why))
		}
	}
	return good, errors.Join(errs...)
}

// questions are those of one round.
type questions struct {
	asked   []*peer
	answers []*answer // of asked, once asking is done
	asking  sync.WaitGroup
}

// ask asks the servers that were not asked yet, and does not wait for the answers.
func (q *questions) ask(ctx context.Context, c *Clock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.sys.Now()
	for _, p := range c.peers {
		if now.Before(p.until) || slices.Contains(q.asked, p) {
			continue
		}
		a, addr := new(answer), p.addr
		q.asked, q.answers = append(q.asked, p), append(q.answers, a)
		q.asking.Go(func() { *a = c.exchange(ctx, addr) })
	}
}

// errStepped says that the clock was set while servers were asked: what they said does not fit any more.
var errStepped = errors.New("the clock was set while the servers were asked")

// take notes what a server answered and reports whether that can be used. The caller holds mu.
func (c *Clock) take(p *peer, a answer) bool {
	switch a.kiss {
	case "":
	case "DENY", "RSTR":
		p.held = denied
	default:
		p.held = min(max(2*p.held, minPoll), maxPoll)
	}
	if a.err == nil && p.held > maxPoll {
		p.held = 0 // a day has passed, and it answers again
	}
	p.until = a.at.Add(p.held)
	if a.err != nil {
		p.missed(plain(a.err), a.unfit)
		return false
	}
	p.answered(sample{at: a.at, offset: a.offset - c.scale.goal(a.at), delay: a.delay, disp: a.disp, told: a.told}, c.skew)
	return true
}

// enlist looks up the servers that are configured, those with a name or those without, where that is due: those not known
// yet, and names of which a server fell silent. Servers that fell silent, and on whose time the box went, stay until they
// lose their voice.
func (c *Clock) enlist(ctx context.Context, servers []string, each int, named bool) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	found, errs := make([][]netip.AddrPort, len(servers)), make([]error, len(servers))
	var looking sync.WaitGroup
	for i, server := range servers {
		if isName(server) == named && c.lookUpDue(server) {
			looking.Go(func() { found[i], errs[i] = c.addresses(ctx, server) })
		}
	}
	looking.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var failed []error
	for i, server := range servers {
		switch {
		case errs[i] != nil:
			c.unfound[server] = errs[i]
			failed = append(failed, fmt.Errorf("asking %q the time: %w", server, errs[i]))
		case found[i] != nil:
			delete(c.unfound, server)
			c.looked[server] = c.sys.Now()
			c.renew(server, found[i], each)
		}
	}
	return errors.Join(failed...)
}

// plain says to people why a server gave no answer, or a name no address.
func plain(err error) error {
	var name *net.DNSError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return errors.New("there is no such name")
	case errors.As(err, &name) && !name.IsTimeout:
		return fmt.Errorf("its name cannot be looked up: %s", name.Err)
	case name != nil:
		return errors.New("its name cannot be looked up: nobody answered")
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return errors.New("it does not answer")
	case errors.Is(err, unix.ECONNREFUSED):
		return errors.New("no time server runs there")
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return errors.New("there is no way to it")
	}
	return err
}

// isName reports whether a server is to be looked up.
func isName(server string) bool {
	host := server
	if h, _, err := net.SplitHostPort(server); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(host)
	return err != nil
}

func (c *Clock) lookUpDue(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, reached := 0, 0
	for _, p := range c.peers {
		if p.name == name {
			known++
			if p.reach != 0 {
				reached++
			}
		}
	}
	return reached == 0 || reached < known && c.sys.Now().Sub(c.looked[name]) >= lookUpEvery
}

// renew replaces the servers of a name that are of no use by those that the name leads to now. The caller holds mu.
func (c *Clock) renew(name string, addrs []netip.AddrPort, each int) {
	var known []netip.AddrPort
	count := 0
	c.peers = slices.DeleteFunc(c.peers, func(p *peer) bool {
		if p.name != name {
			return false
		}
		useless := p.reach == 0 && !c.voice(p) && !slices.Contains(addrs, p.addr)
		if !useless {
			known = append(known, p.addr)
			if p.reach != 0 || slices.Contains(addrs, p.addr) {
				count++
			}
		}
		return useless
	})
	for _, p := range c.peers {
		known = append(known, p.addr) // one server with two names has one voice
	}
	for _, a := range addrs {
		if count < each && !slices.Contains(known, a) {
			c.peers = append(c.peers, &peer{name: name, addr: a})
			count++
		}
	}
}

// addresses resolves host or host:port.
func (c *Clock) addresses(ctx context.Context, server string) ([]netip.AddrPort, error) {
	host, port := server, uint16(123)
	if h, p, err := net.SplitHostPort(server); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("found port %q, allowed is 1 to 65535", p)
		}
		host, port = h, uint16(n)
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = c.lookUp(ctx, host); err != nil {
		return nil, plain(err)
	}
	var out []netip.AddrPort
	for _, a := range addrs[:min(len(addrs), perName)] {
		out = append(out, netip.AddrPortFrom(a.Unmap(), port))
	}
	return out, nil
}

// answer is what asking one server came to.
type answer struct {
	at     time.Time     // on the system clock
	offset time.Duration // of the server's time to the system clock
	delay  time.Duration
	disp   time.Duration
	told   told
	err    error
	unfit  bool   // it answered that its time is not to be used, and not just too late or never
	kiss   string // "RATE" and the like: it doesn't want to be asked so often, or at all
}

// ask asks one server.
func (c *Clock) ask(ctx context.Context, addr netip.AddrPort) answer {
	var local netip.Addr
	opt := ntp.QueryOptions{
		Timeout: queryTimeout,
		Dialer: func(_, remote string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "udp", remote)
			if err == nil {
				context.AfterFunc(ctx, func() { conn.Close() })
				if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
					local = a.AddrPort().Addr().Unmap()
				}
			}
			return conn, err
		},
	}
	if _, real := c.sys.(machine); !real {
		opt.GetSystemTime = c.sys.Now // else the kernel's receive times are used, which are more exact
	}
	r, err := ntp.QueryWithOptions(addr.String(), opt)
	a := answer{at: c.sys.Now(), err: err}
	if err != nil {
		return a
	}
	if a.err = leaveAlone(r); a.err != nil {
		a.kiss = r.KissCode
	} else {
		a.err = c.usable(r, local, addr.Addr())
	}
	a.unfit = a.err != nil && a.kiss == ""
	a.offset, a.delay, a.disp = r.ClockOffset, r.RTT, r.Precision+time.Microsecond
	a.told = told{stratum: r.Stratum, leap: sntp.Leap(r.Leap), delay: r.RootDelay, disp: r.RootDispersion}
	return a
}

// leaveAlone says that the server wants to be asked less often, or never (RFC 5905 section 7.4). Any other answer with
// stratum 0 only says that the server does not know the time.
func leaveAlone(r *ntp.Response) error {
	switch {
	case r.Stratum != 0:
	case r.KissCode == "RATE":
		return errors.New("it does not want to be asked so often (RATE)")
	case r.KissCode == "DENY" || r.KissCode == "RSTR":
		return fmt.Errorf("it does not want to be asked (%s)", r.KissCode)
	}
	return nil
}

// usable says why an answer can't be used.
func (c *Clock) usable(r *ntp.Response, local, server netip.Addr) error {
	if r.Stratum == 0 || r.Leap == ntp.LeapNotInSync {
		return errors.New("it does not know the time itself")
	}
	if err := r.Validate(); err != nil {
		return err
	}
	id := netip.AddrFrom4([4]byte{byte(r.ReferenceID >> 24), byte(r.ReferenceID >> 16), byte(r.ReferenceID >> 8), byte(r.ReferenceID)})
	switch {
	case r.RTT < 0 || r.RootDistance > maxDistance:
		return fmt.Errorf("its time may be wrong by %s, allowed is %s", r.RootDistance, maxDistance)
	case r.Time.Before(c.cfg.Floor) || r.Time.Year() > maxYear:
		return fmt.Errorf("it says that it is %s", r.Time.UTC().Format(time.DateTime))
	case r.Stratum > 1 && local.IsValid() && id == local && local != server:
		return fmt.Errorf("it goes by the time of this box itself (%s)", local) // RFC 5905 section 11.2: a loop
	}
	return nil
}
