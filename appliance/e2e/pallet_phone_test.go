package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// maxTrail bounds what is kept of a phone's doings, to be told when it does not get there.
const maxTrail = 200

// palletPhone is one phone of a pallet with all that a figure needs of it.
type palletPhone struct {
	*phonesim.Phone
	mac         phone.MAC
	model, from string
	cdp         bool
	planned     []string // images, in order
	unplug      func()
	cut         *cutter
	took        time.Duration // until it was there
	agreed      time.Duration // until the box said so

	mu    sync.Mutex
	trail []string
}

// note keeps what the phone did.
func (p *palletPhone) note(e phonesim.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.trail) >= maxTrail {
		p.trail = slices.Delete(p.trail, 0, maxTrail/4)
	}
	p.trail = append(p.trail, fmt.Sprintf("%s %-10s %-8s %s", e.Time.Format(time.TimeOnly), e.Step, e.Kind, e.Text))
}

// tellTrail logs what the phone did last, and what the box knows of it.
func (p *palletPhone) tellTrail(t *testing.T, b *box) {
	t.Helper()
	r := p.Result()
	t.Logf("phone %s (%s): %s, loader %q, erased %v, dead %v, step %s, shows %q, waits for %q (%s), flashed %v", p.mac, p.from, r.Load, r.LoaderID,
		r.Erased, r.Damaged, r.Step, r.Display, r.WaitingFor, r.Problem, r.Flashed)
	p.mu.Lock()
	for _, line := range p.trail[max(0, len(p.trail)-60):] {
		t.Logf("  sim %s", line)
	}
	p.mu.Unlock()
	b.timeline(t, p.mac, 60)
}

// plugPallet switches a phone of a pallet on; it stays until the test ends or unplug is called.
func plugPallet(t *testing.T, p *palletPhone, cfg phonesim.Config) {
	t.Helper()
	cfg.MAC, cfg.Model, cfg.CDP, cfg.Stay, cfg.OnEvent = p.mac, p.model, p.cdp, true, p.note
	if cfg.Speed == 0 {
		cfg.Speed = fast
	}
	sim, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.Phone = sim
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := sim.Run(ctx); err != nil {
			t.Errorf("the virtual phone %s: %v", p.mac, err)
		}
	}()
	p.unplug = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(p.unplug)
}

// imagesOf lists the images that a phone writes on a path: of a step's files all but the lists, and a loader only where
// the phone has another one.
func imagesOf(path ladder.Path, loaderID string) []string {
	var images []string
	for _, s := range path.Steps {
		universal := slices.ContainsFunc(s.Files, func(f string) bool { return strings.HasSuffix(f, ".loads") })
		for _, f := range s.Files {
			switch {
			case strings.HasSuffix(f, ".loads"):
			case universal && strings.HasSuffix(f, ".sbn") && loaderID == phone.SyntheticIDOf(s.To):
			default:
				images = append(images, f)
			}
		}
		if universal {
			loaderID = phone.SyntheticIDOf(s.To)
		}
	}
	return images
}

// asPlanned reports whether images were written in the planned order, each once or, after a power cut, again.
func asPlanned(flashed, planned []string) bool {
	return slices.Equal(slices.Compact(slices.Clone(flashed)), planned)
}

// ladderShelf is the shelf as the ladder counts it.
func ladderShelf(t *testing.T, files map[string][]byte, loads ...string) ladder.Shelf {
	t.Helper()
	var shelf ladder.Shelf
	for _, name := range loads {
		l := ladder.Load{Name: name}
		for file := range phone.MakeBundle(name, 0, 0) {
			if _, ok := files[file]; !ok {
				t.Fatalf("%s is not on the shelf", file)
			}
			l.Files = append(l.Files, file)
			if load, ok := phone.ParseLoad(strings.TrimSuffix(file, path.Ext(file))); ok && load.Loader {
				l.Loader = load.Name
			}
		}
		shelf = append(shelf, l)
	}
	return shelf
}

// cutter pulls the plug of one phone at random moments, but obeys who says that it must not: the box, and the lamps.
type cutter struct {
	b    *box
	p    *palletPhone
	rand *rand.Rand

	mu     sync.Mutex
	cuts   int      // power cuts
	heeded int      // moments in which a cut would have killed the phone
	asked  int      // of these, how often the box was up to be asked whether it says so
	faults []string // it did not say so
	over   bool
}

// run cuts the power at these times from now on, half of them when the phone writes next.
func (c *cutter) run(ctx context.Context, at []time.Duration) {
	begun := time.Now()
	defer func() {
		c.mu.Lock()
		c.over = true
		c.mu.Unlock()
	}()
	for _, d := range at {
		if !wait(ctx, d-time.Since(begun)) || c.rand.IntN(2) == 0 && !c.waitWriting(ctx) {
			return
		}
		for !c.try(ctx) {
			if !wait(ctx, time.Duration(100+c.rand.IntN(900))*time.Millisecond) {
				return
			}
		}
	}
}

// waitWriting waits for a moment in which the phone writes an image, or for half a minute: few moments of its life are
// such, and they are the ones that matter.
func (c *cutter) waitWriting(ctx context.Context) bool {
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); {
		if what, _ := c.p.Writing(); what != "" {
			return wait(ctx, time.Duration(c.rand.IntN(2000))*time.Millisecond)
		}
		if !wait(ctx, 20*time.Millisecond) {
			return false
		}
	}
	return true
}

// try cuts the power once and gives it back, unless that would kill the phone.
func (c *cutter) try(ctx context.Context) bool {
	if !c.p.CutUnlessFatal() {
		c.mu.Lock()
		c.heeded++
		c.mu.Unlock()
		c.checkWarned(ctx)
		return false
	}
	c.mu.Lock()
	c.cuts++
	c.mu.Unlock()
	if c.p.note(phonesim.Event{Time: time.Now(), Kind: phonesim.EventPower, Text: "somebody pulls the plug"}); !wait(ctx, time.Duration(100+c.rand.IntN(3000))*time.Millisecond) {
		return true
	}
	c.p.Restore()
	return true
}

// checkWarned asks the box whether it says that the phone must not be unplugged, while it must not.
func (c *cutter) checkWarned(ctx context.Context) {
	boots := c.p.Result().Boots
	var said conversion
	if c.b.fetch(ctx, "/api/v1/phones/"+c.p.mac.String()+"/conversion", &said) != nil {
		return // the box is off
	}
	image, fatal := c.p.Writing()
	if !fatal || c.p.Result().Boots != boots {
		return // the danger passed while the box was asked
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if said.Unplug {
		c.faults = append(c.faults, fmt.Sprintf("the box lets phone %s be unplugged while it writes %s: %s", c.p.mac, image, said.words()))
	}
}

// done reports whether all cuts were made.
func (c *cutter) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// counts returns what happened.
func (c *cutter) counts() (cuts, heeded, asked int, faults []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts, c.heeded, c.asked, slices.Clone(c.faults)
}

// wait returns false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
