package served

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"time"

	"phonebox/services/phone"
)

// Bounds of what is kept.
const (
	MaxFile  = 32 << 10 // bytes of one file: phones take 8 KB of a dial plan, and configurations are smaller
	MaxNames = 16       // files of one phone
)

// Config bounds a [Keeper]. Zero fields take the defaults.
type Config struct {
	MaxBytes   int           // of all contents; default 4 MB
	MaxFiles   int           // of all phones; default 12,000
	WriteEvery time.Duration // default 5 s
}

// Store is where it lasts: keys with values. Of an error the text is for the log.
type Store interface {
	WriteJournal(ctx context.Context, put map[string][]byte, remove []string) error
	ScanJournal(ctx context.Context, prefix string, visit func(key string, value []byte) bool) error
	ReadJournal(ctx context.Context, keys []string, visit func(key string, value []byte)) error
}

// Line is a line of a file as it is kept.
type Line struct {
	Text string // with [phone.HiddenSecret] in place of passwords
	Mark string // of what is hidden; "" = nothing is
}

// File is what a phone got last under a name.
type File struct {
	Name  string
	Time  time.Time // when its last block was acknowledged
	Size  int       // bytes as they were sent
	Lines []Line
}

// Keeper is safe for concurrent use.
type Keeper struct {
	cfg   Config
	store Store
	log   *slog.Logger
	key   []byte
	seed  maphash.Seed

	writing sync.Mutex // held by Flush; taken before looking
	looking sync.Mutex // held by look; taken before mu

	mu      sync.Mutex
	files   map[phone.MAC][]*entry
	count   int
	bodies  map[digest]*body
	bytes   int // of bodies
	put     map[string][]byte
	remove  map[string]bool
	waiting []got
	waits   bool // something is to be written
}

// digest names a content.
type digest [16]byte

type body struct {
	uses, size int
	fresh      []byte // nil = it is in the store
}

type entry struct {
	mac  phone.MAC
	name string
	at   time.Time
	size int
	body digest
	told time.Time // the time that is in the store, or on its way there
	raw  uint64    // hash of the bytes as they were sent, under a seed of the process; 0 = not known
}

// New reads back what the store holds. Without a key, which is 32 random bytes, there are no marks, so it is an error.
func New(cfg Config, store Store, key []byte, log *slog.Logger) (*Keeper, error) {
	if store == nil || log == nil || len(key) < 32 {
		return nil, errors.New("remembering what phones got: a store, a key of 32 bytes and a logger are required")
	}
	cfg.MaxBytes, cfg.MaxFiles = cmp.Or(cfg.MaxBytes, 4<<20), cmp.Or(cfg.MaxFiles, 12_000)
	cfg.WriteEvery = cmp.Or(cfg.WriteEvery, 5*time.Second)
	k := &Keeper{
		cfg: cfg, store: store, log: log, key: bytes.Clone(key), seed: maphash.MakeSeed(),
		files: map[phone.MAC][]*entry{}, bodies: map[digest]*body{}, put: map[string][]byte{}, remove: map[string]bool{},
	}
	if err := k.restore(context.Background()); err != nil {
		log.Warn("what phones got last is not known", "err", err)
	}
	return k, nil
}

// tellAgain is how old the stored time of a content that stays the same may grow: phones that start again all at once must not
// each write to the card for each of their files.
const tellAgain = time.Hour

// maxWaiting is how many contents wait to be looked at; whoever brings one more looks at them.
const maxWaiting = 2048

// got is a content that nobody has looked at yet.
type got struct {
	entry
	content []byte
}

// Got notes that a phone got a file whole. It costs a hash of the bytes: passwords are looked for later, for a storm of phones
// must not wait for that. The content must not be changed afterwards.
func (k *Keeper) Got(mac phone.MAC, name string, at time.Time, content []byte) {
	if mac.IsZero() || name == "" || len(content) > MaxFile || len(name) > 200 {
		return
	}
	raw := maphash.Bytes(k.seed, content) | 1
	k.mu.Lock()
	e := k.find(mac, name)
	if e != nil && e.raw == raw && !k.awaits(mac, name) {
		e.at = at
		if at.Sub(e.told) >= tellAgain {
			k.changed(e)
		}
		k.mu.Unlock()
		return
	}
	k.waiting = append(k.waiting, got{entry{mac: mac, name: name, at: at, size: len(content), raw: raw}, content})
	k.waits = true
	full := len(k.waiting) >= maxWaiting
	k.mu.Unlock()
	if full {
		k.look()
	}
}

// awaits is called with mu held.
func (k *Keeper) awaits(mac phone.MAC, name string) bool {
	return slices.ContainsFunc(k.waiting, func(g got) bool { return g.mac == mac && g.name == name })
}

// look takes the passwords out of what waits and keeps it.
func (k *Keeper) look() {
	k.looking.Lock()
	defer k.looking.Unlock()
	k.mu.Lock()
	list := k.waiting
	k.waiting = nil
	k.mu.Unlock()
	alike := map[uint64][]byte{} // most phones get some files alike
	for i := range list {
		g := &list[i]
		packed, known := alike[g.raw]
		if !known {
			packed = pack(k.Lines(g.content))
			alike[g.raw] = packed
		}
		sum := sha256.Sum256(packed)
		g.body = digest(sum[:16])
		k.mu.Lock()
		k.keep(g.entry, packed)
		k.mu.Unlock()
	}
}

// keep is called with mu held.
func (k *Keeper) keep(now entry, packed []byte) {
	b := k.bodies[now.body]
	if b == nil {
		b = &body{size: len(packed), fresh: packed}
		k.bodies[now.body] = b
		k.bytes += b.size
		delete(k.remove, bodyKey(now.body))
		k.put[bodyKey(now.body)] = packed
	}
	b.uses++
	e := k.find(now.mac, now.name)
	if e == nil {
		e = &entry{}
		k.files[now.mac] = append(k.files[now.mac], e)
		k.count++
	} else {
		k.release(e.body)
	}
	*e = now
	k.changed(e)
	k.bound(now.mac)
}

// changed is called with mu held.
func (k *Keeper) changed(e *entry) {
	key := fileKey(e.mac, e.name)
	delete(k.remove, key)
	e.told = e.at
	k.put[key] = e.encode()
	k.waits = true
}

// release is called with mu held.
func (k *Keeper) release(d digest) {
	b := k.bodies[d]
	if b == nil {
		return
	}
	if b.uses--; b.uses > 0 {
		return
	}
	delete(k.bodies, d)
	k.bytes -= b.size
	delete(k.put, bodyKey(d))
	k.remove[bodyKey(d)] = true
	k.waits = true
}

// bound drops what was sent longest ago: of the phone that got one more, then of all. It is called with mu held.
func (k *Keeper) bound(mac phone.MAC) {
	older := func(a, b *entry) int { return a.at.Compare(b.at) }
	for len(k.files[mac]) > MaxNames {
		k.drop(slices.MinFunc(k.files[mac], older))
	}
	if k.bytes <= k.cfg.MaxBytes && k.count <= k.cfg.MaxFiles {
		return
	}
	// A sixteenth at once: looking for the oldest takes a while, and the next file comes soon.
	all := make([]*entry, 0, k.count)
	for _, list := range k.files {
		all = append(all, list...)
	}
	slices.SortFunc(all, older)
	for _, e := range all {
		if k.bytes <= k.cfg.MaxBytes/16*15 && k.count <= k.cfg.MaxFiles/16*15 {
			return
		}
		k.drop(e)
	}
}

// drop is called with mu held.
func (k *Keeper) drop(e *entry) {
	k.release(e.body)
	list := slices.DeleteFunc(k.files[e.mac], func(x *entry) bool { return x == e })
	if len(list) == 0 {
		delete(k.files, e.mac)
	} else {
		k.files[e.mac] = list
	}
	k.count--
	key := fileKey(e.mac, e.name)
	delete(k.put, key)
	k.remove[key] = true
	k.waits = true
}

// find is called with mu held.
func (k *Keeper) find(mac phone.MAC, name string) *entry {
	for _, e := range k.files[mac] {
		if e.name == name {
			return e
		}
	}
	return nil
}

// File returns what a phone got last under a name; false when that is not known.
func (k *Keeper) File(mac phone.MAC, name string) (File, bool) {
	k.look()
	k.mu.Lock()
	e := k.find(mac, name)
	if e == nil {
		k.mu.Unlock()
		return File{}, false
	}
	found := *e
	packed := []byte(nil)
	if b := k.bodies[found.body]; b != nil {
		packed = b.fresh
	}
	k.mu.Unlock()
	if packed == nil {
		err := k.store.ReadJournal(context.Background(), []string{bodyKey(found.body)}, func(_ string, value []byte) { packed = bytes.Clone(value) })
		if err != nil {
			k.log.Warn("what a phone got last cannot be read", "mac", mac, "file", name, "err", err)
		}
		if packed == nil {
			return File{}, false
		}
	}
	return File{Name: found.name, Time: found.at, Size: found.size, Lines: unpack(packed)}, true
}

// Same reports whether a content is, byte for byte, what a phone got last under a name, and when it got that; known is false
// where it cannot be told without reading what is kept.
func (k *Keeper) Same(mac phone.MAC, name string, content []byte) (at time.Time, same, known bool) {
	k.look()
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.find(mac, name)
	if e == nil || e.raw == 0 {
		return time.Time{}, false, false
	}
	return e.at, e.raw == maphash.Bytes(k.seed, content)|1, true
}

// Run writes what is new until ctx ends; then it writes the rest.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.cfg.WriteEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return k.Flush(context.WithoutCancel(ctx))
		case <-tick.C:
			if err := k.Flush(ctx); err != nil && ctx.Err() == nil {
				k.log.Warn("what phones got last is not written", "err", err)
			}
		}
	}
}

// Flush writes what is new. What could not be written stays for the next time.
func (k *Keeper) Flush(ctx context.Context) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.look()
	k.mu.Lock()
	if !k.waits {
		k.mu.Unlock()
		return nil
	}
	put, remove := k.put, k.remove
	k.put, k.remove, k.waits = map[string][]byte{}, map[string]bool{}, false
	k.mu.Unlock()

	gone := make([]string, 0, len(remove))
	for key := range remove {
		gone = append(gone, key)
	}
	slices.Sort(gone)
	err := k.store.WriteJournal(ctx, put, gone)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		for d, b := range k.bodies {
			if _, written := put[bodyKey(d)]; written {
				b.fresh = nil
			}
		}
		return nil
	}
	for key, value := range put {
		if _, newer := k.put[key]; !newer && !k.remove[key] {
			k.put[key] = value
		}
	}
	for key := range remove {
		if _, newer := k.put[key]; !newer {
			k.remove[key] = true
		}
	}
	k.waits = true
	return fmt.Errorf("writing what phones got last: %w", err)
}
