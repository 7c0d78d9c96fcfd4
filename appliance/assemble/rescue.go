package assemble

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// Names implements [web.Box].
func (p page) Names() web.Names {
	p.b.settle()
	ix := p.b.index.Load()
	out := web.Names{Mapped: []web.MappedName{}, Hosts: slices.Sorted(maps.Keys(ix.site.DNS.Hosts)), Domain: ix.site.Network.Domain, On: ix.site.DNS.Enabled, Local: p.b.localName()}
	for _, name := range slices.Sorted(maps.Keys(ix.site.DNS.Names)) {
		target := ix.site.DNS.Names[name]
		m := web.MappedName{Name: name, Target: target}
		if addr, ok := ix.site.Rescued()[name]; ok {
			m.Address = addr.String()
		}
		out.Mapped = append(out.Mapped, m)
	}
	out.Missing = slices.DeleteFunc(p.b.missing.list(func(mac phone.MAC) string {
		if listed := ix.byMAC[mac]; listed != nil {
			return listed.Label
		}
		return ""
	}), func(n web.MissingName) bool { return ix.site.AnswersFor(n.Name) || ix.ofAPhone(n.Name) })
	return out
}

// ofAPhone reports whether a name is that of a phone, which is away.
func (ix *index) ofAPhone(name string) bool {
	local, within := ix.site.Local(name)
	if !within {
		return false
	}
	_, label := ix.byName[local]
	mac, device := macName(local)
	return label || device && ix.byMAC[mac] != nil
}

// MapName implements [web.Box]: it writes dns.names and puts it in force, as every other change of the settings.
func (p page) MapName(ctx context.Context, name, target string) error {
	if target == "" {
		if _, mapped := p.b.index.Load().site.DNS.Names[site.RescuedKey(name)]; !mapped {
			return &web.PublicError{Status: http.StatusNotFound, Text: fmt.Sprintf("The name %q leads nowhere, so that there is nothing to take back.", name)}
		}
	}
	for {
		_, err := settings(p).change(ctx, p.b.current().etag, func(old *site.Site) (*site.Site, []site.Fault) {
			return old.MapName(name, target, site.Catalogue())
		})
		if !errors.As(err, &web.StaleError{}) { // somebody else's change came between; this one goes with it
			return err
		}
	}
}
