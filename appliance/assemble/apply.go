package assemble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// keyLastSite is where the store keeps the last site that was applied.
const keyLastSite = "site/applied"

// firstSite finds the site to start with: the file in the data folder, else the pre-seed, which becomes that file. A
// refused file is replaced by the last site that was applied, and by a bare one that only lets the page run when there is
// none; the faults are kept for the page.
func (b *Box) firstSite(ctx context.Context) (*site.Site, []byte, error) {
	path := filepath.Join(b.opt.Data, site.FileName)
	text, err := site.LoadFile(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh && b.opt.Site != "" {
		path = b.opt.Site
		text, err = site.LoadFile(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.refuse("there are no settings yet: " + path + " does not exist")
		return b.fallback(ctx)
	case err != nil:
		b.refuse(fmt.Sprintf("the settings could not be read: %v", err))
		return b.fallback(ctx)
	}
	s, faults := site.Parse(text, site.Catalogue())
	for _, f := range faults {
		b.log.Warn("site file", "file", path, "fault", f.String(), "warning", f.Warning)
	}
	if s == nil {
		b.refuse(fmt.Sprintf("the settings in %s were refused:", filepath.Base(path)))
		b.refuseFor(faults)
		return b.fallback(ctx)
	}
	if fresh {
		if err := site.Save(b.opt.Data, text); err != nil {
			return nil, nil, fmt.Errorf("saving the settings: %w", err)
		}
	}
	if b.formerSite, err = b.store.Value(ctx, keyLastSite); err != nil {
		b.log.Error("reading the last site", "err", err)
	}
	if err := b.store.SetValue(ctx, keyLastSite, text); err != nil {
		b.log.Error("site not stored", "err", err)
	}
	return s, text, nil
}

// fallback is the last applied site, or the bare one.
func (b *Box) fallback(ctx context.Context) (*site.Site, []byte, error) {
	text, err := b.store.Value(ctx, keyLastSite)
	if err != nil {
		b.log.Error("reading the last site", "err", err)
	}
	if text != nil {
		if s, _ := site.Parse(text, site.Catalogue()); s != nil {
			b.refuse("the box runs with the last settings that were good")
			return s, text, nil
		}
	}
	b.refuse("there are no good settings: only this page runs")
	b.bare, _ = site.Parse([]byte(bareSite), site.Catalogue())
	return b.bare, []byte(bareSite), nil
}

// bareSite is what the page begins with on a box without settings; no other service runs with it.
const bareSite = `name = "phonebox"
[network]
address = "10.77.0.1/16"
[dhcp]
pool = ["10.77.1.1-10.77.3.250"]
`

// refuse keeps a sentence about a refused site file for the page and the log.
func (b *Box) refuse(why string) {
	b.log.Error("site file refused", "why", why)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, why)
}

// refuseFor keeps the faults that are no warnings.
func (b *Box) refuseFor(faults []site.Fault) {
	for _, f := range faults {
		if !f.Warning {
			b.refuse(f.String())
		}
	}
}

// apply puts a checked site in force and saves it. When a part cannot take it the former site goes on and the error says
// which part and why; nothing is saved then.
func (b *Box) apply(ctx context.Context, s *site.Site, text []byte) error {
	old := b.current()
	next := applied{site: s, text: text, etag: site.ETag(text), plan: b.planOf(s)}
	if err := b.applyPlan(next); err != nil {
		return errors.Join(fmt.Errorf("applying the settings: %w", err), b.applyPlan(old))
	}
	if err := site.Save(b.opt.Data, text); err != nil {
		return errors.Join(fmt.Errorf("saving the settings: %w", err), b.applyPlan(old))
	}
	b.mu.Lock()
	b.cur, b.refused = next, nil
	b.mu.Unlock()
	if err := b.store.SetValue(ctx, keyLastSite, text); err != nil {
		b.log.Error("site not stored", "err", err)
	}
	b.log.Info("settings applied", "phones", len(s.Phones))
	b.auditSite(ctx, "The settings were changed.", old.site, s)
	return nil
}

// applyPlan gives each part its settings. The interface comes first, for the others listen on its address.
func (b *Box) applyPlan(a applied) error {
	p := a.plan
	if b.netdev != nil {
		if err := b.netdev.Apply(p.netdev); err != nil {
			return fmt.Errorf("network: %w", err)
		}
	}
	b.setIndex(a.site)
	b.tellJournal(a.site)
	b.director.Apply(convertConfig(a.site))
	for _, part := range []struct {
		name  string
		apply func() error
	}{
		{"time", func() error { return b.clock.Apply(p.clock) }},
		{"phones' files", func() error { return b.provision.Apply(p.provision) }},
		{"dhcp", func() error { return b.dhcp.Apply(p.dhcp) }},
		{"tftp", func() error { return b.tftp.Apply(p.tftp) }},
		{"sntp", func() error { return b.sntp.Apply(p.sntp) }},
		{"dns", func() error { return b.dns.Apply(p.dns) }},
		{"sip", func() error { return b.sip.Apply(p.sip) }},
		{"mdns", func() error { return b.applyLocal(p.mdns) }},
		{"web", func() error { return b.web.Apply(p.web) }},
	} {
		if err := part.apply(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.enableServices(p)
	return nil
}

// tellJournal says which phones belong to the site, and which load they should run.
func (b *Box) tellJournal(s *site.Site) {
	b.journal.SetListed(listed(s))
	pinned, stated := map[phone.MAC]string{}, map[phone.MAC]string{}
	for _, p := range s.Phones {
		switch p.Load {
		case "":
		case site.Stay:
			pinned[p.MAC] = "" // whatever it runs
		default:
			pinned[p.MAC] = p.Load
		}
		if p.Runs != "" {
			stated[p.MAC] = p.Runs
		}
	}
	b.journal.SetTargets(pinned, s.Firmware.Target, s.Firmware.ConvertUnlisted)
	b.journal.SetStated(stated)
}

// Reload reads site.toml again, as SIGHUP asks. A refused file changes nothing but the page's notice.
func (b *Box) Reload(ctx context.Context) error {
	b.changing.Lock()
	defer b.changing.Unlock()
	text, err := site.Load(b.opt.Data)
	if err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	s, faults := site.Parse(text, site.Catalogue())
	if err := refused(faults); err != nil {
		b.mu.Lock()
		b.refused = []string{"the settings in site.toml were refused; the former ones go on:"}
		b.mu.Unlock()
		b.refuseFor(faults)
		return err
	}
	return b.apply(ctx, s, text)
}
