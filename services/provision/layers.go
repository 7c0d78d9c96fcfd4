package provision

import (
	"cmp"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// The names of layers, for people.
const (
	layerBox   = phone.FromPhonebox
	layerSite  = "the site"
	layerPhone = "this phone"
)

// deriveBox fills the layer of what phonebox knows by itself: the time, and where it is.
func (s *settings) deriveBox(zone phone.TimeZone) {
	v := maps.Clone(zone.Settings())
	v["sntp_mode"] = cmp.Or(s.SNTPMode, "unicast")
	if s.TimeEnabled {
		v["sntp_server"] = s.Box.String()
	}
	if s.baseURL != "" {
		v["services_url"] = s.baseURL + "services.xml"
		v["directory_url"] = s.baseURL + "directory.xml"
		v["logo_url"] = s.baseURL + "logo.bmp"
	}
	s.box = phone.Layer{Name: layerBox, Values: v, Shared: true}
}

// deriveSite fills the layer of the site. What it writes under sip.parameters wins over its other keys.
func (s *settings) deriveSite() {
	v := map[string]string{}
	if s.Proxy != "" {
		v["proxy1_address"] = s.Proxy
		if s.Register {
			v["proxy_register"] = "1"
		}
	}
	if s.ProxyPort != 0 {
		v["proxy1_port"] = strconv.Itoa(int(s.ProxyPort))
	}
	setAll(v, s.Forced)
	setAll(v, s.Parameters)
	s.site = phone.Layer{Name: layerSite, Values: v, Shared: true}
}

// setAll sets values by the names in lower case.
func setAll(v, values map[string]string) {
	for name, value := range values {
		v[strings.ToLower(name)] = value
	}
}

// split sorts what holds for all phones into SIPDefault.cnf and the files of the phones, into which secrets go and what
// belongs to one phone (promise 4).
func (s *settings) split() {
	s.defaults, s.forPhones = map[string]string{}, map[string]string{}
	for _, layer := range []phone.Layer{s.box, s.site} {
		for name, value := range layer.Values {
			if p, known := phone.LookUpParameter(name); phone.IsSecretParameter(name) || known && p.PhoneFile {
				s.forPhones[name] = value
			} else {
				s.defaults[name] = value
			}
		}
	}
}

// phoneLayers are the layers between the site and the phone, the nearest to the phone last. What is written under the
// phone wins over the keys of its lines, as in the first version; a line's own proxy wins over that.
func (s *settings) phoneLayers(p *Phone, model string) []phone.Layer {
	layers := []phone.Layer{{Name: layerSite, Values: s.siteProxies(p, model)}}
	if params := s.Models[model]; len(params) > 0 {
		v := map[string]string{}
		setAll(v, params)
		layers = append(layers, phone.Layer{Name: "the model " + model, Values: v})
	}
	lines := p.Lines[:min(len(p.Lines), phone.LinesOf(model))]
	for i, l := range lines {
		layers = append(layers, phone.Layer{Name: lineName(i), Values: lineValues(i+1, l)})
	}
	own := map[string]string{}
	if zone, ok := s.zones[p.Zone]; ok {
		setAll(own, zone.Settings())
	}
	if label := phone.ShowText(p.Label, 31); label != "" {
		own["phone_label"] = label
	}
	setAll(own, p.Forced)
	setAll(own, p.Parameters)
	layers = append(layers, phone.Layer{Name: layerPhone, Values: own})
	for i, l := range lines {
		if l.Proxy != "" {
			layers = append(layers, phone.Layer{Name: lineName(i), Values: s.proxyValues(i+1, l.Proxy, l.Port)})
		}
	}
	return layers
}

func lineName(i int) string { return "line " + strconv.Itoa(i+1) }

// lineValues are the values of a line but for its proxy.
func lineValues(n int, l Line) map[string]string {
	v := map[string]string{}
	set := func(name, value string) {
		if value != "" {
			v[fmt.Sprintf("line%d_%s", n, name)] = value
		}
	}
	set("name", l.Name)
	set("shortname", cmp.Or(l.ShortName, phone.ShowText(l.Name, 31)))
	set("displayname", l.DisplayName)
	set("password", l.Password)
	if l.Password != "" || l.AuthName != "" {
		set("authname", cmp.Or(l.AuthName, l.Name))
	}
	return v
}

// proxyValues are the values of a line's proxy; port 0 is the site's.
func (s *settings) proxyValues(n int, proxy string, port uint16) map[string]string {
	text := cmp.Or(s.defaults["proxy1_port"], "5060")
	if port != 0 {
		text = strconv.Itoa(int(port))
	}
	return map[string]string{fmt.Sprintf("proxy%d_address", n): proxy, fmt.Sprintf("proxy%d_port", n): text}
}

// siteProxies are what lines with a proxy of their own change for the others. A line without a proxy registers at
// proxy1 (phones.md f.2): where that is the first line's own, the others need the site's by name. And with no proxy of
// the site, nothing else has told the phone to register.
func (s *settings) siteProxies(p *Phone, model string) map[string]string {
	v := map[string]string{}
	for i, l := range p.Lines[:min(len(p.Lines), phone.LinesOf(model))] {
		if _, said := s.defaults["proxy_register"]; l.Proxy != "" && s.Register && !said {
			v["proxy_register"] = "1"
		}
		site := s.defaults["proxy1_address"]
		if i > 0 && l.Proxy == "" && p.Lines[0].Proxy != "" && site != "" && s.defaults[fmt.Sprintf("proxy%d_address", i+1)] == "" {
			maps.Copy(v, s.proxyValues(i+1, site, 0))
		}
	}
	return v
}

// phoneValues are the values of a phone's SIP<MAC>.cnf: what the site sets for every phone, and what the layers between
// the site and the phone set.
func (s *settings) phoneValues(p *Phone, model string) map[string]string {
	v := maps.Clone(s.forPhones)
	for _, layer := range s.phoneLayers(p, model) {
		maps.Copy(v, layer.Values)
	}
	return v
}

// Effective returns what holds for each parameter of a phone, and where it comes from; false when the site does not list
// it. The zero MAC means any phone: the site alone. Secrets are in it.
func (p *Provisioner) Effective(mac phone.MAC) ([]phone.Effective, bool) {
	s := p.settings.Load()
	layers := []phone.Layer{s.box, s.site}
	if mac.IsZero() {
		return phone.Merge("", layers), true
	}
	listed := s.listed[mac]
	if listed == nil {
		return nil, false
	}
	r := request{p: p, settings: s, shelf: p.shelf.Load(), mac: mac, listed: listed, running: p.deps.Observer.Running(mac)}
	if load := r.decide().ImageVersion; load != "" {
		layers = append(layers, phone.Layer{Name: layerBox, Values: map[string]string{"image_version": load}})
	}
	return phone.Merge(r.model(), append(layers, s.phoneLayers(listed, r.model())...)), true
}

// dialTemplate is the name of a phone's dial plan without .xml; p is nil for a phone that is not listed.
func (s *settings) dialTemplate(p *Phone, model string) string {
	const name = "dial_template"
	value := s.defaults[name]
	if p != nil {
		value = cmp.Or(s.phoneValues(p, model)[name], value)
	}
	parameter, _ := phone.LookUpParameter(name)
	return cmp.Or(value, parameter.Default)
}
