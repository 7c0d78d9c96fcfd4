package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// run is one run of this program.
type run struct {
	lab      *lab
	programs programs
	rounds   int
	quick    bool
	soak     time.Duration
	kills    int
	cuts     int
	csv, svg string
	log      io.Writer
	begun    time.Time
}

func (x *run) logf(format string, args ...any) {
	fmt.Fprintf(x.log, "%7.1f  %s\n", time.Since(x.begun).Seconds(), fmt.Sprintf(format, args...))
}

// boxContender is phonebox with those settings.
func (x *run) boxContender(name string, cfg boxConfig) *contender {
	return &contender{name: name, start: func(ctx context.Context, pool int) (*set, error) {
		cfg.pool = pool
		return x.lab.startBox(ctx, x.programs.daemon, cfg)
	}}
}

// peerContender is a set of other programs.
func (x *run) peerContender(name, tftp string, specs ...spec) *contender {
	return &contender{name: name, start: func(ctx context.Context, pool int) (*set, error) {
		return x.lab.startSet(ctx, name, tftp, pool, specs...)
	}}
}

// boxLine is phonebox's command line with its site, for the document.
func (x *run) boxLine(cfg boxConfig) commandLine {
	cfg.listed, cfg.pool = 0, poolSize
	return commandLine{Who: "phonebox", Line: fmt.Sprintf("phoneboxd -data $DIR -interface %s", iface), Files: map[string]string{"site.toml": cfg.siteText()}}
}

// ownCPU is the CPU time of this program.
func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
