package assemble

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/cdp"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
	"phonebox/services/provision"
)

// makeDirector makes the part that walks phones up and down the ladder. What it needs of others exists by the time that
// anything is asked of it.
func (b *Box) makeDirector(s *site.Site) error {
	d, err := convert.New(convertConfig(s), convert.Deps{
		Belief: b.journal.Belief, Shelf: b.shelf, Restart: b.checkSync, Report: b.onConversion, Waits: b.journal.SetConversion,
		Store: b.store, Now: b.clock.Now, Log: b.log.With("svc", "convert"), Metrics: b.metrics,
	})
	if err != nil {
		return fmt.Errorf("making the conversions: %w", err)
	}
	b.director = d
	return nil
}

// convertConfig translates the site for the conversions.
func convertConfig(s *site.Site) convert.Config {
	c := convert.Config{Target: s.Firmware.Target, Unlisted: s.Firmware.ConvertUnlisted, Parallel: s.Firmware.Parallel}
	for _, p := range s.Phones {
		c.Phones = append(c.Phones, convert.Phone{MAC: p.MAC, Model: p.Model, Load: p.Load, Runs: p.Runs})
	}
	return c
}

// shelf is the firmware that is there, as the ladder counts it.
func (b *Box) shelf() ladder.Shelf {
	if b.provision == nil {
		return nil // the conversions are made first
	}
	return b.provision.Shelf()
}

// checkSync makes a phone read its files anew.
func (b *Box) checkSync(ctx context.Context, mac phone.MAC) error {
	return page{b}.Restart(ctx, mac)
}

// onConversion puts what a conversion says into the phone's timeline.
func (b *Box) onConversion(mac phone.MAC, text string) {
	b.log.Info("conversion", "svc", "convert", "mac", mac, "what", text)
	b.later(journal.Event{MAC: mac, Service: "box", Kind: journal.Note, Text: text}) // it may be said while events are recorded
}

// guide tells provision what each phone may be told of firmware.
type guide struct{ b *Box }

// Naming implements [provision.Guide]. It goes by all that was reported.
func (g guide) Naming(mac phone.MAC) (phone.Naming, string) {
	g.b.settle()
	return g.b.director.Naming(mac)
}

// MayFetch implements [provision.Guide].
func (g guide) MayFetch(mac phone.MAC, file phone.FileName) (bool, string) {
	g.b.settle()
	return g.b.director.MayFetch(mac, file)
}

// facts are what a phone's own page tells of it.
func (b *Box) facts(mac phone.MAC) provision.Facts {
	b.settle()
	p, _ := b.journal.Phone(mac)
	return provision.Facts{Step: p.Step, LastConfig: b.lastConfig(mac)}
}

// lastConfig is when the phone last got its SIP<MAC>.cnf whole; zero when the timeline no longer knows.
func (b *Box) lastConfig(mac phone.MAC) time.Time {
	for _, e := range slices.Backward(b.journal.Events(mac)) {
		if e.Kind == journal.Transfer && e.Phase == journal.Sent && e.File.Kind == phone.KindSIP {
			return e.Time
		}
	}
	return time.Time{}
}

// runsWords say what a phone is believed to run.
func runsWords(b ladder.Belief) string {
	switch {
	case b.Load != "":
		return b.Load
	case b.Protocol != "" && b.Major > 0:
		return fmt.Sprintf("%s %d.x", strings.ToUpper(string(b.Protocol)), b.Major)
	case b.Protocol != "" && b.Loader == ladder.Yes:
		return strings.ToUpper(string(b.Protocol)) + " with the universal loader"
	case b.Protocol != "" && b.Loader == ladder.No:
		return strings.ToUpper(string(b.Protocol)) + " from before the universal loader"
	case b.Protocol != "":
		return strings.ToUpper(string(b.Protocol))
	}
	return ""
}

// onCDP takes what a phone says of itself over CDP as a clue to what it runs.
func (b *Box) onCDP(e cdp.Event) {
	clue, ok := ladder.CDP("Cisco IP Phone "+e.Model(), e.Load(), b.clock.Now())
	if !ok || e.MAC.IsZero() {
		return
	}
	b.later(journal.Event{MAC: e.MAC, Service: "cdp", Kind: journal.Hint, Clue: &clue, Text: clue.Text})
}

// hearCDP listens for as long as it can. Without the right to raw frames, or without an interface, there is nothing to
// hear, and trying again is of no use.
func (b *Box) hearCDP(ctx context.Context) error {
	err := b.cdp.Run(ctx)
	if errors.Is(err, cdp.ErrOff) {
		b.log.Info("cdp is not listened to", "svc", "cdp", "why", err)
		<-ctx.Done()
		return nil
	}
	return err
}

// askWhatRuns asks a phone over SIP as soon as it got what its application starts with: the answer tells its release,
// and a conversion should not wait a minute for it.
func (b *Box) askWhatRuns(ctx context.Context) error {
	asking := make(chan struct{}, 8) // a boot storm must not become a storm of questions; who is left out is asked in the next round
	for {
		select {
		case <-ctx.Done():
			return nil
		case mac := <-b.questions:
			select {
			case asking <- struct{}{}:
				go func() {
					defer func() { <-asking }()
					b.askSIP(ctx, mac)
				}()
			default:
			}
		}
	}
}

// asks notes that a phone got what its application starts with.
func (b *Box) asks(e *journal.Event) {
	if e.Kind != journal.Transfer || e.Phase != journal.Sent || e.File.Kind != phone.KindRingList && e.File.Kind != phone.KindDialPlan {
		return
	}
	select {
	case b.questions <- e.MAC:
	default:
	}
}

func (b *Box) askSIP(ctx context.Context, mac phone.MAC) {
	known := b.index.Load().byMAC[mac]
	p, _ := b.journal.Phone(mac)
	if known == nil || !b.current().plan.enabled["sip"] {
		return
	}
	if t, ok := b.target(p, known); ok {
		_ = b.sip.Ask(ctx, t) // what came of it is reported as an event
	}
}
