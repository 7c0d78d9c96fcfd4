package assemble

import (
	"context"
	"errors"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// settings lets the page read and change the site, always as a whole.
type settings struct{ b *Box }

// TOML implements [web.Settings].
func (s settings) TOML(secrets bool) ([]byte, string) {
	cur := s.b.current()
	return cur.site.TOML(secrets), cur.etag
}

// Replace implements [web.Settings].
func (s settings) Replace(ctx context.Context, text []byte, etag string) (string, error) {
	return s.change(ctx, etag, func(old *site.Site) (*site.Site, []site.Fault) {
		opts := site.Catalogue()
		opts.Old = old // masked passwords stay as they are
		return site.Parse(text, opts)
	})
}

// Fields implements [web.Settings].
func (s settings) Fields() ([]web.Field, string) {
	cur := s.b.current()
	var out []web.Field
	for _, f := range cur.site.Fields() {
		out = append(out, web.Field(f))
	}
	return out, cur.etag
}

// SetFields implements [web.Settings].
func (s settings) SetFields(ctx context.Context, values map[string]string, etag string) error {
	_, err := s.change(ctx, etag, func(old *site.Site) (*site.Site, []site.Fault) {
		return old.SetFields(values, site.Catalogue())
	})
	return err
}

// Phone implements [web.Settings].
func (s settings) Phone(mac phone.MAC) (web.PhoneEntry, string, bool) {
	cur := s.b.current()
	t, ok := cur.site.PhoneText(mac)
	e := web.PhoneEntry{
		MAC: t.MAC, Model: t.Model, Label: t.Label, Address: t.Address, OpenConfig: t.OpenConfig, OwnFiles: t.OwnFiles, Zone: t.Zone,
		Parameters: t.Parameters, Forced: t.Forced, Load: t.Load, Runs: t.Runs,
	}
	for _, l := range t.Lines {
		e.Lines = append(e.Lines, web.LineEntry(l))
	}
	return e, cur.etag, ok
}

// PutPhone implements [web.Settings].
func (s settings) PutPhone(ctx context.Context, mac phone.MAC, e web.PhoneEntry, etag string) error {
	t := phoneText(e)
	_, err := s.change(ctx, etag, func(old *site.Site) (*site.Site, []site.Fault) {
		return old.PutPhone(mac, t, site.Catalogue())
	})
	return keysOfForm(err)
}

func phoneText(e web.PhoneEntry) site.PhoneText {
	t := site.PhoneText{
		MAC: e.MAC, Model: e.Model, Label: e.Label, Address: e.Address, OpenConfig: e.OpenConfig, OwnFiles: e.OwnFiles, Zone: e.Zone,
		Parameters: e.Parameters, Forced: e.Forced, Load: e.Load, Runs: e.Runs,
	}
	for _, l := range e.Lines {
		t.Lines = append(t.Lines, site.LineText(l))
	}
	return t
}

// RemovePhone implements [web.Settings].
func (s settings) RemovePhone(ctx context.Context, mac phone.MAC, etag string) error {
	_, err := s.change(ctx, etag, func(old *site.Site) (*site.Site, []site.Fault) {
		next, _ := old.RemovePhone(mac)
		return next, nil
	})
	return err
}

// change makes a new site of the current one, checks the whole of it as a file is checked, and applies it.
func (s settings) change(ctx context.Context, etag string, edit func(*site.Site) (*site.Site, []site.Fault)) (string, error) {
	s.b.changing.Lock()
	defer s.b.changing.Unlock()
	cur := s.b.current()
	if etag != cur.etag {
		return "", web.StaleError{}
	}
	next, faults := edit(cur.site)
	if err := refused(faults); err != nil {
		return "", err
	}
	text := next.TOML(true)
	checked, faults := site.Parse(text, site.Catalogue())
	if err := refused(faults); err != nil {
		return "", err
	}
	if err := s.b.apply(ctx, checked, text); err != nil {
		return "", err
	}
	return s.b.current().etag, nil
}

// refused returns the faults that are no warnings as an error; nil when there are none.
func refused(faults []site.Fault) error {
	r := &web.Refused{}
	for _, f := range faults {
		if !f.Warning {
			r.Faults = append(r.Faults, web.Fault{Line: f.Line, Key: f.Key, Found: f.Found, Allowed: f.Allowed})
		}
	}
	if len(r.Faults) == 0 {
		return nil
	}
	return r
}

// keysOfForm turns the keys of the file into those of one phone's form: phones[3].lines[0].name is lines[0].name.
func keysOfForm(err error) error {
	var r *web.Refused
	if errors.As(err, &r) {
		for i, f := range r.Faults {
			if rest, ok := strings.CutPrefix(f.Key, "phones["); ok {
				if _, key, ok := strings.Cut(rest, "]."); ok {
					r.Faults[i].Key = key
				}
			}
			r.Faults[i].Line = 0
		}
	}
	return err
}
