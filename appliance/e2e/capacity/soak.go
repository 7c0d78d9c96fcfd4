package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"phonebox/appliance/e2e/capacity/load"
)

const (
	soakRate    = 50   // exchanges a second
	residents   = 1000 // clients that stay
	newcomers   = 500  // clients that come and go
	hostileRate = 20   // packets a second of each kind
	// The starving clients take some twelve thousand addresses in the life of a lease: with these the pool has been through
	// all its states after a quarter of an hour, and what grows afterwards grows for ever.
	soakPool, soakLease = 16_384, "10m"
)

// hostileKinds are what phonesim plays beside the soak. A release that names its victim's hardware address is left out:
// nobody can tell it from the victim's own.
const hostileKinds = "starve,flood,decline,tftpflood,halfopen,garbage"

// sample is one look at the daemon.
type sample struct {
	at                      float64 // s
	memory, leases, journal float64 // MB
	data                    float64 // MB, all files
	done, refused, gaveUp   int     // exchanges so far
}

// soaker is one soak.
type soaker struct {
	x       *run
	s       *set
	clients *load.Clients
	random  *rand.Rand
	begun   time.Time
	total   load.Tally
	samples []sample
	next    int // newcomer
}

// soak lets clients renew, reboot, come and go for a time, beside hostile ones, and looks at memory and files.
func soak(ctx context.Context, x *run, r *result) error {
	cfg := boxConfig{pool: soakPool, lease: soakLease, ping: true, listed: 200, files: shelf()}
	s, err := x.lab.startBox(ctx, x.programs.daemon, cfg)
	if err != nil {
		return err
	}
	defer s.stop()
	r.ran(x.boxLine(cfg))
	w, err := x.lab.wire()
	if err != nil {
		return err
	}
	defer w.Close()
	clients, err := load.NewClients(w, load.ClientsConfig{Count: residents + newcomers, Base: load.MAC{0, 6, 0xd7, 0x20, 0, 0}, Server: netip.MustParseAddr(serverIP), ServerMAC: boxMAC})
	if err != nil {
		return err
	}
	k := &soaker{x: x, s: s, clients: clients, random: rand.New(rand.NewPCG(1, 2)), begun: time.Now()}
	if _, err := clients.Run(ctx, load.Boot, count(0, residents), soakRate); err != nil {
		return err
	}
	hostile, err := x.hostile(r)
	if err != nil {
		return err
	}
	k.begun = time.Now()
	for time.Since(k.begun) < x.soak && ctx.Err() == nil {
		if err := k.round(ctx); err != nil {
			return err
		}
		if err := s.alive(); err != nil {
			return err
		}
	}
	if hostile != nil {
		hostile.stop()
	}
	return errors.Join(ctx.Err(), k.finish(r))
}

func count(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// hostile starts the hostile clients; nil where this tree's phonesim has none.
func (x *run) hostile(r *result) (*process, error) {
	args := []string{x.programs.phonesim, "-interface", iface, "-n", "0", "-hostile", hostileKinds, "-hostile-rate", strconv.Itoa(hostileRate), "-hostile-for", min(x.soak, time.Hour).String()}
	if err := x.knowsProfiles(); err != nil {
		r.note("No hostile clients were beside: this tree's phonesim has none.")
		return nil, nil
	}
	r.ran(commandLine{Who: "hostile clients", Line: "phonesim " + strings.Join(args[1:], " ")})
	return start(x.lab.client, "", nil, args...)
}

// round is ten seconds of exchanges: 7 of renewals, 2 of restarts of phones that remember their address, 1 of newcomers,
// who leave again in the round after.
func (k *soaker) round(ctx context.Context) error {
	pick := func(n int) (who []int) {
		for _, i := range k.random.Perm(residents)[:n] {
			if k.clients.Address(i).IsValid() {
				who = append(who, i)
			}
		}
		return who
	}
	var leaving, coming, lost []int
	for i := range residents {
		if !k.clients.Address(i).IsValid() {
			lost = append(lost, i)
		}
	}
	for i := residents; i < residents+newcomers; i++ {
		if k.clients.Address(i).IsValid() {
			leaving = append(leaving, i)
		}
	}
	for range soakRate {
		coming = append(coming, residents+k.next%newcomers)
		k.next++
	}
	for _, j := range []struct {
		job load.Job
		who []int
	}{{load.Boot, lost}, {load.Renew, pick(7 * soakRate)}, {load.Reboot, pick(2 * soakRate)}, {load.Release, leaving}, {load.Boot, coming}} {
		t, err := k.clients.Run(ctx, j.job, j.who, soakRate)
		if err != nil {
			return err
		}
		k.total.Done += t.Done
		k.total.Refused += t.Refused
		k.total.GaveUp += t.GaveUp
		k.total.Twice += t.Twice
		k.total.Moved += t.Moved
		k.total.Retransmits += t.Retransmits
		if k.total.Example == "" {
			k.total.Example = t.Example
		}
	}
	k.look()
	return nil
}

// look takes a sample.
func (k *soaker) look() {
	now, _ := k.s.procs[0].memory()
	a := sample{at: time.Since(k.begun).Seconds(), memory: float64(now) / 1e6, done: k.total.Done, refused: k.total.Refused, gaveUp: k.total.GaveUp}
	_ = filepath.WalkDir(k.s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		mb := float64(info.Size()) / 1e6
		a.data += mb
		switch {
		case strings.HasPrefix(d.Name(), "leases"):
			a.leases += mb
		case strings.HasPrefix(d.Name(), "journal"):
			a.journal += mb
		}
		return nil
	})
	k.samples = append(k.samples, a)
	if len(k.samples)%6 == 1 {
		k.x.logf("soak %.0f s: %.1f MB in memory, leases %.2f MB, journal %.2f MB, %d exchanges, %d refused", a.at, a.memory, a.leases, a.journal, a.done, a.refused)
	}
}

// finish judges the samples and writes them.
func (k *soaker) finish(r *result) error {
	const who = "phonebox"
	series := k.series()
	for _, s := range series {
		mean, growth := trend(s.x, s.y)
		r.add(who, s.name+", mean, MB", mean)
		r.add(who, s.name+", growth of the line through the last two thirds, MB", growth)
		r.must(growth <= max(0.05*mean, s.slack), "%s grows by %+.2f MB in the last two thirds of %s, wanted at most 5 %% of %.1f MB or %.0f MB", s.name, growth,
			time.Duration(k.samples[len(k.samples)-1].at*float64(time.Second)).Round(time.Second), mean, s.slack)
	}
	r.add(who, "exchanges", float64(k.total.Done))
	r.add(who, "exchanges/s", float64(k.total.Done)/k.samples[len(k.samples)-1].at)
	r.add(who, "renewals and restarts refused", float64(k.total.Refused))
	r.add(who, "not answered in 30 tries", float64(k.total.GaveUp))
	r.add(who, "retransmissions", float64(k.total.Retransmits))
	r.must(k.total.Twice+k.total.Moved == 0, "addresses given twice or changed: %d, wanted none %s", k.total.Twice+k.total.Moved, k.total.Example)
	r.limit("renewals and restarts refused", who, 0)
	r.Rounds = 1
	var faults []error
	if k.x.csv != "" {
		faults = append(faults, k.writeCSV(k.x.csv))
	}
	if k.x.svg != "" {
		faults = append(faults, os.WriteFile(k.x.svg, []byte(plot("Memory and files of phonebox in a soak", "minutes", "MB", series)), 0o644))
	}
	return errors.Join(faults...)
}

// line is one line of the plot: minutes and MB.
type line struct {
	name  string
	slack float64 // MB by which it may grow where that is more than 5 %
	x, y  []float64
}

func (k *soaker) series() []line {
	out := []line{{name: "resident memory", slack: 3}, {name: "lease files", slack: 1}, {name: "journal files", slack: 2}}
	for _, s := range k.samples {
		for i, y := range []float64{s.memory, s.leases, s.journal} {
			out[i].x, out[i].y = append(out[i].x, s.at/60), append(out[i].y, y)
		}
	}
	return out
}

// trend is the mean of the last two thirds, and by how much the straight line through them rises from their first to their
// last.
func trend(x, y []float64) (mean, growth float64) {
	x, y = x[len(x)/3:], y[len(y)/3:]
	n := float64(len(x))
	var sx, sy, sxx, sxy float64
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	if d := n*sxx - sx*sx; d > 0 {
		growth = (n*sxy - sx*sy) / d * (x[len(x)-1] - x[0])
	}
	return sy / n, growth
}

func (k *soaker) writeCSV(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	_ = w.Write([]string{"seconds", "resident_mb", "leases_mb", "journal_mb", "data_mb", "exchanges", "refused", "gave_up"})
	for _, s := range k.samples {
		_ = w.Write([]string{
			fmt.Sprintf("%.0f", s.at), fmt.Sprintf("%.2f", s.memory), fmt.Sprintf("%.3f", s.leases), fmt.Sprintf("%.3f", s.journal), fmt.Sprintf("%.3f", s.data),
			strconv.Itoa(s.done), strconv.Itoa(s.refused), strconv.Itoa(s.gaveUp),
		})
	}
	w.Flush()
	return errors.Join(w.Error(), f.Close())
}
