package web

import (
	"bytes"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"phonebox/services/phone"
)

// longForm is a form with everything that a page can have, n of each.
func longForm(n int) SiteForm {
	var lines, pool, hosts strings.Builder
	for i, p := range settableParameters()[:min(n, 200)] {
		fmt.Fprintf(&lines, "%s = %s\n", p.Name, p.Default)
		fmt.Fprintf(&pool, "10.77.%d.1-10.77.%d.9\n", i, i)
		fmt.Fprintf(&hosts, "host-%d = 10.77.0.%d\n", i, i)
	}
	f := SiteForm{Fields: []Field{
		{Key: "name", Label: "Name", Kind: "text", Value: "Office", Help: "A name.", Allowed: "a text", Default: "phonebox", Example: "Office"},
		{Key: "dhcp.enabled", Label: "Give", Kind: "bool", Value: "true", Help: "Give."},
		{Key: "dhcp.pool", Label: "Pool", Kind: "list", Value: strings.TrimSpace(pool.String()), Help: "Ranges.", Allowed: "a range"},
		{Key: "dns.hosts", Label: "Hosts", Kind: "map", Value: strings.TrimSpace(hosts.String()), Help: "Hosts."},
		{Key: "sip.parameters", Label: "Parameters", Kind: "map", Value: strings.TrimSpace(lines.String()), Catalogue: true, Help: "Parameters."},
		{Key: "sip.forced", Label: "Forced", Kind: "map", Value: "a.b = 1", Help: "Forced."},
		{Key: "time.sntp_mode", Label: "Mode", Kind: "choice", Value: "unicast", Choices: []string{"unicast", "multicast"}, Help: "Mode."},
	}}
	t := SiteTable{Key: "dhcp.subnet", Label: "Networks", Help: "Networks.", Blank: []Field{
		{Key: "name", Label: "Name", Kind: "text", Help: "A name."}, {Key: "pool", Label: "Pool", Kind: "list", Help: "Ranges."},
	}}
	for i := range n {
		e := t.entry(i)
		e[0].Value, e[1].Value = fmt.Sprintf("Network %d", i), "10.78.0.1-10.78.0.9"
		t.Entries = append(t.Entries, e)
	}
	f.Tables = []SiteTable{t}
	return f
}

// FuzzSiteForm sends anything as a form: reading it never panics, is bounded, and says the same when what was read is sent again.
func FuzzSiteForm(f *testing.F) {
	for _, seed := range []string{
		"name=x&dhcp.enabled=true&dhcp.pool=a&dhcp.pool=b&row=del+dhcp.pool+1", "dns.hosts/name=a&dns.hosts/value=b&dns.hosts/name==",
		"sip.parameters/maybe/nat_enable=1&sip.parameters/name=timer_t1&sip.parameters/value=5", "dhcp.subnet=3&dhcp.subnet[0].name=x&row=del+dhcp.subnet+1",
		"dhcp.subnet=99999999999999999999&dhcp.subnet=-1", "row=add+dhcp.subnet&dhcp.subnet=251", "dns.hosts=a%3Db%0Dc%3Dd",
	} {
		f.Add(seed, `{"name":"y"}`)
	}
	form := longForm(2)
	f.Fuzz(func(t *testing.T, query, was string) {
		posted, err := url.ParseQuery(query)
		if err != nil || len(query) > 1<<16 {
			return
		}
		row := posted.Get("row")
		removeRow(posted, row)
		values, _ := readSiteForm(posted, form)
		if n := entries(values["dhcp.subnet"]); n > maxEntries {
			t.Fatalf("%d entries", n)
		}
		st := formState{values: maps.Clone(values), was: readWas(was)}
		st.order(row, form)
		_ = st.pick(posted, row)
		mergeUntouched(st.values, st.was, form.values(), form)
		again := url.Values{}
		for key, v := range values {
			again.Set(key, v)
		}
		twice, _ := readSiteForm(again, form)
		for key, v := range values {
			if twice[key] != v {
				t.Errorf("%s was read as %q, and %q when that was sent again", key, v, twice[key])
			}
		}
	})
}

// BenchmarkSettings makes the settings' pages of a site that has much of everything, and what a check answers while one types.
func BenchmarkSettings(b *testing.B) {
	p, err := parsePages()
	if err != nil {
		b.Fatal(err)
	}
	form := longForm(40)
	effects := make([]effectView, 20)
	for i := range effects {
		effects[i] = effectView{SiteEffect: SiteEffect{Text: "Phones must restart.", Phones: make([]phone.MAC, 500)}, Names: make([]phoneName, namedPhones), More: 488}
	}
	check := &SiteCheck{Faults: []Fault{{Key: "dhcp.pool[3]", Found: "x", Allowed: "a range"}}}
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			for _, page := range formPages {
				v := view{Title: page.Title, Nav: navAt(page.Path), Body: newSiteForm(page, form, "etag", formState{check: check})}
				if page.Key == "time" || page.Key == "names" {
					continue
				}
				if err := p.render(httptest.NewRecorder(), 200, "settings", v); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("verdicts", func(b *testing.B) {
		for b.Loop() {
			var out bytes.Buffer
			for _, verdict := range newSiteForm(formPages[0], form, "etag", formState{check: check}).verdicts() {
				if err := p.part(&out, "settings", "verdict", verdict); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("preview of 500 phones", func(b *testing.B) {
		v := view{Title: "x", Nav: navAt("/settings"), Body: previewView{Page: formPages[0], Effects: effects, Changes: make([]KeyChange, 50)}}
		for b.Loop() {
			if err := p.render(httptest.NewRecorder(), 200, "settingspreview", v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
