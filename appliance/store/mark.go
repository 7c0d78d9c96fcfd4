package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"phonebox/services/dhcp"
)

// markName is the value that remembers that leases may be missing.
const markName = ownPrefix + "salvaged"

const (
	markEvery = 10 * time.Minute // how often the time that has run is written
	markLeast = 24 * time.Hour
)

// mark says that damage may have cost leases. The time until they have all run out is counted while the box runs, on
// the monotonic clock: a box without a clock may not know how long it was off.
type mark struct {
	At   int64 `json:"at"`     // Unix time of the damage, as far as it was known; for people
	Ran  int64 `json:"ran_s"`  // seconds that the box ran since
	Need int64 `json:"need_s"` // seconds after which none of the missing leases can run any more
}

// IncompleteError is what [Store.Leases] returns beside the records while some may be missing. It wraps
// [dhcp.ErrIncomplete].
type IncompleteError struct {
	Ran  time.Duration // how long the box has run since the damage was found, over restarts; time that it was off is not in it
	Need time.Duration // when Ran reaches it the store forgets the damage: a day, or the longest lease that was saved
}

// Error says how long it was ago.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("%v: the file was damaged, the box has run for %v since", dhcp.ErrIncomplete, e.Ran.Round(time.Second))
}

// Unwrap returns [dhcp.ErrIncomplete].
func (e *IncompleteError) Unwrap() error { return dhcp.ErrIncomplete }

// Elapsed returns Ran.
func (e *IncompleteError) Elapsed() time.Duration { return e.Ran }

// setMark notes damage that may have cost leases, of which the longest that is known lasts that long. What is left to
// wait after an earlier damage counts as well.
func (s *Store) setMark(longest time.Duration) {
	s.markMu.Lock()
	if s.mark != nil {
		longest = max(longest, time.Duration(s.mark.Need-s.mark.Ran)*time.Second)
	}
	s.mark = &mark{At: time.Now().Unix(), Need: int64(max(longest, markLeast).Seconds())}
	s.markFrom = time.Now()
	s.markMu.Unlock()
}

// incomplete returns an *IncompleteError, or nil when no record is missing.
func (s *Store) incomplete() error {
	s.markMu.Lock()
	defer s.markMu.Unlock()
	if s.mark == nil {
		return nil
	}
	e := &IncompleteError{
		Ran:  time.Duration(s.mark.Ran)*time.Second + time.Since(s.markFrom),
		Need: time.Duration(s.mark.Need) * time.Second,
	}
	if e.Ran >= e.Need {
		return nil
	}
	return e
}

// Complete forgets that leases may be missing: the caller knows that all of them have run out.
func (s *Store) Complete(ctx context.Context) error {
	s.markMu.Lock()
	none := s.mark == nil
	s.mark = nil
	s.markMu.Unlock()
	if none {
		return nil
	}
	return s.SetValue(ctx, markName, nil)
}

// readMark takes over what a former start noted.
func (s *Store) readMark() {
	raw, err := s.Value(context.Background(), markName)
	if err == nil {
		s.takeMark(raw)
	}
}

func (s *Store) takeMark(raw []byte) {
	var m mark
	if raw == nil || json.Unmarshal(raw, &m) != nil {
		return
	}
	s.markMu.Lock()
	s.mark, s.markFrom = &m, time.Now()
	s.markMu.Unlock()
}

// tellSalvage writes the time that has run, now and then and when the store is closed.
func (s *Store) tellSalvage(now bool) {
	s.markMu.Lock()
	if s.mark == nil || !now && time.Since(s.markFrom) < markEvery {
		s.markMu.Unlock()
		return
	}
	s.mark.Ran += int64(time.Since(s.markFrom).Seconds())
	s.markFrom = time.Now()
	var content []byte
	if s.mark.Ran < s.mark.Need {
		content, _ = json.Marshal(s.mark) // numbers only
	} else {
		s.mark = nil
	}
	s.markMu.Unlock()
	if err := s.putValue(markName, encodeValue(content)); err != nil {
		s.log.Warn("time since the damage not kept", "err", err)
	}
}
