package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"phonebox/appliance/e2e/capacity/load"
)

const (
	askers   = 1000
	askRate  = 100_000 // of all together: less than the limit of each, 128 a second
	idleRate = 5_000
	// askBurst is less than what the buckets of all clients hold.
	askBurst = 200_000
)

// chronydLimited is chronyd with the limits that phonebox has for each address: 128 requests a second, 255 at once.
func chronydLimited() spec {
	s := chronyd()
	s.name = "chronyd ratelimit"
	s.files = map[string]string{"chrony.conf": s.files["chrony.conf"] + "ratelimit interval -7 burst 255 leak 2\n"}
	return s
}

// sntp asks the time from a thousand addresses.
func sntp(ctx context.Context, x *run, r *result) error {
	up, err := x.lab.startUpstream()
	if err != nil {
		return err
	}
	defer up.stop()
	box := boxConfig{time: `["` + clientIP + `"]`}
	list := []*contender{
		x.boxContender("phonebox", box), x.peerContender("chronyd", "", chronyd()), x.peerContender("chronyd ratelimit", "", chronydLimited()),
	}
	r.ran(x.boxLine(box), chronyd().line(), chronydLimited().line())
	for range x.rounds {
		for _, c := range list {
			if err := x.sntpOf(ctx, r, c); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	r.atLeast("as fast as it goes, answers/s", "phonebox", 100_000)
	r.ratio("100,000 requests/s, answers/s", "phonebox", "chronyd", true, 1)
	for _, what := range []string{"as fast as it goes", "100,000 requests/s", "5,000 requests/s"} {
		for _, peer := range []string{"chronyd", "chronyd ratelimit"} {
			r.ratio(what+", server CPU per answer, µs", "phonebox", peer, false, 2)
		}
	}
	r.note("A thousand addresses ask in turn, each with a hardware address of its own. The limit of phonebox (128 a second of each address, 256 at once) is on, as always; at these rates it stops nobody.")
	r.note("As fast as it goes: 200,000 requests with at most 512 on the way. The load's side is in the same two processors, and the upstream of phonebox, too.")
	return nil
}

func (x *run) sntpOf(ctx context.Context, r *result, c *contender) error {
	s, err := c.start(ctx, 256)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := x.knowsTime(ctx, s); err != nil {
		return err
	}
	long := 5 * time.Second
	if x.quick {
		long = time.Second
	}
	for _, one := range []struct {
		what string
		cfg  load.QuestionsConfig
	}{
		{"", load.QuestionsConfig{Rate: idleRate, For: time.Second}}, // every address is in the neighbour table
		{"100,000 requests/s", load.QuestionsConfig{Rate: askRate, For: long}},
		{"5,000 requests/s", load.QuestionsConfig{Rate: idleRate, For: long}},
		{"as fast as it goes", load.QuestionsConfig{Total: askBurst, Outstanding: 512}},
	} {
		got, cpu, own, err := x.ask(ctx, s, one.cfg)
		if err != nil {
			return err
		}
		if one.what == "" {
			continue
		}
		n := float64(max(got.Answered+got.Kissed, 1)) // what the kernel dropped cost the server nothing
		rate, each := float64(got.Answered)/got.Took.Seconds(), float64(cpu.Microseconds())/n
		x.logf("sntp: %s, %s: %.0f answers/s, %.2f µs CPU each, %d of %d answered, %d kissed, %d unset", c.name, one.what, rate, each, got.Answered, got.Sent, got.Kissed, got.Unset)
		r.add(c.name, one.what+", answers/s", rate)
		r.add(c.name, one.what+", server CPU per answer, µs", each)
		r.add(c.name, one.what+", the load's CPU per answer, µs", float64(own.Microseconds())/n)
		r.add(c.name, one.what+", not answered, %", 100*float64(got.Sent-got.Answered)/float64(max(got.Sent, 1)))
		if got.Wrong+got.Unset > 0 {
			r.must(false, "%s, %s: %d answers wrong, %d said that the time is not known", c.name, one.what, got.Wrong, got.Unset)
		}
	}
	r.add(c.name, "peak memory, MB", s.peak())
	return s.alive()
}

// ask asks and returns what that cost the server and this program.
func (x *run) ask(ctx context.Context, s *set, cfg load.QuestionsConfig) (got load.Questions, cpu, own time.Duration, err error) {
	w, err := x.lab.wire()
	if err != nil {
		return got, 0, 0, err
	}
	defer w.Close()
	cfg.Server, cfg.ServerMAC, cfg.Clients = netip.MustParseAddr(serverIP), boxMAC, askers
	cfg.First, cfg.Base = netip.MustParseAddr("10.77.251.1"), load.MAC{0, 6, 0xd7, 0x60, 0, 0}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s.mark()
	before := ownCPU()
	got, err = load.Ask(ctx, w, cfg)
	return got, s.spent(), ownCPU() - before, err
}

// knowsTime waits until the server tells the time.
func (x *run) knowsTime(ctx context.Context, s *set) error {
	return waitFor(ctx, startPatience, s.name+" knows the time", func() (bool, error) {
		w, err := x.lab.wire()
		if err != nil {
			return false, err
		}
		defer w.Close()
		got, err := load.Ask(ctx, w, load.QuestionsConfig{
			Server: netip.MustParseAddr(serverIP), ServerMAC: boxMAC, Clients: 1, First: netip.MustParseAddr("10.77.250.1"),
			Base: load.MAC{0, 6, 0xd7, 0x61, 0, 0}, Total: 1, Outstanding: 1,
		})
		return got.Answered == 1, err
	})
}

// startUpstream starts a chronyd on the load's side that serves this machine's clock, from which the box has its time.
func (l *lab) startUpstream() (*process, error) {
	return start(l.client, "", nil, "chronyd", "-d", "-x", "-u", "root",
		"local stratum 3", "allow 10.77.0.0/16", "cmdport 0", "bindaddress "+clientIP, "bindcmdaddress /", fmt.Sprintf("pidfile %s/phonebox-capacity-upstream-%d.pid", os.TempDir(), os.Getpid()))
}
