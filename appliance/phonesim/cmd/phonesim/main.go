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
	"runtime/pprof"
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

	profile     string
	faults      phonesim.Faults
	roamTo      string
	hostile     string
	hostileRate int
	hostileFor  time.Duration
	cpuProfile  string
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
	closeLinks, err := o.plug()
	defer closeLinks()
	if err != nil {
		fmt.Fprintln(stderr, "phonesim:", err)
		return exitFail
	}
	if o.verbose {
		o.storm.OnEvent = printer(stdout)
	}
	stopProfile, err := o.profileCPU()
	if err != nil {
		fmt.Fprintln(stderr, "phonesim:", err)
		return exitFail
	}
	report, err := phonesim.Storm(ctx, o.storm)
	stopProfile()
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
	o.stormFlags(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	return o, o.check(f.Args())
}

// stormFlags are the flags for what may happen in a storm.
func (o *options) stormFlags(f *flag.FlagSet) {
	f.StringVar(&o.profile, "profile", "full", "`what` the phones do: full, or basic: what any set of servers can satisfy, see below")
	f.StringVar(&o.storm.Name, "name", "pbx", "the `name` that phones of -profile basic ask the DNS for")
	f.StringVar(&o.storm.Image, "image", "", "each phone then downloads this `file` in 512-byte lockstep, once it is ready")
	f.Float64Var(&o.faults.Loss, "loss", 0, "lose this `share` of the frames, 0 to 1, in each direction, with -interface")
	f.Float64Var(&o.faults.Dup, "dup", 0, "repeat this `share` of the frames")
	f.Float64Var(&o.faults.Reorder, "reorder", 0, "hold this `share` of the frames back for 1 to 10 ms")
	f.DurationVar(&o.storm.Stay, "stay", 0, "stay up for this `time` after all are done")
	f.DurationVar(&o.storm.Renew, "renew", 0, "renew leases after this `time` if that is sooner than T1; needs -stay to matter")
	f.IntVar(&o.storm.Roam.Phones, "roam", 0, "pull so many phones out once all are done and plug them in elsewhere")
	f.StringVar(&o.roamTo, "roam-to", "", "the other `interface` for -roam; \"\" = the same one, on loopback other relay addresses")
	f.StringVar(&o.hostile, "hostile", "", "a `list` of hostile clients beside the phones, see below, with -interface; for your own lab only")
	f.IntVar(&o.hostileRate, "hostile-rate", 200, "packets a second of each kind of hostile client, 1 to 20000")
	f.DurationVar(&o.hostileFor, "hostile-for", 10*time.Second, "how long they go on, at most 1h")
	f.StringVar(&o.cpuProfile, "cpuprofile", "", "write a profile of this program to this `file`")
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

Profiles:
  full   a phone as it is, with its own times; it needs a box that configures it
  basic  DORA, seven small files of any TFTP root (there or not found), the time, SRV and A of a name; no time spent on itself,
         so that sets of servers can be compared

Hostile clients (-hostile starve,decline,...). They are for servers of your own, in a lab of your own: the interface must be
named, must not carry the default route, and rate and time are bounded.
  starve     made-up hardware addresses take leases
  flood      made-up hardware addresses ask for leases and never take them
  decline    forged DHCPDECLINE of the phones' addresses
  release    forged DHCPRELEASE of the phones' leases
  spoof      DISCOVER in the name of another hardware address than the frame's
  tftpflood  read requests, each from another port
  halfopen   transfers that are begun and left
  garbage    bytes without sense and damaged DHCP

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
	if o.storm.Phones < 1 && (o.hostile == "" || o.storm.Phones < 0) {
		faults = append(faults, fmt.Errorf("-n: found %d, allowed is one or more", o.storm.Phones))
	}
	faults = append(faults, o.checkStorm())
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

// checkStorm checks what may happen in a storm.
func (o *options) checkStorm() error {
	var faults []error
	profile, err := phonesim.ParseProfile(o.profile)
	if err != nil {
		faults = append(faults, fmt.Errorf("-profile: %w", err))
	}
	o.storm.Profile = profile
	if err := o.faults.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("-loss, -dup, -reorder: %w", err))
	}
	if o.loopback && o.faults != (phonesim.Faults{}) {
		faults = append(faults, errors.New("-loss, -dup, -reorder: allowed with -interface only"))
	}
	if o.storm.Roam.Phones < 0 || o.storm.Roam.Phones > max(0, o.storm.Phones) {
		faults = append(faults, fmt.Errorf("-roam: found %d, allowed is 0 to the number of phones", o.storm.Roam.Phones))
	}
	if o.roamTo != "" && (o.loopback || o.storm.Roam.Phones == 0) {
		faults = append(faults, errors.New("-roam-to: allowed with -interface and -roam only"))
	}
	if o.storm.Stay < 0 || o.storm.Renew < 0 {
		faults = append(faults, errors.New("-stay, -renew: allowed is a time of 0 or more"))
	}
	if o.hostile == "" {
		return errors.Join(faults...)
	}
	kinds, err := phonesim.ParseHostileKinds(o.hostile)
	if err != nil {
		faults = append(faults, fmt.Errorf("-hostile: %w", err))
	}
	if o.loopback {
		faults = append(faults, errors.New("-hostile: allowed with -interface only"))
	}
	o.storm.Hostile = &phonesim.HostileConfig{Kinds: kinds, Rate: o.hostileRate, For: o.hostileFor}
	return errors.Join(faults...)
}

// plug opens what the phones are plugged into. What it returns closes what it opened, also after an error.
func (o *options) plug() (closeLinks func(), err error) {
	var closers []func()
	closeLinks = func() {
		for _, c := range closers {
			c()
		}
	}
	link, closeLink, err := o.link()
	if err != nil {
		return closeLinks, err
	}
	closers = append(closers, closeLink)
	o.storm.Link = link
	w, isWire := link.(*phonesim.Wire)
	if !isWire {
		return closeLinks, o.plugRelays()
	}
	o.faults.Seed = o.storm.Seed
	if err := w.SetFaults(o.faults); err != nil {
		return closeLinks, err
	}
	if h := o.storm.Hostile; h != nil {
		h.Wire, h.Ports, h.Seed = w, o.ports, o.storm.Seed
	}
	if o.roamTo == "" {
		return closeLinks, nil
	}
	to, err := phonesim.NewWire(o.roamTo)
	if err != nil {
		return closeLinks, err
	}
	closers = append(closers, func() { _ = to.Close() })
	to.ShareAddresses(w)
	o.storm.Roam.Link = to
	return closeLinks, to.SetFaults(o.faults)
}

// plugRelays makes the second link of -roam on loopback.
func (o *options) plugRelays() error {
	if o.storm.Roam.Phones == 0 {
		return nil
	}
	server, err := netip.ParseAddr(o.server)
	if err != nil {
		return fmt.Errorf("reading -server: %w", err)
	}
	const half = 7000 // of the relay addresses of a link
	to, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: server, Ports: o.ports, FirstRelay: half})
	o.storm.Roam.Link = to
	return err
}

// profileCPU begins the profile of -cpuprofile and returns what ends it.
func (o *options) profileCPU() (stop func(), err error) {
	if o.cpuProfile == "" {
		return func() {}, nil
	}
	f, err := os.Create(o.cpuProfile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
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
