// Package tftp is a read-only TFTP server (RFC 1350, 2347, 2348, 2349, 7440) made for phones that ask in lockstep, ask
// again from the same port, and take silence for a minute's wait (phones.md a.7, a.8).
//
// What is behind a name is decided by [Files]; this package knows transfers. It answers a read request that cannot be
// served with ERROR 1 at once, whatever the cause, a write request with ERROR 2, a stranger at a transfer's port with
// ERROR 5, and sends no other code. Only when there is no room for a transfer it is silent: the phone asks again.
//
// Of the options blksize is granted up to 1468 bytes (larger blocks would be fragmented), windowsize up to 64, timeout
// up to 12 s, and tsize in octet mode.
//
//	server, err := tftp.New(tftp.Config{Listen: netip.MustParseAddrPort("10.77.0.1:69")}, deps)
//	err = server.Run(ctx)
package tftp
