package provision

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"phonebox/services/phone"
)

// Clock is what a phone is told of its time zone, as the phone takes it.
type Clock struct {
	Zone   string // IANA name of where it is
	Told   phone.TimeZone
	Doubts []string // what nobody knows how a phone takes
	Own    bool     // of its own, not the site's
}

func (c *Clock) same(d *Clock) bool {
	return c == d || c.Zone == d.Zone && c.Told == d.Told && slices.Equal(c.Doubts, d.Doubts)
}

// sentClocks remembers what the clock of each listed phone was told when it last fetched its configuration from this
// process.
type sentClocks struct {
	mu sync.Mutex
	m  map[phone.MAC]sentClock
}

type sentClock struct {
	clock *Clock
	at    time.Time
}

// note is called for each file that is sent.
func (c *sentClocks) note(r *request, at time.Time) {
	if r.listed == nil || !r.query.From.IsValid() || r.file.Kind != phone.KindSIPDefault && r.file.Kind != phone.KindSIP {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[phone.MAC]sentClock{}
	}
	c.m[r.mac] = sentClock{r.settings.clockOf(r.mac), at}
}

// retain forgets the phones that are not listed any more.
func (c *sentClocks) retain(listed map[phone.MAC]*Phone) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.m, func(mac phone.MAC, _ sentClock) bool { return listed[mac] == nil })
}

func (s *settings) clockOf(mac phone.MAC) *Clock { return cmp.Or(s.clocks[mac], s.clock) }

// Clock returns what a phone's clock is told now (the zero MAC: that of a phone without a zone of its own), and, where it
// was told something else when it last fetched its configuration, that too: it goes by that until it starts again.
func (p *Provisioner) Clock(mac phone.MAC) (now Clock, goesBy *Clock) {
	s := p.settings.Load()
	told := s.clockOf(mac)
	p.sent.mu.Lock()
	defer p.sent.mu.Unlock()
	if sent, ok := p.sent.m[mac]; ok && !sent.clock.same(told) {
		old := *sent.clock
		return *told, &old
	}
	return *told, nil
}

// OwnClocks lists the phones whose clock is told something of its own, or that go by what the clock was told before.
func (p *Provisioner) OwnClocks() (list []phone.MAC) {
	for _, one := range p.settings.Load().Phones {
		if now, goesBy := p.Clock(one.MAC); now.Own || goesBy != nil {
			list = append(list, one.MAC)
		}
	}
	return list
}

// deriveClocks reads what the clocks are told from what is written into the files: the site's, and each phone's where
// something of it is its own.
func (s *settings) deriveClocks() {
	s.clock = &Clock{Zone: s.Zone}
	s.clock.Told, s.clock.Doubts = phone.ReadTimeZone(func(name string) string { return cmp.Or(s.forPhones[name], s.defaults[name]) })
	s.clocks = map[phone.MAC]*Clock{}
	for i := range s.Phones {
		p := &s.Phones[i]
		own := p.Zone != "" || p.OwnFiles || setsTime(p.Parameters) || setsTime(p.Forced) || setsTime(s.Models[p.Model])
		if !own {
			continue
		}
		values := s.phoneValues(p, p.Model)
		c := &Clock{Zone: cmp.Or(p.Zone, s.Zone), Own: true}
		c.Told, c.Doubts = phone.ReadTimeZone(func(name string) string { return cmp.Or(values[name], s.defaults[name]) })
		if p.OwnFiles {
			c.Doubts = append(c.Doubts, "it has own_files: what those say of the clock is not looked at")
		}
		s.clocks[p.MAC] = c
	}
}

func setsTime(values map[string]string) bool {
	for name := range values {
		if slices.Contains(phone.TimeParameters, strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// deriveZones finds what each zone of a phone's own is in the words of the phones.
func (s *settings) deriveZones(now time.Time) error {
	s.zones = map[string]phone.TimeZone{}
	for i := range s.Phones {
		name := s.Phones[i].Zone
		if _, known := s.zones[name]; known || name == "" {
			continue
		}
		zone, warning, err := phone.ZoneFor(name, now)
		if err != nil {
			return fmt.Errorf("deriving the time zone of phone %s: %w", s.Phones[i].MAC, err)
		}
		if warning != "" {
			s.warnings = append(s.warnings, warning)
		}
		s.zones[name] = zone
	}
	return nil
}
