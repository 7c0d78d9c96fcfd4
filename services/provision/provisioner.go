package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/phone"
)

// Provisioner answers what phones ask for. All methods may be called at once from several goroutines.
type Provisioner struct {
	deps     Deps
	root     *os.Root
	settings atomic.Pointer[settings]
	shelf    atomic.Pointer[shelf]
	contents *contents
	sent     sentClocks
	scanning sync.Mutex
	adding   sync.Mutex
}

// New makes a Provisioner: it makes the folder where it is absent, removes what an interrupted upload left, looks at
// the files and takes the settings. The error says which of that failed; wrong settings are refused as by [Provisioner.Apply].
func New(cfg Config, deps Deps) (*Provisioner, error) {
	if deps.Observer == nil || deps.Guard == nil || deps.Log == nil || deps.Released == nil {
		return nil, errors.New("provisioning: Observer, Guard, Log and Released are required")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	deps.LeastImage = cmp.Or(deps.LeastImage, leastImage)
	if err := os.MkdirAll(deps.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of files: %w", err)
	}
	root, err := os.OpenRoot(deps.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of files: %w", err)
	}
	p := &Provisioner{deps: deps, root: root, contents: newContents(maxKept)}
	p.removeLeftovers()
	if err := errors.Join(p.Rescan(), p.Apply(cfg)); err != nil {
		root.Close()
		return nil, err
	}
	return p, nil
}

// Apply replaces the settings as a whole. Settings from which a file could not be written are refused, the last ones
// stay in force, and the error names every fault, without secrets.
func (p *Provisioner) Apply(cfg Config) error {
	s, err := newSettings(cfg, p.deps.Now())
	if err != nil {
		return fmt.Errorf("applying the settings of the phones: %w", err)
	}
	p.settings.Store(s)
	p.sent.retain(s.listed)
	for _, w := range s.warnings {
		p.deps.Log.Warn("setting of the phones", "warning", w)
	}
	return nil
}

// Warnings are sentences on the settings that a person should read: a time zone that the phones can't express, a
// password that is longer than the guide allows.
func (p *Provisioner) Warnings() []string { return slices.Clone(p.settings.Load().warnings) }

// Rescan looks at the folder again. It is cheap where nothing changed: files of the same size and time are not read. Call
// it every few seconds, so that firmware that is copied in by hand completes a load; Add does it by itself.
func (p *Provisioner) Rescan() error {
	p.scanning.Lock()
	defer p.scanning.Unlock()
	s, err := scan(p.root, p.shelf.Load(), p.deps.LeastImage, p.deps.Log)
	if err != nil {
		return err
	}
	p.shelf.Store(s)
	p.contents.sweep(s, time.Now())
	return nil
}

// Loads returns the loads of the shelf by name, whole or not.
func (p *Provisioner) Loads() []Load {
	var list []Load
	for _, l := range p.shelf.Load().loads {
		c := *l
		c.Files, c.Missing = slices.Clone(l.Files), slices.Clone(l.Missing)
		list = append(list, c)
	}
	return list
}

// Faults returns what is wrong with files of the folder, by name: unreadable, empty, damaged or renamed ones, names that
// differ in case only, own files that are shadowed by generated ones, loads that are not whole.
func (p *Provisioner) Faults() []FileFault {
	s, sh := p.settings.Load(), p.shelf.Load()
	list := slices.Clone(sh.faults)
	for _, same := range sh.byName {
		for _, e := range same {
			if why := s.shadowed(e.file); why != "" {
				list = append(list, FileFault{e.name, why})
			}
		}
	}
	for _, l := range sh.loads {
		if len(l.Missing) > 0 {
			list = append(list, FileFault{l.Name, "this load is not whole, so no part of it is sent; missing: " + strings.Join(l.Missing, ", ")})
		}
	}
	slices.SortFunc(list, func(a, b FileFault) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Why, b.Why)) })
	return list
}

// shadowed says why a file of the folder is not sent although it is fit to be; "" where it is.
func (s *settings) shadowed(f phone.FileName) string {
	listed := s.listed[f.MAC]
	switch {
	case f.Kind == phone.KindTrustList, f.Kind == phone.KindMGC:
		return "it is never sent: the phones are better off without it"
	case !generated(f.Kind):
		return ""
	case f.MAC.IsZero() && s.anyOwn:
		return "it is sent only to the phones that have own_files; the others get the generated one"
	case f.MAC.IsZero(), listed != nil && !listed.OwnFiles:
		return "it is not sent: phonebox generates this file, unless a phone has own_files"
	case listed == nil:
		return "it is not sent: the site does not list this phone"
	}
	return ""
}

// generated reports whether phonebox makes the files of a kind itself, or decides that there is none.
func generated(k phone.Kind) bool {
	switch k {
	case phone.KindOS79XX, phone.KindSEP, phone.KindSEPOld, phone.KindSIP, phone.KindXMLDefault, phone.KindSIPDefault,
		phone.KindRingList, phone.KindDialPlan, phone.KindSyncInfo:
		return true
	}
	return false
}

// Answer decides what a phone gets for a name. It may block for as long as the Guard and Released do. A context that
// ended makes an answer like any other.
func (p *Provisioner) Answer(ctx context.Context, q Query) Answer {
	r := request{p: p, ctx: ctx, query: q, file: phone.ParseFileName(q.Name), settings: p.settings.Load(), shelf: p.shelf.Load()}
	a := r.answer()
	a.File, a.MAC, a.Listed = r.file, r.mac, r.listed != nil
	if a.Status == OK {
		p.sent.note(&r, p.deps.Now())
	}
	if a.Status == OK && a.Secret {
		p.deps.Released(Release{MAC: r.mac, From: q.From, Name: r.file.Clean})
	}
	return a
}
