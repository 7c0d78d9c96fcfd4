package provision

import (
	"cmp"
	"context"

	"phonebox/services/phone"
	"phonebox/services/phone/explain"
)

// Explained is what a phone would get for a name now, and in a sentence what that means.
type Explained struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Why    string `json:"why"` // "" where it gets the file and nothing is to be said
}

// Explain goes through the names that a phone asks for, in the order of its boot. Nothing is released by it: it reads no
// file to anybody.
func (p *Provisioner) Explain(ctx context.Context, mac phone.MAC) []Explained {
	s, sh := p.settings.Load(), p.shelf.Load()
	about := request{p: p, ctx: ctx, settings: s, shelf: sh, mac: mac, listed: s.listed[mac], running: p.deps.Observer.Running(mac)}
	about.step = about.decide()
	now := about.now()
	var list []Explained
	for _, name := range explain.Names(mac, now) {
		r := request{p: p, ctx: ctx, settings: s, shelf: sh, query: Query{Name: name, MAC: mac}, file: phone.ParseFileName(name)}
		a := r.answer()
		if a.Close != nil {
			if err := a.Close(); err != nil {
				p.deps.Log.Warn("file not closed", "file", name, "err", err)
			}
		}
		e := Explained{Name: name, Status: a.Status, Why: a.Why}
		if a.Status == Missing || a.Status == Harmless {
			harmless, sentence := explain.Absence(r.file.Kind, now)
			if harmless && a.Status == Missing {
				e.Status, e.Why = Harmless, sentence
			}
			e.Why = cmp.Or(e.Why, sentence)
		}
		list = append(list, e)
	}
	return list
}

// now is what is known of the phone, in the terms of explain.
func (r *request) now() explain.Now {
	n := explain.Now{Protocol: r.running.Protocol, Listed: r.listed != nil, Load: r.running.Load, Named: r.step.LoadInformation}
	load, known := phone.ParseLoad(r.running.Load)
	switch {
	case r.running.Loader || known && (load.Loader || load.Universal()):
		n.Loader = explain.Yes
	case known:
		n.Loader = explain.No
		n.Named = r.step.OS79XX // images from before the loader go by it (phones.md c.5)
	}
	n.HasTarget = r.step.Needs != "" || r.step.why != "" || r.running.Load == "" && r.settings.Target != ""
	return n
}
