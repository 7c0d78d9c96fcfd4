package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

const (
	allowedDrops = 0.001
	firstRate    = 500
	searchSteps  = 16
)

// step is one run of perfdhcp against a server that has just been started.
type step struct {
	rate     float64 // that was asked for
	achieved float64 // exchanges of four messages a second
	drops    float64 // share of the DISCOVERs that came to no ACK
	cpu      float64 // of the server, µs per exchange
	memory   float64 // of the server, MB
	limited  bool    // perfdhcp could not ask so fast
}

func (s step) ok() bool { return s.drops < allowedDrops }

// contender is a server that is measured.
type contender struct {
	name  string
	start func(ctx context.Context, pool int) (*set, error)
	last  float64 // the rate of the round before
}

// dhcpNew finds the highest rate of new leases.
func dhcpNew(ctx context.Context, x *run, r *result) error {
	list := []*contender{x.boxContender("phonebox", boxConfig{})}
	if x.programs.knowsSync() {
		list = append(list, x.boxContender("phonebox, 10 ms per sync", boxConfig{sync: 10 * time.Millisecond}))
	} else {
		r.note("This tree's daemon does not know %s: a store that takes 10 ms to sync was not measured.", syncVariable)
	}
	for _, sp := range []spec{kea(), isc(), dnsmasq(false)} {
		list = append(list, x.peerContender(sp.name, "", sp))
		r.ran(sp.line())
	}
	period := 2 * time.Second
	if x.quick {
		period = time.Second
	}
	r.ran(x.boxLine(boxConfig{}), commandLine{Who: "perfdhcp", Line: fmt.Sprint(perfdhcpArgs(1000, period))})
	for round := range x.rounds {
		for _, c := range list {
			best, err := x.highest(ctx, c, period)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			x.logf("dhcp-new round %d: %s %.0f/s, %.0f µs CPU each", round+1, c.name, best.achieved, best.cpu)
			r.add(c.name, "new leases/s", best.achieved)
			r.add(c.name, "server CPU per lease, µs", best.cpu)
			r.add(c.name, "peak memory, MB", best.memory)
			if best.limited {
				r.note("%s was not brought to its limit: perfdhcp could not ask faster.", c.name)
			}
		}
	}
	r.ratio("new leases/s", "phonebox", "kea", true, 1.5)
	r.ratio("server CPU per lease, µs", "phonebox", "kea", false, 1)
	if x.programs.knowsSync() {
		r.ratio("new leases/s", "phonebox, 10 ms per sync", "phonebox", true, 0.5)
	}
	r.limit("peak memory, MB", "phonebox", 80)
	return nil
}

// highest looks for the highest rate of a contender.
func (x *run) highest(ctx context.Context, c *contender, period time.Duration) (step, error) {
	precision := 1.08
	if x.quick {
		precision = 1.25
	}
	top := float64(poolSize-2000) / period.Seconds()
	best, rate, err := search(c.last, top, precision, func(rate float64) (step, error) {
		s, err := x.perfdhcp(ctx, c, rate, period)
		if err == nil && !s.ok() {
			s, err = x.perfdhcp(ctx, c, rate, period) // a hiccup of the machine must not decide
		}
		return s, err
	})
	c.last = rate
	return best, err
}

// search looks for the highest rate with next to no drops, up to top: it doubles until a rate fails, and halves what lies
// between until that is no more than the factor precision. Where a rate of an earlier round is known, it begins there with
// smaller steps. It returns the best step and its rate.
func search(last, top, precision float64, try func(rate float64) (step, error)) (best step, low float64, err error) {
	rate, factor := float64(firstRate), 2.0
	if last > 0 {
		rate, factor = last*0.85, 1.3
	}
	high := math.Inf(1)
	for range searchSteps {
		s, err := try(rate)
		if err != nil {
			return best, low, err
		}
		if s.ok() {
			low, best = rate, s
		} else {
			high = rate
		}
		if s.ok() && s.limited || low >= top || low > 0 && high/low <= precision {
			break
		}
		switch {
		case math.IsInf(high, 1):
			rate = min(rate*factor, top)
		case low == 0:
			rate /= factor
		default:
			rate = math.Sqrt(low * high)
		}
	}
	return best, low, nil
}

func perfdhcpArgs(rate float64, period time.Duration) []string {
	return []string{
		"perfdhcp", "-4", "-r", strconv.Itoa(int(rate)), "-R", strconv.Itoa(poolSize), "-p", strconv.Itoa(int(period.Seconds())), "-W", "1000000",
		"-b", "mac=00:06:d7:00:00:00", "-l", clientIP, serverIP,
	}
}

var perfdhcpCount = regexp.MustCompile(`(?s)Statistics for: ([A-Z]+)-[A-Z]+\*\*\*.*?sent packets: (\d+).*?received packets: (\d+)`)

// perfdhcp measures one rate.
func (x *run) perfdhcp(ctx context.Context, c *contender, rate float64, period time.Duration) (step, error) {
	// A pool that is large enough and no more: what a lease costs ISC grows with its pool.
	s, err := c.start(ctx, int(1.5*rate*period.Seconds())+256)
	if err != nil {
		return step{}, err
	}
	defer s.stop()
	limited, cancel := context.WithTimeout(ctx, period+20*time.Second)
	defer cancel()
	client, err := start(x.lab.client, "", nil, perfdhcpArgs(rate, period)...)
	if err != nil {
		return step{}, err
	}
	defer client.stop()
	// As shipped it loses a part of the answers itself when they come in groups, and would find its own limit.
	if err := client.enlargeSoon(peerBuffer); err != nil {
		return step{}, err
	}
	out, err := client.outcome(limited)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) { // 3: not all were answered
		return step{}, fmt.Errorf("%w: %s", err, out)
	}
	spent := s.spent()
	counts := map[string][2]float64{}
	for _, m := range perfdhcpCount.FindAllStringSubmatch(out, -1) {
		sent, _ := strconv.ParseFloat(m[2], 64)
		received, _ := strconv.ParseFloat(m[3], 64)
		counts[m[1]] = [2]float64{sent, received}
	}
	asked, acked := counts["DISCOVER"][0], counts["REQUEST"][1]
	if asked == 0 {
		return step{}, fmt.Errorf("perfdhcp sent nothing: %s", out)
	}
	res := step{rate: rate, achieved: acked / period.Seconds(), drops: 1 - acked/asked, memory: s.peak(), limited: asked < 0.9*rate*period.Seconds()}
	if acked > 0 {
		res.cpu = float64(spent.Microseconds()) / acked
	}
	x.logf("  %s at %.0f/s: %.0f acknowledged/s, %.2f %% dropped", c.name, rate, res.achieved, 100*res.drops)
	return res, s.alive()
}
