package web_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/phone"
	"phonebox/services/phone/pbx"
	"phonebox/services/web"
)

// fakeForms shows the fake site as forms. Its rules are few: addresses, a pool without x, a codec of the catalogue, names in
// full; what a change does it says of two keys.
type fakeForms struct {
	site  *fakeSite
	lines []pbx.Line
	asked []bool // whether secrets were asked for, call by call
}

// formFields are the fields of the fake site, and those that only forms show.
func (f *fakeForms) formFields() ([]web.Field, string) {
	fields, etag := f.site.Fields()
	about := map[string]web.Field{
		"name":            {Allowed: "a text of 1 to 64 characters", Default: "phonebox", Example: "Harbour Street office"},
		"network.address": {Allowed: "an IPv4 address with the length of its network", Required: true, Example: "10.77.0.1/16"},
		"dhcp.pool":       {Allowed: "a range of addresses", Required: true, Example: "10.77.1.1-10.77.3.250"},
		"dhcp.lease":      {Allowed: "a duration", Default: "8h", Example: "8h", Unit: "s for seconds, m for minutes, h for hours"},
		"dns.hosts":       {Allowed: "an IPv4 address", Example: "pbx = 10.77.0.10"},
		"time.sntp_mode":  {Words: []string{"unicast: each phone asks this box"}, Default: "unicast"},
	}
	for i, one := range fields {
		a := about[one.Key]
		fields[i].Allowed, fields[i].Default, fields[i].Required, fields[i].Example, fields[i].Unit, fields[i].Words = a.Allowed, a.Default, a.Required, a.Example, a.Unit, a.Words
	}
	more := []web.Field{
		{Key: "sip.proxy", Group: "Telephony (SIP)", Label: "Telephone system", Kind: "text", Help: "The PBX.", Allowed: "a host name"},
		{Key: "sip.register", Group: "Telephony (SIP)", Label: "Register", Kind: "bool", Value: "true", Default: "true", Help: "Phones register."},
		{Key: "sip.parameters", Group: "Telephony (SIP)", Label: "Further parameters", Kind: "map", Value: "phone_password = ********\ntimer_t1 = 500", Catalogue: true, Help: "For all phones."},
		{Key: "models.7940.parameters", Group: "Models", Label: "Parameters of the 7940", Kind: "map", Catalogue: true, Help: "For every 7940."},
		{Key: "dns.upstream", Group: "Names", Label: "Name servers", Kind: "list", Help: "Where names are asked."},
		{Key: "time.zone", Group: "Time", Label: "Time zone", Kind: "text", Value: "Europe/Brussels", Help: "Where the phones are."},
		{Key: "web.plain_http", Group: "This page", Label: "Without encryption", Kind: "bool", Value: "false", Help: "Passwords cross the network readable."},
		{Key: "new.key", Group: "New", Label: "A key of tomorrow", Kind: "text", Value: "x", Help: "No page names it."},
		{Key: "dial_plan.country", Group: "Dial plan", Label: "Country", Kind: "choice", Choices: []string{"", "BE"}, Help: "It has a page of its own."},
	}
	f.site.mu.Lock()
	defer f.site.mu.Unlock()
	for _, one := range more {
		if v, ok := f.site.values[one.Key]; ok {
			one.Value = v
		}
		fields = append(fields, one)
	}
	return fields, etag
}

func (f *fakeForms) Form() (web.SiteForm, string) {
	fields, etag := f.formFields()
	t := web.SiteTable{Key: "dhcp.subnet", Label: "Networks behind relays", Help: "One for each.", Blank: []web.Field{
		{Key: "name", Label: "Name", Kind: "text", Help: "Where it is.", Required: true}, {Key: "pool", Label: "Ranges", Kind: "list", Help: "Its addresses."},
	}}
	f.site.mu.Lock()
	defer f.site.mu.Unlock()
	n, _ := strconv.Atoi(f.site.values["dhcp.subnet"])
	for i := range n {
		var entry []web.Field
		for _, one := range t.Blank {
			one.Key = fmt.Sprintf("dhcp.subnet[%d].%s", i, one.Key)
			one.Value = f.site.values[one.Key]
			entry = append(entry, one)
		}
		t.Entries = append(t.Entries, entry)
	}
	return web.SiteForm{Fields: fields, Tables: []web.SiteTable{t}}, etag
}

func (f *fakeForms) Check(_ context.Context, values map[string]string) (c web.SiteCheck) {
	fields, _ := f.formFields()
	now := map[string]web.Field{}
	for _, one := range fields {
		now[one.Key] = one
	}
	fault := func(key, found, allowed string) {
		c.Faults = append(c.Faults, web.Fault{Key: key, Found: found, Allowed: allowed})
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		v := values[key]
		switch {
		case key == "network.address" && !isPrefix(v):
			fault(key, strconv.Quote(v), "an IPv4 address with the length of its network")
		case key == "dhcp.pool" && strings.Contains(v, "x"):
			fault("dhcp.pool[0]", `"x"`, "a range of addresses such as 10.77.1.1-10.77.3.250")
			fault("firmware.target", `"P1"`, "the name of a load")
		case strings.HasPrefix(key, "dhcp.subnet[") && strings.HasSuffix(key, ".name") && v == "":
			fault(key, "nothing", "where the network is")
		case key == "name" && v == "odd":
			c.Warnings = append(c.Warnings, web.Fault{Key: key, Found: `"odd"`, Allowed: "a better name"})
		}
		if old := now[key].Value; old != v {
			c.Changes = append(c.Changes, web.KeyChange{Key: key, What: now[key].Label, Old: old, New: v, Kind: "changed"})
		}
	}
	for _, one := range c.Changes {
		switch one.Key {
		case "sip.proxy":
			e := web.SiteEffect{Text: "Phones must restart to learn the new telephone system.", Restart: true}
			e.Phones = slices.SortedFunc(maps.Keys(f.site.snapshot()), func(a, b phone.MAC) int { return slices.Compare(a[:], b[:]) })
			c.Effects = append(c.Effects, e)
		case "network.address":
			addr, _, _ := strings.Cut(one.New, "/")
			c.Moves = "https://" + addr + "/"
		}
	}
	return c
}

func isPrefix(s string) bool {
	_, err := netip.ParsePrefix(s)
	return err == nil
}

func (f *fakeForms) CheckText(_ context.Context, text []byte) (c web.SiteCheck) {
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "wrong") {
			c.Faults = append(c.Faults, web.Fault{Line: i + 1, Key: "dhcp.pool", Found: "wrong", Allowed: "a range"})
		}
	}
	if len(c.Faults) == 0 {
		c.Changes = []web.KeyChange{{Key: "name", What: "Name of the site", Old: "a", New: "b", Kind: "changed"}}
		c.Effects = []web.SiteEffect{{Text: "Phones show the new name."}}
	}
	return c
}

func (f *fakeForms) Lines(secrets bool) (pbx.Office, int) {
	f.asked = append(f.asked, secrets)
	lines := slices.Clone(f.lines)
	for i := range lines {
		if !secrets {
			lines[i].Password = web.Mask
		}
	}
	return pbx.Office{Name: "Harbour Street office", Codec: "g711alaw", Lines: lines}, 1
}
