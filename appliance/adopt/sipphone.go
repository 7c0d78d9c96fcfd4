package adopt

import (
	"path"
	"slices"
	"strings"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// readPhones turns each SIP<MAC>.cnf into a phone.
func (a *adoption) readPhones() {
	files := a.todo(func(f *file) bool { return f.parsed.Kind == phone.KindSIP })
	byMAC := map[phone.MAC][]*file{}
	var order []phone.MAC
	for _, f := range files {
		if byMAC[f.parsed.MAC] == nil {
			order = append(order, f.parsed.MAC)
		}
		byMAC[f.parsed.MAC] = append(byMAC[f.parsed.MAC], f)
	}
	var read []*phoneReader
	for _, mac := range order {
		f := a.pickFolder(byMAC[mac])
		read = append(read, &phoneReader{adoption: a, file: f, cnf: readCnf(f.content, &f.verdict)})
	}
	a.commonProxy(read)
	for _, r := range read {
		r.phone()
	}
}

// pickFolder chooses among the files of one phone: the one in tftp_cfg_dir, where phones look, else the one in the root.
func (a *adoption) pickFolder(files []*file) *file {
	dir := strings.Trim(strings.TrimPrefix(strings.ReplaceAll(a.defaults.text("tftp_cfg_dir"), `\`, "/"), "./"), "/")
	why := "phones look for it in tftp_cfg_dir"
	i := slices.IndexFunc(files, func(f *file) bool { return strings.EqualFold(strings.Trim(path.Dir(f.name), "./"), dir) })
	if i < 0 {
		why = "it is the first by its folder"
		i = 0
	}
	for j, f := range files {
		if j != i {
			a.ignore(f, "%s is for the same phone and counts, because %s", files[i].name, why)
			a.plan.LeftOut++
		}
	}
	return files[i]
}

// commonProxy makes the proxy that all phones name the site's, where neither the site nor SIPDefault.cnf names one.
func (a *adoption) commonProxy(phones []*phoneReader) {
	if a.site.SIP.Proxy != "" || len(phones) == 0 {
		return
	}
	proxy, port := "", uint16(0)
	for _, r := range phones {
		p, n := strings.ToLower(r.cnf.text("proxy1_address")), r.cnf.port("proxy1_port")
		if p == "" || p == "usecallmanager" || proxy != "" && (p != proxy || n != port) {
			return
		}
		proxy, port = p, n
	}
	a.site.SIP.Proxy = proxy
	if port != 0 {
		a.site.SIP.Port = port
	}
	phones[0].file.verdict.warn("sip.proxy becomes %s, because all phones name it and SIPDefault.cnf does not", proxy)
}

// phoneReader turns one SIP<MAC>.cnf into a phone.
type phoneReader struct {
	*adoption
	file     *file
	cnf      *cnf
	used     []int // the numbers of the lines in use
	inherits bool  // the proxy of line 1 differs from the site's, so lines without one use it
}

func (r *phoneReader) phone() {
	v := &r.file.verdict
	p := site.Phone{MAC: r.file.parsed.MAC}
	for n := 1; n <= phone.Lines; n++ {
		if r.cnf.text(lineName("line", n, "name")) != "" {
			r.used = append(r.used, n)
		}
	}
	p.Label = strings.TrimSpace(r.cnf.text("phone_label"))
	for i, n := range r.used {
		if i+1 != n {
			v.warn("line %d of the phone becomes line %d, because those before it are not in use", n, i+1)
		}
		p.Lines = append(p.Lines, r.line(n))
	}
	if len(p.Lines) > phone.LinesOf("7940") {
		p.Model = "7960"
	}
	var decided []string
	for _, s := range r.cnf.list {
		if !s.bad && r.rest(&p, s) {
			decided = append(decided, s.name)
		}
	}
	r.adoption.add(p, r.file, decided)
}

// line reads one line that is in use.
func (r *phoneReader) line(n int) site.Line {
	text := func(suffix string) string { return r.cnf.text(lineName("line", n, suffix)) }
	l := site.Line{
		Name: text("name"), AuthName: text("authname"), Password: text("password"),
		DisplayName: text("displayname"), ShortName: text("shortname"),
	}
	if l.ShortName == l.Name {
		l.ShortName = ""
	}
	if n > 1 && l.Password != "" && l.AuthName == "" {
		l.AuthName = r.cnf.text("line1_authname") // what a phone falls back to (sip-parameters.tsv, lineN_authname)
	}
	r.proxy(n, &l)
	return l
}

// proxy fills in the proxy of a line where it is another than the site's. A line without one uses that of line 1.
func (r *phoneReader) proxy(n int, l *site.Line) {
	address, port := strings.ToLower(r.cnf.text(lineName("proxy", n, "address"))), r.cnf.port(lineName("proxy", n, "port"))
	siteProxy, sitePort := r.siteProxy(n)
	switch {
	case address == "usecallmanager":
		return
	case address == "" && n > 1 && r.inherits && !r.hasOwn(n):
		address = strings.ToLower(r.cnf.text("proxy1_address"))
		if port == 0 {
			port = r.cnf.port("proxy1_port")
		}
	}
	if address != "" && address != strings.ToLower(siteProxy) {
		l.Proxy = address
		r.inherits = r.inherits || n == 1
	}
	if port != 0 && port != sitePort {
		l.Port = port
	}
}

// hasOwn reports whether the parameters of the site name a proxy for a line number.
func (a *adoption) hasOwn(n int) bool {
	_, value, ok := lookUp(a.site.SIP.Parameters, lineName("proxy", n, "address"))
	return ok && !isEmpty(value)
}

// siteProxy is the proxy that the site gives to a line number.
func (a *adoption) siteProxy(n int) (address string, port uint16) {
	address, port = a.site.SIP.Proxy, a.site.SIP.Port
	if a.hasOwn(n) {
		_, address, _ = lookUp(a.site.SIP.Parameters, lineName("proxy", n, "address"))
	}
	return address, port
}

// rest finds the place of a parameter that is none of the lines'; decided says that phonebox decides it.
func (r *phoneReader) rest(p *site.Phone, s setting) (decided bool) {
	if r.isOfLine(s) {
		return false
	}
	v := &r.file.verdict
	switch {
	case s.key == "phone_label":
	case s.key == "image_version":
		r.load(p, s)
	case s.key == "sntp_server", s.key == "sntp_mode", s.p.Reserved:
		return true
	case s.key == "dial_template" && r.followsPlan(s.value):
	case !s.known:
		put(&p.Forced, s.name, s.value)
	case sameValue(s.p, s.value, r.siteValue(s)):
	case isURL(s.key) && !s.empty() && r.servesURL(s, v):
		return true
	default:
		put(&p.Parameters, s.name, s.value)
	}
	return false
}

// isOfLine reports whether a parameter belongs to the lines, which are read as such, or to one that is not in use.
func (r *phoneReader) isOfLine(s setting) bool {
	n := s.p.Line
	if n == 0 {
		return false
	}
	used := slices.Contains(r.used, n)
	suffix := s.key[strings.IndexByte(s.key, '_')+1:]
	switch {
	case strings.HasPrefix(s.key, "line") && suffix != "contact":
		if !used && !s.empty() && suffix != "name" {
			r.file.verdict.warn("line %d: line %d of the phone has no name and is not in use, so %s was left out", s.line, n, s.name)
		}
		return true
	case strings.HasPrefix(s.key, "proxy"):
		return used && !strings.EqualFold(s.value, "USECALLMANAGER") || s.empty() || strings.HasSuffix(s.key, "_port")
	}
	return false
}

// load takes image_version where it is another than all phones'.
func (r *phoneReader) load(p *site.Phone, s setting) {
	load, ok := phone.ParseLoad(s.value)
	switch {
	case s.empty():
	case !ok || load.Loader:
		r.file.verdict.warn("line %d: image_version is %s, which is no load that these phones can stay on; it was left out", s.line, shown(s.value))
	case strings.EqualFold(r.defaults.text("image_version"), s.value):
	case load.Name != r.site.Firmware.Target:
		p.Load = load.Name
	}
}

// siteValue is what a phone gets without a value of its own.
func (a *adoption) siteValue(s setting) string {
	if _, value, ok := lookUp(a.site.SIP.Parameters, s.name); ok {
		return value
	}
	if isTime(s.key) || isURL(s.key) || s.key == "dial_template" {
		if d, ok := a.defaults.find(s.name); ok && !d.bad {
			return d.value // the site decides for all phones, this one among them
		}
	}
	if isTime(s.key) {
		if zone, _, err := phone.ZoneFor(a.site.Time.Zone, time.Time{}); err == nil {
			if value, ok := zone.Settings()[s.key]; ok {
				return value
			}
		}
	}
	return s.p.Default
}
