package convert_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// A phone that asks for its files over and over and never for the image that they name holds up nobody, and is left alone
// in the end.
func TestAPhoneThatDoesNotTakeItsStepHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := listed(2, sip812)
		cfg.Parallel = 1
		w := newWorld(t, cfg)
		p := w.plug(1, sccp31)
		p.off()
		p.ignores = true
		p.on()
		w.until(10*time.Minute, "it has its turn", func() bool { return w.state(1).Phase == convert.Going })
		w.plug(2, "")
		w.until(time.Hour, "the other one arrives", func() bool { return w.state(2).Phase == convert.Arrived })
		w.until(3*time.Hour, "it is left alone", func() bool { return w.state(1).Phase == convert.Failed })
		if s := w.state(1); !strings.Contains(s.Text, "does not ask for "+loader8+".sbn") {
			t.Errorf("it says %q", s.Text)
		}
	})
}

// halfway brings phone 1 to where it has the loader and no application.
func halfway(t *testing.T, w *world) *virtual {
	t.Helper()
	p := w.plug(1, sip63)
	p.mu.Lock()
	p.rejects = func(f string) bool { return strings.HasSuffix(f, ".sb2") } // its application comes later
	p.mu.Unlock()
	w.until(time.Hour, "the loader is there without an application", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.loader && p.app == ""
	})
	p.off()
	p.rejects = nil
	return p
}

// What the site says in the middle of a step must not leave a phone with an erased application without a load.
func TestAStepThatBeganIsFinishedWhateverTheSiteSays(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, w *world){
		"the target is removed": func(_ *testing.T, w *world) { w.cfg.Target = "" },
		"it is pinned":          func(_ *testing.T, w *world) { w.cfg.Phones[0].Load = convert.Stay },
		"it is not listed":      func(_ *testing.T, w *world) { w.cfg.Phones = nil },
		"it is left out": func(t *testing.T, w *world) {
			d, _ := w.director()
			if err := d.Order(t.Context(), number(1), convert.Skip); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for _, box := range []string{"", " and the box restarts", " while the box is off"} {
			t.Run(name+box, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, listed(1, sip812))
					p := halfway(t, w)
					if box != " while the box is off" || name == "it is left out" {
						change(t, w)
						d, _ := w.director()
						d.Apply(w.cfg)
					}
					if box != "" {
						w.cut()
						if box == " while the box is off" && name != "it is left out" {
							change(t, w)
						}
						w.start()
					}
					p.on()
					w.until(time.Hour, "it gets its application", func() bool { return p.runs() == sip812 })
					time.Sleep(10 * time.Minute)
					d, _ := w.director()
					s, known := d.State(number(1))
					if name == "it is not listed" {
						if known {
							t.Errorf("it is still among the conversions: %+v", s)
						}
					} else if s.Phase != convert.Arrived && s.Phase != convert.Skipped {
						t.Errorf("it is %s: %s", s.Phase, s.Text)
					}
					if told := strings.Join(w.told(1), "\n"); !strings.Contains(told, "is finished all the same") {
						t.Errorf("nobody said so: %s", told)
					}
				})
			})
		}
	}
}

// A phone whose application is lost is told the load that it ran last, also where the site wants no load on it.
func TestAPhoneThatLostItsApplicationIsToldItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(1, ""))
		p := w.plug(1, sip74)
		w.see(journal.Event{MAC: number(1), Service: "tftp", Kind: journal.Hint, Clue: ptr(ladder.ToldNot(sip74, time.Now()))})
		time.Sleep(time.Minute)
		p.off()
		p.app, p.breaks = "", func(f string) bool { return strings.HasSuffix(f, ".sb2") } // the first transfers break off, too
		p.on()
		time.Sleep(20 * time.Minute)
		p.off()
		p.breaks = nil
		w.cut()
		w.start()
		p.on()
		w.until(time.Hour, "it has its application again", func() bool { return p.runs() == sip74 })
	})
}

// Where nobody knows what it ran, people are told what is wrong and what to do.
func TestALoaderAloneThatIsToStayIsNotSaidToHaveArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(1, ""))
		clue := ladder.Fetched(loader8, "", time.Now())
		clue.Confidence = ladder.Sure
		w.see(journal.Event{MAC: number(1), Service: "tftp", Kind: journal.Hint, Clue: &clue})
		if s := w.want(1, convert.Blocked); !strings.Contains(s.Text, "Protocol Application Invalid") || !strings.Contains(s.Text, "firmware.target") {
			t.Errorf("it says %q", s.Text)
		}
	})
}

// A site whose phones run the target already, and whose shelf is empty, is in order.
func TestPhonesThatMayBeThereAlreadyRaiseNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(1, sip812))
		full := w.shelf
		w.mu.Lock()
		w.shelf = nil
		w.mu.Unlock()
		w.see(journal.Event{MAC: number(1), Service: "sip", Kind: journal.SIPAlive, Address: address(number(1)), Agent: "Cisco-CP7960G/8.0"})
		time.Sleep(5 * time.Minute)
		s := w.want(1, convert.Waiting)
		for _, part := range []string{"SIP 8.x", "not known whether", sip812 + ".loads"} {
			if !strings.Contains(s.Text, part) {
				t.Errorf("%q does not say %q", s.Text, part)
			}
		}
		if told := w.told(1); len(told) != 0 {
			t.Errorf("its timeline says %q", told)
		}
		w.mu.Lock()
		if waits := w.waits[number(1)]; waits != "" {
			t.Errorf("a phone that works shows the problem %q", waits)
		}
		w.shelf = full
		w.mu.Unlock()
		w.plug(1, sip812)
		w.allArrive(time.Hour) // without a restart of the box
		if len(w.images()) != 0 {
			t.Error("it got an image that it runs already")
		}
	})
}

// One forged announcement must not make the box flash a phone that the announcement is not true of (cdp is not signed).
func TestAForgedAnnouncementFlashesNobody(t *testing.T) {
	for _, tt := range []struct{ runs, forged, target string }{
		{"P0S3-05-0-00", sip63, sip812},
		{sip53, sip63, sip812},
		{sip63, sip812, sip812},
		{sip44, sip63, sip812},
		{sip74, sip63, sip812},
		{"P0S3-05-0-00", sip63, ""},
		{sip74, sip812, ""},
		{"P0S3-05-0-00", sip63, sip63},
	} {
		t.Run(tt.runs+" as "+tt.forged+" to "+tt.target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := listed(1, tt.target)
				w := newWorld(t, cfg)
				phones := []*virtual{w.plug(1, tt.runs), w.plug(2, tt.runs)} // the second one is not listed
				ran := [][]string{{tt.runs}, {tt.runs}}
				for range 40 {
					for i, p := range phones {
						clue, _ := ladder.CDP("Cisco IP Phone 7960", tt.forged, time.Now())
						w.see(journal.Event{MAC: p.mac, Service: "cdp", Kind: journal.Hint, Clue: &clue})
						if now := p.runs(); now != ran[i][len(ran[i])-1] {
							ran[i] = append(ran[i], now)
						}
					}
					time.Sleep(15 * time.Second)
				}
				for i, went := range ran {
					if (i == 1 || tt.target == "") && len(went) > 1 {
						t.Errorf("phone %d, which is to stay, ran %v", i+1, went)
					}
					for j := range went[1:] {
						if !allowed(went[j], went[j+1]) {
							t.Errorf("phone %d went from %s to %s", i+1, went[j], went[j+1])
						}
					}
				}
			})
		})
	}
}

// allowed reports whether one step of the ladder leads from a load to another; "" is the loader alone.
func allowed(from, to string) bool {
	if from == "" || to == "" {
		return from == "" || slices.Contains([]string{sip63, sccp5}, from)
	}
	path, err := ladder.Plan(ladder.Belief{Load: from, Confidence: ladder.Sure, Protocol: phone.SIP}, to, fullShelf())
	return err == nil && len(path.Steps) == 1
}

func ptr[T any](v T) *T { return &v }

// The card is written when something happens to a phone, and not while nothing does.
func TestTheCardIsWrittenOnlyWhenSomethingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(24, sip812))
		for i := 1; i <= 24; i++ {
			w.plug(i, pallet[i%len(pallet)])
		}
		wear := func() (writes, bytes int) {
			w.store.mu.Lock()
			defer w.store.mu.Unlock()
			return w.store.writes, w.store.bytes
		}
		began := time.Now()
		w.allArrive(6 * time.Hour)
		writes, bytes := wear()
		perMinute := float64(writes) / time.Since(began).Minutes()
		t.Logf("24 phones in %s: %d writes (%.1f a minute), %d bytes", time.Since(began), writes, perMinute, bytes)
		if perMinute > 30 {
			t.Errorf("%.1f writes a minute", perMinute)
		}
		time.Sleep(5 * time.Minute)
		writes, _ = wear()
		for range 120 { // they answer SIP each minute, and somebody looks at the page
			time.Sleep(time.Minute)
			d, _ := w.director()
			d.States()
		}
		if now, _ := wear(); now != writes {
			t.Errorf("%d writes while nothing happened", now-writes)
		}
	})
}
