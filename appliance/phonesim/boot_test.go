package phonesim_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

// run boots one phone until it is done; a test that takes longer than a minute has failed.
func run(t *testing.T, o *office, cfg phonesim.Config) phonesim.Result {
	t.Helper()
	return runOn(t, o.link(), o, cfg)
}

// runOn is run on a link that is there already.
func runOn(t *testing.T, link phonesim.Link, o *office, cfg phonesim.Config) phonesim.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return runUntil(ctx, t, link, o, cfg)
}

func runUntil(ctx context.Context, t *testing.T, link phonesim.Link, o *office, cfg phonesim.Config) phonesim.Result {
	t.Helper()
	cfg.Link, cfg.Ports = link, o.Ports
	if cfg.Speed == 0 {
		cfg.Speed = 1000
	}
	tell := cfg.OnEvent
	cfg.OnEvent = func(e phonesim.Event) {
		t.Logf("%s %-10s %-8s %s", e.MAC, e.Step, e.Kind, e.Text)
		if tell != nil {
			tell(e)
		}
	}
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantClean fails for a phone that is not where it should be.
func wantClean(t *testing.T, r phonesim.Result, want phonesim.Outcome) {
	t.Helper()
	if r.Outcome != want {
		t.Errorf("found outcome %s in step %s, waiting for %q (%s), wanted %s", r.Outcome, r.Step, r.WaitingFor, r.Problem, want)
	}
	if len(r.Faults) > 0 {
		t.Errorf("found faults of the servers: %s", strings.Join(r.Faults, "; "))
	}
}

// wantAsked compares the beginning of what was asked for.
func wantAsked(t *testing.T, o *office, want ...string) {
	t.Helper()
	asked := o.requests()
	if diff := cmp.Diff(want, asked[:min(len(asked), len(want))]); diff != "" {
		t.Errorf("the order of files (want, got): %s", diff)
	}
}

func TestAConfiguredSIPPhoneGetsReady(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.configure(mac(1))
	proxy := o.serveProxy()
	r := run(t, o, phonesim.Config{MAC: mac(1), State: phonesim.StateSIP})
	wantClean(t, r, phonesim.OutcomeReady)
	m := mac(1).Name()
	wantAsked(t, o, "CTLSEP"+m+".tlv", "SEP"+m+".cnf.xml", "P0S3-8-12-00.loads", "SIPDefault.cnf", "./SIP"+m+".cnf")
	if r.Step != phone.Ready || r.Boots != 1 || len(r.Flashed) != 0 || !slices.Equal(r.Lines, []string{"208"}) {
		t.Errorf("found step %s, %d boots, flashed %q, lines %q", r.Step, r.Boots, r.Flashed, r.Lines)
	}
	if r.ClockOffset == nil || *r.ClockOffset < 85 || *r.ClockOffset > 95 {
		t.Errorf("found the offset %v, wanted about 90 s", r.ClockOffset)
	}
	if r.Proxy != proxy.String() || r.RegisterCode != 401 {
		t.Errorf("found the proxy %q and its answer %d, wanted %s by its SRV record and 401", r.Proxy, r.RegisterCode, proxy)
	}
	if len(r.Pages) != 2 || r.Pages[0].Status != 200 || r.Pages[1].Status != 200 {
		t.Errorf("found the pages %+v, wanted logo and directory", r.Pages)
	}
	ring, _ := r.File("RINGLIST.DAT")
	sum := sha256.Sum256([]byte("Old Style\tring.pcm\n"))
	if ring.Answer != phonesim.AnswerGot || ring.SHA256 != hex.EncodeToString(sum[:]) || ring.Size != 19 {
		t.Errorf("found %+v, wanted the bytes that were served", ring)
	}
	if f, _ := r.File("CTLSEP" + m + ".tlv"); f.Answer != phonesim.AnswerError || f.Code != 1 {
		t.Errorf("found %+v, wanted error 1", f)
	}
}

func TestAPhoneWithTheLoaderIsUpgradedInThreeBoots(t *testing.T) {
	t.Parallel()
	for _, state := range []phonesim.State{phonesim.StateSIP7, phonesim.StateSCCP, phonesim.StateErased} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.configure(mac(1))
			var upgrading atomic.Bool
			r := run(t, o, phonesim.Config{
				MAC: mac(1), State: state, Want: "P0S3-8-12-00",
				OnEvent: func(e phonesim.Event) {
					if e.Step == phone.Upgrading {
						upgrading.Store(true)
					}
				},
			})
			wantClean(t, r, phonesim.OutcomeReady)
			if diff := cmp.Diff([]string{"P003-8-12-00.sbn", "P0S3-8-12-00.sb2"}, r.Flashed); diff != "" {
				t.Errorf("what was flashed (want, got): %s", diff)
			}
			if r.Boots != 3 || r.Load != "P0S3-8-12-00" || r.LoaderID != "PAS30830" || !upgrading.Load() {
				t.Errorf("found %d boots, load %s, loader %s, seen upgrading: %v", r.Boots, r.Load, r.LoaderID, upgrading.Load())
			}
			if diff := cmp.Diff([]string{"DISCOVER", "REQUEST", "REQUEST", "REQUEST"}, o.messages()); diff != "" {
				t.Errorf("after a reset a phone asks for the address that it had (want, got): %s", diff)
			}
			if f, _ := r.File("P0S3-8-12-00.sb2"); f.Size != 20_404 || f.Boot != 2 {
				t.Errorf("found %+v, wanted the whole application in the second boot", f)
			}
		})
	}
}

func TestAnSCCPPhoneThatNobodyListsIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, state := range []phonesim.State{phonesim.StateSCCP, phonesim.StateSCCPOld} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.shelf("P0S3-8-12-00", "P003-8-12-00", "PAS30830")
			o.put("XMLDefault.cnf.xml", "<Default><loadInformation20000 model=\"IP Phone 7905\">CP79050</loadInformation20000></Default>")
			r := run(t, o, phonesim.Config{MAC: mac(1), State: state})
			wantClean(t, r, phonesim.OutcomeReady)
			if len(r.Flashed) > 0 || r.Boots != 1 || !strings.HasPrefix(r.Load, "P003") {
				t.Errorf("found %q flashed in %d boots, load %s, wanted nothing", r.Flashed, r.Boots, r.Load)
			}
		})
	}
}

func TestAPhoneNamesTheFirmwareThatIsMissing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.put("SEP"+mac(1).Name()+".cnf.xml", sepXML("P0S3-8-12-00"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := runUntil(ctx, t, o.link(), o, phonesim.Config{MAC: mac(1), State: phonesim.StateSCCP, OnEvent: func(e phonesim.Event) {
		if e.Kind == phonesim.EventRequest && strings.HasPrefix(e.File, "CTLSEP") && slices.Contains(o.requests(), "P0S3-8-12-00.loads") {
			cancel() // it began again
		}
	}})
	if r.Outcome != phonesim.OutcomeFailed || r.Load != "P00308010200" {
		t.Errorf("found outcome %s with %s", r.Outcome, r.Load)
	}
	if f, _ := r.File("P0S3-8-12-00.loads"); f.Code != 1 {
		t.Errorf("found %+v, wanted error 1", f)
	}
}

func TestAnSCCP5PhoneTakesTheSignedLoaderFirst(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.configure(mac(1))
	sep := "SEP" + mac(1).Name() + ".cnf.xml"
	o.put("OS79XX.TXT", "P003-8-12-00\n", sep, strings.ReplaceAll(sepXML("P003-8-12-00"), "SIP", "SCCP"))
	o.set(func() {
		o.onRRQ = func(name string) {
			if name == "P003-8-12-00.sbn" { // from now on the phone has the loader (phones.md c.5)
				o.put(sep, sepXML("P0S3-8-12-00"))
			}
		}
	})
	r := run(t, o, phonesim.Config{MAC: mac(1), Load: "P00305000500"})
	wantClean(t, r, phonesim.OutcomeReady)
	if r.State != phonesim.StateSCCPOld {
		t.Errorf("found state %s", r.State)
	}
	wantAsked(t, o, "OS79XX.TXT", sep, "P003-8-12-00.sbn", "CTLSEP"+mac(1).Name()+".tlv", sep, "P0S3-8-12-00.loads", "P0S3-8-12-00.sb2", "SIPDefault.cnf")
	if diff := cmp.Diff([]string{"P003-8-12-00.sbn", "P0S3-8-12-00.sb2"}, r.Flashed); diff != "" {
		t.Errorf("what was flashed (want, got): %s", diff)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	first, last := o.packets[0], o.packets[len(o.packets)-1]
	if got := string(first.Options.Get(classOption)); got != "Cisco Systems, Inc. IP Phone\x00" {
		t.Errorf("the old image calls itself %q", got)
	}
	if got := string(last.Options.Get(classOption)); got != "Cisco Systems, Inc. IP Phone CP-7960G\x00" {
		t.Errorf("with the loader it calls itself %q", got)
	}
	if got := first.Options.Get(parameterOption); !slices.Equal(got, []byte{1, 66, 6, 3, 15, 150, 35}) {
		t.Errorf("it asks for the options %v", got)
	}
}

func TestAnOldSIPPhone(t *testing.T) {
	t.Parallel()
	t.Run("boots in the order of phones.md a.3", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: unicast\nimage_version: P0S3-06-3-00\n", "dialplan.xml", "<DIALTEMPLATE></DIALTEMPLATE>")
		wantClean(t, run(t, o, phonesim.Config{MAC: mac(1), State: phonesim.StateSIPOld}), phonesim.OutcomeReady)
		wantAsked(t, o, "OS79XX.TXT", "SIPDefault.cnf", "SIP"+mac(1).Name()+".cnf")
	})
	t.Run("takes a signed image by image_version", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: unicast\nimage_version: P0S3-06-3-01\n", "RINGLIST.DAT", "x\ty\n",
			"P0S3-06-3-01.sbn", string(signed("P0S3-06-3-01.sbn", image("P0S3-06-3-01", "PAS3ARM1", 3000))))
		r := run(t, o, phonesim.Config{MAC: mac(1), State: phonesim.StateSIPOld})
		wantClean(t, r, phonesim.OutcomeReady)
		if r.Load != "P0S3-06-3-01" || r.Boots != 2 {
			t.Errorf("found %s after %d boots", r.Load, r.Boots)
		}
	})
	t.Run("refuses a file that was signed under another name", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: unicast\nimage_version: P0S3-06-3-01\n", "RINGLIST.DAT", "x\ty\n",
			"P0S3-06-3-01.sbn", string(signed("P0S3-06-3-02.sbn", image("P0S3-06-3-02", "PAS3ARM1", 3000))))
		r := run(t, o, phonesim.Config{MAC: mac(1), State: phonesim.StateSIPOld})
		if r.Load != "P0S3-06-3-00" || len(r.Faults) != 1 || !strings.Contains(r.Faults[0], `signed as "P0S3-06-3-02.sbn"`) {
			t.Errorf("found load %s and faults %q", r.Load, r.Faults)
		}
	})
}

func TestABarePhonePolls(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	r := run(t, o, phonesim.Config{MAC: mac(1), State: phonesim.StateBare, Speed: 1000})
	wantClean(t, r, phonesim.OutcomePolling)
	m := mac(1).Name()
	wantAsked(t, o, "CTLSEP"+m+".tlv", "SEP"+m+".cnf.xml", "SIP"+m+".cnf", "MGC"+m+".cnf", "XMLDefault.cnf.xml",
		"SIPDefault.cnf", "SIP"+m+".cnf", "SIP"+m+".cnf")
	if r.WaitingFor != "SIP"+m+".cnf" || r.Step != phone.Loading {
		t.Errorf("found step %s, waiting for %q", r.Step, r.WaitingFor)
	}
}

func TestAFileDroppedInLaterIsPickedUpByThePoll(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	r := run(t, o, phonesim.Config{MAC: mac(1), State: phonesim.StateSIP, OnEvent: func(e phonesim.Event) {
		if e.Kind == phonesim.EventMissing && e.File == "SIP"+mac(1).Name()+".cnf" {
			o.put(e.File, "sntp_mode: unicast\nline1_name: 208\n", "RINGLIST.DAT", "x\ty\n")
		}
	}})
	wantClean(t, r, phonesim.OutcomeReady)
	if r.Boots != 1 {
		t.Errorf("found %d boots, wanted one", r.Boots)
	}
}

func TestFaultsOfTheFiles(t *testing.T) {
	t.Parallel()
	m := mac(1).Name()
	for _, c := range []struct {
		name, file, content, want string
		state                     phonesim.State
	}{
		{"an empty SEP file", "SEP" + m + ".cnf.xml", "", "cannot use SEP", phonesim.StateSIP},
		{"a SEP file without a load", "SEP" + m + ".cnf.xml", "<device/>", "no loadInformation", phonesim.StateSIP},
		{"a trust list", "CTLSEP" + m + ".tlv", "", "must be missing", phonesim.StateSIP},
		{"a carriage return in OS79XX.TXT", "OS79XX.TXT", "P0S3-06-3-00\r\n", "one line feed", phonesim.StateSIPOld},
		{"a value that is not quoted", "SIPDefault.cnf", "phone_label: Front desk\n", "line 1: phone_label", phonesim.StateSIP},
		{"a list without its loader", "P0S3-8-12-00.loads", string(signed("P0S3-8-12-00.loads", []byte("P0S3-8-12-00.sb2\n"))), "LA_VERSION", phonesim.StateSIP},
		{"a loader that is not the list's", "P003-8-12-00.sbn", string(signed("P003-8-12-00.sbn", image("P003-8-12-00", "PAS30000", 999))), "at each boot", phonesim.StateSIP7},
		{"an image_version that is not the SEP file's load", "SIP" + m + ".cnf", "image_version: P0S3-8-11-00\n", "over and over", phonesim.StateSIP},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.configure(mac(1))
			o.put(c.file, c.content)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := runUntil(ctx, t, o.link(), o, phonesim.Config{MAC: mac(1), State: c.state, OnEvent: func(e phonesim.Event) {
				if e.Kind == phonesim.EventFault && strings.Contains(e.Text, c.want) {
					cancel()
				}
			}})
			if !slices.ContainsFunc(r.Faults, func(f string) bool { return strings.Contains(f, c.want) }) || r.OK() {
				t.Errorf("found faults %q, wanted one with %q", r.Faults, c.want)
			}
		})
	}
}
