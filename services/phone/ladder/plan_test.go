package ladder_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

const (
	sip8  = "P0S3-8-12-00"
	sccp8 = "P00308010200"
	sccp5 = "P00305000500"
)

var start = time.Date(2026, time.May, 4, 9, 0, 0, 0, time.UTC)

// shelfOf makes a shelf of whole loads.
func shelfOf(names ...string) ladder.Shelf {
	var shelf ladder.Shelf
	for _, name := range names {
		l := ladder.Load{Name: name}
		bundle := phone.MakeBundle(name, 0, 0)
		for file := range bundle {
			l.Files = append(l.Files, file)
			if base, ok := strings.CutSuffix(file, ".sbn"); ok && bundle[name+".loads"] != nil {
				l.Loader = base
			}
		}
		slices.Sort(l.Files)
		shelf = append(shelf, l)
	}
	return shelf
}

// rungs are the usual loads and both targets, whole.
func rungs(more ...string) ladder.Shelf {
	return shelfOf(append([]string{
		"P00303010102", sccp5, "P0S30203", "P0S3-04-4-00", "P0S3-05-3-00", "P0S3-06-3-00", "P0S3-07-4-00", sip8, sccp8,
	}, more...)...)
}

// sure is the belief of a phone that is known to run a load.
func sure(load string) ladder.Belief {
	return ladder.Conclude([]ladder.Clue{ladder.ToldNot(load, start)})
}

// names are the loads on a path, the first one included.
func names(p ladder.Path) string {
	if len(p.Steps) == 0 {
		return ""
	}
	list := []string{p.Steps[0].From}
	for _, s := range p.Steps {
		list = append(list, s.To)
	}
	return strings.Join(list, " ")
}

// TestLadder holds every row of phones.md c.4, and the naming of c.5.
func TestLadder(t *testing.T) {
	t.Parallel()
	const l8 = "P003-8-12-00"
	all := func(load, needs string) phone.Naming {
		return phone.Naming{OS79XX: load, ImageVersion: load, LoadInformation: load, Needs: needs}
	}
	image := func(load, suffix string) phone.Naming {
		return phone.Naming{OS79XX: load, ImageVersion: load, Needs: load + suffix}
	}
	loader8 := []string{sip8 + ".loads", l8 + ".sbn", sip8 + ".sb2"}
	for _, tt := range []struct {
		about, from, to string
		naming          phone.Naming
		files           []string
		source          string
	}{
		{"very old SCCP", "P00302000100", "P00303010102", all("P00303010102", "P00303010102.bin"), []string{"P00303010102.bin"}, "PALV"},
		{"SCCP 3.1 up", "P00303010102", sccp5, all(sccp5, sccp5+".bin"), []string{sccp5 + ".bin"}, "PALV"},
		{"SCCP 5.x up", sccp5, "P00308000900", all("P00308000900", "P00308000900.loads"), []string{"P00308000900.sbn", "P00308000900.loads", "P00308000900.sb2"}, "PALV"},
		{"SCCP with loader up", "P00308000900", sccp8, all(sccp8, sccp8+".loads"), []string{sccp8 + ".loads", sccp8 + ".sbn", sccp8 + ".sb2"}, "PALV"},
		{"SCCP 3.x to SIP 2.x", "P00303020214", "P0S30203", image("P0S30203", ".bin"), []string{"P0S30203.bin"}, "seed003"},
		{"SCCP 5.x to SIP 7.4", sccp5, "P0S3-07-4-00", phone.Naming{OS79XX: "P003-07-4-00", ImageVersion: "P0S3-07-4-00", LoadInformation: "P003-07-4-00", Needs: "P0S3-07-4-00.loads"}, []string{"P003-07-4-00.sbn", "P0S3-07-4-00.loads", "P0S3-07-4-00.sb2"}, "CME2"},
		{"SCCP 5.x to SIP 5.x", sccp5, "P0S3-05-3-00", image("P0S3-05-3-00", ".sbn"), []string{"P0S3-05-3-00.sbn"}, "CME2"},
		{"SCCP 5.x to SIP 6.x", sccp5, "P0S3-06-3-00", image("P0S3-06-3-00", ".sbn"), []string{"P0S3-06-3-00.sbn"}, "CME2"},
		{"SCCP 5.x to SIP 8.x", sccp5, sip8, phone.Naming{OS79XX: l8, ImageVersion: sip8, LoadInformation: l8, Needs: sip8 + ".loads"}, []string{l8 + ".sbn", sip8 + ".loads", sip8 + ".sb2"}, "c.5"},
		{"SCCP with loader to SIP", "P00307020300", sip8, all(sip8, sip8+".loads"), loader8, "LOG-J"},
		{"SIP before 2.3", "P0S30202", "P0S30203", image("P0S30203", ".bin"), []string{"P0S30203.bin"}, "seed001"},
		{"SIP 2.3", "P0S30203", "P0S3-04-4-00", image("P0S3-04-4-00", ".bin"), []string{"P0S3-04-4-00.bin"}, "CME2"},
		{"SIP 3.0", "P0S3-03-0-00", "P0S3-04-4-00", image("P0S3-04-4-00", ".bin"), []string{"P0S3-04-4-00.bin"}, "CME2"},
		{"SIP 4.4", "P0S3-04-4-00", "P0S3-05-3-00", image("P0S3-05-3-00", ".bin"), []string{"P0S3-05-3-00.bin"}, "CME2"},
		{"SIP 5.0", "P0S3-05-0-00", "P0S3-05-3-00", image("P0S3-05-3-00", ".sbn"), []string{"P0S3-05-3-00.sbn"}, "seed001"},
		{"SIP 5.3", "P0S3-05-3-00", "P0S3-06-3-00", image("P0S3-06-3-00", ".sbn"), []string{"P0S3-06-3-00.sbn"}, "seed001"},
		{"SIP 6.3 to 7.x", "P0S3-06-3-00", "P0S3-07-4-00", phone.Naming{OS79XX: "P003-07-4-00", ImageVersion: "P0S3-07-4-00", LoadInformation: "P003-07-4-00", Needs: "P0S3-07-4-00.loads"}, []string{"P003-07-4-00.sbn", "P0S3-07-4-00.loads", "P0S3-07-4-00.sb2"}, "CME2"},
		{"SIP 7.x to 8.x", "P0S3-07-4-00", sip8, all(sip8, sip8+".loads"), loader8, "c.4"},
		{"SIP 7.x to SCCP", "P0S3-07-4-00", "P00307020300", all("P00307020300", "P00307020300.loads"), []string{"P00307020300.loads", "P00307020300.sbn", "P00307020300.sb2"}, "CME2"},
		{"SIP 8.x to SCCP", sip8, sccp8, all(sccp8, sccp8+".loads"), []string{sccp8 + ".loads", sccp8 + ".sbn", sccp8 + ".sb2"}, "COMM2"},
		{"SIP 7.x down to 6.x", "P0S3-07-4-00", "P0S3-06-3-00", all("P0S3-06-3-00", "P0S3-06-3-00.sbn"), []string{"P0S3-06-3-00.sbn"}, "CME2"},
		{"SIP 8.x down to 7.x", sip8, "P0S3-07-4-00", all("P0S3-07-4-00", "P0S3-07-4-00.loads"), []string{"P0S3-07-4-00.loads", "P003-07-4-00.sbn", "P0S3-07-4-00.sb2"}, "c.5"},
		{"a loader without application", "P003-07-4-00", sip8, all(sip8, sip8+".loads"), loader8, "VI2"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			p, err := ladder.Plan(sure(tt.from), tt.to, rungs(tt.to))
			if err != nil || len(p.Steps) != 1 || len(p.Missing) != 0 {
				t.Fatalf("Plan: %+v, %v, want one step", p, err)
			}
			s := p.Steps[0]
			if s.Naming != tt.naming || !slices.Equal(s.Files, tt.files) || !strings.Contains(s.Source, tt.source) || s.Maybe || s.Confirm {
				t.Errorf("found %+v\nwanted %+v %v, from %s", s, tt.naming, tt.files, tt.source)
			}
			if s.Takes < time.Minute || s.Takes > 2*time.Minute || !strings.Contains(s.Display, "Upgrading Software") {
				t.Errorf("takes %s, shows %q", s.Takes, s.Display)
			}
		})
	}
}

// TestPaths are the phones of a pallet on their way there and back, with all rungs on the shelf.
func TestPaths(t *testing.T) {
	t.Parallel()
	loaderSCCP := ladder.Conclude(clues(t, "class 7960", "CTLSEP0006D7AA2A2E.tlv", "7960-font.xml"))
	for _, tt := range []struct {
		about string
		from  ladder.Belief
		to    string
		want  string
	}{
		{"very old SCCP", sure("P00302000100"), sip8, "P00302000100 P00303010102 P00305000500 P0S3-8-12-00"},
		{"SCCP 3.1", sure("P00303010102"), sip8, "P00303010102 P00305000500 P0S3-8-12-00"},
		{"SCCP 4.1", sure("P00304010000"), sip8, "P00304010000 P00305000500 P0S3-8-12-00"},
		{"SCCP 5.0", sure("P00305000300"), sip8, "P00305000300 P0S3-8-12-00"},
		{"SCCP with the loader", loaderSCCP, sip8, "SCCP 6.x or later P0S3-8-12-00"},
		{"SIP 2.2", sure("P0S30202"), sip8, "P0S30202 P0S30203 P0S3-04-4-00 P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00"},
		{"SIP 2.3", sure("P0S30203"), sip8, "P0S30203 P0S3-04-4-00 P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00"},
		{"SIP 4.4", sure("P0S3-04-4-00"), sip8, "P0S3-04-4-00 P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00"},
		{"SIP 5.0", sure("P0S3-05-0-00"), sip8, "P0S3-05-0-00 P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00"},
		{"SIP 5.3", sure("P0S3-05-3-00"), sip8, "P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00"},
		{"SIP 6.3", sure("P0S3-06-3-00"), sip8, "P0S3-06-3-00 P0S3-8-12-00"},
		{"SIP 7.4", sure("P0S3-07-4-00"), sip8, "P0S3-07-4-00 P0S3-8-12-00"},
		{"SIP 8.9", sure("P0S3-08-9-00"), sip8, "P0S3-08-9-00 P0S3-8-12-00"},
		{"there already", sure(sip8), sip8, ""},
		{"there, in another case", sure("p0s3-8-12-00"), sip8, ""},
		{"back to SCCP from 8.12", sure(sip8), sccp8, "P0S3-8-12-00 P00308010200"},
		{"back to SCCP from 7.4", sure("P0S3-07-4-00"), sccp8, "P0S3-07-4-00 P00308010200"},
		{"back to SCCP from 6.3", sure("P0S3-06-3-00"), sccp8, "P0S3-06-3-00 P0S3-07-4-00 P00308010200"},
		{"back to SCCP from 2.3", sure("P0S30203"), sccp8, "P0S30203 P0S3-04-4-00 P0S3-05-3-00 P0S3-06-3-00 P0S3-07-4-00 P00308010200"},
		{"SCCP 3.1 to SCCP 8", sure("P00303010102"), sccp8, "P00303010102 P00305000500 P00308010200"},
		{"down from 8.12 to 6.3", sure(sip8), "P0S3-06-3-00", "P0S3-8-12-00 P0S3-07-4-00 P0S3-06-3-00"},
		{"down from 6.3 to 5.3", sure("P0S3-06-3-00"), "P0S3-05-3-00", "P0S3-06-3-00 P0S3-07-4-00 P0S3-05-3-00"},
		{"down within 6.x as well", sure("P0S3-06-3-00"), "P0S3-06-1-00", "P0S3-06-3-00 P0S3-07-4-00 P0S3-06-1-00"},
		{"up within 6.x", sure("P0S3-06-1-00"), "P0S3-06-3-00", "P0S3-06-1-00 P0S3-06-3-00"},
		{"SCCP with the loader to SIP 6.3", loaderSCCP, "P0S3-06-3-00", "SCCP 6.x or later P0S3-07-4-00 P0S3-06-3-00"},
		{"SCCP 3.x to SIP 2.3 has one way only", sure("P00303020214"), "P0S30203", "P00303020214 P0S30203"},
		{"SCCP 3.x to SIP 4.4 as well", sure("P00303020214"), "P0S3-04-4-00", "P00303020214 P0S30203 P0S3-04-4-00"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			p, err := ladder.Plan(tt.from, tt.to, rungs(tt.to))
			if err != nil || names(p) != tt.want || len(p.Missing) != 0 || p.To != tt.to {
				t.Errorf("found %s (%v, missing %q)\nwanted %s", names(p), err, p.Missing, tt.want)
			}
		})
	}
}

// TestUncertain is what is planned where the load is not known exactly.
func TestUncertain(t *testing.T) {
	t.Parallel()
	old, xml := "OS79XX.TXT", "SEP0006D7AA2A2E.cnf.xml"
	for _, tt := range []struct {
		about string
		clues []string
		want  string // the path
		files string // of the first step
		maybe bool
	}{
		{"SIP 4 by its User-Agent", []string{old, "agent CSCO/4"}, "SIP 4.x P0S3-04-4-00 P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00", "P0S3-04-4-00.bin", true},
		{"SIP 3 by its User-Agent", []string{old, "agent CSCO/3"}, "SIP 3.x P0S3-04-4-00 P0S3-05-3-00", "P0S3-04-4-00.bin", false},
		{"SIP 2 by its User-Agent", []string{old, "agent CSCO/2"}, "SIP 2.x P0S30203", "P0S30203.bin", true},
		{"SIP 5 by its User-Agent", []string{old, "agent CSCO/5"}, "SIP 5.x P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00", "P0S3-05-3-00.sbn", true},
		{"SIP 6 by its User-Agent", []string{old, "agent CSCO/6"}, "SIP 6.x P0S3-8-12-00", "P003-8-12-00.sbn P0S3-8-12-00.loads P0S3-8-12-00.sb2", false},
		{"SIP 7 by its User-Agent", []string{"agent CSCO/7"}, "SIP 7.x P0S3-8-12-00", "P0S3-8-12-00.loads P003-8-12-00.sbn P0S3-8-12-00.sb2", false},
		{"SIP 8 by its User-Agent", []string{"agent Cisco-CP7940G/8.0"}, "SIP 8.x P0S3-8-12-00", "P0S3-8-12-00.loads P003-8-12-00.sbn P0S3-8-12-00.sb2", true},
		{"SCCP that reads XML", []string{"class", old, xml}, "SCCP 3.x to 5.x P00305000500 P0S3-8-12-00", "P00305000500.bin P00305000500.sbn", true},
		{"SCCP that takes unsigned images", []string{old, xml, "P00303020214.bin"}, "SCCP 3.x to 4.x P00305000500 P0S3-8-12-00", "P00305000500.bin", false},
		{"SCCP that takes signed images", []string{old, xml, "P0S3-07-4-00.sbn"}, "SCCP 5.x P0S3-8-12-00", "P003-8-12-00.sbn P0S3-8-12-00.loads P0S3-8-12-00.sb2", false},
		{"SCCP that is too old for XML", []string{old, "SEPDefault.cnf"}, "SCCP from before XML P00303010102 P00305000500 P0S3-8-12-00", "P00303010102.bin", false},
		{"the loader, nothing else", []string{"CTLSEP0006D7AA2A2E.tlv"}, "the universal loader with a load that is not known P0S3-8-12-00", "P0S3-8-12-00.loads P003-8-12-00.sbn P0S3-8-12-00.sb2", true},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			b := ladder.Conclude(clues(t, tt.clues...))
			p, err := ladder.Plan(b, sip8, rungs())
			if err != nil || !strings.HasPrefix(names(p), tt.want) {
				t.Fatalf("found %s, %v; wanted %s\n%+v", names(p), err, tt.want, b)
			}
			if s := p.Steps[0]; strings.Join(s.Files, " ") != tt.files || s.Maybe != tt.maybe || s.Confirm {
				t.Errorf("found %+v, wanted %s", s, tt.files)
			}
		})
	}
}

// TestConfirm is the start that shows that a load runs which is only likely to.
func TestConfirm(t *testing.T) {
	t.Parallel()
	fetched := func(load, before string) ladder.Belief {
		return ladder.Conclude([]ladder.Clue{ladder.Fetched(load, before, start)})
	}
	stated := func(load string) ladder.Belief {
		c, ok := ladder.Stated(load, time.Time{})
		if !ok {
			t.Fatal(load)
		}
		return ladder.Conclude([]ladder.Clue{c})
	}
	for _, tt := range []struct {
		about   string
		from    ladder.Belief
		to      string
		confirm bool
		files   string // of the first step
	}{
		{"the suffix tells 4.4 from 5.3", fetched("P0S3-05-3-00", "P0S3-04-4-00"), sip8, false, "P0S3-06-3-00.sbn"},
		{"the suffix tells SCCP 3.1 from 5.0", fetched(sccp5, "P00303010102"), sip8, false, "P003-8-12-00.sbn P0S3-8-12-00.loads P0S3-8-12-00.sb2"},
		{"2.3 and 4.4 are both unsigned", fetched("P0S3-04-4-00", "P0S30203"), sip8, true, "P0S3-04-4-00.bin"},
		{"5.3 and 6.3 are both signed", fetched("P0S3-06-3-00", "P0S3-05-3-00"), sip8, true, "P0S3-06-3-00.sbn"},
		{"a signed image, with what ran before not known", fetched("P0S3-06-3-00", ""), sip8, true, ""},
		{"the loader came, its application not yet", fetched("P003-8-12-00", "P0S3-06-3-00"), sip8, false, "P0S3-8-12-00.loads P003-8-12-00.sbn P0S3-8-12-00.sb2"},
		{"the loader came, and SCCP is wanted after all", fetched("P003-8-12-00", "P0S3-06-3-00"), sccp8, true, ""},
		{"it is there, perhaps", fetched(sip8, "P0S3-07-4-00"), sip8, true, "P0S3-8-12-00.loads P003-8-12-00.sbn P0S3-8-12-00.sb2"},
		{"said by a person, another load would take it", stated("P0S3-06-3-00"), sip8, true, ""},
		{"said by a person, no other load would take it", stated("P0S3-07-4-00"), sip8, false, "P0S3-8-12-00.loads P003-8-12-00.sbn P0S3-8-12-00.sb2"},
		{"said by a person, too old for XML", stated("P00302000100"), sip8, true, ""},
		{"said by a person, seen to be too old for XML", ladder.Conclude(clues(t, "runs P00302000100", "OS79XX.TXT", "SEPDefault.cnf")), sip8, false, "P00303010102.bin"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			p, err := ladder.Plan(tt.from, tt.to, rungs())
			if err != nil || len(p.Steps) == 0 {
				t.Fatal(p, err)
			}
			s := p.Steps[0]
			if s.Confirm != tt.confirm || strings.Join(s.Files, " ") != tt.files {
				t.Errorf("found %+v, wanted %v %q", s, tt.confirm, tt.files)
			}
			if s.Confirm && (s.To != s.From && !strings.Contains(s.From, "loader") || !s.Maybe || len(p.Missing) != 0) {
				t.Errorf("a start that is none: %+v", s)
			}
			if s.Confirm && strings.HasPrefix(s.To, "P0S3") && s.Naming != phone.Stay(s.To) {
				t.Errorf("it is told %+v", s.Naming)
			}
		})
	}
}

// TestPlanShelf is which loads a path takes from the shelf, and what it says is missing.
func TestPlanShelf(t *testing.T) {
	t.Parallel()
	broken := shelfOf(sip8)
	broken[0].Files = slices.DeleteFunc(broken[0].Files, func(f string) bool { return strings.HasSuffix(f, ".sb2") })
	broken[0].Missing = []string{sip8 + ".sb2"}
	renamed := shelfOf(sip8)
	renamed[0].Missing = []string{sip8 + ".sb2 (signed for P0S3-8-11-00.sb2, so it was renamed)"}
	unsigned := shelfOf("P0S3-06-3-00", sip8)
	unsigned[0].Files = []string{"P0S3-06-3-00.bin"}
	lower := shelfOf(sip8)
	lower[0].Name = strings.ToLower(sip8)
	for _, tt := range []struct {
		about, from, to string
		shelf           ladder.Shelf
		want, missing   string
	}{
		{"an empty shelf names the usual rungs", "P0S30202", sip8, nil, "P0S30202 P0S30203 P0S3-04-4-00 P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00", "P0S30203.bin P0S3-04-4-00.bin P0S3-05-3-00.bin P0S3-06-3-00.sbn P003-8-12-00.sbn P0S3-8-12-00.loads P0S3-8-12-00.sb2"},
		{"an empty shelf, from SCCP", "P00302000100", sip8, nil, "P00302000100 P00303010102 P00305000500 P0S3-8-12-00", "P00303010102.bin P00305000500.bin P003-8-12-00.sbn P0S3-8-12-00.loads P0S3-8-12-00.sb2"},
		{"6.1 instead of 6.3", "P0S3-05-3-00", sip8, shelfOf("P0S3-06-1-00", sip8), "P0S3-05-3-00 P0S3-06-1-00 P0S3-8-12-00", ""},
		{"the usual one of two", "P0S3-05-3-00", sip8, shelfOf("P0S3-06-1-00", "P0S3-06-3-00", sip8), "P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00", ""},
		{"8.9 where there is no 7.x", "P0S3-06-3-00", sccp8, shelfOf("P0S3-08-9-00", sccp8), "P0S3-06-3-00 P0S3-08-9-00 P00308010200", ""},
		{"the application is missing", "P0S3-07-4-00", sip8, broken, "P0S3-07-4-00 P0S3-8-12-00", "P0S3-8-12-00.sb2"},
		{"the application was renamed", "P0S3-07-4-00", sip8, renamed, "P0S3-07-4-00 P0S3-8-12-00", "P0S3-8-12-00.sb2"},
		{"unsigned where signed is needed", "P0S3-05-3-00", sip8, unsigned, "P0S3-05-3-00 P0S3-06-3-00 P0S3-8-12-00", "P0S3-06-3-00.sbn"},
		{"in the spelling of the shelf", "P0S3-07-4-00", sip8, lower, "P0S3-07-4-00 p0s3-8-12-00", ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			p, err := ladder.Plan(sure(tt.from), tt.to, tt.shelf)
			if err != nil || names(p) != tt.want {
				t.Fatalf("found %s, %v; wanted %s", names(p), err, tt.want)
			}
			var missing []string
			for _, m := range p.Missing {
				missing = append(missing, strings.Fields(m)[0])
				if !strings.Contains(m, "upload it") {
					t.Errorf("%q does not say what to do", m)
				}
			}
			if strings.Join(missing, " ") != tt.missing {
				t.Errorf("missing %q, wanted %s", p.Missing, tt.missing)
			}
		})
	}
	p, _ := ladder.Plan(sure("P0S3-07-4-00"), sip8, renamed)
	if len(p.Missing) != 1 || !strings.Contains(p.Missing[0], "so it was renamed") {
		t.Errorf("the reason is gone: %q", p.Missing)
	}
}

// TestNoWay is what a technician reads where there is no step.
func TestNoWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		about string
		from  ladder.Belief
		to    string
		want  string
	}{
		{"nothing known", ladder.Belief{}, sip8, "not known yet which load"},
		{"SIP, nothing else", ladder.Conclude(clues(t, "class", "OS79XX.TXT", "SIPDefault.cnf")), sip8, "which load this SIP phone runs (SIP 2.x to 6.x): say in the settings of this phone"},
		{"SIP, unsigned", ladder.Conclude(clues(t, "OS79XX.TXT", "SIPDefault.cnf", "P0S3-03-2-00.bin")), sip8, "(SIP 2.x to 4.x)"},
		{"SIP, signed", ladder.Conclude(clues(t, "OS79XX.TXT", "SIPDefault.cnf", "P0S3-06-9-00.sbn")), sip8, "(SIP 5.x to 6.x)"},
		{"SIP with a User-Agent that may be wrong", ladder.Conclude(clues(t, "OS79XX.TXT", "agent Cisco-SIPIPPhone/2")), sip8, "which load this SIP phone runs"},
		{"SIP, loader not known", ladder.Conclude(clues(t, "SIPDefault.cnf")), sip8, "whether this phone has the universal loader"},
		{"signed SCCP, loader not known", ladder.Conclude(clues(t, "P003-8-12-00.sbn", "7960-font.xml")), sip8, "whether this phone has the universal loader"},
		{"SCCP, XML not known", ladder.Conclude(clues(t, "class", "7960-font.xml")), sip8, "too old for XML"},
		{"another model", ladder.Belief{Model: "7941", Load: "SIP41.8-5-4S", Confidence: ladder.Sure}, sip8, "7941"},
		{"a load of another model", ladder.Belief{Load: "SIP41.8-5-4S", Confidence: ladder.Sure}, sip8, "SIP41.8-5-4S"},
		{"MGCP", ladder.Belief{Protocol: phone.MGCP, Confidence: ladder.Sure}, sip8, "MGCP"},
		{"an MGCP load", sure("P0M3-07-0-00"), sip8, "P0M3-07-0-00"},
		{"a target that is no load", sure(sip8), "latest", `"latest" is not the name`},
		{"a target that is a loader", sure(sip8), "P003-8-12-00", "is not the name"},
		{"an MGCP target", sure(sip8), "P0M3-07-0-00", "is not the name"},
		{"an unsigned target", sure(sip8), "P0S3-04-4-00", "no way back"},
		{"an unsigned target, from signed", sure("P0S3-05-3-00"), "P0S30203", "no way back"},
		{"SCCP 5.x from SIP 7.x", sure(sip8), sccp5, "choose SCCP 7.x or later"},
		{"SCCP 5.x from SIP 4.x", sure("P0S3-04-4-00"), sccp5, "up to 7.x first"},
		{"a release that nobody made", sure(sip8), "P0S3-10-1-00", "no release of that number"},
		{"what does not fit together", ladder.Belief{Protocol: phone.SIP, Loader: ladder.No, Major: 8, Confidence: ladder.Sure}, sip8, "does not fit together"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			p, err := ladder.Plan(tt.from, tt.to, rungs())
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(p.Steps) != 0 {
				t.Errorf("found %s, %v; wanted %q", names(p), err, tt.want)
			}
		})
	}
}

func TestExpects(t *testing.T) {
	t.Parallel()
	p, err := ladder.Plan(sure("P0S3-06-3-00"), sip8, rungs())
	if err != nil {
		t.Fatal(err)
	}
	c, _ := ladder.Stated("P0S3-06-3-00", start)
	confirm, err := ladder.Plan(ladder.Conclude([]ladder.Clue{c}), sip8, rungs())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		step ladder.Step
		file string
		want string // "" = given
	}{
		{p.Steps[0], "P003-8-12-00.sbn", ""},
		{p.Steps[0], "./p003-8-12-00.SBN", ""},
		{p.Steps[0], "P0S3-8-12-00.loads", ""},
		{p.Steps[0], "P0S3-8-12-00.sb2", ""},
		{p.Steps[0], "P003-8-12-00.bin", "does not run what it was taken for (P0S3-06-3-00)"},
		{p.Steps[0], "P0S3-8-12-00.sbn", "does not run what it was taken for"},
		{p.Steps[0], "P0S3-07-4-00.loads", "no file of the step"},
		{p.Steps[0], "RINGLIST.DAT", "no file of the step"},
		{confirm.Steps[0], "P0S3-06-3-00.sbn", "starts once to show that it runs P0S3-06-3-00"},
	} {
		ok, why := tt.step.Expects(phone.ParseFileName(tt.file))
		if ok != (tt.want == "") || !strings.Contains(why, tt.want) || ok && why != "" {
			t.Errorf("Expects(%s) = %v, %q; wanted %q", tt.file, ok, why, tt.want)
		}
	}
}

// clues makes clues a second apart: "class" and "class 7960", "agent ...", "cdp ...", "runs ..." (a person), "told ...",
// "fetched A B", else a file; the first file is the first of the boot.
func clues(t testing.TB, list ...string) []ladder.Clue {
	t.Helper()
	var all []ladder.Clue
	first := true
	for i, text := range list {
		at := start.Add(time.Duration(i) * time.Second)
		word, rest, _ := strings.Cut(text, " ")
		var c ladder.Clue
		ok := true
		switch word {
		case "class":
			first = true
			class := "Cisco Systems, Inc. IP Phone"
			if rest != "" {
				class += " CP-" + rest + "G"
			}
			c, ok = ladder.Class(class+"\x00", at)
		case "agent":
			c, ok = ladder.Agent(rest, at)
		case "cdp":
			c, ok = ladder.CDP("Cisco IP Phone 7960", rest, at)
		case "runs":
			c, ok = ladder.Stated(rest, time.Time{})
		case "told":
			c = ladder.ToldNot(rest, at)
		case "fetched":
			var load, before string
			_, _ = fmt.Sscan(rest, &load, &before)
			c = ladder.Fetched(load, before, at)
		default:
			c, ok = ladder.Asked(phone.ParseFileName(text), first, at)
			first = false
		}
		if !ok {
			t.Fatalf("%q is no clue", text)
		}
		all = append(all, c)
	}
	return all
}
