package assemble

import (
	"context"
	"slices"
	"strings"

	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/web"
)

// editors shows the page's editors what phones get, and changes it.
type editors struct{ b *Box }

// SiteName implements [web.Editors].
func (e editors) SiteName() string { return e.b.current().site.Name }

// DirectoryLines implements [web.Editors].
func (e editors) DirectoryLines() []web.Contact {
	cfg := e.b.current().plan.provision
	cfg.Contacts = nil
	entries := provision.Directory(cfg)
	out := make([]web.Contact, len(entries))
	for i, one := range entries {
		out[i] = web.Contact(one)
	}
	return out
}

// DirectoryXML implements [web.Editors]. Contacts go the way that they go when they are saved; those that would be refused
// are shown as they are.
func (e editors) DirectoryXML(contacts []web.Contact, page int) (content []byte, next int) {
	cfg := e.b.current().plan.provision
	cfg.Contacts = nil
	saved, _ := site.ReadContacts(siteContacts(contacts))
	for _, c := range saved {
		cfg.Contacts = append(cfg.Contacts, phone.Entry(c))
	}
	return phone.WriteDirectory(cfg.SiteName, provision.Directory(cfg), page)
}

// CheckContacts implements [web.Editors].
func (e editors) CheckContacts(contacts []web.Contact) []web.Fault {
	_, faults := site.ReadContacts(siteContacts(contacts))
	out := make([]web.Fault, len(faults))
	for i, f := range faults {
		out[i] = web.Fault{Key: f.Key, Found: f.Found, Allowed: f.Allowed}
	}
	return out
}

func siteContacts(contacts []web.Contact) []site.Contact {
	out := make([]site.Contact, len(contacts))
	for i, c := range contacts {
		out[i] = site.Contact(c)
	}
	return out
}

// RingList implements [web.Editors].
func (e editors) RingList() []byte { return e.b.provision.RingList() }

// RingSound implements [web.Editors].
func (e editors) RingSound(file string) ([]byte, bool) { return e.b.provision.RingSound(file) }

// NameRing implements [web.Editors].
func (e editors) NameRing(_ context.Context, file, name string) error {
	_, err := said("", e.b.provision.NameRing(file, name))
	return err
}

// OrderRings implements [web.Editors].
func (e editors) OrderRings(_ context.Context, files []string) error {
	_, err := said("", e.b.provision.OrderRings(files))
	return err
}

// RingUsers implements [web.Editors].
func (e editors) RingUsers(file string) []string {
	var out []string
	ix := e.b.index.Load()
	for _, mac := range e.b.journal.MACs() {
		fetched := slices.ContainsFunc(e.b.journal.Events(mac), func(ev journal.Event) bool {
			return ev.Service == "tftp" && ev.Kind != journal.FileMissing && strings.EqualFold(ev.File.Clean, file)
		})
		if !fetched {
			continue
		}
		name := mac.String()
		if p := ix.byMAC[mac]; p != nil && p.Label != "" {
			name = p.Label
		}
		out = append(out, name)
	}
	return out
}

// LogoBMP implements [web.Editors].
func (e editors) LogoBMP() (bmp []byte, own bool) { return e.b.provision.Logo() }

// LogoBefore implements [web.Editors].
func (e editors) LogoBefore() (bmp []byte, ok bool) { return e.b.provision.LogoBefore() }

// RestoreLogo implements [web.Editors].
func (e editors) RestoreLogo(context.Context) error {
	_, err := said("", e.b.provision.RestoreLogo())
	return err
}
