package assemble

import (
	"fmt"
	"math"
	"slices"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

func (p page) time() web.Clock {
	s := p.b.clock.Status()
	c := web.Clock{
		Trusted: s.Trusted, Source: s.Source, Stratum: s.Stratum, OffsetS: micros(s.Offset), ErrorS: micros(s.Error), HeldS: micros(s.Held),
		DriftPPM: math.Round(s.Drift*1000) / 1000, Now: p.b.clock.Now().Round(0).UTC(), Since: s.Since.Round(0).UTC(), RTC: s.RTC, Problem: s.Problem,
	}
	if s.Since.IsZero() {
		c.Since = time.Time{}
	}
	for _, one := range s.Servers {
		var addr string
		if one.Address.IsValid() { // its name was found
			addr = one.Address.String()
		}
		c.Servers = append(c.Servers, web.TimeServer{
			Name: one.Name, Address: addr, Verdict: one.Verdict, Stratum: one.Stratum, OffsetS: micros(one.Offset),
			DelayS: micros(one.Delay), ErrorS: micros(one.Error), Reach: one.Reach, Why: one.Why,
		})
	}
	return c
}

// micros is a time in seconds, to the microsecond.
func micros(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }

// comparison is what clocks that are told the same in the same zone show. Each costs half a millisecond.
type comparison struct {
	shows   []web.ShownAt
	warning string
	err     error
}

// comparisons are those that were made at one moment, so that many phones that are alike cost no more than one.
type comparisons struct {
	now  time.Time
	made map[clockKey]*comparison
}

type clockKey struct {
	told phone.TimeZone
	zone string
}

func (s *shop) comparisons() *comparisons {
	return &comparisons{now: s.b.clock.Now(), made: map[clockKey]*comparison{}}
}

func (c *comparisons) compare(told phone.TimeZone, zone string) *comparison {
	key := clockKey{told, zone}
	if made := c.made[key]; made != nil {
		return made
	}
	made := &comparison{}
	c.made[key] = made
	shown, warning, err := told.Compare(zone, c.now)
	made.warning, made.err = sentence(warning), err
	for _, one := range shown {
		at := web.ShownAt{At: one.At.Round(0), Local: localWords(one.At, one.Offset), Offset: offsetWords(one.Offset), Wrong: int(one.Wrong().Seconds())}
		if one.Changes {
			at.Before = localWords(one.At, told.OffsetAt(one.At.Add(-time.Second)))
		}
		made.shows = append(made.shows, at)
	}
	return made
}

// PhoneClock implements [web.Workshop].
func (s *shop) PhoneClock(mac phone.MAC) web.PhoneClock { return s.phoneClock(mac, s.comparisons()) }

func (s *shop) phoneClock(mac phone.MAC, made *comparisons) web.PhoneClock {
	told, goesBy := s.b.provision.Clock(mac)
	c := web.PhoneClock{MAC: mac, Zone: told.Zone, Restart: goesBy != nil}
	if listed := s.b.index.Load().byMAC[mac]; listed != nil {
		c.Label = listed.Label
	}
	by := told.Told
	c.Doubts = told.Doubts
	if goesBy != nil {
		by, c.Doubts = goesBy.Told, goesBy.Doubts
	}
	c.Told = by.String()
	one := made.compare(by, told.Zone)
	if one.err != nil { // the site was checked
		c.Doubts = append(slices.Clone(c.Doubts), one.err.Error())
	}
	c.Shows, c.Warning = one.shows, one.warning
	return c
}

// PhoneClocks implements [web.Workshop].
func (s *shop) PhoneClocks() []web.PhoneClock {
	var list []web.PhoneClock
	made := s.comparisons()
	for _, mac := range s.b.provision.OwnClocks() {
		list = append(list, s.phoneClock(mac, made))
	}
	return list
}

// localWords is what a clock that is so far from UTC shows at a moment.
func localWords(at time.Time, offset time.Duration) string {
	return at.UTC().Add(offset).Format("Mon 2 Jan 2006, 15:04")
}

func offsetWords(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	return fmt.Sprintf("%s%02d:%02d", sign, int(d.Hours()), int(d.Minutes())%60)
}
