// Package sntp answers the time to phones (RFC 5905, RFC 4330; phones.md d.1). Requests to the box's address, to the
// subnet's broadcast address, to 255.255.255.255 and to 224.0.1.1 get a unicast answer from the box's address with an honest
// stratum and leap indicator; for phones that only listen, the time goes to the subnet and to 224.0.1.1 now and then (mode 5,
// TTL 1), as long as the box knows it.
//
// Answered are client requests (mode 3) of versions 1 to 4, requests of version 1 that have no mode yet (RFC 1059), and
// symmetric ones (mode 1, which Windows sends): those are answered as by a passive peer (mode 2), as chronyd does, and
// nothing is kept of the peer. Control (mode 6) and monitoring (mode 7) are never answered.
//
// Each client has a token bucket in a table of fixed size. Beyond it, it is told RATE at most once a second (RFC 5905
// section 7.4), and not answered otherwise.
//
//	s, err := sntp.New(sntp.Config{Listen: netip.MustParseAddrPort("0.0.0.0:123"), Interface: "eth0", Server: box}, deps)
//	err = s.Run(ctx)
package sntp
