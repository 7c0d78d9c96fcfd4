package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// chronydFollowing is chronyd that serves what it has from the same upstream as phonebox.
func chronydFollowing() spec {
	return spec{name: "chronyd", port: 123, args: []string{"chronyd", "-d", "-x", "-u", "root", "-f", "$DIR/chrony.conf"}, files: map[string]string{
		"chrony.conf": "server " + clientIP + " iburst minpoll 4 maxpoll 6\nallow 10.77.0.0/16\ncmdport 0\nbindaddress " + serverIP + "\nbindcmdaddress /\npidfile $DIR/chronyd.pid\n",
	}}
}

// chrony lets chronyd take the time. All clocks here are one: what it measures is the error of the server and of the way.
func chrony(ctx context.Context, x *run, r *result) error {
	up, err := x.lab.startUpstream()
	if err != nil {
		return err
	}
	defer up.stop()
	box := boxConfig{time: `["` + clientIP + `"]`}
	local := chronyd()
	local.name = "chronyd local"
	list := []*contender{
		x.boxContender("phonebox", box), x.peerContender("chronyd", "", chronydFollowing()), x.peerContender("chronyd local", "", local),
	}
	r.ran(x.boxLine(box), chronydFollowing().line(), commandLine{Who: "the client", Line: strings.Join(queryArgs("$DIR"), " ")},
		commandLine{Who: "the client that polls", Line: "chronyd -d -x -u root -f $DIR/chrony.conf", Files: map[string]string{"chrony.conf": pollConf("$DIR")}})
	for range x.rounds {
		for _, c := range list {
			if err := x.chronyOf(ctx, r, c); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	for _, what := range []string{chronyQuery, chronyPoll} {
		r.atMost(what, "phonebox", 100)
		r.ratio(what, "phonebox", "chronyd", false, 2)
	}
	r.note("Server, client and upstream read the same clock of this machine, so the true offset is 0. phonebox and chronyd have the time from one upstream chronyd; \"chronyd local\" serves the clock of the machine itself, which is the best that can be had.")
	r.note("The client that polls asks four times a second and keeps its own clock as it is (noselect); its measurements are those of its log.")
	return nil
}

const (
	chronyQuery = "chronyd -Q, error (median of five), µs"
	chronyPoll  = "polling, error, µs"
	chronyP95   = "polling, error of the worst twentieth at least, µs"
	chronyDelay = "polling, delay, µs"
)

func (x *run) chronyOf(ctx context.Context, r *result, c *contender) error {
	s, err := c.start(ctx, 256)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := x.knowsTime(ctx, s); err != nil {
		return err
	}
	var each []float64
	for range 5 {
		off, err := x.query(ctx)
		if err != nil {
			return err
		}
		each = append(each, math.Abs(off)*1e6)
	}
	long := time.Minute
	if x.quick {
		long = 10 * time.Second
	}
	offsets, delays, err := x.poll(ctx, long)
	if err != nil {
		return err
	}
	for i := range offsets {
		offsets[i] = math.Abs(offsets[i])
	}
	r.add(c.name, chronyQuery, median(each))
	r.add(c.name, chronyPoll, median(offsets)*1e6)
	r.add(c.name, chronyP95, quantile(offsets, 0.95)*1e6)
	r.add(c.name, chronyDelay, median(delays)*1e6)
	r.add(c.name, "measurements", float64(len(offsets)))
	x.logf("chrony: %s -Q %.1f µs, polling %.1f µs (95 %%: %.1f) of %d, delay %.1f µs", c.name, median(each), median(offsets)*1e6,
		quantile(offsets, 0.95)*1e6, len(offsets), median(delays)*1e6)
	return s.alive()
}

func queryArgs(dir string) []string {
	return []string{
		"chronyd", "-Q", "-d", "-u", "root", "-t", "20", "server " + serverIP + " iburst maxsamples 1", "port 0", "cmdport 0", "bindcmdaddress /",
		"pidfile " + dir + "/query.pid",
	}
}

var wrongBy = regexp.MustCompile(`System clock wrong by (-?[0-9.]+) seconds`)

// query runs chronyd -Q, which sets nothing, and returns the offset that it found, in seconds.
func (x *run) query(ctx context.Context) (float64, error) {
	dir, err := os.MkdirTemp("", "phonebox-capacity-chrony-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	out, err := runIn(ctx, x.lab.client, queryArgs(dir)...)
	if m := wrongBy.FindStringSubmatch(out); m != nil {
		return strconv.ParseFloat(m[1], 64)
	}
	return 0, errors.Join(fmt.Errorf("chronyd -Q did not take the time: %s", out), err)
}

// pollConf is a client that measures and changes nothing.
func pollConf(dir string) string {
	return "server " + serverIP + " minpoll -2 maxpoll -2 noselect\nport 0\ncmdport 0\nbindcmdaddress /\npidfile " + dir + "/poll.pid\nlogdir " + dir + "\nlog rawmeasurements\n"
}

// poll lets chronyd poll for that long and returns what it measured, in seconds.
func (x *run) poll(ctx context.Context, long time.Duration) (offsets, delays []float64, err error) {
	dir, err := os.MkdirTemp("", "phonebox-capacity-chrony-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	conf := filepath.Join(dir, "chrony.conf")
	if err := os.WriteFile(conf, []byte(pollConf(dir)), 0o644); err != nil {
		return nil, nil, err
	}
	p, err := start(x.lab.client, dir, nil, "chronyd", "-d", "-x", "-u", "root", "-f", conf)
	if err != nil {
		return nil, nil, err
	}
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if err := errors.Join(ctx.Err(), p.alive()); err != nil {
		p.stop()
		return nil, nil, err
	}
	p.stop()
	text, err := os.ReadFile(filepath.Join(dir, "measurements.log"))
	if err != nil {
		return nil, nil, err
	}
	offsets, delays = measurementsOf(string(text))
	if want := int(long/time.Second) * 2; len(offsets) < want {
		return nil, nil, fmt.Errorf("found %d measurements in %s, wanted %d at least: %s", len(offsets), long, want, p.out.String())
	}
	return offsets, delays, nil
}

// measurementsOf reads a measurements.log of chronyd (chrony.conf(5), log): column 12 is the offset, 13 the delay.
func measurementsOf(text string) (offsets, delays []float64) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 14 || f[2] != serverIP {
			continue
		}
		off, err1 := strconv.ParseFloat(f[11], 64)
		delay, err2 := strconv.ParseFloat(f[12], 64)
		if err1 == nil && err2 == nil {
			offsets, delays = append(offsets, off), append(delays, delay)
		}
	}
	return offsets, delays
}

// quantile is the value that this share of a figure's values does not exceed.
func quantile(v []float64, share float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if len(s) == 0 {
		return math.NaN()
	}
	return s[min(int(share*float64(len(s))), len(s)-1)]
}
