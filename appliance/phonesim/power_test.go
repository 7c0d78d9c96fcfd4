package phonesim_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// cutAt cuts the power when the phone first does what fits, and gives it back.
func cutAt(kind phonesim.EventKind, file string) func(*phonesim.Phone, phonesim.Event) {
	var once sync.Once
	return func(p *phonesim.Phone, e phonesim.Event) {
		if e.Kind == kind && strings.HasPrefix(e.File, file) {
			once.Do(p.PowerCycle)
		}
	}
}

func TestAPowerCutThatAPhoneSurvives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		kind phonesim.EventKind
		file string
	}{
		{"in the hunt", phonesim.EventRequest, "CTLSEP"},
		{"before the list", phonesim.EventRequest, v8 + ".loads"},
		{"while the loader is fetched", phonesim.EventRequest, loader + ".sbn"},
		{"while the application is fetched", phonesim.EventRequest, v8 + ".sb2"},
		{"while the application is written", phonesim.EventFlash, v8 + ".sb2"},
		{"while the application asks for its configuration", phonesim.EventRequest, "SIPDefault"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.stock(v8)
			o.name("", v8, v8)
			var after phonesim.Flash
			cut := cutAt(c.kind, c.file)
			p, end := startWatched(t, o, phonesim.Config{Load: "P0S3-07-4-00", Want: v8}, func(p *phonesim.Phone, e phonesim.Event) {
				before := p.Result().PowerCycles
				if cut(p, e); p.Result().PowerCycles > before {
					after = p.Flash()
				}
			})
			<-p.Done()
			r := end()
			wantClean(t, r, phonesim.OutcomeReady)
			if r.PowerCycles != 1 || r.Load != v8 || r.Display != "" {
				t.Errorf("found %s after %d power cycles, it shows %q", r.Load, r.PowerCycles, r.Display)
			}
			if wantErased := c.kind == phonesim.EventFlash; after.Erased != wantErased || after.Damaged || (after.Application == "") != wantErased {
				t.Errorf("the flash after the cut is %+v", after)
			}
			for i, image := range r.Flashed {
				if want := []string{loader + ".sbn", v8 + ".sb2"}[i]; image != want {
					t.Errorf("image %d is %s, wanted %s", i, image, want)
				}
			}
		})
	}
}

// startWatched is start with somebody who watches the phone and may touch it.
func startWatched(t *testing.T, o *office, cfg phonesim.Config, watch func(*phonesim.Phone, phonesim.Event)) (*phonesim.Phone, func() phonesim.Result) {
	t.Helper()
	var p *phonesim.Phone
	cfg.OnEvent = func(e phonesim.Event) { watch(p, e) }
	return plugIn(t, o, cfg, &p)
}

func TestAPowerCutThatKillsAPhone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, from, file string }{
		{"while the loader is written", "P0S3-07-4-00", loader + ".sbn"},
		{"while an old image is written", "P0S3-05-3-00", "P0S3-06-3-00.sbn"},
		{"while an old image writes the loader", "P00305000500", loader + ".sbn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.stock(v8, "P0S3-06-3-00")
			o.name("P003-8-12-00", loader, v8)
			if strings.HasSuffix(c.file, "6-3-00.sbn") {
				o.name("P0S3", "", "P0S3-06-3-00")
			} else if c.from == "P0S3-07-4-00" {
				o.name("", v8, v8)
			}
			spared := make(chan bool, 1)
			p, end := startWatched(t, o, phonesim.Config{Load: c.from, Want: v8}, func(p *phonesim.Phone, e phonesim.Event) {
				if e.Kind != phonesim.EventFlash {
					return
				}
				what, fatal := p.Writing()
				if what != c.file || !fatal || p.Display() != "Upgrading Software" {
					t.Errorf("writes %q, fatal %v, shows %q", what, fatal, p.Display())
				}
				spared <- p.CutUnlessFatal()
				p.PowerCycle()
			})
			<-p.Done()
			if <-spared {
				t.Error("the power was cut although that is fatal")
			}
			p.PowerCycle() // helps no more
			r := end()
			if r.Outcome != phonesim.OutcomeDamaged || !p.Flash().Damaged || r.OK() || len(r.Flashed) > 0 || len(r.Faults) > 0 || r.Boots != 1 {
				t.Errorf("found %+v", r)
			}
			if !strings.Contains(r.Problem, "power was cut while "+c.file) {
				t.Errorf("found the problem %q", r.Problem)
			}
			again, end := start(t, o, phonesim.Config{Flash: p.Flash()})
			<-again.Done()
			if r := end(); r.Outcome != phonesim.OutcomeDamaged || r.Boots != 0 {
				t.Errorf("switched on again it is %s after %d boots", r.Outcome, r.Boots)
			}
		})
	}
}

func TestProtocolApplicationInvalidHealsOnceALoadIsWhole(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.stock(v8)
	o.set(func() { delete(o.files, strings.ToLower(v8+".sb2")) })
	p, end := start(t, o, phonesim.Config{State: phonesim.StateErased, LoaderID: "PAS30830"})
	shows := func(want string) {
		testkit.Eventually(t, 20*time.Second, "the phone shows "+want, func() bool { return p.Display() == want })
	}
	shows("Protocol Application Invalid")
	o.name("", v8, v8) // named, and not whole
	waits(t, p, v8+".sb2", "missing")
	if f := p.Flash(); !f.Erased || f.Application != "" || p.Display() != "Protocol Application Invalid" {
		t.Errorf("found %+v, it shows %q", f, p.Display())
	}
	o.stock(v8)
	<-p.Done()
	if p.Display() != "208" {
		t.Errorf("it shows %q", p.Display())
	}
	wantClean(t, end(), phonesim.OutcomeReady)
	if f := p.Flash(); f.Erased || f.Application != v8 || f.TFTP != o.Server || f.ImageVersion != v8 {
		t.Errorf("found %+v", f)
	}
}

func TestAPhoneWithoutPowerIsSilent(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.configure(mac(1))
	p, end := start(t, o, phonesim.Config{})
	<-p.Done()
	p.Cut()
	testkit.Eventually(t, 20*time.Second, "the phone is off", func() bool { return p.Result().WaitingFor == "its power" })
	asked := len(o.requests())
	c, err := o.probe(sipPort(p.Result().Address))
	if err == nil {
		t.Errorf("it answered %q", c)
	}
	if p.Display() != "" || len(o.requests()) != asked {
		t.Errorf("it shows %q and asked for %q", p.Display(), o.requests()[asked:])
	}
	p.Restore()
	testkit.Eventually(t, 20*time.Second, "the phone is ready again", func() bool {
		r := p.Result()
		return r.Boots == 2 && r.Step == "ready"
	})
	r := end()
	wantClean(t, r, phonesim.OutcomeReady)
	if r.PowerCycles != 1 {
		t.Errorf("found %d power cycles", r.PowerCycles)
	}
}

func TestTheFlashOfOnePhoneStartsAnother(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.stock(v8, "P00308010200")
	o.name("", v8, v8)
	p, end := start(t, o, phonesim.Config{Load: "P0S3-08-9-00", Want: v8})
	<-p.Done()
	end()
	o.name("", "P00308010200", "P00308010200")
	p, end = start(t, o, phonesim.Config{Flash: p.Flash(), Want: "P00308010200"})
	<-p.Done()
	r := end()
	wantClean(t, r, phonesim.OutcomeReady)
	if r.State != phonesim.StateSIP || r.Load != "P00308010200" {
		t.Errorf("found %s from state %s", r.Load, r.State)
	}
	if m := o.messages(); len(m) < 3 || m[2] != "REQUEST" {
		t.Errorf("found %q, wanted that it asks for the address that it had", m)
	}
}
