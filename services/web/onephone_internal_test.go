package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

func lines(texts ...string) []KeptLine {
	out := make([]KeptLine, len(texts))
	for i, t := range texts {
		t, mark, _ := strings.Cut(t, "\x00")
		out[i] = KeptLine{Text: t, Mark: mark}
	}
	return out
}

func diffText(d []diffLine) string {
	var b strings.Builder
	for _, l := range d {
		b.WriteString(l.Sign + l.Old + "/" + l.New + " " + l.Text + "\n")
	}
	return b.String()
}

func TestUnified(t *testing.T) {
	many := func(n int) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprint("x", i))
		}
		return out
	}
	long := many(12)
	changed := append(append(append([]string{}, long[:6]...), "new"), long[7:]...)
	for _, tt := range []struct {
		name           string
		old, now       []KeptLine
		want           string
		added, removed int
	}{
		{"a line changed", lines("a", "b", "c"), lines("a", "B", "c"), " 1/1 a\n-2/ b\n+/2 B\n 3/3 c\n", 1, 1},
		{"a line came", lines("a", "c"), lines("a", "b", "c"), " 1/1 a\n+/2 b\n 2/3 c\n", 1, 0},
		{"a line went", lines("a", "b"), lines("b"), "-1/ a\n 2/1 b\n", 0, 1},
		{"all is new", nil, lines("a"), "+/1 a\n", 1, 0},
		{
			"a password changed", lines("line1_password: ********\x00m1"), lines("line1_password: ********\x00m2"),
			"-1/ line1_password: ********  (the former password)\n+/1 line1_password: ********  (another password)\n", 1, 1,
		},
		{
			"far lines are left out", lines(long...), lines(changed...),
			"@/ 3 lines left out, the same in both\n 4/4 x3\n 5/5 x4\n 6/6 x5\n-7/ x6\n+/7 new\n 8/8 x7\n 9/9 x8\n 10/10 x9\n@/ 2 lines left out, the same in both\n", 1, 1,
		},
		{"too long", lines(many(maxDiffLines + 1)...), lines("a"), "@/ They are too long to be compared line by line.\n", 0, 0},
	} {
		got, added, removed := unified(tt.old, tt.now)
		if s := diffText(got); s != tt.want || added != tt.added || removed != tt.removed {
			t.Errorf("%s: +%d -%d\n%swant +%d -%d\n%s", tt.name, added, removed, s, tt.added, tt.removed, tt.want)
		}
	}
}

// FuzzUnified: what the lines of a comparison say leads from one text to the other.
func FuzzUnified(f *testing.F) {
	f.Add("a\nb\nc", "a\nc\nd")
	f.Add("a\na\na", "a")
	f.Fuzz(func(t *testing.T, old, now string) {
		a, b := lines(strings.Split(old, "\n")...), lines(strings.Split(now, "\n")...)
		if len(a) > 60 || len(b) > 60 {
			return
		}
		i, j := 0, 0
		for _, l := range edits(a, b) {
			switch l.Sign {
			case "-":
				i++
			case "+":
				j++
			default:
				if a[i] != b[j] || l.Text != b[j].Text {
					t.Fatalf("line %d of %q is not line %d of %q", i, old, j, now)
				}
				i++
				j++
			}
		}
		if i != len(a) || j != len(b) {
			t.Errorf("it ends at line %d of %d and %d of %d", i, len(a), j, len(b))
		}
	})
}

func TestBootsAreToldApart(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var id uint64
	ev := func(service, kind, file string, step phone.Step, f EventFacts) PhoneEvent {
		id++
		at = at.Add(time.Second)
		f.File = file
		return PhoneEvent{ID: id, Time: at, Service: service, Kind: kind, Step: step, Facts: f}
	}
	search := func() PhoneEvent { return ev("dhcp", "packet", "", phone.Seen, EventFacts{Boot: true}) }
	lease := func() PhoneEvent { return ev("dhcp", "lease", "", phone.Addressed, EventFacts{}) }
	ring := func() PhoneEvent {
		return ev("tftp", "transfer", "RINGLIST.DAT", phone.Ready, EventFacts{Phase: "sent"})
	}
	trust := func() PhoneEvent {
		return ev("tftp", "file_missing", "CTLSEP0006D7AA2A2E.tlv", phone.Loading, EventFacts{Harmless: true})
	}
	for _, tt := range []struct {
		name   string
		events []PhoneEvent
		want   []int // events of each boot
	}{
		{"nothing", nil, nil},
		{"a search that is repeated is one boot", []PhoneEvent{search(), search(), search(), lease(), trust(), ring()}, []int{6}},
		{"two boots", []PhoneEvent{search(), lease(), ring(), search(), search(), lease()}, []int{3, 3}},
		{"a renewal is none", []PhoneEvent{search(), lease(), ring(), ev("dhcp", "packet", "", phone.Ready, EventFacts{Renewal: true}), ev("dhcp", "lease", "", phone.Ready, EventFacts{Renewal: true})}, []int{5}},
		{"an address from elsewhere", []PhoneEvent{trust(), ring(), trust(), ring()}, []int{2, 2}},
		{"a loader that hunts", []PhoneEvent{search(), lease(), trust(), trust(), trust()}, []int{5}},
		{"the beginning is lost", []PhoneEvent{ring(), search(), lease()}, []int{1, 2}},
	} {
		var got []int
		for _, b := range bootsOf(tt.events) {
			got = append(got, len(b.events))
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestWhatToDoNow(t *testing.T) {
	known := Phone{MAC: phone.MAC{0, 6, 0xd7, 1, 2, 3}, Known: true, Step: phone.Loading, Protocol: phone.SIP, Address: "10.77.1.2"}
	with := func(change func(*adviceFacts)) adviceFacts {
		f := adviceFacts{phone: known, lines: 1, path: "/phones/X"}
		change(&f)
		return f
	}
	way := func(phase string, unplug bool, missing ...string) *conversionView {
		c := Conversion{Phase: phase, Unplug: unplug, Target: "P0S3-8-12-00", Text: "why"}
		for _, name := range missing {
			c.Missing = append(c.Missing, name+" is not on the firmware shelf: upload it")
		}
		c.Steps = []ConversionStep{{Missing: missing}}
		return &conversionView{Conversion: c}
	}
	for _, tt := range []struct {
		name                 string
		f                    adviceFacts
		text, button, target string
	}{
		{"ready", with(func(f *adviceFacts) { f.phone.Step = phone.Ready }), "Nothing has to be done", "", ""},
		{"upgrading", with(func(f *adviceFacts) { f.phone.Step = phone.Upgrading }), "do not cut its power", "", ""},
		{"the director says so", with(func(f *adviceFacts) { f.way = way("going", false) }), "do not cut its power", "", ""},
		{"upgrading comes before all", with(func(f *adviceFacts) { f.phone.Step, f.phone.Known = phone.Upgrading, false }), "do not cut its power", "", ""},
		{"unlisted", with(func(f *adviceFacts) { f.phone.Known = false }), "Add this phone", "Add to the list", "/phones/new?mac=00:06:D7:01:02:03"},
		{"held", with(func(f *adviceFacts) { f.held, f.phone.Step, f.phone.Address = true, phone.Seen, "" }), "another DHCP server", "Decide", "/"},
		{"files are missing", with(func(f *adviceFacts) { f.way = way("blocked", true, "a.sb2", "a.loads") }), "Upload a.sb2 and a.loads", "Upload firmware", "/firmware"},
		{"no way", with(func(f *adviceFacts) { f.way = way("blocked", true) }), "no way", "Choose its load", "/phones/X/load"},
		{"stopped", with(func(f *adviceFacts) { f.way = way("stopped", true) }), "was stopped", "Go on", "/phones/X/conversion"},
		{"failed", with(func(f *adviceFacts) { f.way = way("failed", true) }), "failed", "Go on", "/phones/X/conversion"},
		{"no line", with(func(f *adviceFacts) { f.lines, f.phone.Step = 0, phone.Ready }), "Give it a line", "Enter a line", "/phones/X/edit"},
		{"stuck with a known trouble", with(func(f *adviceFacts) {
			f.phone.Step, f.explain.Troubles = phone.Stuck, []Trouble{{Cure: "Change the cable.", Cause: "The link loses packets."}}
		}), "Change the cable.", "Restart it", "/phones/X/restart"},
		{"stuck in the loader", with(func(f *adviceFacts) { f.phone.Step, f.phone.Protocol = phone.Stuck, "" }), "Cut its power", "What can be wrong", "/help"},
		{"never seen", with(func(f *adviceFacts) { f.phone.Step = "" }), "Plug it in", "", ""},
		{"gone", with(func(f *adviceFacts) {
			f.phone.Step, f.phone.Problem = phone.Ready, "Its SIP application does not answer: x"
		}), "power and its cable", "", ""},
		{"changed", with(func(f *adviceFacts) { f.phone.Step, f.changed = phone.Ready, []string{"SIPDefault.cnf"} }), "SIPDefault.cnf has changed", "Restart it", "/phones/X/restart"},
		{"the box does not know the time", with(func(f *adviceFacts) { f.phone.Step, f.noTime = phone.Ready, true }), "Set the clock", "Set the clock", "/time"},
		{"changed while it loads", with(func(f *adviceFacts) { f.changed = []string{"SIPDefault.cnf"} }), "Wait", "", ""},
	} {
		v := advise(tt.f)
		if !strings.Contains(v.Text, tt.text) || v.Button != tt.button || v.Href+v.Post != tt.target {
			t.Errorf("%s: %q, button %q to %q; want %q, %q to %q", tt.name, v.Text, v.Button, v.Href+v.Post, tt.text, tt.button, tt.target)
		}
	}
}

func TestTheTimeThatSomethingTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "a moment", 3 * time.Millisecond: "under 0.01 s", 20 * time.Millisecond: "0.02 s", 1500 * time.Millisecond: "1.5 s",
		42 * time.Second: "42 s", 3 * time.Minute: "3 minutes", 5 * time.Hour: "5 hours",
	} {
		if got := tookWords(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1204: "1,204 bytes", 756524: "756,524 bytes", 1000000: "1,000,000 bytes"} {
		if got := exactBytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
