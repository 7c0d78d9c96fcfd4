package assemble

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// Bounds of the list of changes. It lies in journal.db, beside the timelines: losing it costs no lease.
const (
	auditPrefix  = "a" // of its keys in journal.db
	maxAudit     = 1000
	maxAuditKeys = 60        // keys that one change lists
	maxAuditText = 200       // of an old or a new value
	maxAuditSize = 512 << 10 // of all entries as JSON, in bytes
)

// auditStore is what the list needs of the store.
type auditStore interface {
	ScanJournal(ctx context.Context, prefix string, visit func(key string, value []byte) bool) error
	WriteJournal(ctx context.Context, put map[string][]byte, remove []string) error
}

// audit is the list of what was changed, and by whom. Its methods are safe for concurrent use and wait for no disk.
type audit struct {
	store auditStore
	log   *slog.Logger
	now   func() time.Time

	mu     sync.Mutex
	list   []web.AuditEntry // the oldest first
	sizes  map[uint64]int
	size   int
	nextID uint64
	dirty  map[uint64]bool // to be written, or removed where the list has it no longer
	kick   chan struct{}
}

// newAudit reads the list of the last run. A store that cannot be read leaves it empty.
func newAudit(ctx context.Context, store auditStore, log *slog.Logger, now func() time.Time) *audit {
	a := &audit{store: store, log: log, now: now, sizes: map[uint64]int{}, dirty: map[uint64]bool{}, kick: make(chan struct{}, 1), nextID: 1}
	err := store.ScanJournal(ctx, auditPrefix, func(key string, value []byte) bool {
		var e web.AuditEntry
		if json.Unmarshal(value, &e) == nil && auditKey(e.ID) == key {
			a.list = append(a.list, e)
			a.sizes[e.ID] = len(value)
			a.size += len(value)
			a.nextID = e.ID + 1
		}
		return len(a.list) < 2*maxAudit
	})
	if err != nil {
		log.Warn("the list of changes cannot be read", "err", err)
	}
	a.bound()
	return a
}

// auditKey sorts by number.
func auditKey(id uint64) string {
	return auditPrefix + string(binary.BigEndian.AppendUint64(nil, id))
}

// add appends an entry and returns its number.
func (a *audit) add(e web.AuditEntry) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.ID, e.Time = a.nextID, a.now().Round(0)
	a.nextID++
	a.list = append(a.list, e)
	a.weigh(e)
	a.bound()
	return e.ID
}

// amend gives an entry the sentence that the page has for it.
func (a *audit) amend(id uint64, what string, mac phone.MAC, label string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.list) - 1; i >= 0; i-- {
		if e := &a.list[i]; e.ID == id {
			e.What = what
			if !mac.IsZero() {
				e.MAC, e.Label = mac, label
			}
			a.weigh(*e)
			return
		}
	}
}

// weigh counts an entry and sees to it that it is written; a.mu is held.
func (a *audit) weigh(e web.AuditEntry) {
	body, err := json.Marshal(e)
	if err != nil {
		return // plain texts can always be written
	}
	a.size += len(body) - a.sizes[e.ID]
	a.sizes[e.ID] = len(body)
	a.dirty[e.ID] = true
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// bound drops the oldest entries beyond what is kept; a.mu is held.
func (a *audit) bound() {
	drop := 0
	for len(a.list)-drop > maxAudit || a.size > maxAuditSize && len(a.list)-drop > 1 {
		id := a.list[drop].ID
		a.size -= a.sizes[id]
		delete(a.sizes, id)
		a.dirty[id] = true
		drop++
	}
	if drop > 0 {
		a.list = slices.Clone(a.list[drop:])
	}
}

// entries returns the list, the newest first.
func (a *audit) entries() []web.AuditEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Clone(a.list)
	slices.Reverse(out)
	return out
}

// run writes what is new until ctx ends, and then the last of it.
func (a *audit) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			a.flush(context.WithoutCancel(ctx))
			return nil
		case <-a.kick:
			a.flush(ctx)
		}
	}
}

func (a *audit) flush(ctx context.Context) {
	a.mu.Lock()
	put, dirty := map[string][]byte{}, a.dirty
	a.dirty = map[uint64]bool{}
	for i := range a.list {
		if e := &a.list[i]; dirty[e.ID] {
			if body, err := json.Marshal(e); err == nil {
				put[auditKey(e.ID)] = body
			}
		}
	}
	a.mu.Unlock()
	var remove []string
	for id := range dirty {
		if put[auditKey(id)] == nil {
			remove = append(remove, auditKey(id))
		}
	}
	if len(put)+len(remove) == 0 {
		return
	}
	if err := a.store.WriteJournal(ctx, put, remove); err != nil {
		a.mu.Lock()
		maps.Copy(a.dirty, dirty) // the next change tries again, and so does the end of the run
		a.mu.Unlock()
		if ctx.Err() == nil {
			a.log.Warn("the list of changes was not stored; it is tried again with the next change", "err", err)
		}
	}
}

// who fills in who acts by what the context says; without a word it is how.
func who(ctx context.Context, how string) web.AuditEntry {
	e := web.AuditEntry{How: how}
	if by := web.ActorOf(ctx); by != nil {
		e.How = by.How
		if by.From.IsValid() {
			e.From = by.From.String()
		}
	}
	return e
}

// auditSite notes that the settings were changed. Where a request did it, the page's sentence comes into the same entry.
func (b *Box) auditSite(ctx context.Context, what string, old, now *site.Site) {
	changes := site.Diff(old, now)
	if len(changes) == 0 {
		return
	}
	e := who(ctx, "file")
	e.What = what
	e.Keys = keyChanges(changes)
	if more := len(e.Keys) - maxAuditKeys; more > 0 {
		e.Keys, e.More = e.Keys[:maxAuditKeys], more
	}
	for i := range e.Keys {
		e.Keys[i].Old, e.Keys[i].New = clip(e.Keys[i].Old), clip(e.Keys[i].New)
	}
	id := b.audit.add(e)
	if by := web.ActorOf(ctx); by != nil {
		by.Entry.Store(id)
	}
}

// auditEvent notes what the page tells.
func (b *Box) auditEvent(e web.Event) {
	switch e.Kind {
	case web.EventSetup, web.EventChanged, web.EventSecrets:
	default:
		return
	}
	label := ""
	if p := b.index.Load().byMAC[e.MAC]; p != nil {
		label = p.Label
	}
	if e.By != nil {
		if id := e.By.Entry.Swap(0); id != 0 {
			b.audit.amend(id, e.What, e.MAC, label)
			return
		}
	}
	entry := web.AuditEntry{How: "page", What: e.What, MAC: e.MAC, Label: label, From: addrText(e.From)}
	if e.By != nil {
		entry.How = e.By.How
	}
	b.audit.add(entry)
}

// clip keeps a value short enough for the list.
func clip(s string) string {
	if r := []rune(s); len(r) > maxAuditText {
		return string(r[:maxAuditText]) + "..."
	}
	return s
}

// keyChanges are differences as the page has them.
func keyChanges(in []site.Change) []web.KeyChange {
	out := make([]web.KeyChange, len(in))
	for i, c := range in {
		out[i] = web.KeyChange{
			Key: c.Key, What: c.What, Who: c.Who, MAC: c.MAC, Old: c.Old, New: c.New, Secret: c.Secret, Kind: string(c.Kind),
		}
	}
	return out
}

// auditStart notes settings that were changed while the box was off: by hand, or by another version.
func (b *Box) auditStart(ctx context.Context, former []byte, now *site.Site) {
	if len(former) == 0 {
		return
	}
	old, _ := site.Parse(former, site.Catalogue())
	if old == nil {
		return
	}
	what := fmt.Sprintf("At the start %s was another than the one that was in force before.", site.FileName)
	if b.restored != "" {
		what = sentence(b.restored)
	}
	b.auditSite(ctx, what, old, now)
}
