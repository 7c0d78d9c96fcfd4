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

func TestWrongStormFlagsAreAllNamed(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{
		"-loopback", "-profile", "odd", "-loss", "2", "-hostile", "starve,bomb", "-roam", "5", "-n", "3", "-roam-to", "eth1", "-stay", "-1s",
	}, &out, &errs)
	if code != exitUsage {
		t.Errorf("exit code %d, wanted %d", code, exitUsage)
	}
	for _, want := range []string{
		`profile "odd"`, "loss of 2", "-loss, -dup, -reorder: allowed with -interface", `"bomb"`, "-hostile: allowed with -interface", "-roam: found 5",
		"-roam-to: allowed", "-stay, -renew",
	} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is not in: %s", want, errs.String())
		}
	}
}

func TestHelpNamesProfilesAndHostileClients(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	run(t.Context(), []string{"-h"}, &out, &errs)
	for _, k := range phonesim.HostileKinds() {
		if !strings.Contains(errs.String(), "\n  "+string(k)+" ") {
			t.Errorf("the help does not explain %s", k)
		}
	}
	for _, want := range []string{"\n  full ", "\n  basic ", "in a lab of your own"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is not in the help", want)
		}
	}
}

func TestTheReportSaysWhyPhonesFailedAndWhoWasTheCause(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{
		"-loopback", "-server", "127.99.0.3", "-dhcp", "1", "-n", "3", "-timeout", "100ms", "-json", file, "-profile", "basic", "-image", "x.bin",
	}, &out, &errs)
	if code != exitFail {
		t.Errorf("exit code %d, wanted %d: %s", code, exitFail, errs.String())
	}
	for _, want := range []string{"failed (3 phones): a DHCP lease", "image x.bin, 0 bytes: 0 done, 3 failed", "processor time"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in: %s", want, out.String())
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"phones", "ready", "polling", "failed", "window_ns", "ready_50_ns", "ready_95_ns", "ready_100_ns", "took_ns", "failures",
		"duplicate_addresses", "retransmissions", "results", "profile", "failures_by_reason", "retransmissions_by_injected_loss",
		"retransmissions_by_servers", "tftp", "image", "renewals", "cpu_s",
	} {
		if _, ok := r[key]; !ok {
			t.Errorf("%q is not in the report", key)
		}
	}
}

func TestTheTableShowsEverySum(t *testing.T) {
	t.Parallel()
	r := phonesim.Report{
		RetransmitsByLoss: phonesim.Retransmissions{TFTP: 3}, RetransmitsByServers: phonesim.Retransmissions{DNS: 2},
		Renewals: phonesim.Renewals{Renewed: 7, Rebound: 1, Failed: 2, Lost: 2}, Roaming: &phonesim.RoamSum{Moved: 4, Same: 3, Other: 1},
		Hostile: []phonesim.HostileSum{{Kind: phonesim.HostileStarve, Sent: 9, Leases: 5}}, Notes: map[string]int{"odd": 2, "odder": 3},
		Wire: &phonesim.WireCount{Sent: 10, LostIn: 1, Late: 6, LostHere: 8}, ProcessorTime: 1.5,
	}
	var out bytes.Buffer
	if err := printReport(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"lost on purpose: dhcp 0, tftp 3", "because of the servers: dhcp 0, tftp 0, sntp 0, dns 2", "7 renewed, 1 rebound, 2 failed, 2 addresses lost",
		"moved: 4, 3 with the same address, 1 with another", "hostile starve: 9 sent, 0 answered, 5 leases", "note (3 phones): odder\nnote (2 phones): odd",
		"6 late, 8 lost by this program", "1.50 s of processor time",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in: %s", want, out.String())
		}
	}
}
