package web

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

func TestThePhonesInOneSentence(t *testing.T) {
	for want, tally := range map[string]Tally{
		"17 of 20 phones ready, 2 loading firmware, 1 stuck": {Listed: 20, Ready: 17, Firmware: 2, Stuck: 1},
		"All 20 phones are ready":                            {Listed: 20, Ready: 20},
		"All 20 phones are ready, 1 not listed":              {Listed: 20, Ready: 20, Unlisted: 1},
		"The phone is ready":                                 {Listed: 1, Ready: 1},
		"0 of 3 phones ready, 1 starting, 2 never seen":      {Listed: 3, OnTheWay: 1, Never: 2},
		"Ready for the first phone":                          {},
		"1 phone showed up, and none is listed yet":          {Unlisted: 1},
		"5 phones showed up, and none is listed yet":         {Unlisted: 5},
		"1 of 9 phones ready, 1 loading firmware, 4 starting, 1 never seen, 2 not listed, 2 stuck": {Listed: 9, Ready: 1, Firmware: 1, OnTheWay: 4, Never: 1, Unlisted: 2, Stuck: 2},
	} {
		if got := strings.Join(tally.words(), ", "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A laptop is no phone; a phone that nobody listed counts apart, whatever it does.
func TestWhoIsCounted(t *testing.T) {
	got := Count([]Phone{
		{Known: true, Step: phone.Ready},
		{Known: true, Step: phone.Seen},
		{Known: true, Step: phone.Addressed},
		{Known: true, Step: phone.Loading},
		{Known: true, Step: phone.Configured},
		{Known: true, Step: phone.Upgrading},
		{Known: true, Step: phone.Stuck},
		{Known: true},
		{Step: phone.Addressed},
		{Step: phone.Seen},
		{Step: phone.Seen, Model: "7960"},
		{Step: phone.Stuck},
		{Step: phone.Ready, Protocol: phone.SCCP},
	})
	want := Tally{Listed: 8, Ready: 1, OnTheWay: 4, Firmware: 1, Stuck: 1, Never: 1, Unlisted: 3}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestATransferInWords(t *testing.T) {
	for want, x := range map[string]Transfer{
		"61 % of 757 KB | 38 KB a second, 10 s to go":                   {Size: 756_524, Bytes: 461_824, Took: 12 * time.Second},
		"99 % of 2.0 MB | 2.0 KB a second, a few seconds to go":         {Size: 2_000_000, Bytes: 1_998_000, Took: 999 * time.Second},
		"1 % of 2.0 MB | 200 bytes a second, more than an hour to go":   {Size: 2_000_000, Bytes: 20_000, Took: 100 * time.Second},
		"10 % of 2.0 MB | 20 KB a second, 2 minutes to go":              {Size: 2_000_000, Bytes: 200_000, Took: 10 * time.Second},
		"100 % of 500 bytes | 51 bytes a second, a few seconds to go":   {Size: 500, Bytes: 510, Took: 10 * time.Second},
		"0 % of 757 KB | It waits for its turn: others are sent first.": {Size: 756_524, Waiting: true, Took: time.Minute},

		"0 % of 757 KB | ": {Size: 756_524, Took: time.Minute},

		"50 % of 1.0 KB | ": {Size: 1000, Bytes: 500, Took: 10 * time.Millisecond},

		"0 % of 0 bytes | ": {Took: time.Minute},
	} {
		v := newTransferView(x)
		if got := v.Said + " | " + v.Rate; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func minutesOf(now time.Time, tallies ...Tally) []Minute {
	out := make([]Minute, len(tallies))
	for i, t := range tallies {
		out[i] = Minute{At: now.Add(-time.Duration(len(tallies)-1-i) * time.Minute), Tally: t}
	}
	return out
}

func TestTheHourInWords(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	ready := func(n ...int) (out []Tally) {
		for _, r := range n {
			out = append(out, Tally{Listed: 20, Ready: r, OnTheWay: 20 - r})
		}
		return out
	}
	for want, n := range map[string][]int{
		"20 of 20 phones are ready, the same since 11:58.":              {20, 20, 20},
		"0 of 20 phones are ready, the same since 12:00.":               {0},
		"At 11:58 no phone was ready; 20 of 20 are ready since 12:00.":  {20, 20, 0, 10, 20},
		"At 11:57 only 3 were ready; 19 of 20 are ready since 11:59.":   {20, 3, 10, 19, 19},
		"5 of 20 phones are ready since 11:59; 20 were ready at 11:58.": {20, 20, 5, 5},
	} {
		if got := chartSentence(minutesOf(now, ready(n...)...), now); got != want {
			t.Errorf("%v: got %q, want %q", n, got, want)
		}
	}
}

var bar = regexp.MustCompile(`M(\d+) (\d+)h8V(-?\d+)h-8z`)

// The bars stand on each other, are as high as the phones are many, and stay within the drawing; one phone of 500 is seen.
func TestTheBarsOfTheHour(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v := newChart(minutesOf(now, Tally{Listed: 500, Ready: 250, OnTheWay: 125, Firmware: 124, Stuck: 1}, Tally{Listed: 500, Ready: 500}), now)
	got := map[string][]string{}
	for _, set := range v.Bars {
		for _, m := range bar.FindAllStringSubmatch(set.Path, -1) {
			got[set.Kind] = append(got[set.Kind], strings.Join(m[1:], " "))
		}
	}
	want := map[string][]string{"ready": {"581 100 50", "591 100 0"}, "busy": {"581 50 25"}, "warn": {"581 25 1"}, "bad": {"581 1 0"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the bars are %v, want %v", got, want)
	}
	if v.Most != "500 phones" || v.From != "11:01" || v.Middle != "11:31" || len(v.Rows) != 2 || v.Rows[0].Time != "12:00" {
		t.Errorf("around them: %q, %q, %q, %+v", v.Most, v.From, v.Middle, v.Rows)
	}
	if newChart(nil, now) != nil || newChart(minutesOf(now, Tally{Unlisted: 3}), now) != nil {
		t.Error("something is drawn of nothing")
	}
	// Whatever was counted, nothing stands outside, nor more than an hour.
	var wild []Tally
	for i := range 100 {
		wild = append(wild, Tally{Listed: i % 7, Ready: i % 11, OnTheWay: i % 13, Firmware: i % 3, Stuck: i % 5})
	}
	v = newChart(minutesOf(now, wild...), now)
	for _, set := range v.Bars {
		for _, m := range bar.FindAllStringSubmatch(set.Path, -1) {
			x, _ := strconv.Atoi(m[1])
			bottom, _ := strconv.Atoi(m[2])
			top, _ := strconv.Atoi(m[3])
			if x < 0 || x > 592 || bottom > 100 || top < -1 || top >= bottom {
				t.Fatalf("a bar of %s is at %v", set.Kind, m[1:])
			}
		}
	}
}

func TestStuckPhonesAreGroupedByWhatTheyAreStuckOn(t *testing.T) {
	s := &Server{deps: Deps{Shop: noShop{}}, auth: &authority{uptime: func() time.Duration { return 0 }}}
	l := &look{}
	add := func(n int, problem string) {
		for range n {
			i := len(l.phones)
			l.phones = append(l.phones, Phone{MAC: [6]byte{byte(i)}, Label: fmt.Sprint("Desk ", i), Known: true, Step: phone.Stuck, Problem: problem})
		}
	}
	add(1, "It asks for firmware that is not on the shelf: P003-8-12-00.bin.")
	add(40, "Its transfers break off")
	add(2, "")
	for i := range 5 {
		add(1, fmt.Sprintf("trouble %d", i))
	}
	l.phones = append(l.phones, Phone{MAC: [6]byte{99}, Step: phone.Stuck}) // nobody listed it
	var got []string
	for _, n := range s.needsOfStuck(l) {
		got = append(got, n.What+" "+n.Why+" "+n.Do[0].Path)
	}
	want := []string{
		"Desk 1 and 39 other phones are stuck. Its transfers break off. /phones/010000000000",
		"Desk 41 and Desk 42 are stuck. It has made no step for longer than that takes. /phones/290000000000",
		"Desk 0 is stuck. It asks for firmware that is not on the shelf: P003-8-12-00.bin. /firmware",
		"Desk 43 is stuck. trouble 0. /phones/2B0000000000",
		"Desk 44 is stuck. trouble 1. /phones/2C0000000000",
		"3 more phones are stuck. The list of phones says what each waits for. /phones",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// noShop knows no cures.
type noShop struct{ Workshop }

func (noShop) Explain(context.Context, phone.MAC) (Explanation, error) { return Explanation{}, nil }

// benchPhones are n phones in every state.
func benchPhones(n int) []Phone {
	steps := []phone.Step{phone.Ready, phone.Ready, phone.Loading, phone.Upgrading, phone.Stuck, ""}
	out := make([]Phone, n)
	for i := range out {
		out[i] = Phone{
			MAC: [6]byte{0, 6, 0xD7, 0x50, byte(i >> 8), byte(i)}, Label: fmt.Sprintf("Desk %d", i), Model: "7960", Known: true, Step: steps[i%len(steps)],
			Address: "10.77.1.9", Load: "P0S3-8-12-00", Protocol: phone.SIP, WaitingFor: "its firmware", Updated: time.Unix(1_772_000_000+int64(i), 0),
		}
	}
	return out
}

// benchBox answers what the pages of the benchmarks ask.
type benchBox struct {
	Box
	phones []Phone
}

func (b benchBox) Status() Status {
	return Status{Services: map[string]Service{"dhcp": {State: "running"}, "tftp": {State: "running"}}, Clock: Clock{Trusted: true}}
}
func (b benchBox) Phones() []Phone { return b.phones }
func (b benchBox) Names() Names    { return Names{} }

type benchShop struct {
	noShop
	conversions []Conversion
}

func (b benchShop) Conversions() []Conversion { return b.conversions }
func (b benchShop) Waiting() []ImportReport   { return nil }

type benchActivity struct{ hour []Minute }

func (b benchActivity) Transfers(most int) ([]Transfer, int) {
	out := make([]Transfer, most)
	for i := range out {
		out[i] = Transfer{MAC: [6]byte{0, 6, 0xD7, 0x50, 0, byte(i)}, File: "P0S3-8-12-00.sb2", Size: 756_524, Bytes: int64(i) * 10_000, Took: time.Second}
	}
	return out, 500
}
func (b benchActivity) Recent() Recent { return Recent{Leases: 100, Files: 1000} }
func (b benchActivity) Hour() []Minute { return b.hour }
func (b benchActivity) Needs() []Need  { return nil }

// BenchmarkOverview500 is the whole first page of a box with 500 phones.
func BenchmarkOverview500(b *testing.B) {
	p, err := parsePages()
	if err != nil {
		b.Fatal(err)
	}
	phones := benchPhones(500)
	shop := benchShop{}
	for _, ph := range phones {
		shop.conversions = append(shop.conversions, Conversion{MAC: ph.MAC, Label: ph.Label, Phase: "going"})
	}
	now := time.Unix(1_772_001_000, 0)
	tallies := make([]Tally, 60)
	for i := range tallies {
		tallies[i] = Tally{Listed: 500, Ready: i * 8, OnTheWay: 300 - i*5, Stuck: i}
	}
	s := &Server{
		deps: Deps{Box: benchBox{phones: phones}, Shop: shop, Now: func() time.Time { return now }, Activity: benchActivity{minutesOf(now, tallies...)}}, pages: p,
		auth: &authority{uptime: func() time.Duration { return 0 }},
	}
	s.cfg.Store(&Config{})
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if err := p.page(&out, "overview", view{Title: "Overview", Nav: navAt("/"), Body: s.overviewView(s.look())}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len()), "B/page")
}

// BenchmarkPhones500 is the whole table of 500 phones, as each that opens it gets it.
func BenchmarkPhones500(b *testing.B) { benchmarkPhones(b, false) }

// BenchmarkPhones500First is the same for the very first: no row was made before.
func BenchmarkPhones500First(b *testing.B) { benchmarkPhones(b, true) }

func benchmarkPhones(b *testing.B, forget bool) {
	p, err := parsePages()
	if err != nil {
		b.Fatal(err)
	}
	now := time.Unix(1_772_001_000, 0)
	s := &Server{deps: Deps{Box: benchBox{phones: benchPhones(500)}, Now: func() time.Time { return now }}, pages: p}
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if forget {
			p.cache.now, p.cache.old, p.cache.bytes = nil, nil, 0
		}
		if err := p.page(&out, "phones", view{Title: "Phones", Nav: navAt("/phones"), Body: s.phonesView(phonesQuery{})}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len()), "B/page")
}

// BenchmarkPhonesStream500 is what one browser costs in one look in which 50 of 500 phones changed, beside four others.
func BenchmarkPhonesStream500(b *testing.B) {
	p, err := parsePages()
	if err != nil {
		b.Fatal(err)
	}
	now := time.Unix(1_772_001_000, 0)
	box := benchBox{phones: benchPhones(500)}
	s := &Server{deps: Deps{Box: box, Now: func() time.Time { return now }}, pages: p}
	streams := make([]phonesParts, 5)
	n := 0
	for b.Loop() {
		for i := range 50 {
			box.phones[i*10].WaitingFor = fmt.Sprint(n)
		}
		n++
		view := s.phonesView(phonesQuery{})
		for i := range streams {
			if _, err := streams[i].changes(p, view); err != nil {
				b.Fatal(err)
			}
		}
	}
}
