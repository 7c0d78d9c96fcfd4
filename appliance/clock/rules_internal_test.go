package clock

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"phonebox/services/sntp"
)

func at(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestTimeAtTheStart(t *testing.T) {
	floor := at("2026-01-01")
	followed := reference{Source: "ntp", Stratum: 3, At: at("2026-05-01")}
	for _, tt := range []struct {
		name    string
		f       facts
		want    time.Time
		stratum uint8
		source  string
	}{
		{"nothing is known: never 1970", facts{system: at("1970-01-01"), managing: true}, floor, 0, sourceBuild},
		{"nothing is known, and the clock is ahead", facts{system: at("2027-01-01"), managing: true}, at("2027-01-01"), 0, sourceSystem},
		{"the last known time", facts{system: at("1970-01-01"), last: remembered{Time: at("2026-05-02"), Boot: "a", Ended: true}, boot: "b"}, at("2026-05-02"), 0, sourceLast},
		{"a last known time before the build", facts{system: at("1970-01-01"), last: remembered{Time: at("2025-05-02")}}, floor, 0, sourceBuild},
		{
			"an RTC that went on",
			facts{system: at("1970-01-01"), managing: true, rtc: []time.Time{at("2026-06-01")}, last: remembered{Time: at("2026-05-02")}},
			at("2026-06-01"), stratumRTC, sourceRTC,
		},
		{
			"an RTC whose battery ran out",
			facts{system: at("1970-01-01"), managing: true, rtc: []time.Time{at("2026-04-01")}, last: remembered{Time: at("2026-05-02"), Ended: true}},
			at("2026-05-02"), 0, sourceLast,
		},
		{
			"a power cut within a minute after the time was stored: it may have shown that minute",
			facts{system: at("1970-01-01"), up: 20 * time.Second, managing: true, last: remembered{Time: at("2026-05-02")}},
			at("2026-05-02").Add(80 * time.Second), 0, sourceLast,
		},
		{
			"of two RTCs the one that has a battery",
			facts{system: at("1970-01-01"), managing: true, rtc: []time.Time{at("1970-01-01"), at("2026-06-01")}, last: remembered{Time: at("2026-05-02")}},
			at("2026-06-01"), stratumRTC, sourceRTC,
		},
		{
			"an RTC that is ahead by centuries",
			facts{system: at("1970-01-01"), managing: true, rtc: []time.Time{at("2165-01-01")}, last: remembered{Time: at("2026-05-02"), Ended: true}},
			at("2026-05-02"), 0, sourceLast,
		},
		{
			"garbage of an RTC, from which the kernel has set its clock already",
			facts{system: at("2085-04-01"), up: 20 * time.Second, managing: true, rtc: []time.Time{at("2085-04-01")}, last: remembered{Time: at("2026-05-02"), Ended: true}},
			at("2026-05-02").Add(20 * time.Second), 0, sourceLast,
		},
		{"an RTC with garbage", facts{system: at("1970-01-01"), managing: true, rtc: []time.Time{at("2085-04-01")}}, floor, 0, sourceBuild},
		{
			"the program started again",
			facts{system: at("2026-05-03"), boot: "a", last: remembered{Time: at("2026-05-02"), Ref: followed, Boot: "a"}},
			at("2026-05-03"), 3, "ntp",
		},
		{
			"and with an offset of its own",
			facts{system: at("2001-05-03"), boot: "a", last: remembered{Time: at("2026-05-02"), Offset: at("2026-05-03").Sub(at("2001-05-03")), Ref: followed, Boot: "a"}},
			at("2026-05-03"), 3, "ntp",
		},
		{
			"the kernel started again",
			facts{system: at("2026-05-03"), boot: "b", managing: true, last: remembered{Time: at("2026-05-02"), Ref: followed, Boot: "a"}},
			at("2026-05-03"), 0, sourceSystem,
		},
		{
			"the clock went back meanwhile",
			facts{system: at("2026-04-03"), boot: "a", managing: true, last: remembered{Time: at("2026-05-02"), Ref: followed, Boot: "a", Ended: true}},
			at("2026-05-02"), 0, sourceLast,
		},
		{"a computer that is kept synchronised", facts{system: at("2026-05-03"), synced: true}, at("2026-05-03"), stratumSystem, sourceSystem},
		{"a box does not go by what the kernel says", facts{system: at("2026-05-03"), synced: true, managing: true}, at("2026-05-03"), 0, sourceSystem},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.f.floor = floor
			got := first(tt.f)
			now := tt.f.system.Add(got.offset)
			if now.Sub(tt.want).Abs() > time.Second || got.ref.Stratum != tt.stratum || got.ref.Source != tt.source {
				t.Errorf("got %s, stratum %d, %s; want %s, %d, %s", now, got.ref.Stratum, got.ref.Source, tt.want, tt.stratum, tt.source)
			}
		})
	}
}

func TestRTCErrorGrowsWithTheTimeThatTheBoxWasOff(t *testing.T) {
	f := facts{system: at("1970-01-01"), managing: true, rtc: []time.Time{at("2026-06-01")}, last: remembered{Time: at("2026-05-22")}, floor: at("2026-01-01")}
	if got := first(f).ref.Dispersion; got < 18*time.Second || got > 19*time.Second {
		t.Errorf("dispersion %s after ten days, want 1 s and 20 ppm", got)
	}
	f.system = f.rtc[0].Add(700 * time.Millisecond)
	if got := first(f).offset; got != 0 {
		t.Errorf("a system clock within the RTC's second was moved by %s", got)
	}
}

func TestQualityGrowsOldHonestly(t *testing.T) {
	r := reference{Source: "x", Stratum: 3, Leap: sntp.LeapAdd, At: at("2026-01-01"), Dispersion: 10 * time.Millisecond}
	for _, tt := range []struct {
		age     time.Duration
		stratum uint8
		leap    sntp.Leap
		disp    time.Duration
	}{
		{0, 3, sntp.LeapAdd, 10 * time.Millisecond},
		{time.Hour, 3, sntp.LeapAdd, 64 * time.Millisecond},
		{25 * time.Hour, 10, sntp.LeapNone, 1360 * time.Millisecond},
		{200 * 24 * time.Hour, 10, sntp.LeapNone, 259210 * time.Millisecond},
		{300 * 24 * time.Hour, 0, sntp.LeapUnsync, 0}, // more than five minutes
	} {
		q := r.quality(tt.age)
		if q.Stratum != tt.stratum || q.Leap != tt.leap || q.RootDispersion != tt.disp || r.trusted(tt.age) != (tt.stratum > 0) {
			t.Errorf("after %s: %+v", tt.age, q)
		}
	}
	r.At = at("2026-07-01").Add(-time.Hour)
	if before, after := r.quality(time.Hour-time.Second).Leap, r.quality(time.Hour).Leap; before != sntp.LeapAdd || after != sntp.LeapNone {
		t.Errorf("a leap second at the end of June is announced as %d before and %d after", before, after)
	}
	r.Stratum = 0
	if r.trusted(0) || r.quality(0).Leap != sntp.LeapUnsync {
		t.Error("a guess is trusted")
	}
}

func TestAgeCountsOnTheMonotonicClock(t *testing.T) {
	set := time.Now()
	r := reference{At: set.Add(-time.Hour), mono: set}
	if got := r.age(set.Add(100*time.Hour), set.Add(time.Minute)); got != time.Minute {
		t.Errorf("age %s", got)
	}
	r.mono = time.Time{}
	if got := r.age(set, set); got != time.Hour {
		t.Errorf("age after a restart %s", got)
	}
}

func TestTwoRTCsThatDifferAreLessSure(t *testing.T) {
	f := facts{
		system: at("1970-01-01"), managing: true, floor: at("2026-01-01"), last: remembered{Time: at("2026-06-01")},
		rtc: []time.Time{at("2026-06-01").Add(10 * time.Second), at("2026-06-01").Add(50 * time.Second)},
	}
	b := first(f)
	if got := f.system.Add(b.offset); got.Sub(f.rtc[1]).Abs() > time.Second || b.ref.Dispersion < 41*time.Second || b.ref.Dispersion > 42*time.Second {
		t.Errorf("the time is %s, dispersion %s", got, b.ref.Dispersion)
	}
}

func TestWhatIsSaidOfRTCs(t *testing.T) {
	for _, tt := range []struct {
		rtc  []time.Time
		err  error
		want string
	}{
		{nil, errNoRTC, "There is no real-time clock."},
		{nil, errors.New("no battery"), "cannot be read (no battery)"},
		{[]time.Time{at("2020-01-01")}, nil, "says 2020-01-01 00:00 UTC, which is before the last time that was known: its battery may be empty."},
		{[]time.Time{at("2126-01-01")}, nil, "too far ahead"},
		{[]time.Time{at("1970-01-01"), at("2026-06-02")}, nil, "says 2026-06-02 00:00 UTC."},
	} {
		if got := (facts{rtc: tt.rtc}).aboutRTC(at("2026-06-01"), tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("found %q, wanted %q", got, tt.want)
		}
	}
}

func TestChoose(t *testing.T) {
	s := func(offset, distance time.Duration) candidate {
		return candidate{offset: offset, distance: distance, sample: sample{told: told{stratum: 2}}}
	}
	silent := candidate{silent: true, distance: 10 * ms}
	for _, tt := range []struct {
		name string
		all  []candidate
		want time.Duration
		err  string
	}{
		{"none", nil, 0, "no server"},
		{"one", []candidate{s(5*ms, 10*ms)}, 5 * ms, ""},
		{"two that agree, each as it is sure", []candidate{s(5*ms, 30*ms), s(9*ms, 10*ms)}, 8 * ms, ""},
		{"two that do not", []candidate{s(0, 10*ms), s(time.Hour, 10*ms)}, 0, "different times"},
		{"a liar that is very sure", []candidate{s(time.Hour, 0), s(7*ms, 30*ms), s(7*ms, 10*ms)}, 7 * ms, ""},
		{"two liars of four that agree with nobody", []candidate{s(time.Hour, 0), s(-time.Hour, 0), s(5*ms, 30*ms), s(7*ms, 10*ms)}, 0, "different times"},
		{"one that is less exact among many", []candidate{s(60*ms, 60*ms), s(1*ms, 10*ms), s(1*ms, 10*ms), s(1*ms, 10*ms), s(1*ms, 10*ms)}, 1 * ms, ""},
		{"a liar, and three that fell silent", []candidate{s(10*time.Second, 0), silent, silent, silent}, 0, "fell silent"},
		{"a liar, one that is right, and one that fell silent", []candidate{s(10*time.Second, 0), s(4*ms, 10*ms), silent}, 4 * ms, ""},
		{"a liar, and one that fell silent", []candidate{s(10*time.Second, 0), silent}, 0, "different times"},
	} {
		for i := range tt.all {
			tt.all[i].peer = &peer{}
		}
		got, err := choose(tt.all, nil)
		if tt.err == "" && (err != nil || got.offset.Round(ms) != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: got %s, %v", tt.name, got.offset, err)
		}
	}
}

// TestTheIntersectionOfManyIsThatOfRFC5905 compares with a count at each edge, which is what the intersection is by definition.
func TestTheIntersectionOfManyIsThatOfRFC5905(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var all []candidate
		for range 1 + rnd.IntN(8) {
			all = append(all, candidate{offset: time.Duration(rnd.IntN(400)) * ms, distance: time.Duration(rnd.IntN(60)) * ms})
		}
		most := 0
		for _, a := range all { // the deepest point lies at the beginning of an interval
			n := 0
			for _, b := range all {
				if x := a.offset - a.reach(); x >= b.offset-b.reach() && x <= b.offset+b.reach() {
					n++
				}
			}
			most = max(most, n)
		}
		lo, hi, err := intersect(all)
		if (err == nil) != (2*most > len(all)) {
			t.Fatalf("%v: %d of %d agree, found %v", all, most, len(all), err)
		}
		if err != nil {
			continue
		}
		within := 0
		for _, c := range all {
			if c.offset-c.reach() <= lo && c.offset+c.reach() >= hi {
				within++
			}
		}
		if within != most || hi < lo {
			t.Fatalf("%v: [%s, %s] lies in %d, wanted %d", all, lo, hi, within, most)
		}
	}
}
