package dns

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// Resolver resolves names for the box itself as the server does for a phone: from the zone, and else through the
// settings' upstream servers, with what they answered before. It uses no socket of the server, so it works while the server does not run.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		// The address that Go found in /etc/resolv.conf does not matter. Over a connection that keeps no packets apart, Go
		// speaks DNS as over TCP.
		Dial: func(_ context.Context, _, _ string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go s.servePipe(ours)
			return theirs, nil
		},
	}
}

// servePipe answers the questions of one lookup, until the resolver closes its end; it does so on a time-out too.
func (s *Server) servePipe(c net.Conn) {
	defer c.Close()
	defer s.panics.Recover(nil) // what a lookup of the box meets must not end the box
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	conn := &dns.Conn{Conn: c}
	for {
		q, err := conn.ReadMsg()
		if err != nil {
			return
		}
		payload, err := s.resolve(ctx, s.state.Load(), netip.AddrPort{}, q, time.Now())
		if err != nil {
			return
		}
		if _, err := conn.Write(payload); err != nil {
			return
		}
	}
}
