package provision

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"phonebox/services/phone"
)

// settings is a Config in the form in which answers are made; nothing changes it.
type settings struct {
	Config
	listed     map[phone.MAC]*Phone
	box, site  phone.Layer       // what phonebox derives, and what the site says; by parameter name in lower case
	defaults   map[string]string // of both, what goes into SIPDefault.cnf
	forPhones  map[string]string // of both, what goes into each SIP<MAC>.cnf
	directory  directory
	location   *time.Location            // the zone of the phones
	zones      map[string]phone.TimeZone // of phones that have one of their own, by IANA name
	clock      *Clock
	clocks     map[phone.MAC]*Clock // of phones whose clock is told something of its own
	logo       []byte
	anyOwn     bool     // some phone has own_files
	warnings   []string // what a person should know of these settings
	baseURL    string   // http://10.77.0.1/phone/, "" = there is no HTTP
	sccpServer string   // what XMLDefault.cnf.xml names
	written    written  // SIPDefault.cnf
}

// written keeps SIPDefault.cnf by the load that it names: in a storm every phone asks for it.
type written struct {
	mu    sync.Mutex
	files map[string][]byte
}

// maxWritten bounds the loads for which SIPDefault.cnf is kept; a site has a few.
const maxWritten = 32

// sipDefault writes SIPDefault.cnf; nobody changes what it returns.
func (s *settings) sipDefault(load string) ([]byte, error) {
	s.written.mu.Lock()
	defer s.written.mu.Unlock()
	if content, ok := s.written.files[load]; ok {
		return content, nil
	}
	file, err := phone.WriteSIPDefault(s.defaults, load)
	if err != nil {
		return nil, err
	}
	if s.written.files == nil || len(s.written.files) >= maxWritten {
		s.written.files = map[string][]byte{}
	}
	s.written.files[load] = file.Content
	return file.Content, nil
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
	if s.location, err = time.LoadLocation(s.Zone); err != nil {
		return nil, fmt.Errorf("loading the phones' time zone: %w", err)
	}
	s.baseURL = baseURL(cfg)
	if err := s.deriveZones(now); err != nil {
		return nil, err
	}
	s.deriveBox(zone)
	s.deriveSite()
	s.split()
	s.deriveClocks()
	s.directory = newDirectory(cfg)
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

// prove writes every file once and fills the list of phones.
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
		if err := s.provePhone(p); err != nil {
			faults = append(faults, fmt.Errorf("writing SIP%s.cnf: %w", p.MAC.Name(), err))
		}
	}
	return errors.Join(faults...)
}

// provePhone writes the phone's file, for each model that it may turn out to be.
func (s *settings) provePhone(p *Phone) error {
	models := []string{p.Model}
	if p.Model == "" {
		models = append(models, slices.Sorted(maps.Keys(s.Models))...)
	}
	for _, model := range models {
		file, err := phone.WriteSIPMAC(s.phoneValues(p, model), model, "")
		if err != nil {
			return err
		}
		for _, w := range file.Warnings {
			if w = p.MAC.String() + ": " + w; !slices.Contains(s.warnings, w) {
				s.warnings = append(s.warnings, w)
			}
		}
	}
	return nil
}

// dialPlan is dialplan.xml.
func (s *settings) dialPlan() []byte {
	if s.DialPlan != nil {
		return s.DialPlan
	}
	return phone.WriteDialPlan()
}
