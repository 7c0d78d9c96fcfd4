package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"
)

// probeWait is how long Probe waits where its context sets no deadline.
const probeWait = time.Second

// Probe sends OPTIONS from the box to its own listening address and waits for the 200, at most a second unless ctx
// says when. It shows that the socket receives, that the loop runs and that it sends.
func (c *Client) Probe(ctx context.Context) error {
	to := c.Addr()
	if !to.IsValid() {
		return fmt.Errorf("probing sip: %w", errNotServing)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, probeWait)
		defer cancel()
	}
	if err := probe(ctx, to); err != nil {
		return fmt.Errorf("probing sip at %s: %w", to, err)
	}
	return nil
}

func probe(ctx context.Context, to netip.AddrPort) error {
	d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Addr(), 0))}
	conn, err := d.DialContext(ctx, "udp4", to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	from := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	branch := branchCookie + token()
	req := request(sip.OPTIONS, from, Target{Address: to, User: box}, branch)
	if _, err := conn.Write([]byte(req.String())); err != nil {
		return err
	}
	reader := newReader()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if ctx.Err() != nil {
			return errors.Join(ErrSilent, ctx.Err())
		}
		if err != nil {
			return err
		}
		msg, err := reader.ParseSIP(buf[:n])
		res, ok := msg.(*sip.Response)
		if err != nil || !ok {
			continue
		}
		if a, err := readAnswer(res); err == nil && a.branch == branch {
			if a.code != 200 {
				return fmt.Errorf("found code %d, expected 200", a.code)
			}
			return nil
		}
	}
}
