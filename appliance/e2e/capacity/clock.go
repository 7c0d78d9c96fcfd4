package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/beevik/ntp"

	ntpserver "phonebox/services/sntp"
	"phonebox/services/testkit/netns"
)

// The upstream servers of the run: three chronyd that serve the clock of this machine, and one that lies.
var goodServers = []string{"10.77.0.31", "10.77.0.32", "10.77.0.33"}

const (
	liarServer = "10.77.0.34"
	lie        = 10 * time.Second
)

// clockPhase is a state of the upstream servers. Servers are asked every 64 s and less.
type clockPhase struct {
	name  string
	good  int // so many of the good servers run
	liar  bool
	lasts time.Duration
	quick time.Duration
}

var clockPhases = []clockPhase{
	{"1: three and the liar", 3, true, 3 * time.Minute, 20 * time.Second},
	{"2: one and the liar", 1, true, 5 * time.Minute, 70 * time.Second},
	{"3: the liar alone", 0, true, 5 * time.Minute, 70 * time.Second},
	{"4: none", 0, false, 4 * time.Minute, 70 * time.Second},
	{"5: one is back, and the liar", 1, true, 3 * time.Minute, 70 * time.Second},
	{"6: all are back", 3, true, 3 * time.Minute, 70 * time.Second},
}

// clockRun takes servers away from a box and gives them back, and asks it the time every second as a client does.
func clockRun(ctx context.Context, x *run, r *result) error {
	u := &upstreams{x: x, running: map[string]*process{}}
	defer u.stop()
	if err := u.prepare(); err != nil {
		return err
	}
	cfg := boxConfig{pool: 256, time: `["` + strings.Join(append([]string{liarServer}, goodServers...), `", "`) + `"]`}
	r.ran(x.boxLine(cfg))
	var s *set
	defer func() {
		if s != nil {
			s.stop()
		}
	}()
	for i, phase := range clockPhases {
		if err := u.bring(ctx, phase, r); err != nil {
			return err
		}
		if i == 0 {
			var err error
			if s, err = x.lab.startBox(ctx, x.programs.daemon, cfg); err != nil {
				return err
			}
		}
		lasts := phase.lasts
		if x.quick {
			lasts = phase.quick
		}
		x.logf("clock: %s, for %s", phase.name, lasts)
		if err := x.watchClock(ctx, s, phase, lasts, r); err != nil {
			return err
		}
	}
	r.note("Servers and box read the clock of one machine, so the true offset is 0, but for the liar, which is %s ahead, near, and says stratum 1. The good ones say stratum 3. The box was asked once a second over NTP.", lie)
	return nil
}

// watchClock asks the box the time while a phase lasts.
func (x *run) watchClock(ctx context.Context, s *set, phase clockPhase, lasts time.Duration, r *result) error {
	var worst, honest time.Duration
	asked, unsynchronised := 0, 0
	told := map[string]bool{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		a, err := x.askBox()
		if err != nil {
			return err
		}
		asked++
		if a.Leap == ntp.LeapNotInSync {
			unsynchronised++
			continue
		}
		bound := a.RootDelay/2 + a.RootDispersion + a.RTT/2 + time.Millisecond // the client's own reading
		worst, honest = max(worst, a.ClockOffset.Abs()-a.RTT/2), max(honest, a.ClockOffset.Abs()-bound)
		told[fmt.Sprintf("stratum %d, leap %d, reference %s", a.Stratum, a.Leap, a.ReferenceString())] = true
		r.add(phase.name, "offset told, ms", float64(a.ClockOffset.Microseconds())/1000)
		r.add(phase.name, "root dispersion told, ms", float64(a.RootDispersion.Microseconds())/1000)
	}
	r.note("%s. Told: %s. Asked %d times, %d times not synchronised. At the end the box says: %s", phase.name, strings.Join(sortedKeys(told), "; "), asked, unsynchronised, s.box.clockWords(ctx))
	r.must(worst < 50*time.Millisecond, "%s: the time was wrong by %s at most beyond half of the way there and back, wanted under 50 ms", phase.name, worst)
	r.must(honest <= 0, "%s: the time was never more wrong than was told", phase.name)
	r.must(unsynchronised == 0, "%s: told as synchronised throughout", phase.name)
	return nil
}

func sortedKeys(m map[string]bool) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// askBox asks the box as an NTP client does.
func (x *run) askBox() (*ntp.Response, error) {
	a, err := ntp.QueryWithOptions(serverIP, ntp.QueryOptions{
		Timeout: 5 * time.Second,
		Dialer: func(_, remote string) (c net.Conn, err error) {
			err = netns.Do(x.lab.client, func() error {
				c, err = net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(clientIP)}, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(remote)))
				return err
			})
			return c, err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("asking the box the time: %w", err)
	}
	return a, nil
}

// clockWords is what the box's API says of its clock.
func (b *box) clockWords(ctx context.Context) string {
	_, body := b.call(ctx, http.MethodGet, "/api/v1/status", "")
	var s struct {
		Clock struct {
			Source, Problem string
			HeldS           float64 `json:"held_s"`
			Servers         []struct{ Address, Verdict string }
		}
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return "nothing"
	}
	words := fmt.Sprintf("from %s, heard %.0f s ago", s.Clock.Source, s.Clock.HeldS)
	for _, one := range s.Clock.Servers {
		words += fmt.Sprintf("; %s %s", one.Address, one.Verdict)
	}
	if s.Clock.Problem != "" {
		words += ". " + s.Clock.Problem
	}
	return words
}

// upstreams are the servers that the box asks.
type upstreams struct {
	x       *run
	running map[string]*process
	dir     string
	silence context.CancelFunc // of the liar
	lied    chan error
}

// prepare gives the client's side the servers' addresses.
func (u *upstreams) prepare() (err error) {
	if u.dir, err = os.MkdirTemp("", "phonebox-capacity-"); err != nil {
		return err
	}
	for _, addr := range append([]string{liarServer}, goodServers...) {
		if err := ip("-n", u.x.lab.client, "addr", "add", addr+"/16", "dev", iface); err != nil {
			return err
		}
	}
	return nil
}

// bring starts and stops servers until those of the phase run.
func (u *upstreams) bring(ctx context.Context, phase clockPhase, r *result) error {
	for i, addr := range goodServers {
		p := u.running[addr]
		switch {
		case i < phase.good && p == nil:
			args := []string{
				"chronyd", "-x", "-d", "-u", "root", "local stratum 3", "allow 10.77.0.0/16", "cmdport 0", "bindaddress " + addr,
				"bindcmdaddress /", "pidfile " + filepath.Join(u.dir, addr),
			}
			p, err := start(u.x.lab.client, u.dir, nil, args...)
			if err != nil {
				return err
			}
			u.running[addr] = p
			if err := waitFor(ctx, startPatience, "chronyd listens", func() (bool, error) { return listens(p, 123), p.alive() }); err != nil {
				return err
			}
			args[len(args)-1] = "pidfile $DIR/" + addr
			r.ran(commandLine{Who: "chronyd, upstream", Line: quoted(args)})
		case i >= phase.good && p != nil:
			p.stop()
			delete(u.running, addr)
		}
	}
	if phase.liar != (u.silence != nil) {
		return u.setLiar(ctx, phase.liar)
	}
	return nil
}

func quoted(args []string) string {
	for i, a := range args {
		if strings.Contains(a, " ") {
			args[i] = `"` + a + `"`
		}
	}
	return strings.Join(args, " ")
}

// setLiar starts or stops the server that lies: phonebox's own, on a clock that is ahead.
func (u *upstreams) setLiar(ctx context.Context, on bool) error {
	if !on {
		u.silence()
		u.silence = nil
		return <-u.lied
	}
	addr := netip.MustParseAddr(liarServer)
	s, err := ntpserver.New(ntpserver.Config{Listen: netip.AddrPortFrom(addr, 123), Server: netip.PrefixFrom(addr, 16)},
		ntpserver.Deps{Clock: liar{}, Log: slog.New(slog.DiscardHandler), Report: func(ntpserver.Event) {}})
	if err != nil {
		return err
	}
	ctx, u.silence = context.WithCancel(ctx)
	u.lied = make(chan error, 1)
	go func() { u.lied <- netns.Do(u.x.lab.client, func() error { return s.Run(ctx) }) }()
	return nil
}

func (u *upstreams) stop() {
	for _, p := range u.running {
		p.stop()
	}
	if u.silence != nil {
		_ = u.setLiar(context.Background(), false)
	}
	_ = os.RemoveAll(u.dir)
}

// liar is a clock that is wrong and very sure of itself.
type liar struct{}

func (liar) Now() time.Time                    { return time.Now().Add(lie) }
func (liar) Adjust(system time.Time) time.Time { return system.Add(lie) }

func (liar) Quality() ntpserver.Quality {
	return ntpserver.Quality{Stratum: 1, ReferenceID: [4]byte{'G', 'P', 'S'}, ReferenceTime: time.Now().Add(lie), Precision: -20}
}
