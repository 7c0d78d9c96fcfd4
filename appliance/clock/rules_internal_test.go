package clock

import (
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
		{"the last known time", facts{system: at("1970-01-01"), last: remembered{Time: at("2026-05-02"), Boot: "a"}, boot: "b"}, at("2026-05-02"), 0, sourceLast},
		{"a last known time before the build", facts{system: at("1970-01-01"), last: remembered{Time: at("2025-05-02")}}, floor, 0, sourceBuild},
		{
			"an RTC that went on",
			facts{system: at("1970-01-01"), managing: true, rtc: at("2026-06-01"), last: remembered{Time: at("2026-05-02")}},
			at("2026-06-01"), stratumRTC, sourceRTC,
		},
		{
			"an RTC whose battery ran out",
			facts{system: at("1970-01-01"), managing: true, rtc: at("2026-04-01"), last: remembered{Time: at("2026-05-02")}},
			at("2026-05-02"), 0, sourceLast,
		},
		{"an RTC with garbage", facts{system: at("1970-01-01"), managing: true, rtc: at("2085-04-01")}, floor, 0, sourceBuild},
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
			facts{system: at("2026-04-03"), boot: "a", managing: true, last: remembered{Time: at("2026-05-02"), Ref: followed, Boot: "a"}},
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
	f := facts{system: at("1970-01-01"), managing: true, rtc: at("2026-06-01"), last: remembered{Time: at("2026-05-22")}, floor: at("2026-01-01")}
	if got := first(f).ref.Dispersion; got < 18*time.Second || got > 19*time.Second {
		t.Errorf("dispersion %s after ten days, want 1 s and 20 ppm", got)
	}
	f.system = f.rtc.Add(700 * time.Millisecond)
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

func TestChoose(t *testing.T) {
	s := func(offset, distance time.Duration) sample { return sample{offset: offset, disp: distance} }
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		samples []sample
		want    time.Duration
		err     string
	}{
		{"none", nil, 0, "no server"},
		{"one", []sample{s(5*ms, 10*ms)}, 5 * ms, ""},
		{"the surer of two that agree", []sample{s(5*ms, 30*ms), s(7*ms, 10*ms)}, 7 * ms, ""},
		{"two that do not", []sample{s(0, 10*ms), s(time.Hour, 10*ms)}, 0, "different times"},
		{"a liar that is very sure", []sample{s(time.Hour, 0), s(5*ms, 30*ms), s(7*ms, 10*ms)}, 7 * ms, ""},
		{"two liars of four that agree with nobody", []sample{s(time.Hour, 0), s(-time.Hour, 0), s(5*ms, 30*ms), s(7*ms, 10*ms)}, 0, "different times"},
	} {
		got, err := choose(tt.samples)
		if tt.err == "" && (err != nil || got.offset != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: got %s, %v", tt.name, got.offset, err)
		}
	}
}
