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
	window  int64
	acked   int64 // the highest block that was acknowledged; -1 while the OACK is not
	sent    int64 // the highest block that was sent after acked
	last    int64 // the last block of the file; the largest number while that is not known
	lastLen int   // bytes in it
	buf     []byte

	answered bool // the duplicate of the ACK of acked was answered (RFC 7440), see ack
	resent   int  // packets sent again
	highest  int64
}

func newSender(f File, mode string, agreed terms, oack []byte, emit func([]byte)) *sender {
	src, last := newSource(f, mode, agreed)
	s := &sender{
		src: src, emit: emit, oack: oack, window: int64(agreed.window), last: last, highest: -1,
		buf: make([]byte, 4+agreed.block),
	}
	if oack != nil {
		s.acked = -1
	}
	s.sent = s.acked
	binary.BigEndian.PutUint16(s.buf, opDATA)
	return s
}

// send sends the OACK, or the window after the last block that was acknowledged. An error is one of the file.
func (s *sender) send() error {
	if s.acked < 0 {
		s.count(0)
		s.emit(s.oack)
		s.sent = 0
		return nil
	}
	for n := s.acked + 1; n <= s.last && n <= s.acked+s.window; n++ {
		size, err := s.src.read(s.buf[4:], n)
		if err != nil {
			return err
		}
		if size < len(s.buf)-4 {
			s.last, s.lastLen = n, size
		}
		binary.BigEndian.PutUint16(s.buf[2:], uint16(n))
		s.count(n)
		s.emit(s.buf[:4+size])
		s.sent = n
	}
	return nil
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
	case step > s.sent-s.acked:
		return ignore
	case step == 0 && (s.window == 1 || s.answered || s.acked < 0):
		return ignore
	case step == 0:
		s.answered = true
		return repeat
	}
	s.acked += step
	s.sent, s.answered = s.acked, false
	if s.acked == s.last {
		return done
	}
	return advance
}

// lockstep reports whether only one packet is on its way: no window, or still the OACK.
func (s *sender) lockstep() bool { return s.window == 1 || s.acked < 0 }

// bytes returns how many bytes of data were acknowledged.
func (s *sender) bytes() int64 {
	block := int64(len(s.buf) - 4)
	if s.acked == s.last {
		return (s.acked-1)*block + int64(s.lastLen)
	}
	return max(s.acked, 0) * block
}
