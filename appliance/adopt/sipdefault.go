package adopt

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// readDefaults turns SIPDefault.cnf into settings of the site.
func (a *adoption) readDefaults() {
	f := a.byName["sipdefault.cnf"]
	if f == nil {
		return
	}
	if len(f.content) == 0 {
		a.ignore(f, "it is empty")
		return
	}
	a.defaults = readCnf(f.content, &f.verdict)
	d := defaultsReader{adoption: a, v: &f.verdict}
	for _, s := range a.defaults.list {
		if !s.bad {
			d.take(s)
		}
	}
	a.suggestZone(d.v)
	f.verdict.set(VerdictSite, "%s", d.sentence())
}

// defaultsReader takes the parameters of SIPDefault.cnf one by one.
type defaultsReader struct {
	*adoption
	v       *Verdict
	set     []string // what the site gets
	same    int      // what holds already
	decided []string // what phonebox decides
}

func (d *defaultsReader) sentence() string {
	var parts []string
	if len(d.set) > 0 {
		parts = append(parts, "sets "+words(d.set))
	} else {
		parts = append(parts, "sets nothing new")
	}
	if d.same > 0 {
		parts = append(parts, fmt.Sprintf("%d values hold already or are the phones' own", d.same))
	}
	if len(d.decided) > 0 {
		parts = append(parts, "phonebox decides "+words(d.decided))
	}
	return strings.Join(parts, "; ")
}

// take finds the place of one parameter.
func (d *defaultsReader) take(s setting) {
	switch {
	case s.key == "proxy1_address" && !strings.EqualFold(s.value, "USECALLMANAGER"):
		if !s.empty() {
			choose(d, "sip.proxy", &d.site.SIP.Proxy, strings.ToLower(strings.TrimSuffix(s.value, ".")), "")
		}
	case s.key == "proxy1_port":
		if n, err := strconv.ParseUint(s.value, 10, 16); err == nil {
			choose(d, "sip.port", &d.site.SIP.Port, uint16(n), 5060)
		}
	case s.key == "proxy_register":
		choose(d, "sip.register", &d.site.SIP.Register, s.value == "1", true)
	case s.key == "image_version":
		d.target(s)
	case isTime(s.key): // suggestZone
	case s.key == "sntp_server":
		if !s.empty() {
			d.decided = append(d.decided, "sntp_server (the box itself tells the time)")
		}
	case s.key == "sntp_mode":
		d.decided = append(d.decided, "sntp_mode (time.sntp_mode says it)")
	case s.key == "dial_template": // readDialPlans
	case isURL(s.key) && d.servesURL(s, d.v):
		d.decided = append(d.decided, s.name)
	case s.p.Reserved:
		d.decided = append(d.decided, s.name)
	case !s.known:
		d.force(s)
	default:
		d.parameter(s)
	}
}

// choose gives a key of the site the value of the file, unless the present site has one of its own that shall win. unset
// is the value that means that nobody set it.
func choose[T comparable](d *defaultsReader, key string, now *T, value, unset T) {
	switch {
	case *now == value:
		d.same++
	case d.opts.KeepPresent && *now != unset:
		d.v.warn("%s stays %v, as the site says; the file says %v", key, *now, value)
	default:
		if *now != unset {
			d.v.warn("%s was %v and becomes %v", key, *now, value)
		}
		*now = value
		d.set = append(d.set, key)
	}
}

// target takes image_version where the site does not say which firmware it wants.
func (d *defaultsReader) target(s setting) {
	load, ok := phone.ParseLoad(s.value)
	switch {
	case s.empty():
	case !ok || load.Loader:
		d.v.warn("line %d: image_version is %s, which is no load that these phones can stay on; it was left out", s.line, shown(s.value))
	case d.site.Firmware.Target == "":
		d.site.Firmware.Target = load.Name
		d.set = append(d.set, "firmware.target ("+load.Name+")")
	case d.site.Firmware.Target == load.Name:
		d.same++
	default:
		d.v.warn("line %d: the file wants the load %s; the site wants %s, and that stays", s.line, load.Name, d.site.Firmware.Target)
	}
}

// servesURL reports whether the box itself serves what a URL names, which is so where the file lies in the TFTP root and
// is taken over.
func (a *adoption) servesURL(s setting, v *Verdict) bool {
	if s.empty() {
		return true
	}
	base := strings.ToLower(path.Base(strings.SplitN(s.value, "?", 2)[0]))
	for _, f := range a.files {
		if f.done() || f.base() != base {
			continue
		}
		if s.key == "logo_url" || f.root == "ciscoipphonedirectory" || f.root == "ciscoipphonemenu" {
			return true
		}
	}
	v.warn("line %d: %s still points to another server; take it out of the parameters if that server goes away, the box has pages of its own", s.line, s.name)
	return false
}

// force keeps a name that the catalogue does not know.
func (d *defaultsReader) force(s setting) {
	if phone.IsSecretParameter(s.name) {
		d.v.warn("line %d: %s looks like a password and is not known; it was left out, because SIPDefault.cnf goes to whoever asks", s.line, s.name)
		return
	}
	if d.opts.KeepPresent {
		if _, before, ok := lookUp(d.site.SIP.Forced, s.name); ok && before != s.value {
			d.v.warn("line %d: %s stays as the site says", s.line, s.name)
			return
		}
	}
	if put(&d.site.SIP.Forced, s.name, s.value) {
		d.set = append(d.set, s.name)
	} else {
		d.same++
	}
}

// parameter keeps a parameter that differs from what holds anyway.
func (d *defaultsReader) parameter(s setting) {
	_, before, own := lookUp(d.site.SIP.Parameters, s.name)
	switch {
	case own && sameValue(s.p, before, s.value), !own && sameValue(s.p, s.p.Default, s.value):
		d.same++
		return
	case own && d.opts.KeepPresent:
		d.v.warn("line %d: %s stays as the site says", s.line, s.name)
		return
	case s.p.Line > 0 && strings.HasPrefix(s.key, "line"):
		d.v.warn("line %d: %s stands in the file of all phones; it holds for each of them", s.line, s.name)
	}
	put(&d.site.SIP.Parameters, s.name, s.value)
	d.set = append(d.set, s.name)
}
