package provision_test

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

// Promise 4: passwords go only to their phone.

func TestPasswordsGoOnlyToTheirPhone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.seenAt[laptopAt] = reception // the laptop once was seen as the reception; its frames say otherwise
	p, _ := start(t, office(), w, nil)
	for _, from := range []netip.Addr{workshopAt, strangerAt, laptopAt} {
		for _, name := range []string{"SIP0006D7AA2A2E.cnf", "./sip0006d7aa2a2e.cnf", "x/SIP0006D7AA2A2E.cnf"} {
			a, _ := ask(t, p, provision.Query{Name: name, From: from})
			if a.Status != provision.Refused || !strings.Contains(a.Why, "carry another address") {
				t.Errorf("%s asked %s: %+v", from, name, a)
			}
		}
	}
	if len(w.released) != 0 {
		t.Errorf("a release was reported: %v", w.released)
	}
	a, got := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: receptionAt})
	if a.Status != provision.OK || !a.Secret || !strings.Contains(got, "hunter2") {
		t.Errorf("the phone itself: %+v", a)
	}
	want := []provision.Release{{MAC: reception, From: receptionAt, Name: "SIP0006D7AA2A2E.cnf"}}
	if !slices.Equal(w.released, want) {
		t.Errorf("released %v, want %v", w.released, want)
	}
}

func TestNoFileForAllHoldsASecret(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Parameters = map[string]string{"Phone_Password": "opensesame", "line2_password": "sitewide", "my_vendor_password": "forced", "call_waiting": "0"}
	w := newWorld()
	p, _ := start(t, cfg, w, bundle(target))
	secrets := []string{"opensesame", "sitewide", "forced", "hunter2", "swordfish"}
	for _, name := range []string{"SIPDefault.cnf", "XMLDefault.cnf.xml", "OS79XX.TXT", "RINGLIST.DAT", "dialplan.xml", "syncinfo.xml", "SEP0006D7AA2A2E.cnf.xml"} {
		_, got := ask(t, p, provision.Query{Name: name, From: receptionAt})
		for _, s := range secrets {
			if strings.Contains(got, s) {
				t.Errorf("%s holds %s", name, s)
			}
		}
	}
	_, got := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: receptionAt})
	for _, want := range []string{"phone_password: \"opensesame\"", "line2_password: \"swordfish\"", "my_vendor_password: \"forced\"", "call_waiting: 0"} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("the phone's file lacks %s", want)
		}
	}
	a, got := ask(t, p, provision.Query{Name: "SIP00156200A1B2.cnf", From: workshopAt})
	if !strings.Contains(got, "opensesame") || !strings.Contains(got, "line2_password: \"sitewide\"") || !a.Secret {
		t.Error("a site-wide secret did not reach every phone")
	}
}

func TestOpenConfig(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Phones[0].OpenConfig = true
	w := newWorld()
	p, _ := start(t, cfg, w, nil)
	a, _ := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: laptopAt})
	if a.Status != provision.OK || len(w.released) != 1 || w.released[0].From != laptopAt {
		t.Errorf("%+v, released %v", a, w.released)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.wire, w.seenAt = nil, nil // the page does not depend on the wire
	p, _ := start(t, office(), w, nil)
	a, _ := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", MAC: reception})
	if a.Status != provision.OK || a.MAC != reception {
		t.Errorf("the phone's file: %+v", a)
	}
	if a, _ := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", MAC: workshop}); a.Status != provision.Refused {
		t.Errorf("another phone's file: %+v", a)
	}
	if len(w.released) != 1 || w.released[0].From.IsValid() {
		t.Errorf("released %v", w.released)
	}
}

// Promises 6 and 9, and the first steps of the ladder: what each file names.

// named is what the files name for a phone; "-" stands for a file that it does not get.
type named struct{ os79xx, sep, xmlDefault, sipDefault, sip string }

func namedFor(t *testing.T, p *provision.Provisioner, mac phone.MAC, from netip.Addr) named {
	t.Helper()
	load := func(name string) string {
		a, got := ask(t, p, provision.Query{Name: name, From: from})
		if a.Status != provision.OK {
			return "-"
		}
		if a.Load != "" && !strings.Contains(got, a.Load) || a.Load == "" && (strings.Contains(got, "image_version") || strings.Contains(got, "oadInformation")) {
			t.Errorf("%s names another load than %q:\n%s", name, a.Load, got)
		}
		return a.Load
	}
	return named{
		load("OS79XX.TXT"), load("SEP" + mac.Name() + ".cnf.xml"), load("XMLDefault.cnf.xml"), load("SIPDefault.cnf"), load("SIP" + mac.Name() + ".cnf"),
	}
}

// Without a guide each phone is told what it was seen running, whatever the site wants.
func TestWithoutGuidePhonesStayOnWhatTheyRun(t *testing.T) {
	t.Parallel()
	const loader, sccp = "P003-8-12-00", "P00308010200"
	all := func(load string) named { return named{load, load, load, load, load} }
	nothing := named{"-", "-", "-", "", ""}
	for _, tt := range []struct {
		about   string
		running provision.Running
		want    named
		why     string // in the SEP file's answer
	}{
		{"nothing known", provision.Running{}, nothing, ""},
		{"a load known", provision.Running{Load: "P0S3-7-4-00", Loader: true, Protocol: phone.SIP}, all("P0S3-7-4-00"), ""},
		{"a load known that is not on the shelf", provision.Running{Load: "P0S3-7-5-00", Loader: true, Protocol: phone.SIP}, nothing, "starts what it has: P0S3-7-5-00.loads"},
		{"SCCP with a load that is not on the shelf", provision.Running{Load: "P00308000900", Loader: true, Protocol: phone.SCCP}, named{"-", "-", "-", "", "-"}, "starts what it has"},
		{"SCCP without a known load", provision.Running{Loader: true, Protocol: phone.SCCP}, named{"-", "-", "-", "", "-"}, "set firmware.target"},
		{"SCCP with the loader", provision.Running{Loader: true, Protocol: phone.SCCP, Load: sccp}, named{sccp, sccp, sccp, sccp, "-"}, ""},
		{"SIP without the loader", provision.Running{Protocol: phone.SIP, Load: "P0S3-04-4-00"}, all("P0S3-04-4-00"), ""},
		{"the loader's own name is no load", provision.Running{Load: loader}, nothing, ""},
		{"a load that is not of this family", provision.Running{Load: "SIP41.8-5-4S", Loader: true}, all("SIP41.8-5-4S"), ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			cfg := office()
			cfg.Target, cfg.ConvertUnlisted = target, true
			w := newWorld()
			w.running[reception] = tt.running
			p, _ := start(t, cfg, w, with(bundle(target), with(bundle("P0S3-7-4-00"), bundle(sccp))))
			if got := namedFor(t, p, reception, receptionAt); got != tt.want {
				t.Errorf("told %+v, want %+v", got, tt.want)
			}
			a, _ := ask(t, p, provision.Query{Name: "SEP0006D7AA2A2E.cnf.xml", From: receptionAt})
			if !strings.Contains(a.Why, tt.why) {
				t.Errorf("the reason is %q, want one with %q", a.Why, tt.why)
			}
		})
	}
}

// The guide decides, and promise 6 is kept here as well: a step is told only while its load is whole.
func TestListedPhonesAreToldWhatTheGuideSays(t *testing.T) {
	t.Parallel()
	const loader, sccp = "P003-8-12-00", "P00308010200"
	whole := bundle(target)
	old := provision.Running{Load: "P0S3-7-4-00", Loader: true, Protocol: phone.SIP}
	kept := named{"P0S3-7-4-00", "P0S3-7-4-00", "P0S3-7-4-00", "P0S3-7-4-00", "P0S3-7-4-00"}
	for _, tt := range []struct {
		about   string
		shelf   map[string][]byte
		running provision.Running
		naming  phone.Naming
		guide   string // its reason
		want    named
		why     string
	}{
		{"the step to the target", whole, old, toTarget, "", named{target, target, target, target, target}, ""},
		{"the loader first", whole, provision.Running{Load: "P00305000500", Protocol: phone.SCCP}, phone.Naming{OS79XX: loader, ImageVersion: target, LoadInformation: loader, Needs: target + ".loads"}, "", named{loader, loader, loader, target, target}, ""},
		{"a single image", bundle("P0S30203"), provision.Running{Load: "P0S30202", Protocol: phone.SIP}, phone.Naming{OS79XX: "P0S30203", ImageVersion: "P0S30203", Needs: "P0S30203.bin"}, "", named{"P0S30203", "-", "-", "P0S30203", "P0S30203"}, ""},
		{"it waits for its turn", whole, old, phone.Stay("P0S3-7-4-00"), "two others are before it", kept, "two others"},
		{"it arrived", whole, provision.Running{Load: target, Loader: true, Protocol: phone.SIP}, phone.Stay(target), "", named{target, target, target, target, target}, ""},
		{"it arrived, and its load is not there any more", nil, provision.Running{Load: target, Loader: true, Protocol: phone.SIP}, phone.Stay(target), "", named{"-", "-", "-", "", ""}, "starts what it has"},
		{"it waits for its turn, and what it runs is not there", whole, provision.Running{Load: "P0S3-7-5-00", Loader: true, Protocol: phone.SIP}, phone.Stay("P0S3-7-5-00"), "two others are before it", named{"-", "-", "-", "", ""}, "two others"},
		{"it runs what has no list", nil, provision.Running{Load: "P0S3-06-3-00", Protocol: phone.SIP}, phone.Stay("P0S3-06-3-00"), "", named{"P0S3-06-3-00", "P0S3-06-3-00", "P0S3-06-3-00", "P0S3-06-3-00", "P0S3-06-3-00"}, ""},
		{"it is stopped", whole, old, phone.Naming{}, "it is stopped", named{"-", "-", "-", "", ""}, "it is stopped"},
		{"to SCCP", bundle(sccp), old, phone.Naming{OS79XX: sccp, ImageVersion: sccp, LoadInformation: sccp, Needs: sccp + ".loads"}, "", named{sccp, sccp, sccp, sccp, sccp}, ""},
		{"the list is missing", without(whole, target+".loads"), old, toTarget, "", kept, target + ".loads"},
		{"the application is missing", without(whole, target+".sb2"), old, toTarget, "", kept, target + ".sb2"},
		{"the loader is missing", without(whole, loader+".sbn"), old, toTarget, "", kept, loader + ".sbn"},
		{"the shelf is empty", nil, old, toTarget, "", kept, "not on the firmware shelf"},
		{"the unsigned image is missing", without(bundle("P0S3-05-3-00"), "P0S3-05-3-00.bin"), old, phone.Naming{ImageVersion: "P0S3-05-3-00", Needs: "P0S3-05-3-00.bin"}, "", kept, "P0S3-05-3-00.bin"},
		{"the unsigned loader need not be there", without(whole, loader+".bin"), old, toTarget, "", named{target, target, target, target, target}, ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.guide = tell(tt.naming)
			w.guide.why = tt.guide
			w.running[reception] = tt.running
			p, _ := start(t, office(), w, with(tt.shelf, bundle(old.Load))) // what it runs is there as well
			if got := namedFor(t, p, reception, receptionAt); got != tt.want {
				t.Errorf("told %+v, want %+v", got, tt.want)
			}
			a, _ := ask(t, p, provision.Query{Name: "SEP0006D7AA2A2E.cnf.xml", From: receptionAt})
			if !strings.Contains(a.Why, tt.why) {
				t.Errorf("the reason is %q, want one with %q", a.Why, tt.why)
			}
		})
	}
}

// Whatever the guide says, an unlisted phone is told what it was seen running, and nothing without a MAC in its name.
func TestStrangersAreNeverFlashed(t *testing.T) {
	t.Parallel()
	for about, tt := range map[string]struct {
		running provision.Running
		want    named
	}{
		"nothing known":     {provision.Running{}, named{"-", "-", "-", "", "-"}},
		"SCCP with loader":  {provision.Running{Loader: true, Protocol: phone.SCCP}, named{"-", "-", "-", "", "-"}},
		"its load is known": {provision.Running{Loader: true, Load: "P00308010200"}, named{"-", "P00308010200", "-", "", "-"}},
		"it is not there":   {provision.Running{Loader: true, Load: "P00308000900"}, named{"-", "-", "-", "", "-"}},
		"old SIP":           {provision.Running{Load: "P0S3-06-3-00"}, named{"-", "P0S3-06-3-00", "-", "", "-"}},
	} {
		for guided, g := range map[string]*guide{"without a guide": nil, "with one that is wrong": tell(toTarget), "with one that stops it": tell(phone.Naming{})} {
			t.Run(about+", "+guided, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				want := tt.want
				if g != nil {
					w.guide = &guide{naming: g.naming}
					if g.naming[stranger] == (phone.Naming{}) {
						want.sep = "-"
					}
				}
				w.running[stranger] = tt.running
				own := map[string][]byte{ // somebody's old files must not flash it either
					"OS79XX.TXT": []byte(target), "XMLDefault.cnf.xml": []byte("<Default/>"), "SIPDefault.cnf": []byte("image_version: " + target),
					"SEP000AB7010203.cnf.xml": []byte("<device/>"), "SIP000AB7010203.cnf": []byte("image_version: " + target),
				}
				p, _ := start(t, office(), w, with(bundle(target), with(bundle("P00308010200"), own)))
				if got := namedFor(t, p, stranger, strangerAt); got != want {
					t.Errorf("told %+v, want %+v", got, want)
				}
				known := tt.running != (provision.Running{})
				for _, file := range []string{target + ".sb2", "P003-8-12-00.sbn", "P003-8-12-00.bin"} {
					if a, _ := ask(t, p, provision.Query{Name: file, From: strangerAt}); (a.Status == provision.Refused) != known {
						t.Errorf("%s: %+v", file, a)
					}
				}
				if a, _ := ask(t, p, provision.Query{Name: target + ".loads", From: strangerAt}); a.Status != provision.OK {
					t.Errorf("the list, which flashes nothing: %+v", a)
				}
			})
		}
	}
}

// An image is sent to a known phone only when the guide says so; the list, and who is no phone, need nobody's leave.
func TestImagesAreTheGuidesToGive(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.guide = tell(toTarget)
	w.guide.refuse = map[phone.MAC]string{workshop: "two other phones are being flashed"}
	w.running[workshop] = provision.Running{Loader: true}
	p, _ := start(t, office(), w, bundle(target))
	for _, tt := range []struct {
		about, name string
		q           provision.Query
		want        provision.Status
	}{
		{"a phone whose turn it is", target + ".sb2", provision.Query{From: receptionAt}, provision.OK},
		{"one that waits", target + ".sb2", provision.Query{From: workshopAt}, provision.Refused},
		{"its loader", "P003-8-12-00.sbn", provision.Query{From: workshopAt}, provision.Refused},
		{"the page's preview of it", target + ".sb2", provision.Query{MAC: workshop}, provision.Refused},
		{"its list", target + ".loads", provision.Query{From: workshopAt}, provision.OK},
		{"a laptop", target + ".sb2", provision.Query{From: laptopAt}, provision.OK},
	} {
		tt.q.Name = tt.name
		a, _ := ask(t, p, tt.q)
		if a.Status != tt.want || a.Status == provision.Refused && a.Why != "two other phones are being flashed" {
			t.Errorf("%s: %+v, want %s", tt.about, a, tt.want)
		}
	}
	want := []string{reception.String() + " " + target + ".sb2", workshop.String() + " " + target + ".sb2", workshop.String() + " P003-8-12-00.sbn", workshop.String() + " " + target + ".sb2"}
	if !slices.Equal(w.guide.asked, want) {
		t.Errorf("the guide was asked %q, want %q", w.guide.asked, want)
	}
	// Another took the address: an unlisted phone, maybe. It is not flashed for looking like a listed one.
	w.wire[workshopAt], w.guide.refuse = stranger, nil
	if a, _ := ask(t, p, provision.Query{Name: target + ".sb2", From: workshopAt}); a.Status != provision.Refused || len(w.guide.asked) != len(want) {
		t.Errorf("another at the phone's address: %+v, asked %q", a, w.guide.asked)
	}
}

func TestStrangerMayReloadWhatItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.running[stranger] = provision.Running{Loader: true, Load: target}
	p, _ := start(t, office(), w, bundle(target))
	for _, file := range []string{target + ".sb2", "P003-8-12-00.sbn"} {
		if a, _ := ask(t, p, provision.Query{Name: file, From: strangerAt}); a.Status != provision.OK {
			t.Errorf("%s: %+v", file, a)
		}
	}
}

func TestConvertUnlisted(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Target, cfg.ConvertUnlisted = target, true
	w := newWorld()
	w.guide = tell(toTarget)
	w.running[stranger] = provision.Running{Loader: true, Protocol: phone.SCCP}
	p, _ := start(t, cfg, w, bundle(target))
	// Files without a MAC still name nothing for an address whose phone is not listed.
	if got, want := namedFor(t, p, stranger, strangerAt), (named{"-", target, "-", "", "-"}); got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
	if a, _ := ask(t, p, provision.Query{Name: target + ".sb2", From: strangerAt}); a.Status != provision.OK {
		t.Errorf("the application: %+v", a)
	}
}

func TestAddressThatChangedHandsNamesNoLoad(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.guide = tell(toTarget)
	w.running[reception] = provision.Running{Loader: true}
	w.wire[receptionAt] = stranger // it took the address of the listed phone and has not been seen yet
	p, _ := start(t, office(), w, bundle(target))
	if got, want := namedFor(t, p, stranger, receptionAt), (named{"-", "-", "-", "", "-"}); got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
}

func TestPartsOfALoadThatIsNotWholeAreNotSent(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	renamed := with(without(whole, target+".sb2"), map[string][]byte{target + ".sb2": bundle("P0S3-8-11-00")["P0S3-8-11-00.sb2"]})
	cut := with(whole, map[string][]byte{target + ".sb2": whole[target+".sb2"][:300]})
	headerOnly := with(whole, map[string][]byte{target + ".sb2": whole[target+".sb2"][:404]})
	empty := with(whole, map[string][]byte{"P003-8-12-00.sbn": nil})
	otherLoader := with(whole, map[string][]byte{"P003-8-12-00.sbn": phone.MakeContainer("P003-8-12-00.sbn", phone.MakePayload("x", "PAS30000", 900))})
	unsigned := with(whole, map[string][]byte{"P003-8-12-00.sbn": whole["P003-8-12-00.bin"]})
	cutList := with(whole, map[string][]byte{target + ".loads": whole[target+".loads"][:404]})
	for about, files := range map[string]map[string][]byte{
		"renamed": renamed, "cut in its header": cut, "cut after its header": headerOnly, "empty": empty, "another loader than the list wants": otherLoader,
		"unsigned": unsigned, "a list that names nothing": cutList, "no list": without(whole, target+".loads"),
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.guide = tell(toTarget)
			w.running[reception] = provision.Running{Loader: true, Load: "P0S3-7-4-00"}
			p, _ := start(t, office(), w, files)
			for name := range whole {
				if a, _ := ask(t, p, provision.Query{Name: name, From: receptionAt}); a.Status != provision.Missing {
					t.Errorf("%s was sent: %+v", name, a)
				}
			}
			if got := namedFor(t, p, reception, receptionAt).sep; got != "-" { // what it runs is not there either, and it starts that
				t.Errorf("told %q", got)
			}
			loads := p.Loads()
			if len(loads) != 1 || loads[0].Name != target || len(loads[0].Missing) == 0 || len(p.Faults()) == 0 {
				t.Errorf("loads %+v, faults %+v", loads, p.Faults())
			}
		})
	}
	p, _ := start(t, office(), newWorld(), whole)
	for name, want := range whole {
		a, got := ask(t, p, provision.Query{Name: strings.ToLower(name), From: laptopAt})
		if a.Status != provision.OK || got != string(want) {
			t.Errorf("%s of the whole load: %+v", name, a)
		}
	}
	loads := p.Loads()
	if len(loads) != 1 || loads[0].Protocol != phone.SIP || loads[0].Loader != "P003-8-12-00" || len(loads[0].Missing) != 0 ||
		!slices.Equal(loads[0].Files, slices.Sorted(maps.Keys(whole))) {
		t.Errorf("loads %+v", loads)
	}
}

// The folder.

func TestOwnFilesAndFaults(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Phones[1].OwnFiles = true
	w := newWorld()
	p, dir := start(t, cfg, w, map[string][]byte{
		"SIP0006D7AA2A2E.cnf": []byte("own"), "sip00156200a1b2.cnf": []byte("own workshop"), "SIPDefault.cnf": []byte("own default"),
		"Dialplan.xml": []byte("own plan"), "SEP00156200A1B2.cnf.xml": nil, "CTLSEP00156200A1B2.tlv": {}, "MGC00156200A1B2.cnf": {1},
		"a.raw": {1}, "A.raw": {2}, "SIP000AB7010203.cnf": {1}, "gk00156200a1b2": {7},
	})
	for _, tt := range []struct {
		name string
		from netip.Addr
		want string // "" = generated
	}{
		{"SIP0006D7AA2A2E.cnf", receptionAt, ""},
		{"SIPDefault.cnf", receptionAt, ""},
		{"dialplan.xml", receptionAt, ""},
		{"SIP00156200A1B2.cnf", workshopAt, "own workshop"},
		{"SIPDefault.cnf", workshopAt, "own default"},
		{"dialplan.xml", workshopAt, "own plan"},
		{"syncinfo.xml", workshopAt, ""},
		{"a.raw", laptopAt, "\x01"},
		{"A.raw", laptopAt, "\x02"},
		{"A.RAW", laptopAt, "\x02"}, // the first by name
	} {
		a, got := ask(t, p, provision.Query{Name: tt.name, From: tt.from})
		if a.Status != provision.OK || a.Generated != (tt.want == "") || tt.want != "" && got != tt.want {
			t.Errorf("%s for %s: %q, %+v", tt.name, tt.from, got, a)
		}
	}
	if a, _ := ask(t, p, provision.Query{Name: "SIP00156200A1B2.cnf", From: laptopAt}); a.Status != provision.Refused {
		t.Errorf("another's own file: %+v", a)
	}
	if a, _ := ask(t, p, provision.Query{Name: "SEP00156200A1B2.cnf.xml", From: workshopAt}); a.Status == provision.OK {
		t.Errorf("an empty own file was sent: %+v", a)
	}
	if len(w.released) != 2 || w.released[1].MAC != workshop {
		t.Errorf("the release of an own file was not reported: %v", w.released)
	}
	faults := map[string]string{}
	for _, f := range p.Faults() {
		faults[f.Name] += f.Why
	}
	for name, want := range map[string]string{
		"SIP0006D7AA2A2E.cnf": "generates this file", "SIPDefault.cnf": "only to the phones that have own_files", "Dialplan.xml": "only to the phones",
		"SEP00156200A1B2.cnf.xml": "empty", "CTLSEP00156200A1B2.tlv": "never sent", "MGC00156200A1B2.cnf": "never sent", "a.raw": "case only",
		"SIP000AB7010203.cnf": "does not list", "A.raw": "phones take",
	} {
		if !strings.Contains(faults[name], want) {
			t.Errorf("the fault of %s is %q, want %q", name, faults[name], want)
		}
		delete(faults, name)
	}
	if len(faults) != 0 {
		t.Errorf("further faults: %v", faults)
	}
	put(t, dir, map[string][]byte{"later.raw": {3}})
	if a, _ := ask(t, p, provision.Query{Name: "later.raw", From: laptopAt}); a.Status != provision.OK {
		t.Errorf("a file that was copied in by hand: %+v", a)
	}
	put(t, dir, map[string][]byte{"later.raw": {3, 4}})
	if _, got := ask(t, p, provision.Query{Name: "LATER.raw", From: laptopAt}); got != "\x03\x04" {
		t.Errorf("a file that was changed by hand: %q", got)
	}
}
