//go:build linux

// Command phoneboxd is the daemon of the box: DHCP, TFTP, SNTP, DNS, SIP and the page for the phones of a voice VLAN.
//
//	phoneboxd -try                                  # see it work: no root, no network, virtual phones
//	phoneboxd -data /var/lib/phonebox -site my.toml # serve a real interface
//
// Its exit codes are what gokrazy's supervisor expects: 143 after SIGTERM and 1 after a failure, both of which start it
// again; 125 after a wrong command line, which does not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // the image has no zone files

	"phonebox/appliance/assemble"
)

// The exit codes.
const (
	exitFailed  = 1
	exitUsage   = 125
	exitStopped = 128 + int(syscall.SIGTERM)
	// exitInterrupted is Ctrl-C in a terminal.
	exitInterrupted = 128 + int(syscall.SIGINT)
)

func main() {
	leanHeap()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// leanHeap collects garbage when the heap has grown by two fifths, not when it has doubled: a Pi Zero 2 W has 512 MB for all, and
// a storm of 1,000 phones is to stay under 80. GOGC overrules it.
func leanHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(40)
	}
}

func run(args []string, stdout, stderr io.Writer) int {
	opt, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "phoneboxd:", err)
		return exitUsage
	}
	opt.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: logLevel(opt.Try)}))
	opt.Terminal = stdout
	opt.Version, opt.Built = version()
	ctx, code := untilStopped()
	serve := assemble.Serve
	if opt.Try {
		serve = assemble.Try
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	err = serve(ctx, opt, reload)
	if errors.Is(err, assemble.ErrRestart) {
		opt.Log.Info("starting again, as was asked for on the page")
		return startAgain(opt.Log)
	}
	if err != nil {
		opt.Log.Error("phoneboxd ends", "err", err)
		return exitFailed
	}
	return code()
}

// untilStopped returns a context that ends at SIGTERM or Ctrl-C, and the exit code that says which.
func untilStopped() (context.Context, func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	code := exitStopped
	go func() {
		if <-stop == syscall.SIGINT {
			code = exitInterrupted
		}
		signal.Stop(stop) // a second signal ends the process at once
		cancel()
	}()
	return ctx, func() int { return code }
}

// startAgain makes the process a new daemon. On the box gokrazy's supervisor does that; elsewhere nobody may be there who would.
func startAgain(log *slog.Logger) int {
	if onBox {
		return exitStopped
	}
	exe, err := os.Executable()
	if err == nil {
		err = syscall.Exec(exe, os.Args, os.Environ())
	}
	log.Error("phoneboxd cannot start itself again", "err", err)
	return exitFailed
}

func parse(args []string, stderr io.Writer) (assemble.Options, error) {
	var o assemble.Options
	fs := flag.NewFlagSet("phoneboxd", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.Site, "site", defaultSite, "settings to begin with, read when -data has no site.toml yet: a `file`")
	fs.StringVar(&o.Data, "data", defaultData, "the `folder` of everything that lasts: settings, leases, firmware, certificates")
	fs.StringVar(&o.Interface, "interface", "", "the network interface `name`, instead of the one in the settings")
	fs.BoolVar(&o.ManageAddress, "manage-address", onBox, "set the address and the route of the interface")
	fs.BoolVar(&o.ManageClock, "manage-clock", onBox, "set the system clock and the real-time clock")
	fs.BoolVar(&o.Try, "try", false, "show it on loopback with virtual phones: needs no root, no network and no settings")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, errors.New("see -help")
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("found the argument %q, allowed are flags only (see -help)", fs.Arg(0))
	}
	if o.Try {
		o.ManageAddress, o.ManageClock = false, false
		return o, nil
	}
	o.OwnsMachine = onBox
	if o.Data == "" {
		return o, errors.New("-data: found nothing, allowed is a folder; or -try to see phonebox work without one")
	}
	return o, nil
}

// logLevel keeps the terminal of -try for its progress; only errors come in between.
func logLevel(try bool) slog.Level {
	if try {
		return slog.LevelError
	}
	return slog.LevelInfo
}
