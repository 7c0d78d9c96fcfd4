package tftp

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Transfer is a file on its way to a client, or one that waits for its turn.
type Transfer struct {
	ID      uint64 // the number of the transfer, as in its events
	From    netip.AddrPort
	Name    string // as on the wire
	Size    int64  // of the file, in bytes
	Bytes   int64  // acknowledged so far; netascii may come to more than Size
	Began   time.Time
	Waiting bool // its file is open, and it waits until there is room for an image
}

// Transfers returns what runs or waits at this moment, the oldest first; health probes, and requests whose file is still being
// looked for, are left out. Of more than most only those with the most bytes to go are kept. The server's lock is held while
// the sessions are copied, some 100 ns each; they are sorted without it.
func (s *Server) Transfers(most int) []Transfer {
	out := s.snapshot()
	if len(out) > max(most, 0) {
		slices.SortFunc(out, func(a, b Transfer) int { return cmp.Compare(b.Size-b.Bytes, a.Size-a.Bytes) })
		out = slices.Clip(out[:max(most, 0)])
	}
	slices.SortFunc(out, func(a, b Transfer) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (s *Server) snapshot() []Transfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Transfer, 0, len(s.sessions))
	for _, sess := range s.sessions {
		if sess.probe || sess.phase != running && sess.phase != waiting {
			continue
		}
		t := Transfer{
			ID: sess.id, From: sess.in.from, Name: sess.in.name, Size: sess.file.Size, Began: sess.began, Waiting: sess.phase == waiting,
		}
		if sess.transfer != nil {
			t.Bytes = sess.transfer.sender.bytes()
		}
		out = append(out, t)
	}
	return out
}
