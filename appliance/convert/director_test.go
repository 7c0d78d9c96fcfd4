package convert_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

var pallet = []string{sccp31, sccp5, sccp8, sip23, sip44, sip53, sip63, sip74, sip89, "", sip812}

func TestAMixedPalletArrivesAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(24, sip812))
		for i := 1; i <= 24; i++ {
			w.plug(i, pallet[i%len(pallet)])
		}
		w.allArrive(6 * time.Hour)
		w.mu.Lock()
		most := w.most
		w.mu.Unlock()
		if most > parallel {
			t.Errorf("%d phones were in a step at once, allowed are %d", most, parallel)
		}
		told := strings.Join(w.told(4), "\n") // it was on 4.4
		for _, part := range []string{
			"sets out from SIP 4.x to " + sip812, "takes its next step, from " + sip44 + " to " + sip53, "don't cut its power",
			"its power may be cut again", "has arrived: it runs " + sip812 + ", after four steps",
		} {
			if !strings.Contains(told, part) {
				t.Errorf("its timeline does not say %q:\n%s", part, told)
			}
		}
	})
}

func TestThePalletGoesBackToSCCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(8, sccp8))
		for i, from := range []string{sip74, sip812, sip63, sip44, sccp5, "", sccp8, sip812} {
			w.plug(i+1, from)
		}
		w.allArrive(4 * time.Hour)
	})
}

// TestPowerCutsStrandNobody cuts the power of phones and of the box at random moments.
func TestPowerCutsStrandNobody(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				w := newWorld(t, listed(24, sip812))
				for i := 1; i <= 24; i++ {
					w.plug(i, pallet[i%len(pallet)])
				}
				for range 120 {
					time.Sleep(time.Duration(r.IntN(20)) * time.Second)
					if r.IntN(12) == 0 {
						w.cut()
						time.Sleep(time.Duration(r.IntN(60)) * time.Second)
						w.start()
						continue
					}
					p := w.phones[number(1+r.IntN(24))]
					p.off()
					time.Sleep(time.Duration(r.IntN(5)) * time.Second)
					p.on()
				}
				w.allArrive(8 * time.Hour)
			})
		})
	}
}

func TestWaitingPhonesTakeTheirTurnsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := listed(6, sip812)
		cfg.Parallel = 1
		w := newWorld(t, cfg)
		for i := 1; i <= 6; i++ {
			w.plug(i, "")
			time.Sleep(2 * time.Second)
		}
		time.Sleep(8 * time.Second)
		if got := w.want(3, convert.Waiting).Text; !strings.Contains(got, "waits for its turn") {
			t.Errorf("phone 3 says %q", got)
		}
		d, _ := w.director()
		if err := d.Order(t.Context(), number(5), convert.Next); err != nil {
			t.Fatal(err)
		}
		w.allArrive(time.Hour)
		want := []phone.MAC{number(1), number(5), number(2), number(3), number(4), number(6)}
		if got := w.images(); !slices.Equal(got, want) {
			t.Errorf("the images went to %v, want %v", got, want)
		}
	})
}

func TestAFlashThatWasBegunGoesOnFirst(t *testing.T) {
	for _, boxToo := range []bool{false, true} {
		t.Run(fmt.Sprint("box too ", boxToo), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := listed(12, sip812)
				cfg.Parallel = 1
				w := newWorld(t, cfg)
				first := w.plug(1, "")
				w.until(time.Minute, "the first image is on its way", func() bool { return len(w.images()) == 1 })
				if s := w.want(1, convert.Going); s.Unplug || !strings.Contains(s.Text, "Don't cut its power") {
					t.Errorf("while an image is being sent: %+v", s)
				}
				first.off()
				if boxToo {
					w.cut()
					w.start()
				}
				for i := 2; i <= 12; i++ {
					w.plug(i, "")
				}
				time.Sleep(5 * time.Minute)
				if len(w.images()) != 1 {
					t.Fatalf("others began although one is in the middle: %v", w.images())
				}
				w.until(8*time.Minute, "it loses its turn, and others begin", func() bool {
					return len(w.images()) > 1 && w.busy() == 1
				})
				w.mu.Lock()
				w.order = nil
				w.mu.Unlock()
				first.on()
				time.Sleep(9 * time.Second)
				got := w.images()
				if !slices.Contains(got, number(1)) {
					t.Errorf("it has to wait: %v; %s", got, w.state(1).Text)
				}
				w.allArrive(time.Hour)
				if a := w.state(1).Attempts; a != 0 {
					t.Errorf("a power cut counts as %d failed tries", a)
				}
			})
		})
	}
}

func TestThreeFailedTriesStopAPhoneAndSayWhy(t *testing.T) {
	for _, tt := range []struct {
		name, app string
		spoil     func(p *virtual)
		says      string
	}{
		{"the image is not started", "", func(p *virtual) { p.rejects = func(f string) bool { return strings.HasSuffix(f, ".sb2") } }, "not signed"},
		{"an image from before the loader is not started", sip53, func(p *virtual) { p.rejects = func(string) bool { return true } }, "not signed"},
		{"the transfers break off", "", func(p *virtual) { p.breaks = func(f string) bool { return strings.HasSuffix(f, ".sb2") } }, "duplex"},
		{"the transfers break off, and the phone starts again", "", func(p *virtual) {
			p.breaks, p.gives = func(f string) bool { return strings.HasSuffix(f, ".sb2") }, true
		}, "duplex"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, listed(1, sip812))
				p := w.plug(1, tt.app)
				p.off()
				tt.spoil(p)
				p.on()
				w.until(3*time.Hour, "it fails", func() bool { return w.state(1).Phase == convert.Failed })
				sent := len(w.images())
				if s := w.state(1); !strings.Contains(s.Text, tt.says) || s.Attempts != 3 {
					t.Errorf("it says %+v", s)
				}
				time.Sleep(30 * time.Minute)
				if len(w.images()) != sent {
					t.Errorf("%d images were sent after it failed", len(w.images())-sent)
				}
				w.want(1, convert.Failed)
				w.cut() // it lasts
				w.start()
				w.want(1, convert.Failed)
				p.off()
				p.rejects, p.breaks = nil, nil
				p.on()
				d, _ := w.director()
				if err := d.Order(t.Context(), number(1), convert.Go); err != nil {
					t.Fatal(err)
				}
				w.allArrive(2 * time.Hour)
			})
		})
	}
}

func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := listed(2, sip812)
		w := newWorld(t, cfg)
		d, _ := w.director()
		for _, bad := range []struct {
			mac   phone.MAC
			order convert.Order
			says  string
		}{{number(1), "run", "allowed are go, skip, stop, next and after"}, {number(99), convert.Go, "does not list"}} {
			if err := d.Order(t.Context(), bad.mac, bad.order); err == nil || !strings.Contains(err.Error(), bad.says) {
				t.Errorf("order %q: %v", bad.order, err)
			}
		}
		if err := d.Order(t.Context(), number(1), convert.Stop); err != nil {
			t.Fatal(err)
		}
		if err := d.Order(t.Context(), number(2), convert.Skip); err != nil {
			t.Fatal(err)
		}
		w.cut() // orders were on the card when they were accepted
		w.start()
		d, _ = w.director()
		w.plug(1, sip74)
		w.plug(2, sip44)
		time.Sleep(20 * time.Minute)
		if len(w.images()) != 0 {
			t.Fatalf("images were sent to %v", w.images())
		}
		w.want(1, convert.Stopped)
		w.want(2, convert.Skipped)
		if n, why := d.Naming(number(1)); n != (phone.Naming{}) || why == "" {
			t.Errorf("a stopped phone is told %+v, %q", n, why)
		}
		if ok, _ := d.MayFetch(number(1), phone.ParseFileName(sip812+".sb2")); ok {
			t.Error("a stopped phone gets an image")
		}
		for i := 1; i <= 2; i++ {
			if err := d.Order(t.Context(), number(i), convert.Go); err != nil {
				t.Fatal(err)
			}
		}
		w.allArrive(2 * time.Hour)
	})
}

func TestUnlistedPhonesAreNamedWhatTheyRunOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := listed(2, sip812)
		cfg.Phones[1].Load = convert.Stay
		w := newWorld(t, cfg)
		w.plug(2, sip44)  // listed, and pinned to what it runs
		w.plug(9, sip44)  // not listed
		w.plug(10, sip74) // not listed, and its loader does not start without a load
		time.Sleep(time.Hour)
		if len(w.images()) != 0 {
			t.Fatalf("images were sent to %v", w.images())
		}
		w.want(2, convert.Arrived)
		d, _ := w.director()
		if _, ok := d.State(number(9)); ok {
			t.Error("an unlisted phone is among the conversions")
		}
		if ok, why := d.MayFetch(number(2), phone.ParseFileName(sip812+".sb2")); !ok {
			t.Errorf("of a phone of which the load is not known the provisioner decides: %s", why)
		}
		clue := ladder.ToldNot(sip44, time.Now())
		for _, i := range []int{2, 9} {
			w.see(journal.Event{MAC: number(i), Service: "netdev", Kind: journal.Hint, Clue: &clue})
			if n, _ := d.Naming(number(i)); n != phone.Stay(sip44) {
				t.Errorf("phone %d, which runs %s, is told %+v", i, sip44, n)
			}
			if ok, why := d.MayFetch(number(i), phone.ParseFileName(sip53+".bin")); ok || !strings.Contains(why, sip44) {
				t.Errorf("phone %d may fetch another load: %q", i, why)
			}
			if ok, why := d.MayFetch(number(i), phone.ParseFileName(sip44+".bin")); !ok {
				t.Errorf("phone %d may not fetch what it runs: %s", i, why)
			}
		}
		cfg.Unlisted = true
		d.Apply(cfg)
		w.until(4*time.Hour, "the unlisted ones arrive", func() bool {
			a, _ := d.State(number(9))
			b, _ := d.State(number(10))
			return a.Phase == convert.Arrived && b.Phase == convert.Arrived
		})
		if w.phones[number(9)].runs() != sip812 || w.phones[number(2)].runs() != sip44 {
			t.Errorf("the phones run %s and %s", w.phones[number(9)].words(), w.phones[number(2)].words())
		}
	})
}

func TestAFileThatVanishesEndsTheOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(1, sip812))
		d, _ := w.director()
		w.see(journal.Event{MAC: number(1), Service: "dhcp", Kind: journal.Packet, Class: class(ofModel)})
		w.see(journal.Event{MAC: number(1), Service: "tftp", Kind: journal.FileMissing, File: phone.ParseFileName("CTLSEP" + number(1).Name() + ".tlv"), Address: address(number(1))})
		if n, why := d.Naming(number(1)); n.LoadInformation != sip812 {
			t.Fatalf("told %+v, %s", n, why)
		}
		if ok, why := d.MayFetch(number(1), phone.ParseFileName(sip812+".SB2")); !ok {
			t.Fatal(why)
		}
		w.mu.Lock()
		for i := range w.shelf {
			if w.shelf[i].Name == sip812 {
				w.shelf[i].Files = slices.DeleteFunc(slices.Clone(w.shelf[i].Files), func(f string) bool { return strings.HasSuffix(f, ".sb2") })
				w.shelf[i].Missing = []string{sip812 + ".sb2"}
			}
		}
		w.mu.Unlock()
		if n, why := d.Naming(number(1)); n != (phone.Naming{}) || !strings.Contains(why, sip812+".sb2") {
			t.Errorf("told %+v, %q", n, why)
		}
		if ok, why := d.MayFetch(number(1), phone.ParseFileName(loader8+".sbn")); ok || why == "" {
			t.Error("a part of a load that is not whole may be fetched")
		}
		w.want(1, convert.Blocked)
	})
}

func TestAPhoneThatIsNotWhatItWasTakenForGetsAnotherWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := listed(1, sip812)
		w := newWorld(t, cfg)
		w.j.SetStated(map[phone.MAC]string{number(1): sip63})
		p := w.plug(1, sip44)
		w.allArrive(2 * time.Hour)
		if p.dead != "" {
			t.Error(p.dead)
		}
	})
}

func TestWrongFilesAreRefusedWithASentence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(2, sip812))
		d, _ := w.director()
		clue := ladder.ToldNot(sip63, time.Now())
		w.see(journal.Event{MAC: number(1), Service: "netdev", Kind: journal.Hint, Clue: &clue})
		for file, says := range map[string]string{
			loader8 + ".bin": loader8 + ".sbn", // unsigned, for a phone that takes signed images only
			sip74 + ".sb2":   "no file of the step",
			sip53 + ".sbn":   "no file of the step",
		} {
			if ok, why := d.MayFetch(number(1), phone.ParseFileName(file)); ok || !strings.Contains(why, says) {
				t.Errorf("%s: %t, %q", file, ok, why)
			}
		}
		for _, file := range []string{loader8 + ".sbn", "SIPDefault.cnf", sip63 + ".sbn"} {
			if ok, why := d.MayFetch(number(1), phone.ParseFileName(file)); !ok {
				t.Errorf("%s is refused: %s", file, why)
			}
		}
		for _, mac := range []phone.MAC{{}, number(77)} {
			if ok, why := d.MayFetch(mac, phone.ParseFileName(sip812+".sb2")); !ok {
				t.Errorf("of %s nothing is known here, and it is refused: %s", mac, why)
			}
		}
		arrived := ladder.ToldNot(sip812, time.Now())
		w.see(journal.Event{MAC: number(2), Service: "netdev", Kind: journal.Hint, Clue: &arrived})
		if ok, why := d.MayFetch(number(2), phone.ParseFileName(sip812+".loads")); !ok {
			t.Errorf("a phone that arrived reads its list at every start: %s", why)
		}
		if ok, why := d.MayFetch(number(2), phone.ParseFileName(sip89+".sb2")); ok || !strings.Contains(why, "as it should") {
			t.Errorf("a phone that arrived gets another load: %q", why)
		}
		other, _ := ladder.CDP("Cisco IP Phone 7941", "", time.Now())
		w.see(journal.Event{MAC: number(2), Service: "netdev", Kind: journal.Hint, Clue: &other})
		if n, _ := d.Naming(number(2)); n.Needs != "" {
			t.Errorf("another model is told %+v", n)
		}
	})
}

// A phone of which only its place on the page was looked at takes no one's place for long.
func TestLookingAtAPhoneTakesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := listed(2, sip812)
		cfg.Parallel = 1
		w := newWorld(t, cfg)
		d, _ := w.director()
		clue := ladder.ToldNot(sip74, time.Now())
		w.see(journal.Event{MAC: number(1), Service: "netdev", Kind: journal.Hint, Clue: &clue})
		if n, why := d.Naming(number(1)); n.Needs == "" {
			t.Fatalf("told %+v, %s", n, why)
		}
		time.Sleep(6 * time.Second)
		w.plug(2, "")
		time.Sleep(8 * time.Second)
		w.want(2, convert.Going)
		w.want(1, convert.Waiting)
		if told := w.told(1); len(told) != 0 {
			t.Errorf("its timeline says %q", told)
		}
	})
}

func TestAPhoneThatDoesNotRestartIsLeftToAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := listed(2, sip812)
		cfg.Phones[0].Load = convert.Stay
		w := newWorld(t, cfg)
		p := w.plug(1, sip74)
		w.plug(2, "")
		p.deaf = true
		clue := ladder.ToldNot(sip74, time.Now())
		w.see(journal.Event{MAC: number(1), Service: "netdev", Kind: journal.Hint, Clue: &clue})
		time.Sleep(10 * time.Minute) // it runs its application
		cfg.Phones = slices.Clone(cfg.Phones)
		cfg.Phones[0].Load = ""
		d, _ := w.director()
		d.Apply(cfg)
		time.Sleep(10 * time.Minute)
		if s := w.want(1, convert.Waiting); !strings.Contains(s.Text, "restart it by hand") {
			t.Errorf("it says %q", s.Text)
		}
		w.mu.Lock()
		nudged, waits := w.nudged[number(1)], w.waits[number(1)]
		w.mu.Unlock()
		if nudged != 3 || !strings.Contains(waits, "restart it by hand") {
			t.Errorf("it was told to restart %d times; it waits: %q", nudged, waits)
		}
		p.off()
		p.on()
		w.allArrive(time.Hour)
	})
}

func TestACardThatFailsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(1, sip812))
		w.store.mu.Lock()
		w.store.fail = context.DeadlineExceeded
		w.store.mu.Unlock()
		w.plug(1, "")
		w.allArrive(time.Hour)
	})
}

func TestPlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(1, sip812))
		d, _ := w.director()
		path, err := d.PlanLoad(sip44, sip812)
		if err != nil || len(path.Steps) != 3 || path.Steps[0].To != sip53 {
			t.Errorf("%+v, %v", path, err)
		}
		if _, err := d.PlanLoad("P0S3", sip812); err == nil || !strings.Contains(err.Error(), `"P0S3"`) {
			t.Errorf("%v", err)
		}
		if path, err = d.Plan(ladder.Belief{Loader: ladder.Yes}, sip812); err != nil || len(path.Steps) != 1 {
			t.Errorf("%+v, %v", path, err)
		}
	})
}

func TestMetricsCountPhonesAndSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, listed(3, sip812))
		w.halt()
		reg := prometheus.NewRegistry()
		w.metrics = reg
		w.start()
		w.plug(1, "")
		w.until(time.Hour, "one arrives", func() bool { return w.state(1).Phase == convert.Arrived })
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				got[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		for name, want := range map[string]float64{
			"phonebox_conversion_phones arrived": 1, "phonebox_conversion_phones waiting": 2, "phonebox_conversion_phones failed": 0,
			"phonebox_conversion_steps_total done": 1,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s is %v, want %v (%v)", name, v, want, got)
			}
		}
	})
}
