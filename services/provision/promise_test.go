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
	cfg.Target = target
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

func TestWhatListedPhonesAreTold(t *testing.T) {
	t.Parallel()
	const loader, sccp = "P003-8-12-00", "P00308010200"
	all := func(load string) named { return named{load, load, load, load, load} }
	nothing := named{"-", "-", "-", "", ""}
	whole := bundle(target)
	for _, tt := range []struct {
		about   string
		target  string
		shelf   map[string][]byte
		running provision.Running
		want    named
		why     string // in the SEP file's answer
	}{
		{"no target, nothing known", "", whole, provision.Running{}, nothing, ""},
		{"no target, a load known", "", whole, provision.Running{Load: "P0S3-7-4-00", Loader: true, Protocol: phone.SIP}, all("P0S3-7-4-00"), ""},
		{"no target, SCCP without a known load", "", whole, provision.Running{Loader: true, Protocol: phone.SCCP}, named{"-", "-", "-", "", "-"}, "set firmware.target"},
		{"the target runs", target, whole, provision.Running{Load: target, Loader: true, Protocol: phone.SIP}, all(target), ""},
		{"the target runs and is not on the shelf", target, nil, provision.Running{Load: target, Loader: true, Protocol: phone.SIP}, all(target), ""},
		{"the loader is there", target, whole, provision.Running{Loader: true}, all(target), ""},
		{"SCCP with the loader", target, whole, provision.Running{Loader: true, Protocol: phone.SCCP, Load: sccp}, all(target), ""},
		{"only the loader runs", target, whole, provision.Running{Load: loader}, all(target), ""},
		{"the loader's own name is no load", "", whole, provision.Running{Load: loader}, nothing, ""},
		{"the target in another case", strings.ToLower(target), whole, provision.Running{Loader: true}, all(target), ""},
		{"SCCP 5.x takes the loader first", target, whole, provision.Running{Load: "P00305000500", Protocol: phone.SCCP}, named{loader, loader, loader, target, target}, ""},
		{"SIP 6.x takes the loader first", target, whole, provision.Running{Load: "P0S3-06-3-00", Protocol: phone.SIP}, named{loader, loader, loader, target, target}, ""},
		{"SCCP 3.x needs a rung between", target, whole, provision.Running{Load: "P00303020214", Protocol: phone.SCCP}, all("P00303020214"), "P00305000500"},
		{"SIP 4.4 needs a rung between", target, whole, provision.Running{Load: "P0S3-04-4-00", Protocol: phone.SIP}, all("P0S3-04-4-00"), "5.3"},
		{"no loader and an unknown load", target, whole, provision.Running{Protocol: phone.SIP}, nothing, "not known which load"},
		{"a load that is not of this family", target, whole, provision.Running{Load: "SIP41.8-5-4S", Loader: true}, all("SIP41.8-5-4S"), "no step"},
		{"another model", target, whole, provision.Running{Model: "7941", Load: "SIP41.8-5-4S", Loader: true}, all("SIP41.8-5-4S"), "7941"},
		{"a target that is no load", "latest", whole, provision.Running{Load: "P0S3-7-4-00", Loader: true}, all("P0S3-7-4-00"), "latest"},
		{"the list is missing", target, without(whole, target+".loads"), provision.Running{Load: "P0S3-7-4-00", Loader: true, Protocol: phone.SIP}, all("P0S3-7-4-00"), target + ".loads"},
		{"the application is missing", target, without(whole, target+".sb2"), provision.Running{Load: "P0S3-7-4-00", Loader: true, Protocol: phone.SIP}, all("P0S3-7-4-00"), target + ".sb2"},
		{"the loader is missing", target, without(whole, loader+".sbn"), provision.Running{Loader: true, Protocol: phone.SCCP}, named{"-", "-", "-", "", "-"}, loader + ".sbn"},
		{"the shelf is empty, SCCP", target, nil, provision.Running{Loader: true, Protocol: phone.SCCP}, named{"-", "-", "-", "", "-"}, "not on the firmware shelf"},
		{"the shelf is empty, no protocol seen yet", target, nil, provision.Running{Loader: true}, nothing, "not on the firmware shelf"},
		{"the unsigned loader need not be there", target, without(whole, loader+".bin"), provision.Running{Loader: true}, all(target), ""},
		{"back to SCCP", sccp, bundle(sccp), provision.Running{Load: target, Loader: true, Protocol: phone.SIP}, all(sccp), ""},
		{"back to an SCCP that SIP can't reach", "P00306000200", bundle("P00306000200"), provision.Running{Load: target, Protocol: phone.SIP}, all(target), "7.x"},
		{"SCCP 5.x to SCCP 8.x", sccp, bundle(sccp), provision.Running{Load: "P00305000500", Protocol: phone.SCCP}, all(sccp), ""},
		{"old SIP by its single step", "P0S30203", bundle("P0S30203"), provision.Running{Load: "P0S30202", Protocol: phone.SIP}, named{"P0S30203", "-", "-", "P0S30203", "P0S30203"}, ""},
		{"old SIP without the unsigned image", "P0S3-05-3-00", without(bundle("P0S3-05-3-00"), "P0S3-05-3-00.bin"), provision.Running{Load: "P0S3-04-4-00", Protocol: phone.SIP}, all("P0S3-04-4-00"), "P0S3-05-3-00.bin"},
		{"an early load for a phone with the loader", "P0S30203", bundle("P0S30203"), provision.Running{Load: target, Protocol: phone.SIP}, all(target), "universal loader"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			cfg := office()
			cfg.Target = tt.target
			w := newWorld()
			w.running[reception] = tt.running
			p, _ := start(t, cfg, w, tt.shelf)
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

func TestStrangersAreNeverFlashed(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Target = target
	for about, tt := range map[string]struct {
		running provision.Running
		want    named
	}{
		"nothing known":     {provision.Running{}, named{"-", "-", "-", "", "-"}},
		"SCCP with loader":  {provision.Running{Loader: true, Protocol: phone.SCCP}, named{"-", "-", "-", "", "-"}},
		"its load is known": {provision.Running{Loader: true, Load: "P00308010200"}, named{"-", "P00308010200", "-", "", "-"}},
		"old SIP":           {provision.Running{Load: "P0S3-06-3-00"}, named{"-", "P0S3-06-3-00", "-", "", "-"}},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.running[stranger] = tt.running
			own := map[string][]byte{ // somebody's old files must not flash it either
				"OS79XX.TXT": []byte(target), "XMLDefault.cnf.xml": []byte("<Default/>"), "SIPDefault.cnf": []byte("image_version: " + target),
				"SEP000AB7010203.cnf.xml": []byte("<device/>"), "SIP000AB7010203.cnf": []byte("image_version: " + target),
			}
			p, _ := start(t, cfg, w, with(bundle(target), own))
			if got := namedFor(t, p, stranger, strangerAt); got != tt.want {
				t.Errorf("told %+v, want %+v", got, tt.want)
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
	cfg := office()
	cfg.Target = target
	w := newWorld()
	w.running[reception] = provision.Running{Loader: true}
	w.wire[receptionAt] = stranger // it took the address of the listed phone and has not been seen yet
	p, _ := start(t, cfg, w, bundle(target))
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
			cfg := office()
			cfg.Target = target
			w := newWorld()
			w.running[reception] = provision.Running{Loader: true, Load: "P0S3-7-4-00"}
			p, _ := start(t, cfg, w, files)
			for name := range whole {
				if a, _ := ask(t, p, provision.Query{Name: name, From: receptionAt}); a.Status != provision.Missing {
					t.Errorf("%s was sent: %+v", name, a)
				}
			}
			if got := namedFor(t, p, reception, receptionAt).sep; got != "P0S3-7-4-00" {
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
		"SIP000AB7010203.cnf": "does not list",
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
