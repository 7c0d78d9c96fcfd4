package assemble

import (
	"sync"
	"time"
)

// summaryLines are how many lines of one sort the log gets a second. It keeps a hundred lines on the box (gokrazy), and each
// costs more than what it tells of.
const summaryLines = 20

// summary counts lines of one sort: above summaryLines in a second the rest is left out, and their number goes with the
// next line.
type summary struct {
	mu     sync.Mutex
	second int64
	n      int
	left   int
}

// take reports whether a line is to be logged, and what it has to tell of those that were not.
func (s *summary) take() (left []any, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now().Unix(); now != s.second {
		s.second, s.n = now, 0
	}
	s.n++
	if s.n > summaryLines {
		s.left++
		return nil, false
	}
	if s.left > 0 {
		left = []any{"not_logged_before", s.left}
		s.left = 0
	}
	return left, true
}
