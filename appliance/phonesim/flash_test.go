package phonesim_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

const (
	v8     = "P0S3-8-12-00"
	loader = "P003-8-12-00"
)

// stock offers the files of loads, each loader with an id of its own.
func (o *office) stock(loads ...string) {
	for _, load := range loads {
		for name, content := range phone.MakeBundleWithID(load, phone.SyntheticIDOf(load), 2000, 3000) {
			o.put(name, string(content))
		}
	}
}

// name makes every file name one load to the phone, and OS79XX.TXT perhaps another.
func (o *office) name(os79xx, load, image string) {
	m := mac(1).Name()
	o.put("OS79XX.TXT", os79xx+"\n", "SEP"+m+".cnf.xml", sepXML(load), "SIPDefault.cnf", "image_version: "+image+"\nsntp_mode: unicast\n",
		"SIP"+m+".cnf", "line1_name: 208\n", "RINGLIST.DAT", "x\ty\n")
}

// nextStep is what a technician with phones.md c.4 and c.5 at hand puts into the files for a phone with that flash.
func (o *office) nextStep(f phonesim.Flash, target string) {
	next := map[string]string{
		"P00302010100": "P00303010102", "P00303010102": "P00305000500", "P0S30202": "P0S30203", "P0S30203": "P0S3-04-4-00",
		"P0S3-04-4-00": "P0S3-05-3-00", "P0S3-05-3-00": "P0S3-06-3-00",
	}[f.Application]
	switch {
	case f.LoaderID != "" && target[2] == '0' && f.Application == "":
		o.name(v8, v8, v8) // from SIP 6.x: SIP 7.x or later first
	case f.LoaderID != "":
		o.name(target, target, target)
	case next != "":
		o.name(next, next, next)
	default: // phase 1
		o.name(loader, loader, v8)
	}
}

// walk boots a phone whose files are changed at each boot to what it needs next.
func walk(t *testing.T, o *office, target string, cfg phonesim.Config) *phonesim.Phone {
	t.Helper()
	var p *phonesim.Phone
	cfg.Link, cfg.Ports, cfg.MAC, cfg.Want, cfg.Speed = o.link(), o.Ports, mac(1), target, 1000
	tell := cfg.OnEvent
	cfg.OnEvent = func(e phonesim.Event) {
		t.Logf("%-10s %-8s %s", e.Step, e.Kind, e.Text)
		if e.Kind == phonesim.EventBoot {
			o.nextStep(p.Flash(), target)
		}
		if tell != nil {
			tell(e)
		}
	}
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryPathOfThePallet(t *testing.T) {
	t.Parallel()
	const sccp = "P00308010200"
	tail := []string{loader + ".sbn", v8 + ".sb2"}
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{"P00302010100", v8, append([]string{"P00303010102.bin", "P00305000500.bin"}, tail...)},
		{"P00303010102", v8, append([]string{"P00305000500.bin"}, tail...)},
		{"P00305000500", v8, tail},
		{"P00308000500", v8, tail},
		{"P0S30202", v8, append([]string{"P0S30203.bin", "P0S3-04-4-00.bin", "P0S3-05-3-00.bin", "P0S3-06-3-00.sbn"}, tail...)},
		{"P0S30203", v8, append([]string{"P0S3-04-4-00.bin", "P0S3-05-3-00.bin", "P0S3-06-3-00.sbn"}, tail...)},
		{"P0S3-04-4-00", v8, append([]string{"P0S3-05-3-00.bin", "P0S3-06-3-00.sbn"}, tail...)},
		{"P0S3-05-3-00", v8, append([]string{"P0S3-06-3-00.sbn"}, tail...)},
		{"P0S3-06-3-00", v8, tail},
		{"P0S3-07-4-00", v8, tail},
		{"P0S3-08-9-00", v8, tail},
		{v8, v8, nil},
		{v8, sccp, []string{sccp + ".sbn", sccp + ".sb2"}},
		{"P0S3-06-3-00", sccp, append(slices.Clone(tail), sccp+".sbn", sccp+".sb2")},
	} {
		for _, model := range []string{"7940", "7960"} {
			t.Run(c.from+" to "+c.to+" on a "+model, func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				o.stock("P00303010102", "P00305000500", "P0S30203", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-06-3-00", v8, sccp)
				r := walk(t, o, c.to, phonesim.Config{Load: c.from, Model: model}).Result()
				wantClean(t, r, phonesim.OutcomeReady)
				boots := len(c.want) + 1
				if c.to == sccp && c.from != v8 { // 8.12 started before its files named SCCP
					boots++
				}
				if diff := cmp.Diff(c.want, r.Flashed); diff != "" || r.Load != c.to || r.Boots != boots {
					t.Errorf("found %s after %d boots, flashed (want, got): %s", r.Load, r.Boots, diff)
				}
			})
		}
	}
}

func TestAStepThatTheLadderForbidsRuinsThePhone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, os79xx, load string }{
		{"P0S3-04-4-00", "P003-07-4-00", "P0S3-04-4-00"},
		{"P00303020214", "", "P003-07-4-00"},
		{"P00303020214", "P0S3-04-4-00", ""},
		{"P0S3-06-3-00", "P00308010200", "P0S3-06-3-00"},
		{"P0S3-05-3-00", "P003-07-4-00", "P0S3-05-3-00"},
		{"P0S30203", "", "P0S3-05-3-00"},
		{"P0S3-06-3-00", "P00305000500", "P0S3-06-3-00"},
		{v8, "", "P00306000200"},
	} {
		t.Run(c.from+" given "+c.os79xx+" or "+c.load, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.stock("P0S3-07-4-00", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-06-3-00", "P00308010200", "P00306000200", "P00305000500")
			o.name(c.os79xx, c.load, c.load)
			if c.os79xx == "" {
				o.put("OS79XX.TXT", c.from[:4]+"\n")
			}
			r := run(t, o, phonesim.Config{MAC: mac(1), Load: c.from})
			if r.Outcome != phonesim.OutcomeDamaged || !r.Damaged || r.OK() || r.Display != "" {
				t.Errorf("found %s, shows %q, flashed %q, wanted a dead phone", r.Outcome, r.Display, r.Flashed)
			}
			if len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "while running "+c.from) || !strings.Contains(r.Faults[0], "phones.md c.4 does not allow") {
				t.Errorf("found the faults %q", r.Faults)
			}
		})
	}
}

func TestWhatAPhoneRefusesLeavesItsFlashAlone(t *testing.T) {
	t.Parallel()
	sbn := func(name string) string {
		return string(phone.MakeContainer(name, phone.MakePayload("P0S3-06-3-00", "PAS3ARM1", 3000)))
	}
	bin := string(phone.MakePayload("P0S3-05-3-00", "PAS3ARM1", 3000))
	list := string(phone.MakeBundle(v8, 0, 0)[v8+".loads"])
	for _, c := range []struct{ name, from, load, file, content, want string }{
		{"a signed file that was renamed", "P0S3-05-3-00", "P0S3-06-3-00", "P0S3-06-3-00.sbn", sbn("P0S3-06-1-00.sbn"), "signed as"},
		{"an unsigned file after a signed one", "P0S3-05-3-00", "P0S3-06-3-00", "P0S3-06-3-00.sbn", bin, "no signed header"},
		{"a signed file before the first", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-05-3-00.bin", sbn("P0S3-05-3-00.bin"), "takes only unsigned"},
		{"a signed file cut within its header", "P0S3-05-3-00", "P0S3-06-3-00", "P0S3-06-3-00.sbn", sbn("P0S3-06-3-00.sbn")[:200], "the file ends at"},
		{"a signed file cut before its id", "P0S3-05-3-00", "P0S3-06-3-00", "P0S3-06-3-00.sbn", sbn("P0S3-06-3-00.sbn")[:600], "truncated"},
		{"an unsigned file cut before its id", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-05-3-00.bin", bin[:0x128], "truncated"},
		{"an empty file", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-05-3-00.bin", "", "truncated"},
		{"a list cut in its last line", "P0S3-07-4-00", v8, v8 + ".loads", list[:len(list)-4], "truncated"},
		{"an application cut before its id", "P0S3-08-9-00", v8, v8 + ".sb2", string(signed(v8+".sb2", image(v8, "PAS3ARM1", 900)[:100])), "truncated"},
		{"an application that was renamed", "P0S3-08-9-00", v8, v8 + ".sb2", string(signed("P0S3-8-11-00.sb2", image(v8, "PAS3ARM1", 900))), "signed as"},
		{"a loader that was renamed", "P0S3-07-4-00", v8, loader + ".sbn", string(signed("x.sbn", image(loader, "PAS30830", 900))), "signed as"},
		{"an application that is missing", "P0S3-08-9-00", v8, v8 + ".sb2", "-", ""},
		{"a loader that is missing", "P0S3-07-4-00", v8, loader + ".sbn", "-", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.stock(v8)
			o.name(c.from, c.load, c.load)
			o.put(c.file, c.content)
			if c.content == "-" {
				o.set(func() { delete(o.files, strings.ToLower(c.file)) })
			}
			cfg := phonesim.Config{MAC: mac(1), Load: c.from, Want: c.load}
			if strings.Contains(c.file, "8-12-00.sb2") {
				cfg.LoaderID = "PAS30830"
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			wanted := 0
			cfg.OnEvent = func(e phonesim.Event) {
				// It asks again, or, without the loader, it goes on with what it has.
				if e.Kind == phonesim.EventRequest && e.File == c.file {
					wanted++
				}
				if wanted == 2 || wanted == 1 && e.File == "RINGLIST.DAT" {
					cancel()
				}
			}
			r := runUntil(ctx, t, o.link(), o, cfg)
			if r.Load != c.from || len(r.Flashed) > 0 || r.Boots != 1 || r.OK() || r.Damaged || r.Erased {
				t.Errorf("found %s after %d boots, flashed %q, wanted that nothing is written", r.Load, r.Boots, r.Flashed)
			}
			if c.want == "" && len(r.Faults) > 0 || c.want != "" && (len(r.Faults) != 1 || !strings.Contains(r.Faults[0], c.want)) {
				t.Errorf("found the faults %q, wanted %q", r.Faults, c.want)
			}
		})
	}
}

func TestAnUnsignedImageThatWasRenamedRunsAsWhatItIs(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.name("P0S3", "", "P0S3-05-3-00")
	o.put("P0S3-05-3-00.bin", string(phone.MakePayload("P0S3-05-3-01", "PAS3ARM1", 3000)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := runUntil(ctx, t, o.link(), o, phonesim.Config{MAC: mac(1), Load: "P0S3-04-4-00", OnEvent: func(e phonesim.Event) {
		if e.Kind == phonesim.EventBoot && strings.Contains(e.Text, "boot 2") {
			cancel()
		}
	}})
	if r.Load != "P0S3-05-3-01" || len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "renamed") {
		t.Errorf("found %s, faults %q", r.Load, r.Faults)
	}
}

func TestAnImageWithShortNamesCannotAskForALongOne(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.stock("P0S3-04-4-00")
	o.name("P003-8-12-00", "", "P0S3-04-4-00")
	r := run(t, o, phonesim.Config{MAC: mac(1), Load: "P0S30202"})
	wantClean(t, r, phonesim.OutcomeReady)
	for _, name := range o.requests() {
		if strings.HasPrefix(name, "P0") {
			t.Errorf("it asked for %s", name)
		}
	}
}

func TestSCCPBeforeXMLKnowsOnlyTwoFiles(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.stock("P00303010102")
	o.put("SEP"+mac(1).Name()+".cnf.xml", sepXML("P00303010102"))
	o.put("OS79XX.TXT", "P00302010100\n")
	r := run(t, o, phonesim.Config{MAC: mac(1), Load: "P00302010100", Want: "P00303010102", OnEvent: func(e phonesim.Event) {
		if n := len(o.requests()); e.Kind == phonesim.EventMissing && n > 9 { // it asks over and over
			o.put("OS79XX.TXT", "P00303010102\n")
		}
	}})
	wantClean(t, r, phonesim.OutcomeReady)
	wantAsked(t, o, "OS79XX.TXT", "SEPDefault.cnf", "SEPDefault.cnf", "SEPDefault.cnf", "SEPDefault.cnf", "SEPDefault.cnf", "SEPDefault.cnf", "OS79XX.TXT")
	if diff := cmp.Diff([]string{"P00303010102.bin"}, r.Flashed); diff != "" {
		t.Errorf("what was flashed (want, got): %s", diff)
	}
}

// waits polls until the phone says that it waits for something.
func waits(t *testing.T, p *phonesim.Phone, what, problem string) {
	t.Helper()
	testkit.Eventually(t, 20*time.Second, "the phone waits for "+what+", "+problem, func() bool {
		r := p.Result()
		return r.WaitingFor == what && strings.Contains(r.Problem, problem)
	})
}

// start boots a phone that stays, and returns what ends it.
func start(t *testing.T, o *office, cfg phonesim.Config) (*phonesim.Phone, func() phonesim.Result) {
	t.Helper()
	var p *phonesim.Phone
	return plugIn(t, o, cfg, &p)
}

// plugIn is start; *made is set before the phone is switched on.
func plugIn(t *testing.T, o *office, cfg phonesim.Config, made **phonesim.Phone) (*phonesim.Phone, func() phonesim.Result) {
	t.Helper()
	cfg.Link, cfg.Ports, cfg.MAC, cfg.Stay = o.link(), o.Ports, mac(1), true
	if cfg.Speed == 0 {
		cfg.Speed = 1000
	}
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	*made = p
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	end := func() phonesim.Result { cancel(); <-ended; return p.Result() }
	t.Cleanup(func() { end() })
	return p, end
}

func TestAWaitingPhoneFindsALaterOffer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, want string }{{"P00303010102", "P00305000500"}, {"P00308000500", "P00308010200"}} {
		t.Run(c.from, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.stock(c.from, c.want)
			o.put("OS79XX.TXT", c.from+"\n", "XMLDefault.cnf.xml", "<Default><loadInformation7>"+c.from+"</loadInformation7></Default>")
			p, end := start(t, o, phonesim.Config{Load: c.from, Want: c.want})
			waits(t, p, "the load "+c.want, "its files name "+c.from)
			o.put("XMLDefault.cnf.xml", "<Default></Default>")
			waits(t, p, "the load "+c.want, "no file names a load")
			o.put("SEP"+mac(1).Name()+".cnf.xml", sepXML(c.want))
			<-p.Done()
			wantClean(t, end(), phonesim.OutcomeReady)
		})
	}
}

func TestAPhoneOnSIPThatRunsTheWrongLoadStaysAndObeysCheckSync(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.stock(v8)
	o.name("P0S3", "P0S3-05-3-00", "P0S3-05-3-00")
	o.put("P0S3-06-3-00.sbn", string(phone.MakeBundle("P0S3-06-3-00", 0, 3000)["P0S3-06-3-00.sbn"]))
	p, end := start(t, o, phonesim.Config{Load: "P0S3-05-3-00", Want: "P0S3-06-3-00"})
	waits(t, p, "the load P0S3-06-3-00", "its files name P0S3-05-3-00")
	o.name("P0S3", "", "P0S3-06-3-00")
	o.put("syncinfo.xml", `<IMAGE VERSION="*" SYNC="2"/>`)
	at := p.Result().Address
	if answer := call(t, o.Server, sipPort(at), "OPTIONS", ""); !strings.Contains(answer, "User-Agent: CSCO/5\r\n") {
		t.Errorf("found %q", answer)
	}
	call(t, o.Server, sipPort(at), "NOTIFY", "Event: check-sync\r\n")
	<-p.Done()
	wantClean(t, end(), phonesim.OutcomeReady)
}
