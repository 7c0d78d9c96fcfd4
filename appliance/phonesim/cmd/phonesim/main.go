// Command phonesim boots virtual Cisco 7940/7960 phones against the servers of a network: one, or a storm of hundreds, with
// a table (and JSON) at the end. With -interface each phone speaks raw frames from a hardware address of its own, which needs
// root; with -loopback no privilege is needed, and the ports of the servers are named.
//
//	phonesim -interface eth0 -n 200 -window 2s
//	phonesim -loopback -server 127.77.0.1 -dhcp 6767 -tftp 6969 -sntp 1123 -dns 5353 -n 3 -state sip,sccp,sip-bare
//
// It exits with 0 when every phone got where it was expected to get, 1 when one did not, when a server did something wrong,
// or when an address was given to two phones, and 2 for wrong flags.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

// options are the flags.
type options struct {
	iface, server   string
	loopback        bool
	ports           phonesim.Ports
	states, mac     string
	jsonFile        string
	verbose         bool
	storm           phonesim.StormConfig
	dhcp, tftp      uint
	sntp, dns, http uint
}

// run is the program without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "phonesim:", err)
		return exitUsage
	}
	link, closeLink, err := o.link()
	if err != nil {
		fmt.Fprintln(stderr, "phonesim:", err)
		return exitFail
	}
	defer closeLink()
	o.storm.Link = link
	if o.verbose {
		o.storm.OnEvent = printer(stdout)
	}
	report, err := phonesim.Storm(ctx, o.storm)
	if err == nil {
		err = errors.Join(printReport(stdout, report), writeJSON(o.jsonFile, stdout, report))
	}
	if err != nil {
		fmt.Fprintln(stderr, "phonesim:", err)
		return exitFail
	}
	if !report.OK() {
		return exitFail
	}
	return exitOK
}

// parse reads the flags; every fault is named at once.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("phonesim", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { usage(f) }
	f.StringVar(&o.iface, "interface", "", "speak raw frames on this `interface` (needs root)")
	f.BoolVar(&o.loopback, "loopback", false, "each phone is its own DHCP relay on 127/8 (needs no privilege)")
	f.StringVar(&o.server, "server", "127.77.0.1", "`address` of the servers, with -loopback; on an interface DHCP tells it")
	for _, p := range []struct {
		name string
		v    *uint
		std  uint
	}{{"dhcp", &o.dhcp, 67}, {"tftp", &o.tftp, 69}, {"sntp", &o.sntp, 123}, {"dns", &o.dns, 53}, {"http", &o.http, 80}} {
		f.UintVar(p.v, p.name, p.std, "`port` of the "+strings.ToUpper(p.name)+" server")
	}
	f.IntVar(&o.storm.Phones, "n", 1, "how many phones")
	f.DurationVar(&o.storm.Window, "window", 0, "switch them on at random times within this `time`; 0 = at once")
	f.StringVar(&o.states, "state", "sip", "what is in flash, see below; several, with commas, are taken in turn")
	f.StringVar(&o.mac, "mac", "00:06:D7:50:00:00", "hardware `address` of the first phone; the others count up")
	f.StringVar(&o.storm.Load, "load", "", "what is in flash instead of the usual load of the state: a `name` without suffix such as P00305000500, P0S30203 or P0S3-04-4-00")
	f.BoolVar(&o.storm.CDP, "cdp", false, "announce each phone to the switch by CDP, with -interface")
	f.StringVar(&o.storm.Want, "want", "", "count a phone as ready only with this `load`")
	f.DurationVar(&o.storm.Timeout, "timeout", 10*time.Minute, "give up after this `time`")
	f.Float64Var(&o.storm.Speed, "speed", 1, "divide the times of flashing, resetting and polling by this `factor`; retransmissions stay real")
	f.Uint64Var(&o.storm.Seed, "seed", uint64(time.Now().UnixNano()), "of everything random: the same `number` repeats a storm")
	f.StringVar(&o.jsonFile, "json", "", "write the whole report to this `file`; \"-\" = standard output")
	f.BoolVar(&o.verbose, "v", false, "tell what each phone does")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	return o, o.check(f.Args())
}

// usage prints the help.
func usage(f *flag.FlagSet) {
	w := f.Output()
	fmt.Fprint(w, `phonesim boots virtual Cisco 7940/7960 phones and tells how they fared.

  phonesim -interface eth0 -n 200 -window 2s
  phonesim -loopback -dhcp 6767 -tftp 6969 -sntp 1123 -dns 5353 -n 3 -state sip,sccp,sip-bare -speed 10 -v

States (what is in flash when a phone is switched on):
  sip        SIP 8.12 with the universal loader, and a configuration on the server
  sip-bare   the same, without one: done once it polls for it
  sip7       SIP 7.4 with the universal loader: upgrades if it is told to
  sccp       SCCP 8.1 with the universal loader
  sip-old    SIP 6.3, no universal loader
  sccp-old   SCCP 3.2, no universal loader
  erased     the universal loader without an application
  mix        sip, sip7, sccp and sccp-old in turn

-load puts any other release into flash; whether there is a universal loader follows from it.

Exit code: 0 all are where they should be, 1 a phone failed, a server did wrong or an address was given twice, 2 wrong flags.

Flags:
`)
	f.PrintDefaults()
}

// check turns the flags into a storm.
func (o *options) check(rest []string) error {
	var faults []error
	if len(rest) > 0 {
		faults = append(faults, fmt.Errorf("found %q behind the flags, allowed is nothing", rest))
	}
	if (o.iface == "") == !o.loopback {
		faults = append(faults, errors.New("allowed is one of -interface NAME and -loopback"))
	}
	base, err := phone.ParseMAC(o.mac)
	if err != nil {
		faults = append(faults, fmt.Errorf("-mac: %w", err))
	}
	states, err := phonesim.ParseStates(strings.Split(o.states, ","))
	if err != nil {
		faults = append(faults, fmt.Errorf("-state: %w", err))
	}
	if o.storm.Phones < 1 {
		faults = append(faults, fmt.Errorf("-n: found %d, allowed is one or more", o.storm.Phones))
	}
	if o.storm.Speed <= 0 {
		faults = append(faults, fmt.Errorf("-speed: found %g, allowed is a number above 0", o.storm.Speed))
	}
	for _, p := range []struct {
		name string
		from uint
		to   *uint16
	}{
		{"dhcp", o.dhcp, &o.ports.DHCP},
		{"tftp", o.tftp, &o.ports.TFTP},
		{"sntp", o.sntp, &o.ports.SNTP},
		{"dns", o.dns, &o.ports.DNS},
		{"http", o.http, &o.ports.HTTP},
	} {
		if p.from < 1 || p.from > 1<<16-1 {
			faults = append(faults, fmt.Errorf("-%s: found %d, allowed is 1 to 65535", p.name, p.from))
		}
		*p.to = uint16(p.from)
	}
	o.storm.Base, o.storm.States, o.storm.Ports = base, states, o.ports
	return errors.Join(faults...)
}

// link opens what the phones are plugged into.
func (o *options) link() (phonesim.Link, func(), error) {
	if o.loopback {
		server, err := netip.ParseAddr(o.server)
		if err != nil {
			return nil, nil, fmt.Errorf("reading -server: %w", err)
		}
		l, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: server, Ports: o.ports})
		return l, func() {}, err
	}
	w, err := phonesim.NewWire(o.iface)
	if err != nil {
		return nil, nil, err
	}
	return w, func() { _ = w.Close() }, nil
}

// printer tells events, a line each.
func printer(w io.Writer) func(phonesim.Event) {
	var mu sync.Mutex
	begun := time.Now()
	return func(e phonesim.Event) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%8.3f %s %-10s %s\n", e.Time.Sub(begun).Seconds(), e.MAC, e.Step, e.Text)
	}
}

// writeJSON writes the whole report.
func writeJSON(name string, stdout io.Writer, r phonesim.Report) error {
	if name == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	b = append(b, '\n')
	if name == "-" {
		_, err = stdout.Write(b)
		return err
	}
	return os.WriteFile(name, b, 0o644)
}
