// Package tftp is a read-only TFTP server (RFC 1350, 2347, 2348, 2349, 7440) made for phones that ask in lockstep, ask
// again from the same port, and take silence for a minute's wait (phones.md a.7, a.8).
//
// What is behind a name is decided by [Files]; this package knows transfers.
package tftp
