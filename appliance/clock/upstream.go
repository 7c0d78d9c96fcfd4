package clock

import (
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

// How often upstream is asked: soon while nothing is known, then as RFC 5905 section 7.2 allows.
const (
	retryMin = 2 * time.Second
	pollMin  = 64 * time.Second
	pollMax  = 1024 * time.Second
	// queryTime is how long one server may take.
	queryTime = 2 * time.Second
	// agreement is how far a server may be from the middle of all that answered.
	agreement = time.Second
)

// Run keeps the time right until ctx ends, then saves it.
func (c *Clock) Run(ctx context.Context) error {
	saver := time.NewTicker(saveEvery)
	defer saver.Stop()
	wait := time.Duration(0)
	next := time.NewTimer(wait)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return c.save(context.WithoutCancel(ctx))
		case <-saver.C:
			if err := c.save(ctx); err != nil {
				c.deps.Log.Warn("time not saved", "err", err)
			}
			continue
		case <-c.kick:
			wait = 0
		case <-next.C:
		}
		wait = c.poll(ctx, wait)
		next.Reset(wait)
	}
}

// poll asks upstream once and returns how long to wait until it is asked again.
func (c *Clock) poll(ctx context.Context, wait time.Duration) time.Duration {
	c.mu.Lock()
	upstream := slices.Clone(c.cfg.Upstream)
	c.mu.Unlock()
	if len(upstream) == 0 {
		return pollMax
	}
	best, err := c.ask(ctx, upstream)
	if ctx.Err() != nil {
		return pollMax
	}
	if err != nil {
		c.deps.Log.Debug("no time from upstream", "err", err)
		if c.Trusted() {
			return pollMin
		}
		return min(max(2*wait, retryMin), pollMin)
	}
	first := !c.Trusted() || c.Status().Source == string(SourceRTC)
	if err := c.follow(best); err != nil {
		c.deps.Log.Error("clock not corrected", "err", err)
		return pollMin
	}
	if first {
		c.deps.Log.Info("clock set", "source", SourceNTP, "server", best.name, "offset", best.r.ClockOffset)
		if err := c.save(ctx); err != nil {
			c.deps.Log.Warn("time not saved", "err", err)
		}
	}
	c.writeRTC()
	return min(max(2*wait, pollMin), pollMax)
}

// answer is what one server said.
type answer struct {
	name string
	addr netip.Addr
	r    *ntp.Response
}

// ask asks every server at once and returns the best answer among those that agree.
func (c *Clock) ask(ctx context.Context, upstream []string) (answer, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var good []answer
	var errs []error
	for _, name := range upstream {
		wg.Go(func() {
			a, err := c.query(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("asking %s: %w", name, err))
				return
			}
			good = append(good, a)
		})
	}
	wg.Wait()
	if len(good) == 0 {
		return answer{}, errors.Join(errs...)
	}
	return choose(good), nil
}

// choose returns the answer with the least root distance among those near the median.
func choose(all []answer) answer {
	slices.SortFunc(all, func(a, b answer) int { return int(min(max(a.r.ClockOffset-b.r.ClockOffset, -1), 1)) })
	middle := all[len(all)/2].r.ClockOffset
	near := slices.DeleteFunc(slices.Clone(all), func(a answer) bool { return (a.r.ClockOffset - middle).Abs() > agreement })
	return slices.MinFunc(near, func(a, b answer) int {
		return int(min(max(a.r.RootDistance-b.r.RootDistance, -1), 1))
	})
}

func (c *Clock) query(ctx context.Context, name string) (answer, error) {
	a := answer{name: name}
	port := c.cfg.Port
	if port == 0 {
		port = 123
	}
	r, err := ntp.QueryWithOptions(net.JoinHostPort(name, strconv.Itoa(int(port))), ntp.QueryOptions{
		Timeout: queryTime,
		Dialer: func(_, remote string) (net.Conn, error) {
			conn, err := c.dial(ctx, remote)
			if err == nil {
				ap, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
				a.addr = ap.Addr().Unmap()
			}
			return conn, err
		},
		GetSystemTime: c.Now,
	})
	if err != nil {
		return answer{}, err
	}
	if err := r.Validate(); err != nil {
		return answer{}, err
	}
	a.r = r
	return a, nil
}

func (c *Clock) dial(ctx context.Context, remote string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	d := net.Dialer{}
	if c.deps.Resolver != nil {
		d.Resolver = c.deps.Resolver()
	}
	return d.DialContext(ctx, "udp4", remote)
}

// follow corrects the clock with an answer (RFC 5905 section 11.3: one stratum below the server).
func (c *Clock) follow(a answer) error {
	ref := reference{
		source: SourceNTP, name: a.name, stratum: a.r.Stratum + 1, leap: sntp.Leap(a.r.Leap), delay: a.r.RootDelay + a.r.RTT,
		disp: a.r.RootDispersion + a.r.RTT/2 + a.r.Precision,
	}
	if a.addr.Is4() {
		ref.id = a.addr.As4()
	}
	return c.correct(a.r.ClockOffset, ref)
}
