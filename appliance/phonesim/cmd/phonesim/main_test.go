package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

func TestWrongFlagsAreAllNamed(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"-n", "0", "-mac", "x", "-state", "sip,no", "-dhcp", "70000", "-speed", "-1", "rest"}, &out, &errs)
	if code != exitUsage {
		t.Errorf("exit code %d, wanted %d", code, exitUsage)
	}
	for _, want := range []string{`"rest"`, "-interface NAME and -loopback", "-mac", `state "no"`, "-n: found 0", "-speed: found -1", "-dhcp: found 70000"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is not in: %s", want, errs.String())
		}
	}
}

func TestHelpNamesEveryState(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &out, &errs); code != exitOK {
		t.Errorf("exit code %d, wanted %d", code, exitOK)
	}
	for _, s := range phonesim.States() {
		if !strings.Contains(errs.String(), "\n  "+string(s)+" ") {
			t.Errorf("the help does not explain %s", s)
		}
	}
}

func TestPhonesWithoutAServerFail(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{
		"-loopback", "-server", "127.99.0.1", "-dhcp", "1", "-n", "2", "-timeout", "100ms", "-json", file, "-v",
	}, &out, &errs)
	if code != exitFail {
		t.Errorf("exit code %d, wanted %d", code, exitFail)
	}
	for _, want := range []string{"00:06:D7:50:00:01", "never", "a DHCP lease", "0 ready, 0 polling, 2 failed", "boot 1 with"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in: %s", want, out.String())
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r phonesim.Report
	if err := json.Unmarshal(b, &r); err != nil || r.Failed != 2 || len(r.Failures) != 2 || r.Failures[0].WaitingFor != "a DHCP lease" {
		t.Errorf("found %+v, %v", r, err)
	}
}

func TestTheTableShowsTroubleFirst(t *testing.T) {
	t.Parallel()
	offset := 1.5
	r := phonesim.Report{Phones: 30, Ready: 29, Failed: 1, Half: time.Second, Most: 2 * time.Second, Failures: make([]phonesim.Failure, 1)}
	for i := range 30 {
		p := phonesim.Result{MAC: phonesim.AddMAC(phone.MAC{0, 6}, i), Outcome: phonesim.OutcomeReady, ClockOffset: &offset}
		if i == 29 {
			p.Outcome, p.WaitingFor, p.Faults = phonesim.OutcomeFailed, "P0S3-8-12-00.loads", []string{"DHCP: wrong"}
		}
		r.Results = append(r.Results, p)
	}
	r.Duplicates = []phonesim.Duplicate{{Holder: phone.MAC{1}, Second: phone.MAC{2}}}
	var out bytes.Buffer
	if err := printReport(&out, r); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if !strings.HasPrefix(lines[1], "00:06:00:00:00:1D") || !strings.Contains(lines[1], "P0S3-8-12-00.loads") {
		t.Errorf("the first row is %q", lines[1])
	}
	for _, want := range []string{"and 10 more", "fault (1 phones): DHCP: wrong", "duplicate address", "+1.500s", "100% after never", "50% after 1s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in: %s", want, out.String())
		}
	}
}

func TestAnyLoadCanBeInFlash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want phonesim.State
		code int
	}{
		{[]string{"-load", "P0S3-04-4-00"}, phonesim.StateSIPOld, exitFail},
		{[]string{"-load", "P00308000500"}, phonesim.StateSCCP, exitFail},
		{[]string{"-load", "P00305000500", "-state", "sccp-old"}, phonesim.StateSCCPOld, exitFail},
		{[]string{"-load", "latest"}, "", exitFail},
		{[]string{"-load", "P0S3-8-12-00", "-state", "erased"}, "", exitFail},
	} {
		file := filepath.Join(t.TempDir(), "report.json")
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"-loopback", "-server", "127.99.0.2", "-dhcp", "1", "-timeout", "50ms", "-json", file}, c.args...), &out, &errs)
		if code != c.code {
			t.Errorf("%q: exit code %d, wanted %d", c.args, code, c.code)
		}
		if c.want == "" {
			if !strings.Contains(errs.String(), "found load") {
				t.Errorf("%q: found %q", c.args, errs.String())
			}
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r phonesim.Report
		if err := json.Unmarshal(b, &r); err != nil || r.Results[0].Load != c.args[1] || r.Results[0].State != c.want || (r.Results[0].LoaderID != "") != (c.want == phonesim.StateSCCP) {
			t.Errorf("%q: found %+v, %v", c.args, r.Results, err)
		}
	}
}
