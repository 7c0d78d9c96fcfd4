package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
	"phonebox/services/testkit"
)

// The two ends of the ladder.
const (
	palletSIP  = target
	palletSCCP = "P00308010200"
)

// palletLoads are whole on the shelf: every rung, and both targets.
var palletLoads = []string{"P0S30203", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-06-3-00", "P0S3-07-4-00", palletSIP, "P00305000500", palletSCCP}

// palletOf are the loads of a pallet of 24 phones that nobody sorted.
var palletOf = []string{
	"P00303010102", "P00303020000", "P00303010102", "P00303020000",
	"P00305000500", "P00305000500", "P00305000500",
	"P00308000500", "P00308000500", "P00308000500",
	"P0S30203", "P0S30203", "P0S30203",
	"P0S3-04-4-00", "P0S3-04-4-00",
	"P0S3-05-3-00", "P0S3-05-3-00",
	"P0S3-06-3-00", "P0S3-06-3-00",
	"P0S3-07-4-00", "P0S3-07-4-00", "P0S3-07-4-00",
	"P0S3-08-9-00", "P0S3-08-9-00",
}

const (
	palletLimit = 8 * time.Minute // for each way
	maxTold     = 4               // phones of which all is told when something is wrong
	seedVar     = "PHONEBOX_PALLET_SEED"
)

// pallet is a pallet of phones, the box that converts them, and what happens to both.
type pallet struct {
	t      *testing.T
	b      *box
	rand   *rand.Rand
	shelf  ladder.Shelf
	wire   *phonesim.Wire
	phones []*palletPhone

	technician map[phone.MAC]time.Time // when the technician last cut the power of a phone because the box said so
	obeyed     int
	said       map[string]bool // the sentences that the page said
}

// palletSeed is the seed of all that is random: the same at each run, so that a change is to blame when it fails, unless
// the environment gives another.
func palletSeed(t *testing.T) uint64 {
	seed := uint64(44)
	if text := os.Getenv(seedVar); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("found %s=%q, allowed is a number", seedVar, text)
		}
	}
	t.Logf("FIGURE the seed of the pallet: %s=%d", seedVar, seed)
	return seed
}

// TestPallet converts 24 phones of all sorts to SIP 8.12 without a person, while power cuts come to phones and box at
// random moments, and then back to SCCP.
func TestPallet(t *testing.T) {
	t.Parallel()
	seed := palletSeed(t)
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:70:00:00")
	files := wholeLoads(palletLoads...)
	p := &pallet{t: t, rand: rand.New(rand.NewPCG(seed, 1)), shelf: ladderShelf(t, files, palletLoads...), technician: map[phone.MAC]time.Time{}}
	p.b = startBox(t, lan, site{firmware: `target = "` + palletSIP + `"`, phones: listed(base, len(palletOf))}.text(), files)
	p.b.setClock()
	p.wire = newWire(t, lan.Node("wire"))
	begun := time.Now()

	p.unload(base, seed)
	p.convert(palletSIP, p.cuts(1, 2, 90*time.Second), []time.Duration{p.between(10, 45), p.between(55, 95)}, false)
	if t.Failed() {
		return
	}
	p.again(seed)
	p.b.editSite(`target = "`+palletSIP+`"`, `target = "`+palletSCCP+`"`)
	p.convert(palletSCCP, p.cuts(1, 1, 50*time.Second), []time.Duration{p.between(5, 45)}, true)
	t.Logf("FIGURE pallet of %d phones to %s and back to %s: %.0f s in all", len(p.phones), palletSIP, palletSCCP, time.Since(begun).Seconds())
}

// between is a random time, of seconds.
func (p *pallet) between(least, most int) time.Duration {
	return time.Duration(least)*time.Second + time.Duration(p.rand.Int64N(int64(time.Duration(most-least)*time.Second)))
}

// cuts are the moments in which the phones lose their power: for each from least to most of them, within a time.
func (p *pallet) cuts(least, most int, within time.Duration) [][]time.Duration {
	all := make([][]time.Duration, len(palletOf))
	for i := range all {
		for range least + p.rand.IntN(most-least+1) {
			all[i] = append(all[i], time.Duration(p.rand.Int64N(int64(within))))
		}
		slices.Sort(all[i])
	}
	return all
}

// unload plugs the phones in as they come from the pallet.
func (p *pallet) unload(base phone.MAC, seed uint64) {
	for i, from := range palletOf {
		f := &palletPhone{mac: phonesim.AddMAC(base, i), model: []string{"7960", "7940"}[i%2], from: from, cdp: i%6 == 5}
		p.phones = append(p.phones, f)
		cfg := phonesim.Config{Link: p.wire, Load: from, Want: palletSIP, Seed: seed, Broadcast: i%3 == 0}
		if l, ok := phone.ParseLoad(from); ok && l.Universal() {
			cfg.LoaderID = phone.SyntheticIDOf(from)
		}
		p.plan(f, palletSIP, cfg.LoaderID)
		plugPallet(p.t, f, cfg)
	}
}

// again unplugs all phones and plugs them in again, as they are, in another room.
func (p *pallet) again(seed uint64) {
	for _, f := range p.phones {
		f.unplug()
		flash := f.Flash()
		f.from = flash.Application
		p.plan(f, palletSCCP, flash.LoaderID)
		plugPallet(p.t, f, phonesim.Config{Link: p.wire, Flash: flash, Want: palletSCCP, Seed: seed})
	}
	testkit.Eventually(p.t, 2*time.Minute, "all phones run SIP again", func() bool {
		return !slices.ContainsFunc(p.phones, func(f *palletPhone) bool { return !answersSIP(f.Result()) })
	})
}

// answersSIP reports whether the SIP application of a phone is done with its boot.
func answersSIP(r phonesim.Result) bool {
	f, ok := r.File("RINGLIST.DAT")
	return ok && f.Boot == r.Boots
}

// plan notes what a phone should write on its way from the load that it really runs.
func (p *pallet) plan(f *palletPhone, to, loaderID string) {
	path, err := ladder.Plan(ladder.Conclude([]ladder.Clue{ladder.ToldNot(f.from, time.Now())}), to, p.shelf)
	if err != nil || len(path.Missing) > 0 {
		p.t.Fatalf("the way from %s to %s: %v, missing %v", f.from, to, err, path.Missing)
	}
	f.planned = imagesOf(path, loaderID)
}

// convert waits until every phone is there, while phones and box lose their power.
func (p *pallet) convert(to string, cuts [][]time.Duration, kills []time.Duration, technician bool) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	var cutters sync.WaitGroup
	defer cutters.Wait()
	defer cancel()
	begun := time.Now()
	p.said, p.obeyed = map[string]bool{}, 0
	for i, f := range p.phones {
		f.took, f.agreed = 0, 0
		f.cut = &cutter{b: p.b, p: f, rand: rand.New(rand.NewPCG(p.rand.Uint64(), uint64(i)))}
		cutters.Go(func() { f.cut.run(ctx, cuts[i]) })
	}
	for len(kills) > 0 || !p.there(to, begun) {
		switch {
		case time.Since(begun) > palletLimit:
			p.t.Errorf("not all phones are there after %s", palletLimit)
			p.judge(to, time.Since(begun))
			return
		case len(kills) > 0 && time.Since(begun) >= kills[0]:
			p.t.Logf("%s: the box loses its power", time.Now().Format(time.TimeOnly))
			p.b.restart()
			kills = kills[1:]
		case technician:
			p.obey(ctx)
		}
		wait(ctx, 500*time.Millisecond)
	}
	p.judge(to, time.Since(begun))
}

// conversions returns where all conversions stand, by phone.
func (p *pallet) conversions() map[phone.MAC]conversion {
	var list []conversion
	p.b.get("/api/v1/conversions", &list)
	all := map[phone.MAC]conversion{}
	for _, c := range list {
		all[c.MAC] = c
		p.said[c.Phase+": "+c.Text] = true
	}
	return all
}

// there reports whether every phone is ready on its load, by its own account and by that of the box, and nobody will
// pull its plug any more.
func (p *pallet) there(to string, begun time.Time) bool {
	all := true
	entries, conversions := p.entries(), p.conversions()
	for _, f := range p.phones {
		r := f.Result()
		ready := r.Load == to && r.Step == phone.Ready && f.cut.done()
		agreed := ready && doubts(entries[f.mac], conversions[f.mac], to) == ""
		for _, mark := range []struct {
			is bool
			at *time.Duration
		}{{ready, &f.took}, {agreed, &f.agreed}} {
			switch {
			case !mark.is:
				*mark.at = 0
			case *mark.at == 0:
				*mark.at = time.Since(begun)
			}
		}
		all = all && agreed
	}
	return all
}

// entries returns what the box says of all phones.
func (p *pallet) entries() map[phone.MAC]phoneEntry {
	all := map[phone.MAC]phoneEntry{}
	for _, e := range p.b.phones() {
		all[e.MAC] = e
	}
	return all
}

// doubts says why the box does not agree that a phone is there; "" = it does.
func doubts(e phoneEntry, c conversion, to string) string {
	if c.Phase == "arrived" && c.Runs == to && e.Step == phone.Ready && e.Load == to && e.Problem == "" {
		return ""
	}
	return fmt.Sprintf("step %s, load %q, waiting for %q (%s), %s", e.Step, e.Load, e.WaitingFor, e.Problem, c.words())
}

// byHand are the words with which the box asks a person to restart a phone.
var byHand = []string{"cut its power for a moment", "cutting its power for a moment"}

// obey is a technician who reads the page and restarts the phones of which it says so, each at most twice a minute.
func (p *pallet) obey(ctx context.Context) {
	for mac, c := range p.conversions() {
		says := slices.ContainsFunc(byHand, func(w string) bool { return strings.Contains(strings.ToLower(c.Text), w) })
		if !says || !c.Unplug || time.Since(p.technician[mac]) < 30*time.Second {
			continue
		}
		f := p.phones[slices.IndexFunc(p.phones, func(f *palletPhone) bool { return f.mac == mac })]
		if f.CutUnlessFatal() {
			p.t.Logf("%s: the technician restarts %s: %s", time.Now().Format(time.TimeOnly), mac, c.words())
			p.technician[mac] = time.Now()
			p.obeyed++
			wait(ctx, 200*time.Millisecond)
			f.Restore()
		} else if _, fatal := f.Writing(); fatal {
			p.t.Errorf("the box told a technician to restart %s, which would have killed it: %s", mac, c.words())
		}
	}
}

// judge logs the table and says what went wrong.
func (p *pallet) judge(to string, took time.Duration) {
	p.t.Helper()
	entries, conversions := p.entries(), p.conversions()
	var table strings.Builder
	ready, stranded, told, cutsAll, heededAll, askedAll := 0, 0, 0, 0, 0, 0
	for _, f := range p.phones {
		r, doubt := f.Result(), doubts(entries[f.mac], conversions[f.mac], to)
		cuts, heeded, asked, faults := f.cut.counts()
		cutsAll, heededAll, askedAll = cutsAll+cuts, heededAll+heeded, askedAll+asked
		fmt.Fprintf(&table, "\n  %s %s %-13s %-4v %2d boots %d cuts %4.0f s, the box says so after %4.0f s  %s", f.mac, f.model, f.from, map[bool]string{true: "CDP"}[f.cdp], r.Boots, cuts,
			f.took.Seconds(), f.agreed.Seconds(), strings.Join(r.Flashed, " "))
		switch {
		case r.Damaged || r.Erased:
			stranded++
		case r.Load == to && r.Step == phone.Ready && doubt == "":
			ready++
		}
		wrong := append(r.Faults, faults...)
		if r.Load != to || r.Step != phone.Ready || r.Damaged || doubt != "" {
			wrong = append(wrong, fmt.Sprintf("runs %s in step %s, damaged %v, wanted %s and ready; the box doubts that: %s", r.Load, r.Step, r.Damaged, to, doubt))
		}
		if !asPlanned(r.Flashed, f.planned) {
			wrong = append(wrong, fmt.Sprintf("wrote %v, planned was %v", r.Flashed, f.planned))
		}
		for _, w := range wrong {
			p.t.Errorf("phone %s (%s): %s", f.mac, f.from, w)
		}
		if told < maxTold && len(wrong) > 0 {
			told++
			f.tellTrail(p.t, p.b)
		}
	}
	if d := p.wire.Addresses().Duplicates(); len(d) > 0 {
		p.t.Errorf("addresses held by two phones at once: %v", d)
	}
	p.b.healthy()
	p.t.Logf("the pallet to %s:%s", to, table.String())
	p.t.Logf("what the page said meanwhile:\n  %s", strings.Join(slices.Sorted(maps.Keys(p.said)), "\n  "))
	p.t.Logf("FIGURE pallet to %s: %d of %d ready, %d stranded, after %.0f s, with %d power cuts of phones, %d moments in which a cut would have been "+
		"fatal (the box was asked in %d of them and warned), %d restarts by hand", to, ready, len(p.phones), stranded, took.Seconds(), cutsAll, heededAll, askedAll, p.obeyed)
}
