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
	maxWaiting = 8192    // requests in the queue; above it the store is far too slow to wait for
	maxValue   = 8 << 20 // bytes of one value
)

// ErrClosed says that the store was closed before the call.
var ErrClosed = errors.New("the store is closed")

// write is one record on its way to disk.
type write struct {
	key, content []byte
	owner        lease.Key // of a lease; "" = of nobody
}

// request is what one caller waits for.
type request struct {
	writes []write
	done   chan error
}

// index knows which lease belongs to which key, and the next sequence number. The committer owns it.
type index struct {
	byKey   map[lease.Key]string // owner -> key in the file
	owner   map[string]lease.Key
	keyless int // leases without an owner
	seq     uint64
}

func newIndex() *index {
	return &index{byKey: map[lease.Key]string{}, owner: map[string]lease.Key{}}
}

// readIndex reads every record of leases.db; a record that can't be read is an error.
func readIndex(tx *bbolt.Tx) (*index, error) {
	x := newIndex()
	b := tx.Bucket([]byte(bucketName))
	if b == nil {
		return nil, errors.New("the bucket is gone")
	}
	err := b.ForEach(func(k, v []byte) error {
		if len(k) == 0 || v == nil || k[0] != leasePrefix && k[0] != valuePrefix {
			return fmt.Errorf("found an unknown record %q", k)
		}
		seq, content, err := unseal(k, v)
		if err != nil {
			return fmt.Errorf("record %q: %w", k, err)
		}
		x.seq = max(x.seq, seq)
		if k[0] == leasePrefix {
			r, err := decodeLease(k, content)
			if err != nil {
				return err
			}
			x.own(string(k), r.Key)
		}
		return nil
	})
	return x, err
}

// own notes that the lease stored under key belongs to owner.
func (x *index) own(key string, owner lease.Key) {
	if before, ok := x.owner[key]; !ok {
		// a new address
	} else if before != "" {
		delete(x.byKey, before)
	} else {
		x.keyless--
	}
	x.owner[key] = owner
	if owner == "" {
		x.keyless++
	} else {
		x.byKey[owner] = key
	}
}

// apply writes the requests in their order. A lease replaces the one of its address and the one of its owner.
func (x *index) apply(tx *bbolt.Tx, group []*request) error {
	b, err := tx.CreateBucketIfNotExists([]byte(bucketName))
	if err != nil {
		return err
	}
	for _, r := range group {
		for _, w := range r.writes {
			if w.key[0] == leasePrefix {
				if old, ok := x.byKey[w.owner]; ok && w.owner != "" && old != string(w.key) {
					if err := b.Delete([]byte(old)); err != nil {
						return err
					}
					delete(x.owner, old)
				}
				x.own(string(w.key), w.owner)
			}
			x.seq++
			if err := b.Put(w.key, seal(w.key, x.seq, w.content)); err != nil {
				return err
			}
		}
	}
	return nil
}

func leaseWrite(r lease.Record) (write, error) {
	key, content, err := encodeLease(r)
	return write{key: key, content: content, owner: r.Key}, err
}

// A value is a byte that says whether it is there, and its content. A removed value stays as a mark: without it, saving
// a damaged file would bring an older copy back.
func valueWrite(name string, content []byte) write {
	w := write{key: valueKey(name), content: []byte{0}}
	if content != nil {
		w.content = append([]byte{1}, content...)
	}
	return w
}

func decodeValue(content []byte) []byte {
	if len(content) == 0 || content[0] == 0 {
		return nil
	}
	return append([]byte{}, content[1:]...)
}

// Commit stores the records and returns once they are on disk. Calls that come while another transaction is written are
// committed together. A record of an address replaces the record of that address and that of its key; with an empty key
// only the former. After an error, or when ctx ends first, the records may or may not be stored; the next call is tried
// all the same.
func (s *Store) Commit(ctx context.Context, records ...lease.Record) error {
	r := &request{writes: make([]write, 0, len(records))}
	for _, rec := range records {
		w, err := leaseWrite(rec)
		if err != nil {
			return err
		}
		r.writes = append(r.writes, w)
	}
	return s.submit(ctx, r)
}

// SetValue stores a value of at most 8 MiB under a name, like Commit; nil removes it.
func (s *Store) SetValue(ctx context.Context, name string, content []byte) error {
	if len(content) > maxValue || name == "" || len(name) > 255 {
		return fmt.Errorf("storing the value %.40q: found %d bytes, allowed are %d and a name of 1 to 255", name, len(content), maxValue)
	}
	return s.submit(ctx, &request{writes: []write{valueWrite(name, content)}})
}

func (s *Store) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing leases.db: %w", err)
	}
	if len(r.writes) == 0 {
		return nil
	}
	r.done = make(chan error, 1)
	if err := s.enqueue(r); err != nil {
		return fmt.Errorf("writing leases.db: %w", err)
	}
	select {
	case err := <-r.done:
		if err != nil {
			return fmt.Errorf("writing leases.db: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("writing leases.db: %w", ctx.Err())
	}
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

// Waiting returns how many writes wait for the transaction that is being written now.
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

// committer writes all that waits in one transaction, again and again, until the store is closed and nothing waits.
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
	err := s.update(group)
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

func (s *Store) update(group []*request) error {
	x := s.index
	s.index = nil // until the transaction succeeds: a failed one may be there all the same
	err := s.useLeases(func() error {
		return s.leases.Update(func(tx *bbolt.Tx) (err error) {
			if x == nil {
				if x, err = readIndex(tx); err != nil {
					return err
				}
			}
			if err := x.apply(tx, group); err != nil {
				return err
			}
			if s.opts.BeforeSync != nil {
				return s.opts.BeforeSync()
			}
			return nil
		})
	})
	if err == nil {
		s.index = x
	}
	return err
}

// Close writes what waits, then closes both files. Calls that come later get [ErrClosed].
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
	var errs []error
	s.mu.Lock()
	broken, lost := s.broken, s.lost
	s.mu.Unlock()
	if broken == nil { // bbolt may hold its lock for ever after a fault; the process ends anyway
		errs = append(errs, s.leases.Close())
	}
	if s.journal != nil && lost == nil {
		errs = append(errs, s.journal.Close())
	}
	errs = append(errs, s.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
