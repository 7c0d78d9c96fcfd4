package web

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

func fleetOf(t testing.TB) []Phone {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	mac := func(s string) phone.MAC {
		m, err := phone.ParseMAC(s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	return []Phone{
		{MAC: mac("0006D7AA2A2E"), Label: "Reception", Model: "7960", Address: "10.77.0.50", Load: "P0S3-8-12-00", Known: true, Step: phone.Ready, Updated: at, Lines: "208, 209"},
		{MAC: mac("00070E112233"), Label: "warehouse", Model: "7940", Address: "10.77.0.9", Load: "P00303020214", Known: true, Step: phone.Stuck, Updated: at.Add(time.Minute), Lines: "99"},
		{MAC: mac("0008210A0B0C"), Model: "7960", Address: "10.77.1.13", Step: phone.Loading, Updated: at.Add(2 * time.Minute)},
		{MAC: mac("000A41AABBCC"), Label: "Meeting room", Known: true, Step: phone.Upgrading, Updated: at.Add(3 * time.Minute), Lines: "310"},
		{MAC: mac("000A41AABBCD"), Label: "Spare", Known: true},
	}
}

func names(phones []Phone) string {
	var out []string
	for _, p := range phones {
		if p.Label == "" {
			p.Label = p.MAC.Name()
		}
		out = append(out, p.Label)
	}
	return strings.Join(out, " ")
}

func TestPhonesAreFoundFilteredAndSorted(t *testing.T) {
	phones := fleetOf(t)
	for query, want := range map[string]string{
		"":                          "Meeting room Reception Spare warehouse 0008210A0B0C",
		"dir=desc":                  "0008210A0B0C warehouse Spare Reception Meeting room",
		"step=ready":                "Reception",
		"step=way":                  "Meeting room 0008210A0B0C",
		"step=stuck":                "warehouse",
		"step=never":                "Spare",
		"step=unlisted":             "0008210A0B0C",
		"step=nonsense&sort=x":      "Meeting room Reception Spare warehouse 0008210A0B0C",
		"sort=address":              "warehouse Reception 0008210A0B0C Meeting room Spare",
		"sort=address&dir=desc":     "0008210A0B0C Reception warehouse Meeting room Spare",
		"sort=line":                 "warehouse Reception Meeting room Spare 0008210A0B0C",
		"sort=model":                "warehouse Reception 0008210A0B0C Meeting room Spare",
		"sort=firmware":             "warehouse Reception Meeting room Spare 0008210A0B0C",
		"sort=seen":                 "Meeting room 0008210A0B0C warehouse Reception Spare",
		"sort=step":                 "warehouse Meeting room 0008210A0B0C Reception Spare",
		"q=ROOM":                    "Meeting room",
		"q=00:06:d7:aa:2a:2e":       "Reception",
		"q=00-06-D7-AA-2A-2E":       "Reception",
		"q=0006.d7aa.2a2e":          "Reception",
		"q=0006d7aa2a2e":            "Reception",
		"q=0006d7":                  "Reception",
		"q=2a2e":                    "Reception", // its last digits, as one reads them off a sticker
		"q=0a41":                    "",          // those from the middle are in too many
		"q=0a:41":                   "Meeting room Spare",
		"q=209":                     "Reception",
		"q=10.77.0.":                "Reception warehouse",
		"q=7940":                    "warehouse",
		"q=p0s3":                    "Reception",
		"q=7960+10.77.1":            "0008210A0B0C",
		"q=7960+warehouse":          "",
		"q=room&step=way&sort=line": "Meeting room",
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		picked, _ := readPhonesQuery(v).pick(phones)
		if got := names(picked); got != want {
			t.Errorf("%q shows %q, want %q", query, got, want)
		}
	}
	_, counts := phonesQuery{Step: "stuck"}.pick(phones)
	if want := []int{5, 1, 2, 1, 1, 1}; !slices.Equal(counts, want) {
		t.Errorf("the chips count %v, want %v", counts, want)
	}
	if _, counts = (phonesQuery{Search: "room"}).pick(phones); !slices.Equal(counts, []int{1, 0, 1, 0, 0, 0}) {
		t.Errorf("with a search the chips count %v", counts)
	}
}

// What a person wants to see goes through an address and back.
func FuzzPhonesQuery(f *testing.F) {
	f.Add("q=a+b&step=ready&sort=seen&dir=desc", "Reception", "208")
	f.Add("q=%ff%fe&step=&sort=name", "", "")
	f.Add("q=0006d7aa2a2e", "0006D7AA2A2E", "#")
	f.Fuzz(func(t *testing.T, query, label, pattern string) {
		v, _ := url.ParseQuery(query)
		q := readPhonesQuery(v)
		again := readPhonesQuery(q.Values())
		if !reflect.DeepEqual(q, again) {
			t.Errorf("%+v became %+v", q, again)
		}
		phones := append(fleetOf(t), Phone{MAC: phone.MAC{2}, Label: label, Lines: pattern})
		picked, counts := q.pick(phones)
		if len(picked) > counts[0] || len(phones) != 6 {
			t.Errorf("%d of %d phones", len(picked), counts[0])
		}
		if mac, ok := readScan(pattern); ok && (mac.IsZero() || mac[0]&1 != 0) {
			t.Errorf("%q became %s", pattern, mac)
		}
		if name := patternName(pattern, 7, PhoneEntry{}); len(name) > len(pattern)+5 {
			t.Errorf("%q became %q", pattern, name)
		}
	})
}

func TestNamesByAPattern(t *testing.T) {
	e := PhoneEntry{Lines: []LineEntry{{Name: "208"}}}
	for pattern, want := range map[string]string{
		"Desk #": "Desk 7", "Desk ##": "Desk 07", " #a# ": "7a#", "Room {line}": "Room 208", "Same": "Same", "{line}-###": "208-007",
	} {
		if got := patternName(pattern, 7, e); got != want {
			t.Errorf("%q makes %q, want %q", pattern, got, want)
		}
	}
}

func TestScansOfAllKinds(t *testing.T) {
	for code, want := range map[string]string{
		"00:06:D7:AA:2A:2E": "0006D7AA2A2E", "0006d7aa2a2e": "0006D7AA2A2E", " 0006.d7aa.2a2e\n": "0006D7AA2A2E", "SEP0006D7AA2A2E": "0006D7AA2A2E",
		"MAC:0006D7AA2A2E": "0006D7AA2A2E", "MAC 00-06-D7-AA-2A-2E": "0006D7AA2A2E", "*0006D7AA2A2E*": "0006D7AA2A2E", "00 06 D7 AA 2A 2E": "0006D7AA2A2E",
		"": "", "INM08123ABC": "", "CP-7960G": "", "000000000000": "", "FFFFFFFFFFFF": "", "0106D7AA2A2E": "", "0006D7AA2A2E0006D7AA2A2F": "", "Reception": "",
	} {
		mac, ok := readScan(code)
		if got := mac.Name(); ok != (want != "") || ok && got != want {
			t.Errorf("%q is %s (%v), want %q", code, got, ok, want)
		}
	}
}

// partsOf lists what a stream sends: swap and target of each part.
func partsOf(html []byte) []string {
	var out []string
	for part := range strings.SplitSeq(string(html), "<hx-partial ") {
		if target, rest, ok := strings.Cut(strings.TrimPrefix(part, `hx-target="`), `" hx-swap="`); ok {
			swap, _, _ := strings.Cut(rest, `"`)
			out = append(out, swap+" "+target)
		}
	}
	return out
}

// The rows stay where they are; only what changed is sent.
func TestTheStreamSendsSingleRowsAndMovesNone(t *testing.T) {
	pages, err := parsePages()
	if err != nil {
		t.Fatal(err)
	}
	phones := fleetOf(t)
	q := phonesQuery{Step: "way", Sort: "seen"}
	o := phonesParts{query: q}
	send := func() []string {
		t.Helper()
		picked, counts := q.pick(phones)
		v := phonesView{Sentence: "s", Query: q, Any: true}
		for _, p := range picked {
			v.Rows = append(v.Rows, newRow(p, time.Time{}))
		}
		for i, f := range phoneFilters {
			v.Chips = append(v.Chips, chipView{Word: f.word, Count: counts[i]})
		}
		html, err := o.changes(pages, v)
		if err != nil {
			t.Fatal(err)
		}
		return partsOf(html)
	}
	want := func(what string, got []string, parts ...string) {
		t.Helper()
		if !slices.Equal(got, parts) {
			t.Errorf("%s: sent %q, want %q", what, got, parts)
		}
	}
	want("at first", send(), "textContent #phones-sentence", "innerMorph #phones-chips", "innerMorph #strangers", "innerMorph #phones-all", "innerMorph #phones")
	want("nothing new", send())
	phones[2].Updated = phones[2].Updated.Add(time.Hour) // it is the latest now, and stays where it is
	want("one changed", send(), "outerMorph #p-0008210A0B0C")
	phones[0].Step, phones[0].Updated = phone.Loading, phones[2].Updated.Add(time.Hour)
	want("one came, before all others", send(), "innerMorph #phones-chips", "innerMorph #phones-all", "afterbegin #phones")
	phones[1].Step = phone.Seen
	phones[4].Step, phones[4].Updated = phone.Seen, phones[1].Updated.Add(-time.Second)
	want("two came, behind each other", send(), "innerMorph #phones-chips", "innerMorph #phones-all", "afterend #p-000A41AABBCC")
	if got := fmt.Sprint(o.order); got != "[00:06:D7:AA:2A:2E 00:0A:41:AA:BB:CC 00:07:0E:11:22:33 00:0A:41:AA:BB:CD 00:08:21:0A:0B:0C]" {
		t.Errorf("the browser has %s", got)
	}
	phones[3].Step = phone.Ready
	want("one left", send(), "innerMorph #phones-chips", "innerMorph #phones-all", "delete #p-000A41AABBCC")
	for i := range phones {
		phones[i].Step = phone.Ready
	}
	want("all left", send(), "innerMorph #phones-chips", "innerMorph #phones-all", "innerMorph #phones")
	for i := range 200 {
		phones = append(phones, Phone{MAC: phone.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, Step: phone.Seen, Known: true})
	}
	want("many came", send(), "innerMorph #phones-chips", "innerMorph #phones-all", "innerMorph #phones")
}
