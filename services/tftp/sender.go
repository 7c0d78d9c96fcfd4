package tftp

import (
	"encoding/binary"
)

// sender is the sending half of RFC 1350 and RFC 7440 without clock and socket: it knows which blocks are to be sent
// next and what an ACK means.
//
// Blocks are counted from 1 without wrapping; the OACK, if there is one, is block 0, and on the wire the lower 16 bits
// are sent.
type sender struct {
	src     source
	emit    func(packet []byte) // sends a packet; it is reused
	oack    []byte              // nil = the client asked for no option that was granted
	block   int                 // bytes of a whole block
	window  int64
	acked   int64  // the highest block that was acknowledged; -1 while the OACK is not
	sent    int64  // the highest block that was sent after acked
	last    int64  // the last block of the file; the largest number while that is not known
	lastLen int    // bytes in it
	buf     []byte // for a packet; lent for the time of some, or made by it

	answered bool // the duplicate of the ACK of acked was answered (RFC 7440), see ack
	resent   int  // packets sent again
	highest  int64
}

func newSender(f File, mode string, agreed terms, oack []byte, emit func([]byte)) sender {
	src, last := newSource(f, mode, agreed)
	s := sender{src: src, emit: emit, oack: oack, block: agreed.block, window: int64(agreed.window), last: last, highest: -1}
	if oack != nil {
		s.acked = -1
	}
	s.rewind()
	return s
}

// send sends the OACK, or the window after the last block that was acknowledged. An error is one of the file.
func (s *sender) send() error {
	s.rewind()
	_, err := s.some(s.window)
	return err
}

// rewind makes what follows the last block that was acknowledged the next to be sent.
func (s *sender) rewind() { s.sent = s.acked }

// some sends at most count packets of what is to be sent; more says that it did not send all of it. An error is one of
// the file.
func (s *sender) some(count int64) (more bool, err error) {
	if s.sentOACK() {
		return false, nil
	}
	if s.buf == nil {
		s.buf = make([]byte, 4+s.block)
	}
	for range count {
		n, ok := s.next()
		if !ok {
			return false, nil
		}
		size, err := s.src.read(s.buf[4:4+s.block], n)
		if err != nil {
			return false, err
		}
		s.data(n, s.buf[:4+size])
	}
	_, more = s.next()
	return more, nil
}

// sentOACK sends the OACK while it is what the client waits for.
func (s *sender) sentOACK() bool {
	if s.acked >= 0 {
		return false
	}
	if s.sent < 0 {
		s.count(0)
		s.emit(s.oack)
		s.sent = 0
	}
	return true
}

// next is the block that is to be sent next; there is none while the window is on its way.
func (s *sender) next() (n int64, ok bool) {
	n = s.sent + 1
	return n, s.acked >= 0 && n <= s.last && n <= s.acked+s.window
}

// data sends block n, which next gave: packet is room for the header and what the source said.
func (s *sender) data(n int64, packet []byte) {
	if size := len(packet) - 4; size < s.block {
		s.last, s.lastLen = n, size
	}
	binary.BigEndian.PutUint16(packet, opDATA)
	binary.BigEndian.PutUint16(packet[2:], uint16(n))
	s.count(n)
	s.emit(packet)
	s.sent = n
}

func (s *sender) count(n int64) {
	if n <= s.highest {
		s.resent++
	}
	s.highest = max(s.highest, n)
}

// verdict says what an ACK asks for.
type verdict int

const (
	ignore  verdict = iota // it is old, or of a block that was never sent
	advance                // it is new: send on
	repeat                 // it says that the window did not come: send it again
	done                   // the whole file was acknowledged
)

// ack takes an ACK.
//
// In lockstep an ACK that came before is ignored, else each duplicate in the network would double all packets after it
// (the Sorcerer's Apprentice, RFC 1123 section 4.2.3.1). With a larger window it may also say that the first block of
// the window was lost (RFC 7440 section 4), so it is answered, once.
func (s *sender) ack(block uint16) verdict {
	step := int64(block - uint16(s.acked))
	switch {
	case step > s.highest-s.acked: // more than was ever sent: what is about to be sent again may well be acknowledged before
		return ignore
	case step == 0 && (s.window == 1 || s.answered || s.acked < 0):
		return ignore
	case step == 0:
		s.answered = true
		s.rewind()
		return repeat
	}
	s.acked += step
	s.answered = false
	s.rewind()
	if s.acked == s.last {
		return done
	}
	return advance
}

// lockstep reports whether only one packet is on its way: no window, or still the OACK.
func (s *sender) lockstep() bool { return s.window == 1 || s.acked < 0 }

// bytes returns how many bytes of data were acknowledged.
func (s *sender) bytes() int64 {
	if s.acked == s.last {
		return (s.acked-1)*int64(s.block) + int64(s.lastLen)
	}
	return max(s.acked, 0) * int64(s.block)
}
