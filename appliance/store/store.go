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
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

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

	dbMu     sync.RWMutex // held while leases.db is closed and opened again
	seq      atomic.Uint64
	logs     logs          // owned by the committer
	readOnly bool          // likewise: leases.db was opened for reading only
	rescued  *rescue       // likewise: what is served from memory, for it could not be put on disk yet; nil = nothing
	unopened [2]scan       // likewise: of the logs that are not open for writing
	longest  time.Duration // of the leases in leases.db at the start
	over     overlay

	journalMu   sync.RWMutex // held while journal.db is rewritten
	nextCompact time.Time

	foldMu     sync.Mutex    // one fold at a time
	foldWake   chan struct{} // a value: there is something to fold
	stop       chan struct{} // closed by Close, once the committer has ended
	folderDone chan struct{}

	markMu   sync.Mutex
	mark     *mark // nil = no lease is missing
	markFrom time.Time

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
	// BeforeSync, for tests: the committer calls it for each group of leases, right before it is written and synced. Its
	// error fails the group as a failing sync would; it may also block, as a slow card does.
	BeforeSync func() error
	// SyncDelay, for tests and measurements: every sync of leases takes that much longer, as on a slow card. bbolt syncs
	// twice in a transaction.
	SyncDelay time.Duration
	// OpenFile, for tests: opens the files of bbolt and the logs instead of [os.OpenFile].
	OpenFile func(name string, flag int, mode os.FileMode) (*os.File, error)
}

func (o Options) openFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	if o.OpenFile != nil {
		return o.OpenFile(name, flag, mode)
	}
	return os.OpenFile(name, flag, mode)
}

// Open opens both files in dir, which is made when absent. It fails with [ErrLocked] when another process has them, and
// when there is no leases.db and none can be made. A damaged file is no failure, nor is one that can't be replaced or
// written: [Store.Faults] tells about it.
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
		foldWake: make(chan struct{}, 1), stop: make(chan struct{}), folderDone: make(chan struct{}),
		over: newOverlay(), logs: logs{delay: o.SyncDelay},
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
	go s.folder()
	s.foldWake <- struct{}{}
	return s, nil
}

// openJournal opens journal.db, or begins it anew: losing it costs no lease.
func (s *Store) openJournal() {
	path := filepath.Join(s.dir, journalFile)
	exists, err := checkPath(path)
	if err == nil && exists {
		s.journal, err = openJournalBolt(path, s.opts)
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
		if s.journal, err = openJournalBolt(path, s.opts); err == nil {
			err = makeBucket(s.journal, path)
		}
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

// Faults returns a sentence for each damage found since the start, and one while leases.db can't be brought up to date.
func (s *Store) Faults() []string {
	s.over.mu.RLock()
	folding := s.over.err
	s.over.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.faults)
	if folding != nil && s.broken == nil && s.failing == nil {
		out = append(out, fmt.Sprintf("leases.db cannot be written (%s). New leases are kept in its log; that works until the log is full.", plain(folding)))
	}
	return out
}

// Failing returns why leases can't be written now, or nil when the last commit succeeded and leases.db can be used.
func (s *Store) Failing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	return s.failing
}

// Leases returns every stored record, in the order of their addresses. When damage may have cost some, it returns an
// [*IncompleteError] beside those that there are.
func (s *Store) Leases(ctx context.Context) ([]lease.Record, error) {
	// What is folded meanwhile is the same in both places; what is committed meanwhile waits.
	s.over.mu.RLock()
	defer s.over.mu.RUnlock()
	changed := s.over.merged()
	var out []lease.Record
	read := func(k, v []byte) error {
		_, content, err := unseal(k, v)
		if err != nil {
			return fmt.Errorf("reading a lease: %w", err)
		}
		r, err := decodeLease(k, content)
		if err != nil {
			return err
		}
		if r.State != lease.Forgotten {
			out = append(out, r)
		}
		return nil
	}
	err := s.view(ctx, func(b *bbolt.Bucket) error {
		out = nil
		c := b.Cursor()
		for k, v := c.Seek([]byte{leasePrefix}); len(k) > 0 && k[0] == leasePrefix; k, v = c.Next() {
			if addr, ok := keyAddress(k); ok {
				if _, newer := changed[addr]; newer {
					continue
				}
			}
			if err := read(k, v); err != nil {
				return err
			}
		}
		return nil
	})
	for addr, v := range changed {
		if v != nil && err == nil {
			err = read(leaseKey(addr), v)
		}
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b lease.Record) int { return a.Address.Compare(b.Address) })
	return out, s.incomplete()
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
	s.dbMu.RLock()
	defer s.dbMu.RUnlock()
	err := guarded(use)
	if errors.Is(err, errFault) {
		err = fmt.Errorf("%w; a restart will save what can be read", err)
		s.mu.Lock()
		s.broken = err
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
