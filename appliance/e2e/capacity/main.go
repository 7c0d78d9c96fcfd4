// Command capacity measures phonebox beside the servers of Debian that do the same, in network namespaces of its own, and
// writes the tables of docs/capacity.md. It needs root and Linux, and touches no interface, no setting and no clock of the
// machine. See docs/capacity.md.
//
//	go run ./appliance/e2e/capacity                          # everything but the soak and the power cuts: about an hour
//	go run ./appliance/e2e/capacity -only dhcp-new,tftp -quick
//	go run ./appliance/e2e/capacity -only soak -for 1h -svg docs/pictures/soak.svg
//	go run ./appliance/e2e/capacity -doc docs/capacity.md    # and put the tables into the document
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measurement is one thing that can be measured.
type measurement struct {
	name, title string
	needs       []string // programs
	always      bool     // without -only, too
	run         func(context.Context, *run, *result) error
}

func measurements() []measurement {
	return []measurement{
		{"dhcp-new", "New leases a second, all clients new", []string{"perfdhcp", "kea-dhcp4", "dhcpd", "dnsmasq"}, true, dhcpNew},
		{"storm", "A thousand phones at once", []string{"kea-dhcp4", "atftpd", "unbound", "chronyd"}, true, storm},
		{"storm-image", "A thousand phones at once, with an image of 756 KB each", []string{"kea-dhcp4", "atftpd", "unbound", "chronyd"}, true, stormImage},
		{"storm-4000", "Four thousand phones within ten seconds", nil, true, storm4000},
		{"tftp", "TFTP: a hundred downloads at once, and small files", []string{"dnsmasq", "atftpd"}, true, tftp},
		{"sntp", "SNTP: a thousand addresses ask the time", []string{"chronyd"}, true, sntp},
		{"chrony", "SNTP: how exact chronyd finds the time", []string{"chronyd"}, true, chrony},
		{"dns", "Names: of the zone, and of the world from memory", []string{"dnsperf", "dnsmasq", "unbound"}, true, names},
		{"sigkill", "SIGKILL of the daemon while leases are given", nil, true, sigkill},
		{"loss", "One frame in ten lost, in both directions", nil, true, loss},
		{"page", "The page: five hundred phones boot while five browsers look on", []string{"chromium"}, true, pageRun},
		{"clock", "The clock: three servers, one that lies, and what is told while they vanish and return", []string{"chronyd"}, false, clockRun},
		{"soak", "Memory and files over time", nil, false, soak},
		{"power", "Power cuts of the image in a storm", []string{"qemu-system-aarch64"}, false, power},
	}
}

// options are the flags.
type options struct {
	only, json, doc, daemon, phonesim string
	run                               run
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("capacity", flag.ContinueOnError)
	f.SetOutput(stderr)
	var names []string
	for _, m := range measurements() {
		names = append(names, m.name)
	}
	f.StringVar(&o.only, "only", "", "measure only these, with commas between: "+strings.Join(names, ", ")+". Without it soak and power are left out")
	f.IntVar(&o.run.rounds, "rounds", 5, "how often each is measured; the pairs take turns")
	f.BoolVar(&o.run.quick, "quick", false, "shorter steps and coarser searches: to see whether it works, not to be quoted")
	f.IntVar(&o.run.kills, "kills", 200, "how often sigkill kills the daemon")
	f.IntVar(&o.run.cuts, "cuts", 30, "how often power cuts the power")
	f.DurationVar(&o.run.soak, "for", time.Hour, "how long soak takes")
	f.StringVar(&o.run.csv, "csv", "", "where soak writes its samples")
	f.StringVar(&o.run.svg, "svg", "", "where soak draws them")
	f.StringVar(&o.json, "json", "", "write the results to this `file`, too")
	f.StringVar(&o.doc, "doc", "", "put the tables into this `document`, between its markers; the results are kept beside it as .json, so that one measurement can be renewed")
	f.StringVar(&o.daemon, "daemon", "", "measure this `program` instead of building phoneboxd from this tree")
	f.StringVar(&o.phonesim, "phonesim", "", "use this `program` instead of building phonesim from this tree")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("found %q behind the flags, allowed is nothing", f.Args())
	}
	if o.run.rounds < 1 || o.run.kills < 1 || o.run.cuts < 1 || o.run.soak < time.Minute {
		return o, errors.New("allowed are one round, kill, cut or more, and a soak of a minute or more")
	}
	return o, nil
}

// chosen returns the measurements that -only names.
func (o options) chosen() ([]measurement, error) {
	all := measurements()
	var out []measurement
	for _, m := range all {
		if o.only == "" && m.always {
			out = append(out, m)
		}
	}
	for name := range strings.SplitSeq(o.only, ",") {
		if name == "" {
			continue
		}
		i := slices.IndexFunc(all, func(m measurement) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only: found %q, allowed is what -help lists", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// missing names every program that is not there, with its Debian package.
func missing(list []measurement) error {
	var faults []error
	needs := []string{"ip"}
	for _, m := range list {
		needs = append(needs, m.needs...)
	}
	slices.Sort(needs)
	for _, n := range slices.Compact(needs) {
		if _, err := exec.LookPath(n); err != nil {
			faults = append(faults, fmt.Errorf("%s is not here: install the Debian package %s", n, debian[n]))
		}
	}
	if os.Geteuid() != 0 {
		faults = append(faults, fmt.Errorf("running as user %d: network namespaces need root", os.Geteuid()))
	}
	return errors.Join(faults...)
}

// command is the program without the process around it.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	list, err := o.chosen()
	if err != nil {
		return err
	}
	if err := missing(list); err != nil {
		return err
	}
	x := &o.run
	x.log, x.begun = stderr, time.Now()
	if x.programs, err = build(ctx); err != nil {
		return err
	}
	defer os.RemoveAll(x.programs.dir)
	if o.daemon != "" {
		x.programs.daemon = o.daemon
	}
	if o.phonesim != "" {
		x.programs.phonesim = o.phonesim
	}
	if x.lab, err = newLab(); err != nil {
		return err
	}
	defer x.lab.close()
	results, err := x.measure(ctx, list)
	return errors.Join(err, o.write(stdout, results))
}

// measure runs the measurements; one that fails does not keep the others from running.
func (x *run) measure(ctx context.Context, list []measurement) (results []result, err error) {
	var faults []error
	commit, machine := commitName(ctx), machineName()
	for _, m := range list {
		if ctx.Err() != nil {
			break
		}
		r := result{Name: m.name, Title: m.title, When: time.Now(), Commit: commit, Machine: machine, Rounds: x.rounds, Quick: x.quick}
		x.logf("%s: %s", m.name, m.title)
		if err := m.run(ctx, x, &r); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", m.name, err))
			x.logf("%s: %v", m.name, err)
			continue
		}
		r.Took = time.Since(r.When)
		results = append(results, r)
	}
	return results, errors.Join(append(faults, ctx.Err())...)
}
