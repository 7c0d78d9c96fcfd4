package e2e_test

import (
	"html"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// plantedFault is something wrong with the firmware shelf, a phone that needs it, and what a technician has to read.
type plantedFault struct {
	name  string
	runs  string // what the phone runs
	to    string // what it should run
	files map[string][]byte
	says  []string // in its conversion
	shelf []string // on the page of the shelf
}

// without takes files away.
func without(files map[string][]byte, names ...string) map[string][]byte {
	files = maps.Clone(files)
	for _, name := range names {
		if files[name] == nil {
			panic("there is no file " + name)
		}
		delete(files, name)
	}
	return files
}

// only keeps one file.
func only(files map[string][]byte, name string) map[string][]byte {
	return map[string][]byte{name: files[name]}
}

// renamedTo stores an image of one load under the name of another.
func renamedTo(files map[string][]byte, name string, content []byte) map[string][]byte {
	files = maps.Clone(files)
	files[name] = content
	return files
}

// plantedFaults is a fault for each rule of what may be sent.
func plantedFaults() []plantedFault {
	const missing, renamed, truncated, short, unsigned, wrong = "P0S3-8-12-00", "P0S3-08-9-00", "P0S3-08-6-00", "P0S3-08-5-00", "P0S3-06-3-00", "P0S3-04-4-00"
	list := wholeLoads(truncated)
	list[truncated+".loads"] = list[truncated+".loads"][:len(list[truncated+".loads"])-20]
	cut := wholeLoads(short)
	cut[short+".sb2"] = cut[short+".sb2"][:20_000]
	return []plantedFault{
		{
			"the application is missing", "P0S3-07-4-00", missing, without(wholeLoads(missing), missing+".sb2"),
			[]string{missing + ".sb2", "not on the firmware shelf", "Upload"},
			[]string{missing, "missing: " + missing + ".sb2"},
		},
		{
			"an application under the name of another", "P0S3-07-4-00", renamed,
			renamedTo(wholeLoads(renamed), renamed+".sb2", wholeLoads("P0S3-08-8-00")["P0S3-08-8-00.sb2"]),
			[]string{renamed + ".sb2", "renamed", "P0S3-08-8-00.sb2"},
			[]string{"renamed: the image inside is P0S3-08-8-00.sb2"},
		},
		{
			"a list that is cut off", "P0S3-07-4-00", truncated, list,
			[]string{truncated + ".loads", "cut off"},
			[]string{truncated + ".loads", "cut off"},
		},
		{
			"an application that is cut off", "P00308000500", short, cut,
			[]string{short + ".sb2", "cut off"},
			[]string{short + ".sb2", "cut off: it has 20000 bytes"},
		},
		{
			"an unsigned image where a signed one is needed", "P0S3-05-3-00", "P0S3-07-4-00", only(wholeLoads(unsigned), unsigned+".bin"),
			[]string{unsigned + ".sbn", "not on the firmware shelf", "Upload"},
			nil,
		},
		{
			"an unsigned image under the name of another", "P0S30203", wrong,
			map[string][]byte{wrong + ".bin": wholeLoads("P0S3-03-2-00")["P0S3-03-2-00.bin"]},
			[]string{wrong + ".bin", "renamed", "P0S3-03-2-00"},
			[]string{wrong + ".bin", "renamed: the image inside is P0S3-03-2-00"},
		},
	}
}

// plantedBox is a box with phones and what it needs to plug them in.
type plantedBox struct {
	*box
	wire *phonesim.Wire
}

// plantBox starts a box with phones that a site describes each.
func plantBox(t *testing.T, s site, files map[string][]byte) plantedBox {
	t.Helper()
	lan := office(t, testkit.Host{Name: "wire"})
	b := startBox(t, lan, s.text(), files)
	b.setClock()
	return plantedBox{b, newWire(t, lan.Node("wire"))}
}

// plug switches a phone of a planted fault on.
func (b plantedBox) plug(t *testing.T, mac phone.MAC, runs, want string) *palletPhone {
	t.Helper()
	f := &palletPhone{mac: mac, model: "7960", from: runs}
	cfg := phonesim.Config{Link: b.wire, Load: runs, Want: want}
	if l, ok := phone.ParseLoad(runs); ok && l.Universal() {
		cfg.LoaderID = phone.SyntheticIDOf(runs)
	}
	plugPallet(t, f, cfg)
	t.Cleanup(func() {
		if t.Failed() {
			f.tellTrail(t, b.with(t))
		}
	})
	return f
}

// waitPhase waits until a phone's conversion is in a phase, for as long as that can take, and says the words.
func (b plantedBox) waitPhase(t *testing.T, f *palletPhone, limit time.Duration, phase string, says ...string) conversion {
	t.Helper()
	var c conversion
	defer func() {
		if t.Failed() {
			t.Logf("the box says of %s last: %s", f.mac, c.words())
		}
	}()
	testkit.Eventually(t, limit, "the conversion of "+f.mac.String()+" is "+phase+" and says "+strings.Join(says, ", "), func() bool {
		c = b.box.with(t).conversion(f.mac)
		return c.Phase == phase && holdsAll(c.Text, says)
	})
	return c
}

func holdsAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// waitSettled waits until a phone is done with its boot: a SIP application runs, or an SCCP one got what it asks for.
func waitSettled(t *testing.T, f *palletPhone) {
	t.Helper()
	testkit.Eventually(t, time.Minute, f.mac.String()+" is done with its boot", func() bool {
		r := f.Result()
		if answersSIP(r) {
			return true
		}
		font, ok := r.File("/7960-font.xml")
		return ok && font.Boot == r.Boots
	})
}

// restart cuts the power of a phone for a moment and waits until it is done with its boot.
func restart(t *testing.T, f *palletPhone) {
	t.Helper()
	boots := f.Result().Boots
	f.PowerCycle()
	testkit.Eventually(t, time.Minute, f.mac.String()+" boots", func() bool { return f.Result().Boots > boots })
	waitSettled(t, f)
}

// untouched checks that a phone is as it came.
func untouched(t *testing.T, f *palletPhone) {
	t.Helper()
	r := f.Result()
	if len(r.Flashed) > 0 || len(r.Faults) > 0 || r.Load != f.from || r.Erased || r.Damaged {
		t.Errorf("phone %s wrote %v and runs %q, faults %v: wanted it untouched on %s", f.mac, r.Flashed, r.Load, r.Faults, f.from)
	}
	if slices.Contains([]string{"Image Authentication Failed", "Protocol Application Invalid", "Upgrading Software"}, r.Display) {
		t.Errorf("phone %s shows %q", f.mac, r.Display)
	}
	for _, file := range r.Files {
		if isFirmware(file.Name) && file.Answer == phonesim.AnswerGot {
			t.Errorf("phone %s got %s", f.mac, file.Name)
		}
	}
}

// page returns a page as people read it.
func (b plantedBox) page(t *testing.T, path string) string {
	t.Helper()
	code, body, _ := b.box.with(t).call(b.laptop, http.MethodGet, path, nil)
	if code != http.StatusOK {
		t.Fatalf("GET %s: found %d", path, code)
	}
	return html.UnescapeString(string(body))
}

// TestPlantedFaults plants a fault for each rule of what may be sent to a phone: it is refused with the sentence that a
// technician needs, and no phone is touched. What is mended goes on by itself.
func TestPlantedFaults(t *testing.T) {
	waiting.enter(t)
	base := mustMAC("00:06:d7:71:00:00")
	faults := plantedFaults()
	files := wholeLoads("P0S3-07-4-00", "P0S3-05-3-00", "P0S30203")
	s := site{}
	for i, f := range faults {
		files = joined(files, f.files)
		s.phones = append(s.phones, sitePhone{mac: phonesim.AddMAC(base, i), label: f.name, line: itoa(300 + i), more: `load = "` + f.to + `"`})
	}
	b := plantBox(t, s, files)
	for i, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			f := b.plug(t, phonesim.AddMAC(base, i), fault.runs, fault.to)
			waitSettled(t, f)
			b.waitPhase(t, f, 3*time.Minute, "blocked", fault.says...)
			untouched(t, f)
			restart(t, f)
			c := b.waitPhase(t, f, 3*time.Minute, "blocked", fault.says...)
			untouched(t, f)
			t.Logf("the box says: %s", c.words())
			if !holdsAll(strings.Join(c.Missing, " "), fault.says[:1]) {
				t.Errorf("found missing %q, wanted %s among them", c.Missing, fault.says[0])
			}
			code, plan, body := b.box.with(t).plan(fault.runs, fault.to)
			if code != http.StatusOK || !holdsAll(strings.Join(plan.Missing, " "), []string{fault.says[0], "upload it"}) {
				t.Errorf("the plan: found %d %s, wanted that %s is missing and what to do", code, body, fault.says[0])
			}
			if page := b.page(t, "/firmware"); !holdsAll(page, fault.shelf) {
				t.Errorf("the page of the shelf does not say %q:\n%s", fault.shelf, page)
			}
		})
	}
}

// TestPlantedFaultMended uploads the file that is missing: the phone goes on by itself.
func TestPlantedFaultMended(t *testing.T) {
	waiting.enter(t)
	const to = "P0S3-8-12-00"
	mac := mustMAC("00:06:d7:71:01:00")
	whole := wholeLoads(to)
	b := plantBox(t, site{firmware: `target = "` + to + `"`, phones: listed(mac, 1)}, without(whole, to+".sb2"))
	f := b.plug(t, mac, "P0S3-07-4-00", to)
	waitSettled(t, f)
	b.waitPhase(t, f, time.Minute, "blocked", to+".sb2")
	for name, bad := range map[string]struct {
		content []byte
		why     string
	}{
		"P0S3-8-12-00.sb2":   {wholeLoads("P0S3-08-9-00")["P0S3-08-9-00.sb2"], "it was renamed: the image inside is P0S3-08-9-00.sb2"},
		"P0S3-8-12-00.loads": {whole[to+".loads"][:len(whole[to+".loads"])-12], "cut off"},
		"P003-8-12-00.sbn":   {whole["P003-8-12-00.bin"], "it is not a signed image"},
		"P0S3-04-4-00.bin":   {wholeLoads("P0S30203")["P0S30203.bin"], "it was renamed: the image inside is P0S30203"},
	} {
		if code, answer := b.upload(map[string][]byte{name: bad.content}); code != http.StatusUnprocessableEntity || !strings.Contains(answer, bad.why) {
			t.Errorf("uploading a bad %s: found %d %s, wanted 422 and %q", name, code, answer, bad.why)
		}
	}
	untouched(t, f)
	if code, answer := b.upload(only(whole, to+".sb2")); code != http.StatusOK {
		t.Fatalf("uploading %s.sb2: found %d %s", to, code, answer)
	}
	mended := time.Now()
	waitOn(t, f, to, 3*time.Minute)
	t.Logf("FIGURE a missing file is mended: the phone runs its target %.0f s later, by itself", time.Since(mended).Seconds())
	b.waitPhase(t, f, time.Minute, "arrived")
	if r := f.Result(); len(r.Faults) > 0 || !slices.Equal(r.Flashed, []string{"P003-8-12-00.sbn", to + ".sb2"}) {
		t.Errorf("wrote %v, faults %v", r.Flashed, r.Faults)
	}
}

// waitOn waits until a phone runs a load and is done with its boot.
func waitOn(t *testing.T, f *palletPhone, load string, limit time.Duration) {
	t.Helper()
	testkit.Eventually(t, limit, f.mac.String()+" runs "+load+" and is ready", func() bool {
		r := f.Result()
		return r.Load == load && r.Step == phone.Ready
	})
}

// TestPlantedFaultUnknown boots phones of which nothing tells what they run: nothing is named to them. Where a person says
// what one runs, it goes on.
func TestPlantedFaultUnknown(t *testing.T) {
	waiting.enter(t)
	base := mustMAC("00:06:d7:71:02:00")
	s := site{sip: "enabled = false", firmware: `target = "` + palletSIP + `"`, phones: listed(base, 3)}
	b := plantBox(t, s, wholeLoads("P0S30203", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-06-3-00", "P0S3-07-4-00", palletSIP, "P00305000500"))
	t.Run("SIP that answers no OPTIONS", func(t *testing.T) {
		f := b.plug(t, base, "P0S3-06-3-00", palletSIP)
		waitSettled(t, f)
		says := []string{"not known which load this SIP phone runs", "SIP 2.x to 6.x", `runs = "`}
		b.waitPhase(t, f, 30*time.Second, "blocked", says...)
		restart(t, f)
		c := b.waitPhase(t, f, 30*time.Second, "blocked", says...)
		t.Logf("the box says: %s", c.words())
		untouched(t, f)
		b.box.with(t).editSite(`label = "Desk 1"`, "label = \"Desk 1\"\nruns = \"P0S3-06-3-00\"")
		// The box cannot restart it, for SIP is off: a person does, and reads when.
		c = b.waitPhase(t, f, 30*time.Second, "going", "its next start shows")
		t.Logf("the box says: %s", c.words())
		testkit.Eventually(t, 3*time.Minute, "the phone gets there by power cycles", func() bool {
			if r := f.Result(); r.Load == palletSIP && r.Step == phone.Ready {
				return true
			}
			if c := b.box.with(t).conversion(f.mac); c.Unplug && answersSIP(f.Result()) && f.Result().Load == "P0S3-06-3-00" && f.CutUnlessFatal() {
				f.Restore()
				waitSettledOrWriting(t, f)
			}
			return false
		})
		if r := f.Result(); len(r.Faults) > 0 || !slices.Equal(r.Flashed, []string{"P003-8-12-00.sbn", palletSIP + ".sb2"}) {
			t.Errorf("wrote %v, faults %v", r.Flashed, r.Faults)
		}
	})
	t.Run("SCCP too old for XML, without its rung", func(t *testing.T) {
		f := b.plug(t, phonesim.AddMAC(base, 1), "P00302000100", palletSIP)
		c := b.waitPhase(t, f, time.Minute, "blocked", "SCCP from before XML", "P00303010102.bin", "Upload")
		t.Logf("the box says: %s", c.words())
		untouched(t, f)
	})
	t.Run("neither SIP nor SCCP shows", func(t *testing.T) {
		f := b.plug(t, phonesim.AddMAC(base, 2), "P0M3-04-0-00", "")
		c := b.waitPhase(t, f, time.Minute, "blocked", "not known yet which load", `runs = "`)
		t.Logf("the box says: %s", c.words())
		untouched(t, f)
	})
}

// waitSettledOrWriting waits until a phone that was restarted is done with its boot or writes an image.
func waitSettledOrWriting(t *testing.T, f *palletPhone) {
	t.Helper()
	boots := f.Result().Boots
	testkit.Eventually(t, time.Minute, f.mac.String()+" starts", func() bool {
		what, _ := f.Writing()
		r := f.Result()
		return what != "" || r.Boots > boots && answersSIP(r)
	})
}

// TestPlantedFaultThreeTries gives a phone an image that it refuses: after three tries it is left alone on what it runs, with
// the reason, until a person has put that right and says so. (A phone from before the loader takes two minutes for each try,
// for the box cannot see that it writes nothing; the tests of convert have it.)
func TestPlantedFaultThreeTries(t *testing.T) {
	waiting.enter(t)
	mac := mustMAC("00:06:d7:71:03:00")
	const from, to, bad = "P0S3-07-4-00", "P0S3-8-12-00", "P0S3-8-12-00.sb2"
	b := plantBox(t, site{firmware: `target = "` + from + `"`, phones: listed(mac, 1)},
		joined(wholeLoads(from, to), map[string][]byte{bad: badForPhones(bad)}))
	f := b.plug(t, mac, from, "")
	waitSettled(t, f)
	b.waitPhase(t, f, 3*time.Minute, "arrived", from)
	b.editSite(from, to)
	failed := b.waitPhase(t, f, 3*time.Minute, "failed", "Three tries of the step to "+to, bad, "Image Authentication Failed")
	t.Logf("after %d tries the box says: %s", failed.Attempts, failed.words())
	// The loader went with its load: that of 8.12 came first, and that of 7.4 again when the phone is to stay there.
	flashed := []string{"P003-8-12-00.sbn", "P003-07-4-00.sbn"}
	testkit.Eventually(t, time.Minute, "it is back on "+from, func() bool {
		r := f.Result()
		return r.Load == from && r.Step == phone.Ready && slices.Equal(r.Flashed, flashed)
	})
	if body, _ := b.file(mac, "SIPDefault.cnf"); !strings.Contains(strings.ReplaceAll(string(body), `"`, ""), "image_version: "+from) {
		t.Errorf("SIPDefault.cnf does not name %s:\n%s", from, body)
	}
	restart(t, f) // which alone begins nothing
	if r := f.Result(); !slices.Equal(r.Flashed, flashed) || r.Load != from {
		t.Errorf("after a restart it runs %q and wrote %v", r.Load, r.Flashed)
	}
	b.waitPhase(t, f, 10*time.Second, "failed")
	if code, answer := b.upload(only(wholeLoads(to), bad)); code != http.StatusOK {
		t.Fatalf("uploading a good %s: found %d %s", bad, code, answer)
	}
	b.order(mac, "go")
	waitOn(t, f, to, 3*time.Minute)
	b.waitPhase(t, f, time.Minute, "arrived", to)
	if then, want := f.Result().Flashed[len(flashed):], []string{"P003-8-12-00.sbn", bad}; !slices.Equal(then, want) {
		t.Errorf("after go it wrote %v, wanted %v", then, want)
	}
}

// badForPhones makes a signed image that the box has no reason to refuse and phones do: its name ends in two NULs.
func badForPhones(name string) []byte {
	return phone.MakeContainer(name+"\x00", phone.MakePayload(strings.TrimSuffix(name, path.Ext(name)), "PAS3ARM1", 200_000))
}

// TestPlantedOrders pins phones, leaves them out, stops them and puts one before the others.
func TestPlantedOrders(t *testing.T) {
	waiting.enter(t)
	base := mustMAC("00:06:d7:71:04:00")
	const from, to = "P0S3-07-4-00", "P0S3-8-12-00"
	whole := []string{"P003-8-12-00.sbn", to + ".sb2"}
	phones := listed(base, 4)
	phones[0].more, phones[1].more = `load = "stay"`, `load = "stay"`
	b := plantBox(t, site{firmware: `target = "` + to + `"`, phones: phones}, wholeLoads(from, to))

	t.Run("pin", func(t *testing.T) {
		t.Parallel()
		f := b.plug(t, base, from, from)
		waitSettled(t, f)
		for range 3 {
			b.waitPhase(t, f, time.Minute, "arrived", "leaves it on what it runs")
			untouchedButLists(t, f)
			restart(t, f)
		}
	})
	t.Run("pin a phone whose load is not on the shelf", func(t *testing.T) {
		t.Parallel()
		f := &palletPhone{mac: phonesim.AddMAC(base, 1), model: "7940", from: "P0S3-08-9-00", cdp: true}
		plugPallet(t, f, phonesim.Config{Link: b.wire, Load: f.from, LoaderID: phone.SyntheticIDOf(f.from)})
		t.Cleanup(func() {
			if t.Failed() {
				f.tellTrail(t, b.with(t))
			}
		})
		waitSettled(t, f)
		for range 3 {
			b.waitPhase(t, f, time.Minute, "arrived", "leaves it on what it runs")
			untouched(t, f)
			restart(t, f)
		}
	})
	for i, order := range []string{"skip", "stop"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			mac := phonesim.AddMAC(base, 2+i)
			b.box.with(t).order(mac, order)
			f := b.plug(t, mac, from, "")
			phase := map[string]string{"skip": "skipped", "stop": "stopped"}[order]
			waitSettled(t, f)
			for range 2 {
				b.waitPhase(t, f, time.Minute, phase, "Go on to convert it")
				untouchedButLists(t, f)
				restart(t, f)
			}
			if order == "stop" {
				if body, status := b.box.with(t).file(mac, "SEP"+mac.Name()+".cnf.xml"); status == "ok" {
					t.Errorf("it was stopped and is told a load: %s", body)
				}
			}
			b.box.with(t).order(mac, "go")
			waitOn(t, f, to, 3*time.Minute)
			b.waitPhase(t, f, time.Minute, "arrived")
			if r := f.Result(); len(r.Faults) > 0 || !slices.Equal(r.Flashed, whole) {
				t.Errorf("after go it wrote %v, faults %v", r.Flashed, r.Faults)
			}
		})
	}
}

// untouchedButLists is untouched for a phone that may read the list of its own load.
func untouchedButLists(t *testing.T, f *palletPhone) {
	t.Helper()
	r := f.Result()
	if len(r.Flashed) > 0 || len(r.Faults) > 0 || r.Load != f.from || r.Erased || r.Damaged {
		t.Errorf("phone %s wrote %v and runs %q, faults %v: wanted it untouched on %s", f.mac, r.Flashed, r.Load, r.Faults, f.from)
	}
}

// TestPlantedNext converts one phone at a time and puts the last of the line first.
func TestPlantedNext(t *testing.T) {
	waiting.enter(t)
	base := mustMAC("00:06:d7:71:05:00")
	const from, to = "P0S3-07-4-00", "P0S3-8-12-00"
	b := plantBox(t, site{firmware: "target = \"" + to + "\"\nparallel = 1", phones: listed(base, 3)}, wholeLoads(from, to))
	var phones []*palletPhone
	for i := range 3 {
		f := &palletPhone{mac: phonesim.AddMAC(base, i), model: "7960", from: from}
		plugPallet(t, f, phonesim.Config{Link: b.wire, Load: from, LoaderID: phone.SyntheticIDOf(from), Want: to, Speed: 4})
		phones = append(phones, f)
		phase := "waiting"
		if i == 0 {
			phase = "going"
		}
		b.waitPhase(t, f, time.Minute, phase)
	}
	b.order(phones[2].mac, "next")
	var order []phone.MAC
	testkit.Eventually(t, 5*time.Minute, "all phones get there", func() bool {
		going := 0
		for _, f := range phones {
			r := f.Result()
			if len(r.Flashed) > 0 && !slices.Contains(order, f.mac) {
				order = append(order, f.mac)
			}
			if what, _ := f.Writing(); what != "" {
				going++
			}
		}
		if going > 1 {
			t.Fatalf("%d phones write at once, allowed was one", going)
		}
		return !slices.ContainsFunc(phones, func(f *palletPhone) bool { return f.Result().Load != to || f.Result().Step != phone.Ready })
	})
	if want := []phone.MAC{phones[0].mac, phones[2].mac, phones[1].mac}; !slices.Equal(order, want) {
		t.Errorf("the phones were converted in the order %v, wanted %v", order, want)
	}
}
