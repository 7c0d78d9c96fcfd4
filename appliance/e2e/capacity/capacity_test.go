package main

import (
	"bytes"
	"errors"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phonebox/services/testkit"
)

func TestTheSearchFindsTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 3217.0
	server := func(steps *int) func(float64) (step, error) {
		return func(rate float64) (step, error) {
			*steps++
			s := step{rate: rate, achieved: min(rate, limit)}
			if rate > limit {
				s.drops = 0.4
			}
			return s, nil
		}
	}
	for name, last := range map[string]float64{"the first round": 0, "near": 3000, "a slower machine before": 900, "a faster one": 9000} {
		steps := 0
		best, rate, err := search(last, 30_000, 1.08, server(&steps))
		if err != nil || rate > limit || rate < limit/1.08 || best.achieved != rate {
			t.Errorf("%s: found %.0f (%+v) after %d steps, %v, wanted up to 8 %% below %.0f", name, rate, best, steps, err, limit)
		}
		if steps > searchSteps {
			t.Errorf("%s: %d steps, allowed are %d", name, steps, searchSteps)
		}
	}
	steps := 0
	if _, rate, err := search(0, 2500, 1.08, server(&steps)); err != nil || rate != 2500 {
		t.Errorf("with a top of 2500: found %.0f, %v", rate, err)
	}
	broken := errors.New("it ended")
	if _, _, err := search(0, 2500, 1.08, func(float64) (step, error) { return step{}, broken }); !errors.Is(err, broken) {
		t.Errorf("a server that ends: found %v", err)
	}
	if best, _, err := search(0, 2500, 1.08, func(float64) (step, error) { return step{drops: 1}, nil }); err != nil || best.achieved != 0 {
		t.Errorf("a server that never answers: found %+v, %v", best, err)
	}
}

func TestVerdictsGoByMedians(t *testing.T) {
	t.Parallel()
	var r result
	for _, v := range []float64{10, 90, 30} {
		r.add("ours", "rate", v)
	}
	for _, v := range []float64{20, 21, 19} {
		r.add("theirs", "rate", v)
	}
	r.ratio("rate", "ours", "theirs", true, 1.5)
	r.ratio("rate", "ours", "theirs", true, 1.51)
	r.ratio("rate", "ours", "theirs", false, 1.49)
	r.ratio("rate", "ours", "nobody", true, 1)
	r.limit("rate", "ours", 89)
	for i, want := range []bool{true, false, false, false} {
		if r.Verdicts[i].Met != want {
			t.Errorf("verdict %d: %+v, wanted met %v", i, r.Verdicts[i], want)
		}
	}
	if len(r.Verdicts) != 4 || len(r.Notes) != 1 {
		t.Errorf("found %d verdicts and the notes %q, wanted 4 and one", len(r.Verdicts), r.Notes)
	}
	if got := cell(r.values("ours", "rate")); got != "30 (10–90)" {
		t.Errorf("found the cell %q", got)
	}
}

func TestTheDocumentKeepsWhatWasNotMeasured(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "capacity.md")
	if err := os.WriteFile(path, []byte("head\n"+beginMarker+"\nbefore\n"+endMarker+"\nfoot\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	one := func(name string, v float64) result {
		r := result{Name: name, Title: "About " + name, When: time.Now()}
		r.add("phonebox", "thing", v)
		return r
	}
	for _, results := range [][]result{{one("tftp", 11), one("dhcp-new", 22)}, {one("tftp", 33)}} {
		if err := document(path, results); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	if !strings.HasPrefix(s, "head\n"+beginMarker) || !strings.HasSuffix(s, endMarker+"\nfoot\n") || strings.Contains(s, "before") {
		t.Errorf("the frame of the document changed: %s", s)
	}
	if strings.Contains(s, "| 11 |") || strings.Index(s, "| 22 |") > strings.Index(s, "| 33 |") || !strings.Contains(s, "| 33 |") {
		t.Errorf("wanted 22 of dhcp-new, then 33 of tftp: %s", s)
	}
	if err := os.WriteFile(path, []byte("no markers"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := document(path, nil); err == nil {
		t.Error("a document without markers was taken")
	}
}

func TestTheDocumentOfTheRepositoryHasItsMarkers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/capacity.md")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), beginMarker) != 1 || strings.Count(string(text), endMarker) != 1 {
		t.Error("docs/capacity.md does not have each marker once")
	}
	for _, m := range measurements() {
		if !strings.Contains(string(text), "`"+m.name+"`") {
			t.Errorf("docs/capacity.md does not explain %s", m.name)
		}
	}
}

func TestTrend(t *testing.T) {
	t.Parallel()
	var x, flat, rising []float64
	for i := range 91 {
		x, flat, rising = append(x, float64(i)), append(flat, 40+float64(i%2)), append(rising, 40+float64(i)/10)
	}
	if mean, growth := trend(x, flat); math.Abs(growth) > 0.2 || math.Abs(mean-40.5) > 0.1 {
		t.Errorf("a flat line: mean %.2f, growth %.2f", mean, growth)
	}
	if _, growth := trend(x, rising); math.Abs(growth-6) > 0.01 {
		t.Errorf("a line that rises by 6 in its last two thirds: found %.2f", growth)
	}
	svg := plot("A <title>", "minutes", "MB", []line{{name: "a", x: x, y: rising}, {name: "none"}})
	if !strings.Contains(svg, "A &lt;title&gt;") || strings.Count(svg, "<polyline") != 2 || strings.Contains(svg, "NaN") || strings.Contains(svg, "%!") {
		t.Errorf("the picture: %s", svg)
	}
}

// TestEnlargeReachesTheSocketsOfAnotherProcess lets this test run itself as a program with a socket.
func TestEnlargeReachesTheSocketsOfAnotherProcess(t *testing.T) {
	if os.Getenv("PHONEBOX_CAPACITY_CHILD") != "" {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		os.Stdout.WriteString("listening\n")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent is done
		return
	}
	t.Parallel()
	testkit.Need(t, "root")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{name: "child", cmd: exec.Command(self, "-test.run", "^"+t.Name()+"$"), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "PHONEBOX_CAPACITY_CHILD=1")
	p.cmd.Stdout = &p.out
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = p.cmd.Wait() }()
	err = waitFor(t.Context(), 30*time.Second, "the child listens", func() (bool, error) { return bytes.Contains([]byte(p.out.String()), []byte("listening")), nil })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.enlarge(peerBuffer); err != nil || got != peerBuffer {
		t.Errorf("found a buffer of %d bytes, %v, wanted %d", got, err, peerBuffer)
	}
}

func TestWrongFlagsAndMissingProgramsAreNamed(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-rounds", "0"}, {"rest"}, {"-for", "1s"}} {
		if _, err := parse(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	if _, err := (options{only: "tftp,nothing"}).chosen(); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("found %v", err)
	}
	if all, err := (options{}).chosen(); err != nil || len(all) < 7 {
		t.Errorf("found %d measurements, %v", len(all), err)
	}
	for _, m := range measurements() {
		for _, n := range m.needs {
			if debian[n] == "" {
				t.Errorf("%s needs %s, whose package is not named", m.name, n)
			}
		}
	}
}

func TestMeasurementsOfChronydAreRead(t *testing.T) {
	t.Parallel()
	const log = `===============================================================================================================================
   Date (UTC) Time     IP Address   L St 123 567 ABCD  LP RP Score    Offset  Peer del. Peer disp.  Root del. Root disp. Refid     MTxRx
===============================================================================================================================
2026-11-30 20:01:02 10.77.0.1       N  4 111 111 1110  -2 -2 0.00 -1.250e-05  9.300e-06  1.000e-06  2.0e-05    1.0e-04   0A4D0002 4B K K
2026-11-30 20:01:02 10.77.0.9       N  4 111 111 1110  -2 -2 0.00 -5.000e-01  9.300e-06  1.000e-06  2.0e-05    1.0e-04   0A4D0002 4B K K
2026-11-30 20:01:03 10.77.0.1       N  4 111 111 1110  -2 -2 0.00  3.000e-06  1.100e-05  1.000e-06  2.0e-05    1.0e-04   0A4D0002 4B K K
`
	offsets, delays := measurementsOf(log)
	if len(offsets) != 2 || offsets[0] != -1.25e-5 || offsets[1] != 3e-6 || delays[1] != 1.1e-5 {
		t.Errorf("found the offsets %v and the delays %v", offsets, delays)
	}
	if q := quantile([]float64{4, 1, 3, 2}, 0.95); q != 4 {
		t.Errorf("found %v, wanted the largest of four", q)
	}
}
