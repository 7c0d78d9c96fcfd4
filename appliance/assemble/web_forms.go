package assemble

import (
	"context"
	"fmt"
	"net/netip"

	"phonebox/appliance/site"
	"phonebox/services/phone/pbx"
	"phonebox/services/web"
)

// siteForms shows the site as forms, and says what changes of it would do.
type siteForms struct{ b *Box }

// Form implements [web.SiteForms].
func (f siteForms) Form() (web.SiteForm, string) {
	cur := f.b.current()
	var out web.SiteForm
	for _, one := range cur.site.Fields() {
		out.Fields = append(out.Fields, web.Field(one))
	}
	for _, t := range cur.site.Tables() {
		table := web.SiteTable{Key: t.Key, Label: t.Label, Help: t.Help, Blank: webFields(t.Blank)}
		for _, entry := range t.Entries {
			table.Entries = append(table.Entries, webFields(entry))
		}
		out.Tables = append(out.Tables, table)
	}
	return out, cur.etag
}

func webFields(in []site.FieldValue) []web.Field {
	out := make([]web.Field, len(in))
	for i, one := range in {
		out[i] = web.Field(one)
	}
	return out
}

// Check implements [web.SiteForms].
func (f siteForms) Check(_ context.Context, values map[string]string) web.SiteCheck {
	cur := f.b.current().site
	next, faults := cur.SetFields(values, site.Catalogue())
	return f.said(cur, next, faults, site.DiffSettings)
}

// CheckText implements [web.SiteForms].
func (f siteForms) CheckText(_ context.Context, text []byte) web.SiteCheck {
	cur := f.b.current().site
	opts := site.Catalogue()
	opts.Old = cur
	next, faults := site.Parse(text, opts)
	return f.said(cur, next, faults, site.Diff)
}

// said puts what the site's own checks found in the page's words, and what diff sees. next is nil where it is refused.
func (f siteForms) said(cur, next *site.Site, faults []site.Fault, diff func(old, now *site.Site) []site.Change) web.SiteCheck {
	var c web.SiteCheck
	for _, one := range faults {
		fault := web.Fault{Line: one.Line, Key: one.Key, Found: one.Found, Allowed: one.Allowed}
		if one.Warning {
			c.Warnings = append(c.Warnings, fault)
		} else {
			c.Faults = append(c.Faults, fault)
		}
	}
	if next == nil {
		return c
	}
	c.Changes = keyChanges(diff(cur, next))
	for _, one := range site.Effects(cur, next) {
		c.Effects = append(c.Effects, web.SiteEffect(one))
	}
	if outside := f.outside(next); outside > 0 && outside != f.outside(cur) {
		c.Effects = append(c.Effects, web.SiteEffect{Text: fmt.Sprintf("%d phones have an address outside of the new ranges now, and get another one when they renew it.", outside)})
	}
	c.Moves = f.moves(cur, next)
	return c
}

// outside counts the leases whose address no range of the site holds any more; fixed addresses of listed phones don't count.
func (f siteForms) outside(s *site.Site) (n int) {
	if !s.DHCP.Enabled {
		return 0
	}
	ranges := append([]site.Range(nil), s.DHCP.Pool...)
	for _, sub := range s.DHCP.Subnets {
		ranges = append(ranges, sub.Pool...)
	}
	fixed := map[netip.Addr]bool{}
	for i := range s.Phones {
		fixed[s.Phones[i].Address] = true
	}
	for _, l := range f.b.dhcp.Leases() {
		held := fixed[l.Address]
		for _, r := range ranges {
			held = held || r.Contains(l.Address)
		}
		if !held {
			n++
		}
	}
	return n
}

// moves is where the page is once next is in force; "" = where it was. With -try it is on loopback, whatever the site says.
func (f siteForms) moves(cur, next *site.Site) string {
	to := next.Network.Address.Addr()
	if f.b.opt.Try || to == cur.Network.Address.Addr() {
		return ""
	}
	return "https://" + to.String() + "/"
}

// Lines implements [web.SiteForms].
func (f siteForms) Lines(secrets bool) (office pbx.Office, others int) {
	s := f.b.current().site
	if !secrets {
		s = s.Masked()
	}
	office = pbx.Office{Name: s.Name, Codec: s.SIP.Parameters["preferred_codec"]}
	for i := range s.Phones {
		p := &s.Phones[i]
		name := p.Label
		if name == "" {
			name = p.MAC.String()
		}
		for _, l := range p.Lines {
			if l.Name == "" {
				continue
			}
			if l.Proxy != "" && l.Proxy != s.SIP.Proxy {
				others++
				continue
			}
			office.Lines = append(office.Lines, pbx.Line{Phone: name, Number: l.Name, AuthName: l.AuthName, Password: l.Password, DisplayName: l.DisplayName})
		}
	}
	return office, others
}
