package ladder_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// box is a server that knows of a phone only what its clues say, and asks Conclude and Plan anew for each file: the
// hardest case, because in a box a step lasts.
type box struct {
	t     *testing.T
	phone *handset
	to    string
	shelf ladder.Shelf
	clues []ladder.Clue
	now   time.Time
	first bool
	log   []string
}

func (b *box) add(c ladder.Clue, ok bool) {
	b.now = b.now.Add(time.Second)
	if ok {
		b.clues = append(b.clues, c)
	}
}

// step is the step that the phone is in, or what keeps it where it is.
func (b *box) step() (ladder.Step, error) {
	belief := ladder.Conclude(b.clues)
	p, err := ladder.Plan(belief, b.to, b.shelf)
	if err != nil || len(p.Steps) == 0 {
		stay := ladder.Step{Naming: phone.Stay(belief.Load)}
		if load, ok := phone.ParseLoad(belief.Load); !ok || load.Loader {
			stay.Naming = phone.Naming{}
		}
		return stay, err
	}
	if belief.Confidence == ladder.Sure && belief.Load != "" && belief.Load != b.phone.load && !loaderAlone(belief.Load) {
		b.t.Errorf("%s is taken for %s for sure\n%s", b.phone.load, belief.Load, strings.Join(b.log, "\n"))
	}
	return p.Steps[0], nil
}

func loaderAlone(name string) bool {
	l, _ := phone.ParseLoad(name)
	return l.Loader
}

func (b *box) class(model bool) {
	b.first = true
	class := "Cisco Systems, Inc. IP Phone"
	if model {
		class += " CP-7960G"
	}
	b.add(ladder.Class(class, b.now))
}

func (b *box) told(asks string) phone.Naming {
	b.log = append(b.log, fmt.Sprintf("%s asks for %s", b.phone.load, asks))
	b.add(ladder.Asked(phone.ParseFileName(asks), b.first, b.now))
	b.first = false
	s, _ := b.step()
	return s.Naming
}

func (b *box) give(file string) bool {
	s, _ := b.step()
	name := phone.ParseFileName(file)
	ok, _ := s.Expects(name)
	b.log = append(b.log, fmt.Sprintf("%s asks for %s: %v", b.phone.load, file, ok))
	if ok && !onLadder(b.phone.load, s.To) && b.phone.load != s.To {
		b.t.Fatalf("a phone on %s is given %s\n%s", b.phone.load, file, strings.Join(b.log, "\n"))
	}
	b.add(ladder.Asked(name, false, b.now))
	return ok
}

func (b *box) agent(s string) { b.add(ladder.Agent(s, b.now)) }

func (b *box) runsOn(load string) { b.add(ladder.ToldNot(load, b.now), true) }

func (b *box) fetched(load, before string) {
	// What a box knows of before is what it believed.
	b.add(ladder.Fetched(load, ladder.Conclude(b.clues).Load, b.now), true)
	b.log = append(b.log, "it fetched "+load)
}

// TestWalk converts every phone of the universe to each target, with the power of the phone cut at random, by nothing but
// its clues: none is given an image that is not on the ladder, all arrive, and none needs more than its steps and starts.
func TestWalk(t *testing.T) {
	t.Parallel()
	for _, to := range []string{sip8, "P0S3-07-4-00", "P00308010200"} {
		for _, load := range universe {
			for seed := range uint64(6) {
				walk(t, load, to, seed)
			}
		}
	}
}

func walk(t *testing.T, load, to string, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 7))
	l, _ := phone.ParseLoad(load)
	h := &handset{load: load, answers: seed%3 == 1, readsXML: l.Protocol == phone.SCCP && (l.Version[0] > 3 || l.Version[1] > 0)}
	if l.Universal() || l.Loader {
		h.loaderIn = "P003-07-4-00"
	}
	if l.Protocol == phone.SCCP && l.Version[0] >= 4 {
		h.skipsTXT = seed%2 == 1
		h.asksTrust = h.skipsTXT && l.Version[0] == 5 && seed%4 == 1
	}
	b := &box{t: t, phone: h, to: to, shelf: rungsOnce, now: start}
	said := l.Protocol == phone.SIP && !l.Universal() && (seed%3 != 1 || l.Version[0] < 4)
	if said { // nothing that such a phone shows tells its load
		b.add(ladder.Stated(load, time.Time{}))
	}
	boots := 0
	for reset := true; (h.load != to || reset) && boots < 60; boots++ {
		cut := -1
		if random.IntN(4) == 0 {
			cut = random.IntN(3)
		}
		reset = h.boot(b, cut)
	}
	path, err := ladder.Plan(ladder.Conclude(b.clues), to, b.shelf)
	if h.load != to || err != nil || len(path.Steps) != 0 {
		t.Errorf("%s to %s (seed %d, said %v): after %d boots it runs %s, planned is %s, %v\n%s",
			load, to, seed, said, boots, h.load, names(path), err, strings.Join(b.log[max(0, len(b.log)-40):], "\n"))
	}
}

// TestSafe tells the truth in parts: whatever is known of a phone, and whichever of two loads it runs where the writing of
// one may have failed, no step goes where the table has none.
func TestSafe(t *testing.T) {
	t.Parallel()
	planned := 0
	shelf := rungs("P0S3-06-1-00", "P0S3-08-9-00")
	try := func(b ladder.Belief, loads ...string) {
		for _, to := range []string{sip8, "P0S3-07-4-00", "P0S3-06-3-00", sccp8, sccp5, "P0S30203"} {
			p, err := ladder.Plan(b, to, shelf)
			if err != nil {
				continue
			}
			planned++
			chain(t, p)
			for _, load := range loads {
				safeFor(t, b, p, load)
			}
		}
	}
	for _, load := range universe {
		l, _ := phone.ParseLoad(load)
		for known := range 1 << 6 {
			try(partly(l, known), load)
		}
		b := ladder.Conclude([]ladder.Clue{ladder.Fetched(load, "", start)})
		try(b, universe...) // nobody knows what ran before
		for _, before := range universe {
			b.Before = before
			try(b, load, before)
		}
	}
	if planned < 5000 {
		t.Errorf("only %d plans were made", planned)
	}
}

// partly is a belief that knows a part of the truth.
func partly(l phone.LoadName, known int) ladder.Belief {
	yes := func(bit int, is bool) ladder.Answer {
		switch {
		case known&bit == 0:
			return ladder.Unknown
		case is:
			return ladder.Yes
		}
		return ladder.No
	}
	loader := l.Universal() || l.Loader
	b := ladder.Belief{Confidence: ladder.Sure, Loader: yes(4, loader), Signed: yes(8, l.Signed())}
	if known&1 != 0 {
		b.Load = l.Name
	}
	if l.Loader {
		return b
	}
	if known&16 != 0 {
		b.Protocol = l.Protocol
		b.XML = yes(32, l.Protocol == phone.SCCP && (l.Version[0] > 3 || l.Version[0] == 3 && l.Version[1] > 0))
		if l.Protocol == phone.SIP && known&32 != 0 {
			b.Major = l.Version[0]
		}
	}
	return b
}

// safeFor starts a phone on a load in the first step: what it is given must be on the ladder for it.
func safeFor(t *testing.T, b ladder.Belief, p ladder.Path, load string) {
	t.Helper()
	if len(p.Steps) == 0 {
		return
	}
	s := p.Steps[0]
	l, _ := phone.ParseLoad(load)
	for _, name := range []string{s.Naming.OS79XX, s.Naming.ImageVersion, s.Naming.LoadInformation} {
		asks := []string{name + ".bin"}
		if l.Signed() {
			asks = []string{name + ".sbn"}
		}
		if l.Universal() || l.Loader {
			asks = append(asks, name+".loads")
		}
		for _, file := range asks {
			if ok, _ := s.Expects(phone.ParseFileName(file)); ok && name != "" && !strings.EqualFold(load, s.To) && !onLadder(load, s.To) {
				t.Errorf("a phone on %s is given %s in the step to %s of %s, believed %+v", load, file, s.To, names(p), b)
			}
		}
	}
}

// chain checks that the steps of a path hang together, and that all after the first are on the ladder.
func chain(t *testing.T, p ladder.Path) {
	t.Helper()
	for i, s := range p.Steps {
		if s.To == "" || s.Source == "" || s.Takes <= 0 || s.Display == "" || s.From == "" || s.Confirm != (s.From == s.To || len(s.Naming.OS79XX)+len(s.Naming.ImageVersion) == 0) {
			t.Errorf("a step with gaps: %+v", s)
		}
		if !s.Confirm && (len(s.Files) == 0 || !slices.Contains(s.Files, s.Naming.Needs)) {
			t.Errorf("a step that needs %q of %v", s.Naming.Needs, s.Files)
		}
		if i == 0 {
			continue
		}
		if from := p.Steps[i-1].To; from != s.From || !onLadder(from, s.To) || s.Maybe || s.Confirm {
			t.Errorf("no step from %s: %+v", from, s)
		}
	}
	if n := len(p.Steps); n > 0 && !strings.EqualFold(p.Steps[n-1].To, p.To) {
		t.Errorf("%s does not end at %s", names(p), p.To)
	}
}

func FuzzPlan(f *testing.F) {
	for _, load := range universe {
		f.Add(load, "P0S3-04-4-00", sip8, "P0S3-06-1-00", uint8(3), uint8(0), uint8(0), uint8(0), uint8(0))
	}
	f.Add("", "", sccp8, "P0S3-8-12-00", uint8(3), uint8(1), uint8(1), uint8(1), uint8(8))
	f.Add("P003-8-12-00", "x", "P0S39999", "", uint8(2), uint8(2), uint8(2), uint8(0), uint8(200))
	f.Fuzz(func(t *testing.T, load, before, to, shelf string, confidence, loader, signed, xml, major uint8) {
		b := ladder.Belief{
			Load: load, Before: before, Confidence: ladder.Confidence(confidence % 4), Loader: ladder.Answer(loader % 3),
			Signed: ladder.Answer(signed % 3), XML: ladder.Answer(xml % 3), Major: int(major),
		}
		if xml >= 128 {
			b.Protocol = phone.SIP
		} else if xml >= 64 {
			b.Protocol = phone.SCCP
		}
		p, err := ladder.Plan(b, to, append(rungs(), ladder.Load{Name: shelf, Files: []string{shelf + ".bin", shelf + ".sbn"}}))
		if err != nil {
			if len(p.Steps) != 0 || err.Error() == "" {
				t.Errorf("%+v and %v", p, err)
			}
			return
		}
		l, ok := phone.ParseLoad(load)
		if b.XML == ladder.Yes && l.Protocol == phone.SCCP && l.Version[0] == 3 && l.Version[1] == 0 {
			return // seen to read XML, so it counts as 3.1, which the table does not know
		}
		chain(t, p)
		if ok && b.Confidence == ladder.Sure {
			safeFor(t, b, p, l.Name)
		}
	})
}
