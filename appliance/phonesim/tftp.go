package phonesim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net"
	"net/netip"
	"os"
	"time"
)

const (
	firstTFTPPort = 49152   // phones count up from a random port at or above this one (phones.md a.7)
	blockSize     = 512     // they ask for no options (RFC 1350)
	maxFile       = 4 << 20 // the largest real image has 756,524 bytes
	keptOfImage   = 4096    // of an image only the headers are looked at: a thousand phones would need a gigabyte
)

// Opcodes and codes of RFC 1350.
const (
	opRRQ   = 1
	opDATA  = 3
	opACK   = 4
	opERROR = 5

	codeNotFound   = 1
	codeUnknownTID = 5
)

// tftpError is an ERROR packet of the server.
type tftpError struct {
	code uint16
	text string
}

func (e *tftpError) Error() string { return fmt.Sprintf("error %d %q", e.code, e.text) }

var (
	errUnanswered = errors.New("no answer")
	errBroken     = errors.New("the transfer broke off")
)

// received is a file as it arrives.
type received struct {
	data []byte // of an image the first keptOfImage bytes, else all
	size int
	sum  hash.Hash
}

// add takes a block.
func (r *received) add(block []byte, limit int) {
	r.size += len(block)
	r.sum.Write(block)
	r.data = append(r.data, block[:min(len(block), max(0, limit-len(r.data)))]...)
}

// fetch asks the TFTP server for a file, as often as the running program does, and keeps what came of it. Of an image only
// the beginning is returned.
func (b *boot) fetch(ctx context.Context, name string, s schedule) ([]byte, error) {
	file := parseName(name)
	b.asking(name)
	b.requested(file.Kind.IsFirmware())
	b.emit(EventRequest, name, "asks for %s", name)
	begun := time.Now()
	limit := maxFile
	if file.Kind.IsFirmware() {
		limit = keptOfImage
	}
	r, err := b.transfer(ctx, name, limit, s)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	} else {
		b.keepFile(name, r, err, time.Since(begun))
	}
	b.closed(file, err == nil)
	return r.data, err
}

// keepFile notes the answer to a name and tells of it.
func (b *boot) keepFile(name string, r received, err error, took time.Duration) {
	f := File{Name: name, Answer: AnswerGot, Size: r.size, Took: took}
	var refused *tftpError
	switch {
	case err == nil:
		f.SHA256 = hex.EncodeToString(r.sum.Sum(nil))
		b.emit(EventFile, name, "got %s, %d bytes", name, r.size)
	case errors.As(err, &refused):
		f.Answer, f.Code, f.Text = AnswerError, refused.code, refused.text
		b.emit(EventMissing, name, "%s: %v", name, err)
		if refused.code != codeNotFound {
			b.fault("TFTP: %s was answered with error code %d, allowed is 1: other codes stop a phone's hunt", name, refused.code)
		}
	case errors.Is(err, errUnanswered):
		f.Answer = AnswerUnanswered
		b.emit(EventUnanswered, name, "%s: no answer", name)
	default:
		f.Answer, f.Text = AnswerBroken, err.Error()
		b.emit(EventUnanswered, name, "%s: %v", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f.Boot = b.res.Boots
	i, known := b.names[name]
	if !known {
		i = len(b.res.Files)
		b.names[name] = i
		b.res.Files = append(b.res.Files, File{})
	}
	f.Times = b.res.Files[i].Times + 1
	b.res.Files[i] = f
}

// listenTFTP opens the next port: phones use one more for each file and each attempt.
func (b *boot) listenTFTP() (net.PacketConn, error) {
	var first error
	for range 16 { // somebody else of this machine may have a port
		b.mu.Lock()
		port := b.tftpPort
		if b.tftpPort++; b.tftpPort < firstTFTPPort {
			b.tftpPort = firstTFTPPort
		}
		b.mu.Unlock()
		conn, err := b.nic.ListenUDP(port)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("opening a TFTP port: %w", first)
}

// transfer makes one attempt per port of the schedule.
func (b *boot) transfer(ctx context.Context, name string, limit int, s schedule) (received, error) {
	lost := b.lostFrames()
	for attempt := range s.ports {
		conn, err := b.listenTFTP()
		if err != nil {
			return received{}, err
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		x := &exchange{boot: b, conn: conn, name: name, limit: limit, waits: s.waits, buf: make([]byte, maxPacket), lost: lost}
		r, err := x.run(ctx, attempt > 0)
		stop()
		x.leave(err == nil)
		lost = x.lost
		if !errors.Is(err, errUnanswered) {
			return r, err
		}
	}
	return received{}, errUnanswered
}

// exchange is one attempt to get a file, from one port.
type exchange struct {
	*boot
	conn  net.PacketConn
	name  string
	limit int // how much of the file is kept
	waits []time.Duration
	buf   []byte
	final []byte         // the last ACK
	lost  uint64         // what the link had lost when it sent last
	peer  netip.AddrPort // the server's address and port of this transfer, once it answered
}

// run asks and receives; again tells that an earlier port asked in vain.
func (x *exchange) run(ctx context.Context, again bool) (received, error) {
	rrq := append([]byte{0, opRRQ}, x.name...)
	rrq = append(rrq, "\x00octet\x00"...)
	server := netip.AddrPortFrom(x.tftp, x.cfg.Ports.TFTP)
	r := received{sum: sha256.New()}
	packet, to := rrq, server
	for block := uint16(1); ; block++ {
		payload, err := x.turn(ctx, packet, to, block, again)
		if err != nil {
			if errors.Is(err, errUnanswered) && x.peer.IsValid() {
				err = errBroken
			}
			return received{}, err
		}
		again = false
		r.add(payload, x.limit)
		ack := []byte{0, opACK, 0, 0}
		binary.BigEndian.PutUint16(ack[2:], block)
		packet, to = ack, x.peer
		if len(payload) < blockSize {
			x.final = ack
			return r, writeTo(x.conn, ack, x.peer)
		}
		if r.size > maxFile {
			return received{}, fmt.Errorf("%w: more than %d bytes", errBroken, maxFile)
		}
	}
}

// leave closes the socket: after a whole file a little later where that can be, for a server that missed the last ACK.
func (x *exchange) leave(whole bool) {
	if d, ok := x.conn.(interface {
		dally(peer netip.AddrPort, payload []byte, long time.Duration)
	}); ok && whole {
		d.dally(x.peer, x.final, dallyTime)
		return
	}
	_ = x.conn.Close()
}

// turn sends a packet, and again after each wait, until the next block arrives.
func (x *exchange) turn(ctx context.Context, packet []byte, to netip.AddrPort, number uint16, again bool) ([]byte, error) {
	for i, wait := range x.waits {
		if i > 0 || again {
			x.sentAgain(x.lost, func(r *Retransmissions) { r.TFTP++ })
		}
		x.lost = x.lostFrames()
		if err := writeTo(x.conn, packet, to); err != nil && ctx.Err() == nil && !isUnreachable(err) {
			return nil, fmt.Errorf("%w: %w", errBroken, err)
		}
		payload, err := x.block(ctx, number, time.Now().Add(wait))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return payload, err
		}
	}
	return nil, errUnanswered
}

// block waits for a block until the deadline; the error is a *tftpError or one of [receive].
func (x *exchange) block(ctx context.Context, number uint16, until time.Time) ([]byte, error) {
	for {
		p, from, err := receive(ctx, x.conn, x.buf, until)
		if err != nil {
			return nil, err
		}
		if !x.ours(from) || len(p) < 4 {
			continue
		}
		switch binary.BigEndian.Uint16(p) {
		case opERROR:
			text, _, _ := cutNUL(p[4:])
			return nil, &tftpError{code: binary.BigEndian.Uint16(p[2:]), text: text}
		case opDATA:
			if len(p)-4 > blockSize {
				x.fault("TFTP: a block of %s has %d bytes, allowed is at most %d", x.name, len(p)-4, blockSize)
				continue
			}
			if binary.BigEndian.Uint16(p[2:]) == number {
				x.peer = from
				return p[4:], nil
			}
			// An older block again: our ACK comes again with the timer (no answer to a duplicate: the sorcerer's apprentice).
		default:
			x.fault("TFTP: a packet with opcode %d came for %s", binary.BigEndian.Uint16(p), x.name)
		}
	}
}

// ours checks the sender; a second transfer for one request is told to stop, as RFC 1350 wants.
func (x *exchange) ours(from netip.AddrPort) bool {
	if from.Addr() != x.tftp {
		x.fault("TFTP: asked %s for %s, the answer came from %s", x.tftp, x.name, from.Addr())
		return false
	}
	if x.peer.IsValid() && from != x.peer {
		x.fault("TFTP: a second transfer of %s began for one request", x.name)
		stop := append([]byte{0, opERROR, 0, codeUnknownTID}, "unknown transfer\x00"...)
		_, _ = x.conn.WriteTo(stop, net.UDPAddrFromAddrPort(from))
		return false
	}
	return true
}
