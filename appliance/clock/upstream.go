package clock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/beevik/ntp"

	"phonebox/services/sntp"
)

const (
	queryTimeout = 3 * time.Second
	perName      = 4 // addresses of one name, such as pool.ntp.org
	maxServers   = 8 // asked in one round
	// maxDistance is how wrong a server may be by its own account; clients such as chronyd draw the line at 3 s.
	maxDistance = 3 * time.Second
)

// sample is one good answer.
type sample struct {
	name    string // as configured
	addr    netip.AddrPort
	offset  time.Duration // of the server's time to the system clock
	delay   time.Duration // root delay, the way to the server included
	disp    time.Duration // root dispersion, the error of the measurement included
	stratum uint8         // of the server
	leap    sntp.Leap
}

func (s sample) distance() time.Duration { return s.delay/2 + s.disp }

// ask asks all servers at once and returns the good answers, and why the others are none.
func (c *Clock) ask(ctx context.Context, servers []string) ([]sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*queryTimeout)
	defer cancel()
	type target struct {
		name string
		addr netip.AddrPort
	}
	var targets []target
	var errs []error
	for _, name := range servers {
		addrs, err := c.addresses(ctx, name)
		if err != nil {
			errs = append(errs, err)
		}
		for _, a := range addrs {
			targets = append(targets, target{name, a})
		}
	}
	targets = targets[:min(len(targets), maxServers)]
	samples := make([]sample, len(targets))
	failed := make([]error, len(targets))
	var done sync.WaitGroup
	for i, t := range targets {
		done.Go(func() { samples[i], failed[i] = c.query(ctx, t.name, t.addr) })
	}
	done.Wait()
	var good []sample
	for i := range samples {
		if failed[i] == nil {
			good = append(good, samples[i])
		}
	}
	return good, errors.Join(append(errs, failed...)...)
}

// addresses resolves host or host:port.
func (c *Clock) addresses(ctx context.Context, server string) ([]netip.AddrPort, error) {
	host, port := server, uint16(123)
	if h, p, err := net.SplitHostPort(server); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("asking %q the time: found port %q, allowed is 1 to 65535", server, p)
		}
		host, port = h, uint16(n)
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = c.deps.Resolver().LookupNetIP(ctx, "ip4", host); err != nil {
		return nil, fmt.Errorf("asking %q the time: %w", server, err)
	}
	var out []netip.AddrPort
	for _, a := range addrs[:min(len(addrs), perName)] {
		out = append(out, netip.AddrPortFrom(a.Unmap(), port))
	}
	return out, nil
}

func (c *Clock) query(ctx context.Context, name string, addr netip.AddrPort) (sample, error) {
	opt := ntp.QueryOptions{
		Timeout: queryTimeout,
		Dialer: func(_, remote string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "udp", remote)
			if err == nil {
				context.AfterFunc(ctx, func() { conn.Close() })
			}
			return conn, err
		},
	}
	if _, real := c.sys.(machine); !real {
		opt.GetSystemTime = c.sys.Now // else the kernel's receive times are used, which are more exact
	}
	r, err := ntp.QueryWithOptions(addr.String(), opt)
	if err == nil {
		err = r.Validate()
	}
	if err == nil && (r.RTT < 0 || r.RootDistance > maxDistance) {
		err = fmt.Errorf("its time may be wrong by %s, allowed is %s", r.RootDistance, maxDistance)
	}
	if err == nil && (r.Time.Before(c.cfg.Floor) || r.Time.Year() > maxYear) {
		err = fmt.Errorf("it says that it is %s", r.Time.UTC().Format(time.DateTime))
	}
	if err != nil {
		return sample{}, fmt.Errorf("asking %s (%s) the time: %w", name, addr, err)
	}
	return sample{
		name: name, addr: addr, offset: r.ClockOffset, stratum: r.Stratum, leap: sntp.Leap(r.Leap),
		delay: r.RootDelay + r.RTT, disp: r.RootDispersion + r.Precision + time.Microsecond,
	}, nil
}

// errDisagree says that servers tell different times and none of them has a majority.
var errDisagree = errors.New("the servers tell different times, and no majority agrees")

// slack is added to what servers admit when their answers are compared: paths are not symmetric.
const slack = 100 * time.Millisecond

// choose picks the answer to follow: of those that agree with more than half of all answers (themselves included) the
// one whose own error bound is smallest. Two answers that agree are a majority; two that don't are none.
func choose(samples []sample) (sample, error) {
	if len(samples) == 0 {
		return sample{}, errors.New("no server gave a usable answer")
	}
	var sane []sample
	for _, a := range samples {
		agree := 0
		for _, b := range samples {
			if (a.offset - b.offset).Abs() <= a.distance()+b.distance()+slack {
				agree++
			}
		}
		if 2*agree > len(samples) {
			sane = append(sane, a)
		}
	}
	if len(sane) == 0 {
		return sample{}, errDisagree
	}
	return slices.MinFunc(sane, func(a, b sample) int { return cmp.Compare(a.distance(), b.distance()) }), nil
}

// reference says what the time is worth once it follows the sample.
func (s sample) reference() reference {
	r := reference{Source: s.name, Stratum: min(s.stratum+1, 15), Leap: s.leap, Delay: s.delay, Dispersion: s.disp}
	if s.name != s.addr.Addr().String() {
		r.Source = fmt.Sprintf("%s (%s)", s.name, s.addr.Addr())
	}
	if s.addr.Addr().Is4() {
		r.ID = s.addr.Addr().As4() // RFC 5905 figure 8: the server's address
	}
	return r
}
