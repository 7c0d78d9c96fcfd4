package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"phonebox/services/dhcp/lease"
)

const (
	maxWaiting = 8192      // requests in the queue; above it the store is far too slow to wait for
	maxValue   = 8 << 20   // bytes of one value
	maxGroup   = 512 << 10 // bytes that are synced together; what is larger is written in several groups
)

// ErrClosed says that the store was closed before the call.
var ErrClosed = errors.New("the store is closed")

// request is what one caller waits for.
type request struct {
	records []logged
	done    chan error
}

// Commit stores the records and returns once they are on disk. Calls that come while another group is written are
// written together. A record replaces the one of its address, and no other; one that is [lease.Forgotten] only removes
// that. After an error, or when ctx ends first, the records may or may not be stored; the next call is tried
// all the same.
func (s *Store) Commit(ctx context.Context, records ...lease.Record) error {
	r, err := newRequest(records)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("storing leases: %w", err)
	}
	if len(records) == 0 {
		return nil
	}
	if err := s.enqueue(r); err != nil {
		return fmt.Errorf("storing leases: %w", err)
	}
	select {
	case err := <-r.done:
		if err != nil {
			return fmt.Errorf("storing leases: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("storing leases: %w", ctx.Err())
	}
}

// newRequest encodes the records, all of them into one buffer.
func newRequest(records []lease.Record) (*request, error) {
	r := &request{records: make([]logged, len(records)), done: make(chan error, 1)}
	buf := make([]byte, 0, 144*len(records))
	ends := make([]int, len(records))
	var err error
	for i := range records {
		if buf, r.records[i], err = logLease(buf, &records[i]); err != nil {
			return nil, err
		}
		ends[i] = len(buf)
	}
	at := 0
	for i, end := range ends {
		r.records[i].locate(buf[at:end:end])
		at = end
	}
	return r, nil
}

func (s *Store) enqueue(r *request) error {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if len(s.queue) >= maxWaiting {
		return fmt.Errorf("%d writes wait already: the card is too slow", len(s.queue))
	}
	s.queue = append(s.queue, r)
	s.poke()
	return nil
}

// Waiting returns how many writes wait for the group that is being written now.
func (s *Store) Waiting() int {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	return len(s.queue)
}

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// committer writes all that waits in one group, again and again, until the store is closed and nothing waits.
func (s *Store) committer() {
	defer close(s.done)
	for range s.wake {
		for {
			s.queueMu.Lock()
			group, closed := s.queue, s.closed
			s.queue = nil
			s.queueMu.Unlock()
			if len(group) == 0 {
				if closed {
					return
				}
				break
			}
			s.commit(group)
		}
	}
}

// commit writes one group and tells everyone who waits for it.
func (s *Store) commit(group []*request) {
	began := time.Now()
	records := group[0].records
	if len(group) > 1 {
		records = make([]logged, 0, 2*len(group))
		for _, r := range group {
			records = append(records, r.records...)
		}
	}
	err := s.write(records)
	s.metrics.committed(len(group), time.Since(began), err)
	s.mu.Lock()
	if err != nil && s.failing == nil {
		s.log.Error("store cannot be written", "err", err)
	} else if err == nil && s.failing != nil {
		s.log.Info("store can be written again")
	}
	s.failing = err
	s.mu.Unlock()
	for _, r := range group {
		r.done <- err
	}
}

// write puts the records into the log, as many at a time as a group may hold, and notes each group once it is synced.
func (s *Store) write(records []logged) error {
	if err := s.reopen(); err != nil {
		return err
	}
	for len(records) > 0 {
		size, n := 0, 0
		for n < len(records) && size+len(records[n].raw) <= maxGroup {
			r := &records[n]
			r.seq = s.seq.Add(1)
			sealInPlace(r.key, r.seq, r.value)
			size, n = size+len(r.raw), n+1
		}
		if !s.logs.room(size) {
			if err := s.turnLog(); err != nil {
				return err
			}
		}
		if s.opts.BeforeSync != nil {
			if err := s.opts.BeforeSync(); err != nil {
				return err
			}
		}
		if err := s.logs.write(records[:n], size); err != nil {
			return err
		}
		s.metrics.wrote(pages(size) * logPage)
		s.over.mu.Lock()
		apply(s.over.active, records[:n])
		s.over.mu.Unlock()
		records = records[n:]
	}
	return nil
}

// SetValue stores a value of at most 8 MiB under a name; nil removes it. It is on disk when nil is returned. Values go
// into leases.db at once: they are few.
func (s *Store) SetValue(ctx context.Context, name string, content []byte) error {
	if len(content) > maxValue || name == "" || len(name) > 255 {
		return fmt.Errorf("storing the value %.40q: found %d bytes, allowed are %d and a name of 1 to 255", name, len(content), maxValue)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing leases.db: %w", err)
	}
	s.queueMu.Lock()
	closed := s.closed
	s.queueMu.Unlock()
	if closed {
		return fmt.Errorf("writing leases.db: %w", ErrClosed)
	}
	content = encodeValue(content)
	done := make(chan error, 1)
	go func() { done <- s.putValue(name, content) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("writing leases.db: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("writing leases.db: %w", ctx.Err())
	}
}

func (s *Store) putValue(name string, content []byte) error {
	key := valueKey(name)
	return s.useLeases(func() error {
		return s.leases.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(bucketName))
			if err != nil {
				return err
			}
			if err := b.Put(key, seal(key, s.seq.Add(1), content)); err != nil {
				return err
			}
			s.boltDelay()
			return nil
		})
	})
}

// Close writes what waits, then closes all files. Calls that come later get [ErrClosed]. What the logs hold stays there.
func (s *Store) Close() error {
	s.queueMu.Lock()
	already := s.closed
	s.closed = true
	s.poke()
	s.queueMu.Unlock()
	<-s.done
	if already {
		return nil
	}
	close(s.stop)
	<-s.folderDone
	s.tellSalvage(true)
	var errs []error
	s.mu.Lock()
	broken, lost := s.broken, s.lost
	s.mu.Unlock()
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	s.journalMu.Lock()
	defer s.journalMu.Unlock()
	if broken == nil { // bbolt may hold its lock for ever after a fault; the process ends anyway
		errs = append(errs, s.leases.Close())
	}
	if s.journal != nil && lost == nil {
		errs = append(errs, s.journal.Close())
	}
	errs = append(errs, s.logs.close(), s.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
