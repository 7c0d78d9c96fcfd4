package phonesim

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	sntpTries = 3
	sntpWait  = 4 * time.Second // between requests; not known of the real phones (phones.md d.1)
	ntpSize   = 48
	ntpEpoch  = 2208988800 // 1970 on the clock of RFC 5905, in seconds
)

// clock gets the time as sntp_mode and sntp_server say (phones.md d.1). A phone in the mode multicast asks nobody and
// listens; one in directedbroadcast listens after the first answer; the others stay with the server that answered.
func (b *boot) clock(ctx context.Context, c cnf) {
	mode := cmp.Or(c.get("sntp_mode"), "directedbroadcast")
	if mode == "multicast" {
		b.listenForTime(ctx, netip.Addr{})
		return
	}
	server, anybody, err := b.timeServer(ctx, c, mode)
	if err != nil {
		b.emit(EventClock, "", "no time: %v", err)
		return
	}
	if !server.IsValid() {
		return
	}
	for range sntpTries {
		lost := b.lostFrames()
		from, sent, err := b.askTime(ctx, server, anybody)
		switch {
		case err == nil && mode == "directedbroadcast":
			only := server // a phone that was told a server heeds no other one
			if anybody {
				only = netip.Addr{}
			}
			b.listenForTime(ctx, only)
			return
		case err == nil:
			b.askAgain(ctx, from)
			return
		case ctx.Err() != nil:
			return
		}
		b.emit(EventClock, "", "no time from %s: %v", server, err)
		if sent {
			b.sentAgain(lost, func(r *Retransmissions) { r.SNTP++ })
		}
	}
}

// timeServer says whom to ask: the configured server, or everybody (anybody: whoever answers first is taken). The address
// is not valid when nobody is to be asked.
func (b *boot) timeServer(ctx context.Context, c cnf, mode string) (server netip.Addr, anybody bool, err error) {
	name := c.get("sntp_server")
	everybody := broadcastOf(b.lease.Address)
	switch mode {
	case "anycast":
		return everybody, true, nil
	case "unicast":
		if name == "" || name == "0.0.0.0" {
			return netip.Addr{}, false, nil
		}
	case "directedbroadcast":
		if name == "" || name == "0.0.0.0" {
			return everybody, true, nil
		}
	default:
		b.fault("TFTP: sntp_mode is %q, allowed is unicast, multicast, anycast or directedbroadcast", mode)
		return netip.Addr{}, false, nil
	}
	server, err = b.resolve(ctx, c, name)
	return server, false, err
}

// askTime asks once and returns who answered. sent tells that a request left and stayed without an answer.
func (b *boot) askTime(ctx context.Context, server netip.Addr, anybody bool) (from netip.Addr, sent bool, err error) {
	conn, err := b.nic.ListenUDP(0)
	if err != nil {
		return netip.Addr{}, false, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	request := make([]byte, ntpSize)
	request[0] = 3<<3 | 3 // version 3, client
	_, _ = rand.Read(request[40:])
	begun := time.Now()
	if _, err := conn.WriteTo(request, net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, b.cfg.Ports.SNTP))); err != nil {
		return netip.Addr{}, true, errors.Join(err, sleep(ctx, sntpWait))
	}
	buf := make([]byte, maxPacket)
	for {
		answer, source, err := receive(ctx, conn, buf, begun.Add(sntpWait))
		if err != nil {
			return netip.Addr{}, true, errUnanswered
		}
		if !anybody && source.Addr() != server || source.Port() != b.cfg.Ports.SNTP {
			b.fault("SNTP: asked %s port %d, the answer came from %s", server, b.cfg.Ports.SNTP, source)
			continue
		}
		return source.Addr(), false, b.setClock(answer, source.Addr(), request, begun, time.Now())
	}
}

// setClock checks an answer and notes how far the server's clock is from ours.
func (b *boot) setClock(answer []byte, from netip.Addr, request []byte, sent, received time.Time) error {
	if len(answer) < ntpSize || answer[0]&7 != 4 {
		b.fault("SNTP: the answer is no server's packet of %d bytes", ntpSize)
		return errors.New("an answer that is none")
	}
	if string(answer[24:32]) != string(request[40:48]) {
		b.fault("SNTP: the answer does not carry back our transmit time (RFC 5905)")
		return errors.New("an answer to somebody else")
	}
	if v := answer[0] >> 3 & 7; v != request[0]>>3&7 {
		b.fault("SNTP: asked with version %d, the answer has version %d", request[0]>>3&7, v)
	}
	offset := (ntpTime(answer[32:]).Sub(sent) + ntpTime(answer[40:]).Sub(received)).Seconds() / 2
	leap, stratum := answer[0]>>6, answer[1]
	if (leap == 3) != (stratum == 0 || stratum >= 16) {
		b.fault("SNTP: leap indicator %d and stratum %d contradict each other", leap, stratum)
	}
	if leap == 3 {
		return fmt.Errorf("the server's own clock is not set (stratum %d)", stratum)
	}
	b.mu.Lock()
	b.res.ClockOffset, b.res.ClockStratum, b.res.ClockServer = &offset, stratum, from
	b.res.ClockAnswers++
	b.mu.Unlock()
	b.emit(EventClock, "", "got the time, stratum %d, %.3f s from ours", stratum, offset)
	return nil
}

// ntpTime reads a timestamp of RFC 5905, of the era in which 1968 to 2104 lie.
func ntpTime(b []byte) time.Time {
	s, frac := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
	if s < 1<<31 {
		s += 1 << 32
	}
	return time.Unix(s-ntpEpoch, frac*int64(time.Second)>>32)
}
