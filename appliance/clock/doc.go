// Package clock is the time of the box: from upstream NTP servers, the real-time clock, the technician's browser or the
// last time that was known; and whether it can be trusted. It is the only package that may set the system clock.
//
// What the sources are worth, best first:
//
//   - An upstream server (RFC 5905): its stratum plus one, with the delay and dispersion that it told. When it no longer
//     answers the time goes on; the dispersion grows 15 ppm, and after a day the stratum is at least 10.
//   - A person's browser: stratum 10, one second of dispersion to begin with.
//   - The clock of the computer, where the box does not manage it and the kernel says that something else keeps it
//     synchronised: stratum 11, with the kernel's error bound.
//   - The RTC: stratum 12, and only when it is later than the build and than the last time that was known; a battery
//     that ran out sets it back. Its dispersion is a second and 20 ppm of the time that the box may have been off.
//   - The last known time, else the build time: a guess. It is never trusted, and answers say "not synchronised".
//
// Time that may be wrong by more than five minutes is not trusted either, whatever its source was.
//
//	c, err := clock.New(clock.Config{Upstream: []string{"pool.ntp.org"}}, clock.Deps{Store: store, Log: log})
//	go c.Run(ctx)
//
// A restart of the program alone loses nothing: on the same start of the kernel the clock ran on meanwhile, so what the
// time went by before goes on as well.
package clock
