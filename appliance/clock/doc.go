// Package clock is the time of the box: from upstream NTP servers, the real-time clock, the technician's browser or the
// last time that was known; and whether it can be trusted. It is the only package that may set the system clock.
package clock
