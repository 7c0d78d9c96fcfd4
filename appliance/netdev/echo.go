package netdev

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// maxEchoes bounds how many questions beyond the wire may be open at once.
const maxEchoes = 8192

// echoes asks hosts beyond the wire whether they are there, by ICMP echo (RFC 792) through the kernel's routes. All
// questions share one socket and one reader.
type echoes struct {
	panicked func(value any, stack []byte)

	mu      sync.Mutex
	conn    *icmp.PacketConn // nil while nobody asked yet
	done    chan struct{}    // closed when its reader ended
	id      uint16           // what tells our questions from those of other programs, with secret
	secret  [8]byte
	last    uint16
	waiting map[echo]chan struct{}
}

// echo is a question.
type echo struct {
	addr netip.Addr
	seq  uint16
}

// ask sends an echo request, again after each third of the wait, and reports whether an answer came.
func (e *echoes) ask(ctx context.Context, addr netip.Addr, wait time.Duration) (bool, error) {
	q, answer, conn, err := e.open(addr)
	if err != nil {
		return false, err
	}
	defer e.forget(q)
	packet, err := e.request(q.seq)
	if err != nil {
		return false, err
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	again := time.NewTicker(max(wait/probes, time.Millisecond))
	defer again.Stop()
	for sent := 0; ; {
		if sent < probes {
			sent++
			if _, err := conn.WriteTo(packet, &net.IPAddr{IP: addr.AsSlice()}); err != nil {
				return false, err
			}
		}
		select {
		case <-answer:
			return true, nil
		case <-over.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		case <-again.C:
		}
	}
}

// open makes room for an answer, and the socket where there is none yet.
func (e *echoes) open(addr netip.Addr) (echo, <-chan struct{}, *icmp.PacketConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) >= maxEchoes {
		return echo{}, nil, nil, errBusy
	}
	if e.conn == nil {
		if err := e.listen(); err != nil {
			return echo{}, nil, nil, err
		}
	}
	q := echo{addr: addr}
	for taken := true; taken; _, taken = e.waiting[q] { // ends: there are more numbers than questions
		e.last++
		q.seq = e.last
	}
	answer := make(chan struct{}, 1)
	e.waiting[q] = answer
	return q, answer, e.conn, nil
}

// listen opens the socket; the caller holds the lock.
func (e *echoes) listen() error {
	conn, err := icmp.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		return fmt.Errorf("opening a socket for ICMP (it needs root): %w", err)
	}
	var only ipv4.ICMPFilter
	only.SetAll(true) // the kernel keeps back all
	only.Accept(ipv4.ICMPTypeEchoReply)
	if err := conn.IPv4PacketConn().SetICMPFilter(&only); err != nil {
		_ = conn.Close()
		return fmt.Errorf("filtering ICMP: %w", err)
	}
	var id [2]byte
	_, _ = rand.Read(id[:]) // never fails
	_, _ = rand.Read(e.secret[:])
	e.conn, e.done, e.id = conn, make(chan struct{}), binary.BigEndian.Uint16(id[:])
	if e.waiting == nil {
		e.waiting = make(map[echo]chan struct{})
	}
	go e.read(conn, e.done)
	return nil
}

func (e *echoes) request(seq uint16) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: int(e.id), Seq: int(seq), Data: bytes.Clone(e.secret[:])}}
	return m.Marshal(nil)
}

func (e *echoes) forget(q echo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.waiting, q)
}

// read hands answers on until the socket is closed. Where it breaks otherwise, the next question opens another.
func (e *echoes) read(conn *icmp.PacketConn, done chan struct{}) {
	defer close(done)
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			e.mu.Lock()
			if e.conn == conn {
				e.conn = nil
			}
			e.mu.Unlock()
			_ = conn.Close()
			return
		}
		ip, ok := from.(*net.IPAddr)
		if !ok {
			continue
		}
		if addr, ok := netip.AddrFromSlice(ip.IP); ok {
			e.hearGuarded(addr.Unmap(), buf[:n])
		}
	}
}

func (e *echoes) hearGuarded(from netip.Addr, packet []byte) {
	defer func() {
		if v := recover(); v != nil && e.panicked != nil {
			e.panicked(v, debug.Stack())
		}
	}()
	e.hear(from, packet)
}

// hear takes one answer in.
func (e *echoes) hear(from netip.Addr, packet []byte) {
	m, err := icmp.ParseMessage(1, packet) // of the protocol ICMP
	if err != nil || m.Type != ipv4.ICMPTypeEchoReply {
		return
	}
	body, ok := m.Body.(*icmp.Echo)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if body.ID != int(e.id) || !bytes.Equal(body.Data, e.secret[:]) {
		return // an answer to another program
	}
	if answer := e.waiting[echo{from, uint16(body.Seq)}]; answer != nil {
		select {
		case answer <- struct{}{}:
		default:
		}
	}
}

// close ends the socket and returns once its reader has ended; a later question opens another.
func (e *echoes) close() {
	e.mu.Lock()
	conn, done := e.conn, e.done
	e.conn = nil
	e.mu.Unlock()
	if conn == nil {
		return
	}
	if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return
	}
	<-done
}
