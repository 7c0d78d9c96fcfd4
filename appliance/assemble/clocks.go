package assemble

import (
	"fmt"
	"math"
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
		c.Servers = append(c.Servers, web.TimeServer{
			Name: one.Name, Address: one.Address.String(), Verdict: one.Verdict, Stratum: one.Stratum, OffsetS: micros(one.Offset),
			DelayS: micros(one.Delay), ErrorS: micros(one.Error), Reach: one.Reach, Why: one.Why,
		})
	}
	return c
}

// micros is a time in seconds, to the microsecond.
func micros(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }

// PhoneClock implements [web.Workshop].
func (s *shop) PhoneClock(mac phone.MAC) web.PhoneClock {
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
	shown, warning, err := by.Compare(told.Zone, s.b.clock.Now())
	if err != nil { // the site was checked
		c.Doubts = append(c.Doubts, err.Error())
	}
	c.Warning = sentence(warning)
	for _, one := range shown {
		at := web.ShownAt{At: one.At.Round(0), Local: localWords(one.At, one.Offset), Offset: offsetWords(one.Offset), Wrong: int(one.Wrong().Seconds())}
		if one.Changes {
			at.Before = localWords(one.At, by.OffsetAt(one.At.Add(-time.Second)))
		}
		c.Shows = append(c.Shows, at)
	}
	return c
}

// PhoneClocks implements [web.Workshop].
func (s *shop) PhoneClocks() []web.PhoneClock {
	var list []web.PhoneClock
	for _, mac := range s.b.provision.OwnClocks() {
		list = append(list, s.PhoneClock(mac))
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
