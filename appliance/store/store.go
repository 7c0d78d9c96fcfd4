package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
)

// Store is leases.db and journal.db. It is safe for concurrent use and implements [dhcp.Store].
type Store struct {
	dir     string
	log     *slog.Logger
	opts    Options
	lock    *os.File
	leases  *bbolt.DB
	journal *bbolt.DB // nil when it can't be had: the journal lives in memory then
	metrics *metrics
	index   *index // owned by the committer

	queueMu sync.Mutex
	queue   []*request
	closed  bool
	wake    chan struct{} // a value: there is something in the queue, or closed was set
	done    chan struct{} // the committer has ended

	mu      sync.Mutex
	faults  []string
	failing error // why the last commit failed; nil = it didn't
	broken  error // leases.db raised a fault while it was open; nothing is written any more
	lost    error // the same of journal.db
}

var _ dhcp.Store = (*Store)(nil)

// Options are for [OpenWith]. All may be zero.
type Options struct {
	Log     *slog.Logger          // nil = nothing is logged
	Metrics prometheus.Registerer // nil = no metrics
	// BeforeSync, for tests: the committer calls it within each transaction, right before bbolt writes and syncs. Its
	// error fails the transaction as a failing sync would; it may also block, as a slow card does.
	BeforeSync func() error
	// OpenFile, for tests: opens the files of bbolt instead of [os.OpenFile].
	OpenFile func(name string, flag int, mode os.FileMode) (*os.File, error)
}

func (o Options) openFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	if o.OpenFile != nil {
		return o.OpenFile(name, flag, mode)
	}
	return os.OpenFile(name, flag, mode)
}

// Open opens both files in dir, which is made when absent. It fails with [ErrLocked] when another process has them, and
// when leases.db can be neither opened nor made. A damaged file is no failure: [Store.Faults] tells about it.
func Open(dir string, log *slog.Logger) (*Store, error) {
	return OpenWith(dir, Options{Log: log})
}

// OpenWith is [Open] with options.
func OpenWith(dir string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	s := &Store{
		dir: dir, log: o.Log, opts: o,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	var err error
	if s.metrics, err = newMetrics(o.Metrics); err != nil {
		return nil, err
	}
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := s.openLeases(); err != nil {
		s.lock.Close()
		return nil, err
	}
	s.openJournal()
	go s.committer()
	return s, nil
}

// openLeases checks leases.db whole and opens it, or saves what it holds into a new one.
func (s *Store) openLeases() error {
	path := filepath.Join(s.dir, leasesFile)
	exists, err := checkPath(path)
	if err == nil {
		if !exists {
			s.leases, err = newFile(path, s.opts)
		} else {
			s.leases, err = s.openWritable(path)
		}
	}
	if err == nil {
		if err = s.readAll(s.leases); err == nil {
			return nil
		}
		s.leases.Close()
	}
	if !errors.Is(err, errFault) {
		return err
	}
	return s.replaceDamaged(path, err)
}

// openWritable opens leases.db, at least for reading: phones keep the leases that are on disk even when the card has
// become read-only.
func (s *Store) openWritable(path string) (*bbolt.DB, error) {
	db, err := openBolt(path, false, s.opts)
	if !errors.Is(err, unix.EROFS) && !errors.Is(err, os.ErrPermission) {
		return db, err
	}
	db, readErr := openBolt(path, true, s.opts)
	if readErr != nil {
		return nil, err
	}
	s.fault(fmt.Sprintf("leases.db can be read but not written (%s). Leases that are given now are not kept.", plain(err)))
	s.failing = err
	return db, nil
}

// readAll runs bbolt's own check and reads every record, which also fills the index.
func (s *Store) readAll(db *bbolt.DB) error {
	return guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			var faults []error
			for err := range tx.Check() {
				faults = append(faults, err)
			}
			if len(faults) > 0 {
				return fmt.Errorf("%w: %w", errFault, faults[0])
			}
			var err error
			if s.index, err = readIndex(tx); err != nil {
				return fmt.Errorf("%w: %w", errFault, err)
			}
			return nil
		})
	})
}

// replaceDamaged puts a new leases.db with all that could be saved in the place of the damaged one. At every moment
// one of the two has the name, so that a power cut only means that it is done again.
func (s *Store) replaceDamaged(path string, why error) error {
	found, err := readDamaged(path)
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replacing the damaged leases.db: %w", err)
	}
	if s.leases, err = newFile(fresh, s.opts); err != nil {
		return fmt.Errorf("replacing the damaged leases.db: %w", err)
	}
	if err := s.restore(found); err != nil {
		s.leases.Close()
		return fmt.Errorf("replacing the damaged leases.db: %w", err)
	}
	aside, err := setAside(path, 3)
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		s.leases.Close()
		return fmt.Errorf("replacing the damaged leases.db: %w", err)
	}
	s.fault(fmt.Sprintf("leases.db was damaged (%s) and was set aside as %s. Saved from it: %d leases and %d settings.",
		plain(why), aside, len(s.index.byKey)+s.index.keyless, len(found.values)))
	return nil
}

func (s *Store) restore(found salvaged) error {
	s.index = newIndex()
	r := &request{}
	for _, rec := range found.leases {
		w, err := leaseWrite(rec)
		if err != nil {
			return err
		}
		r.writes = append(r.writes, w)
	}
	for name, v := range found.values {
		r.writes = append(r.writes, valueWrite(name, v))
	}
	return guarded(func() error {
		return s.leases.Update(func(tx *bbolt.Tx) error { return s.index.apply(tx, []*request{r}) })
	})
}

// openJournal opens journal.db, or begins it anew: losing it costs no lease.
func (s *Store) openJournal() {
	path := filepath.Join(s.dir, journalFile)
	exists, err := checkPath(path)
	if err == nil && exists {
		s.journal, err = openBolt(path, false, s.opts)
	}
	if errors.Is(err, errFault) {
		var aside string
		why := plain(err)
		if aside, err = setAside(path, 1); err == nil {
			err = os.Remove(path)
		}
		if err == nil {
			s.fault(fmt.Sprintf("journal.db was damaged (%s) and was set aside as %s. The timelines of the phones begin anew.", why, aside))
		}
	}
	if err == nil && s.journal == nil {
		s.journal, err = newFile(path, s.opts)
	}
	if err != nil {
		s.journal = nil
		s.lost = err
		s.fault(fmt.Sprintf("journal.db cannot be used (%s). What the phones do is not kept over a restart.", plain(err)))
	}
}

// plain shortens an error for a sentence.
func plain(err error) string { return strings.TrimPrefix(err.Error(), errFault.Error()+": ") }

func (s *Store) fault(sentence string) {
	s.log.Warn("store damaged", "fault", sentence)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, sentence)
}

// Faults returns a sentence for each damage found since the start.
func (s *Store) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// Failing returns why leases can't be written now, or nil when the last commit succeeded.
func (s *Store) Failing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing
}

// Leases returns every stored record, in the order of their addresses.
func (s *Store) Leases(ctx context.Context) ([]lease.Record, error) {
	var out []lease.Record
	err := s.view(ctx, func(b *bbolt.Bucket) error {
		out = nil
		c := b.Cursor()
		for k, v := c.Seek([]byte{leasePrefix}); len(k) > 0 && k[0] == leasePrefix; k, v = c.Next() {
			_, content, err := unseal(k, v)
			if err != nil {
				return fmt.Errorf("reading a lease: %w", err)
			}
			r, err := decodeLease(k, content)
			if err != nil {
				return err
			}
			out = append(out, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Value returns what SetValue stored under that name, or nil when there is nothing.
func (s *Store) Value(ctx context.Context, name string) ([]byte, error) {
	var out []byte
	err := s.view(ctx, func(b *bbolt.Bucket) error {
		key := valueKey(name)
		raw := b.Get(key)
		if raw == nil {
			return nil
		}
		_, content, err := unseal(key, raw)
		if err != nil {
			return fmt.Errorf("reading the value %q: %w", name, err)
		}
		out = decodeValue(content)
		return nil
	})
	return out, err
}

func (s *Store) view(ctx context.Context, read func(*bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reading leases.db: %w", err)
	}
	return s.useLeases(func() error {
		return s.leases.View(func(tx *bbolt.Tx) error { return read(tx.Bucket([]byte(bucketName))) })
	})
}

// useLeases guards one use of leases.db. After a fault bbolt may hold its locks for ever, so it is not used again.
func (s *Store) useLeases(use func() error) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken != nil {
		return broken
	}
	err := guarded(use)
	if errors.Is(err, errFault) {
		err = fmt.Errorf("%w; a restart will save what can be read", err)
		s.mu.Lock()
		s.broken, s.failing = err, err
		s.mu.Unlock()
	}
	return err
}

// decisionName is the value under which [Store.Decision] is kept.
const decisionName = "dhcp.decision"

// Decision returns what a person said about another DHCP server; the zero Decision when nobody said anything.
func (s *Store) Decision(ctx context.Context) (dhcp.Decision, error) {
	var d dhcp.Decision
	raw, err := s.Value(ctx, decisionName)
	if err != nil || raw == nil {
		return d, err
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return dhcp.Decision{}, fmt.Errorf("reading the DHCP decision: %w", err)
	}
	return d, nil
}

// SetDecision stores the decision; it is on disk when nil is returned.
func (s *Store) SetDecision(ctx context.Context, d dhcp.Decision) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("storing the DHCP decision: %w", err)
	}
	return s.SetValue(ctx, decisionName, raw)
}
