package adopt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"phonebox/appliance/site"
)

// maxRounds bounds how often a site is checked again after something was left out.
const maxRounds = 50

// settle checks the site that a plan makes as if it were read from a file, and leaves out what is at fault. What was
// left out, and what the check warns of, is said in the verdict of the file or row that brought it. Faults that the
// present site has already are not this plan's. The error says that something is at fault that can't be left out.
func settle(s, present *site.Site, owner func(s *site.Site, key string) *Verdict) error {
	unwait(s, present)
	had := map[string]bool{}
	for _, f := range faultsOf(present) {
		had[f.Key+"\x00"+f.Found] = true
	}
	for range maxRounds {
		faults := slices.DeleteFunc(faultsOf(s), func(f site.Fault) bool { return had[f.Key+"\x00"+f.Found] })
		d := dropper{site: s, present: present, gone: map[string]bool{}}
		refused := false
		for _, f := range slices.Backward(faults) { // from the last, so that what is left out does not move the others
			if f.Warning {
				continue
			}
			refused = true
			v := owner(s, f.Key)
			if d.drop(f.Key) && v != nil {
				v.warn("%s was left out: found %s, allowed is %s", spoken(f.Key), f.Found, f.Allowed)
			}
		}
		if !refused {
			for _, f := range faults {
				if v := owner(s, f.Key); v != nil {
					v.warn("%s: found %s, better is %s", spoken(f.Key), f.Found, f.Allowed)
				}
			}
			return nil
		}
		if !d.any {
			return fmt.Errorf("the site would not be valid: %s", faults[0])
		}
	}
	return fmt.Errorf("the site would not be valid, although much was left out")
}

// faultsOf checks a site with all that is checked of a site file.
func faultsOf(s *site.Site) []site.Fault {
	_, faults := site.Parse(s.TOML(true), site.Catalogue())
	for i := range faults {
		faults[i].Line = 0 // of a text that nobody sees
	}
	return faults
}

// index takes the first index out of a key: 3 of "phones[3].lines[0].name", and what follows it.
func index(key string) (i int, rest string) {
	_, after, ok := strings.Cut(key, "[")
	if !ok {
		return 0, ""
	}
	digits, rest, _ := strings.Cut(after, "]")
	i, err := strconv.Atoi(digits)
	if err != nil {
		return 0, ""
	}
	return i, strings.TrimPrefix(rest, ".")
}

// spoken names a key of a phone as people do: "lines[1].name" is "name of line 2".
func spoken(key string) string {
	if strings.HasPrefix(key, "phones[") {
		_, key = index(key)
	} else if strings.HasPrefix(key, "lines[") {
		if _, key = index(key); key == "" {
			key = "the line"
		}
	}
	if strings.HasPrefix(key, "lines[") {
		i, rest := index(key)
		if rest == "" {
			return fmt.Sprintf("line %d of the phone", i+1)
		}
		return fmt.Sprintf("%s of line %d of the phone", rest, i+1)
	}
	if key == "" {
		return "the phone"
	}
	return key
}

// dropper leaves out what is at fault, once each place in a round.
type dropper struct {
	site, present *site.Site
	gone          map[string]bool // entries of lists that are gone
	any           bool
}

// drop leaves out what a key names, and reports whether it did.
func (d *dropper) drop(key string) bool {
	done := false
	i, rest := index(key)
	switch {
	case strings.HasPrefix(key, "phones["):
		done = i < len(d.site.Phones) && !d.gone[fmt.Sprint("phones", i)] && d.phone(i, rest)
	case strings.HasPrefix(key, "lines["):
		done = i < len(d.site.Lines) && d.waiting(i, rest)
	case strings.HasPrefix(key, "contacts["):
		done = d.entry(fmt.Sprint("contacts", i), func() bool {
			return cutOut(&d.site.Contacts, i, rest)
		})
	case strings.HasPrefix(key, "dial_plan.rules["):
		done = d.entry(fmt.Sprint("rules", i), func() bool {
			return cutOut(&d.site.DialPlan.Rules, i, rest)
		})
	case strings.HasPrefix(key, "sip.parameters."):
		done = forget(d.site.SIP.Parameters, strings.TrimPrefix(key, "sip.parameters."))
	case strings.HasPrefix(key, "sip.forced."):
		done = forget(d.site.SIP.Forced, strings.TrimPrefix(key, "sip.forced."))
	default:
		done = d.back(key)
	}
	d.any = d.any || done
	return done
}

// entry leaves an entry of a list out, unless that was done in this round.
func (d *dropper) entry(which string, remove func() bool) bool {
	if d.gone[which] {
		return false
	}
	d.gone[which] = true
	return remove()
}

// cutOut takes an entry out of a list; without the name of a key there are too many entries, and those from i on go.
func cutOut[T any](list *[]T, i int, rest string) bool {
	switch {
	case i >= len(*list):
		return false
	case rest == "":
		*list = (*list)[:i]
	default:
		*list = slices.Delete(*list, i, i+1)
	}
	return true
}

// back gives a key of the site its present value again.
func (d *dropper) back(key string) bool {
	switch key {
	case "sip.proxy":
		return restore(&d.site.SIP.Proxy, d.present.SIP.Proxy)
	case "sip.port":
		return restore(&d.site.SIP.Port, d.present.SIP.Port)
	case "firmware.target":
		return restore(&d.site.Firmware.Target, d.present.Firmware.Target)
	}
	return false
}

func restore[T comparable](now *T, before T) bool {
	changed := *now != before
	*now = before
	return changed
}

func forget(params map[string]string, name string) bool {
	_, ok := params[name]
	delete(params, name)
	return ok
}

// phone leaves out a part of a phone, or the phone.
func (d *dropper) phone(i int, rest string) bool {
	p := &d.site.Phones[i]
	switch {
	case strings.HasPrefix(rest, "lines["):
		j, part := index(rest)
		if j >= len(p.Lines) || d.gone[fmt.Sprint(i, "/", j)] {
			return false
		}
		return d.line(i, j, part)
	case strings.HasPrefix(rest, "parameters."):
		return forget(p.Parameters, strings.TrimPrefix(rest, "parameters."))
	case strings.HasPrefix(rest, "forced."):
		return forget(p.Forced, strings.TrimPrefix(rest, "forced."))
	case rest == "mac", rest == "":
		return d.entry(fmt.Sprint("phones", i), func() bool {
			d.site.Phones = slices.Delete(d.site.Phones, i, i+1)
			return true
		})
	case rest == "address":
		return restore(&p.Address, site.Phone{}.Address)
	}
	for name, text := range map[string]*string{"label": &p.Label, "model": &p.Model, "load": &p.Load, "runs": &p.Runs, "zone": &p.Zone} {
		if name == rest {
			return restore(text, "")
		}
	}
	return false
}

// line leaves out a part of a line; without a name, or beyond what the model has, the line.
func (d *dropper) line(i, j int, part string) bool {
	p := &d.site.Phones[i]
	l := &p.Lines[j]
	texts := map[string]*string{
		"authname": &l.AuthName, "password": &l.Password, "displayname": &l.DisplayName, "shortname": &l.ShortName, "proxy": &l.Proxy,
	}
	if text, ok := texts[part]; ok {
		return restore(text, "")
	}
	switch part {
	case "port":
		return restore(&l.Port, 0)
	case "name":
		d.gone[fmt.Sprint(i, "/", j)] = true
		p.Lines = slices.Delete(p.Lines, j, j+1)
		return true
	}
	p.Lines = p.Lines[:j] // more lines than the model has
	return true
}
