// Package dhcp gives phones their addresses (RFC 2131, 2132; options 66 and 150 for the TFTP server).
//
// The rules of leases are in the package lease. Here a packet is completed and parsed (complete.go, request.go), judged
// without side effects on the world (decide.go), and answered (reply.go); what must wait for a probe (check.go) or for
// the disk (commit.go) leaves the loop. What there is too much of waits or is limited (load.go, strangers.go), what
// cannot be true is not believed (forged.go), and what was lost is asked of the wire (incomplete.go). Before anything is
// served the wire is searched for another server (watch.go).
//
// A [Server] is made with [New], serves a socket with Serve or opens its own with Run, and takes new settings with Apply:
//
//	s, err := dhcp.New(cfg, dhcp.Deps{Clock: clock, Store: store, Wire: device, Log: log, Report: report})
//	err = s.Run(ctx)
package dhcp
