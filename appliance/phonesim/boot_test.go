package phonesim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/phonesim"
)

// run boots one phone until it is done; a test that takes longer than a minute has failed.
func run(t *testing.T, o *office, cfg phonesim.Config) phonesim.Result {
	t.Helper()
	return runOn(t, o.link(), o, cfg)
}

// runOn is run on a link that is there already.
func runOn(t *testing.T, link phonesim.Link, o *office, cfg phonesim.Config) phonesim.Result {
	t.Helper()
	cfg.Link, cfg.Ports = link, o.Ports
	if cfg.Speed == 0 {
		cfg.Speed = 1000
	}
	cfg.OnEvent = func(e phonesim.Event) { t.Logf("%s %-10s %-8s %s", e.MAC, e.Step, e.Kind, e.Text) }
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
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

func TestAConfiguredSIPPhoneGetsReady(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.configure(mac(1))
	r := run(t, o, phonesim.Config{MAC: mac(1), State: phonesim.StateSIP})
	wantClean(t, r, phonesim.OutcomeReady)
	m := mac(1).Name()
	asked := o.requests()
	want := []string{"CTLSEP" + m + ".tlv", "SEP" + m + ".cnf.xml", "P0S3-8-12-00.loads", "SIPDefault.cnf", "./SIP" + m + ".cnf"}
	if diff := cmp.Diff(want, asked[:min(len(asked), len(want))]); diff != "" {
		t.Errorf("the boot order of phones.md a.4 (want, got): %s", diff)
	}
}
