package provision

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// settings is a Config in the form in which answers are made; nothing changes it.
type settings struct {
	Config
	listed     map[phone.MAC]*Phone
	defaults   map[string]string // for SIPDefault.cnf, by parameter name in lower case
	forPhones  map[string]string // site-wide parameters that go into each SIP<MAC>.cnf
	directory  []phone.Entry
	logo       []byte
	anyOwn     bool     // some phone has own_files
	warnings   []string // what a person should know of these settings
	baseURL    string   // http://10.77.0.1/phone/, "" = there is no HTTP
	sccpServer string   // what XMLDefault.cnf.xml names
}

// newSettings derives everything once and proves that every file can be written: an error names each fault.
func newSettings(cfg Config, now time.Time) (*settings, error) {
	s := &settings{Config: cfg, listed: make(map[phone.MAC]*Phone, len(cfg.Phones)), logo: phone.WriteLogo(cfg.SiteName)}
	s.Phones = slices.Clone(cfg.Phones)
	if cfg.Zone == "" {
		s.Zone = "UTC"
	}
	zone, warning, err := phone.ZoneFor(s.Zone, now)
	if err != nil {
		return nil, fmt.Errorf("deriving the phones' time zone: %w", err)
	}
	if warning != "" {
		s.warnings = append(s.warnings, warning)
	}
	s.sccpServer = cfg.Proxy
	if s.sccpServer == "" {
		s.sccpServer = cfg.Box.String()
	}
	s.baseURL = baseURL(cfg)
	s.split(zone)
	return s, s.prove()
}

// baseURL is where phones find /phone/.
func baseURL(cfg Config) string {
	if cfg.HTTP.Port() == 0 {
		return ""
	}
	host := cfg.HTTP.Addr()
	if !host.IsValid() || host.IsUnspecified() {
		host = cfg.Box
	}
	if cfg.HTTP.Port() == 80 {
		return "http://" + host.String() + "/phone/"
	}
	return "http://" + netip.AddrPortFrom(host, cfg.HTTP.Port()).String() + "/phone/"
}

// split fills defaults and forPhones. What the site writes itself under sip.parameters wins over what is derived;
// secrets and what belongs to one phone go into the files of the phones (promise 4).
func (s *settings) split(zone phone.TimeZone) {
	s.defaults = zone.Settings()
	set := func(name, value string) { s.defaults[name] = value }
	set("sntp_mode", s.SNTPMode)
	if s.SNTPMode == "" {
		set("sntp_mode", "unicast")
	}
	if s.TimeEnabled {
		set("sntp_server", s.Box.String())
	}
	if s.Proxy != "" {
		set("proxy1_address", s.Proxy)
		if s.Register {
			set("proxy_register", "1")
		}
	}
	if s.ProxyPort != 0 {
		set("proxy1_port", strconv.Itoa(int(s.ProxyPort)))
	}
	if s.baseURL != "" {
		set("services_url", s.baseURL+"services.xml")
		set("directory_url", s.baseURL+"directory.xml")
		set("logo_url", s.baseURL+"logo.bmp")
	}
	s.forPhones = map[string]string{}
	for name, value := range s.Parameters {
		p, known := phone.LookUpParameter(name)
		if phone.IsSecretParameter(name) || known && p.PhoneFile {
			s.forPhones[strings.ToLower(name)] = value
		} else {
			set(strings.ToLower(name), value)
		}
	}
}

// prove writes every file once and fills the list of phones and the directory.
func (s *settings) prove() error {
	var faults []error
	file, err := phone.WriteSIPDefault(s.defaults, "")
	if err != nil {
		faults = append(faults, fmt.Errorf("writing SIPDefault.cnf: %w", err))
	}
	s.warnings = append(s.warnings, file.Warnings...)
	for i := range s.Phones {
		p := &s.Phones[i]
		if s.listed[p.MAC] != nil || p.MAC.IsZero() {
			faults = append(faults, fmt.Errorf("phone %s: it is listed twice or has no MAC", p.MAC))
			continue
		}
		s.listed[p.MAC] = p
		s.anyOwn = s.anyOwn || p.OwnFiles
		file, err := phone.WriteSIPMAC(s.phoneValues(p), p.Model, "")
		if err != nil {
			faults = append(faults, fmt.Errorf("writing SIP%s.cnf: %w", p.MAC.Name(), err))
		}
		for _, w := range file.Warnings {
			s.warnings = append(s.warnings, p.MAC.String()+": "+w)
		}
		s.list(p)
	}
	slices.SortStableFunc(s.directory, func(a, b phone.Entry) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return errors.Join(faults...)
}

// list puts the lines of a phone into the directory; a line that several phones share stands there once.
func (s *settings) list(p *Phone) {
	for _, l := range p.Lines {
		known := slices.ContainsFunc(s.directory, func(e phone.Entry) bool { return e.Number == l.Name })
		if l.Name == "" || known {
			continue
		}
		name := l.DisplayName
		if name == "" {
			name = p.Label
		}
		if name == "" {
			name = l.Name
		}
		s.directory = append(s.directory, phone.Entry{Name: name, Number: l.Name})
	}
}

// phoneValues are the values of a phone's SIP<MAC>.cnf: what the site sets for every phone, its lines, and last what is
// written under the phone itself.
func (s *settings) phoneValues(p *Phone) map[string]string {
	v := make(map[string]string, len(s.forPhones)+5*len(p.Lines)+len(p.Parameters)+1)
	for name, value := range s.forPhones {
		v[name] = value
	}
	if label := phone.ShowText(p.Label, 31); label != "" {
		v["phone_label"] = label
	}
	for i, l := range p.Lines {
		set := func(name, value string) {
			if value != "" {
				v[fmt.Sprintf("line%d_%s", i+1, name)] = value
			}
		}
		set("name", l.Name)
		set("shortname", cmp.Or(l.ShortName, phone.ShowText(l.Name, 31)))
		set("displayname", l.DisplayName)
		set("password", l.Password)
		if l.Password != "" || l.AuthName != "" {
			set("authname", cmp.Or(l.AuthName, l.Name))
		}
	}
	for name, value := range p.Parameters {
		v[strings.ToLower(name)] = value
	}
	return v
}

// holdsSecret reports whether values hold a password that is not the public default.
func holdsSecret(values map[string]string) bool {
	for name, value := range values {
		if value == "" || value == phone.Unprovisioned || !phone.IsSecretParameter(name) {
			continue
		}
		if p, ok := phone.LookUpParameter(name); !ok || p.Default != value {
			return true
		}
	}
	return false
}
