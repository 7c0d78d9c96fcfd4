package ladder_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

const (
	yes = ladder.Yes
	no  = ladder.No
)

// TestClues is what each kind of clue says by itself.
func TestClues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		clue string
		want ladder.Clue
	}{
		{"class", ladder.Clue{Source: ladder.FromClass, Confidence: ladder.Likely, Loader: no}},
		{"class 7960", ladder.Clue{Source: ladder.FromClass, Confidence: ladder.Likely, Loader: yes, Model: "7960"}},
		{"class 7941", ladder.Clue{Source: ladder.FromClass, Confidence: ladder.Sure, Model: "7941"}},
		{"agent Cisco-CP7940G/8.0", ladder.Clue{Source: ladder.FromAgent, Confidence: ladder.Sure, Protocol: phone.SIP, Major: 8, Model: "7940", Loader: yes, Signed: yes}},
		{"agent Cisco-CP7960G/8.0", ladder.Clue{Source: ladder.FromAgent, Confidence: ladder.Sure, Protocol: phone.SIP, Major: 8, Model: "7960", Loader: yes, Signed: yes}},
		{"agent CSCO/4", ladder.Clue{Source: ladder.FromAgent, Confidence: ladder.Sure, Protocol: phone.SIP, Major: 4, Loader: no, Signed: no}},
		{"agent CSCO/6", ladder.Clue{Source: ladder.FromAgent, Confidence: ladder.Sure, Protocol: phone.SIP, Major: 6, Loader: no, Signed: yes}},
		{"agent CSCO/7", ladder.Clue{Source: ladder.FromAgent, Confidence: ladder.Sure, Protocol: phone.SIP, Major: 7, Loader: yes, Signed: yes}},
		{"agent Cisco-SIPIPPhone/2", ladder.Clue{Source: ladder.FromAgent, Confidence: ladder.Guess, Protocol: phone.SIP, Major: 2}},
		{"cdp P00308000500", ladder.Clue{Source: ladder.FromCDP, Confidence: ladder.Likely, Model: "7960", Load: "P00308000500", Protocol: phone.SCCP, Major: 8, Loader: yes, Signed: yes}},
		{"cdp P0S3-8-12-00", ladder.Clue{Source: ladder.FromCDP, Confidence: ladder.Likely, Model: "7960", Load: sip8, Protocol: phone.SIP, Major: 8, Loader: yes, Signed: yes}},
		{"cdp 1.0", ladder.Clue{Source: ladder.FromCDP, Confidence: ladder.Sure, Model: "7960"}},
		{"runs p0s3-04-4-00", ladder.Clue{Source: ladder.FromPerson, Confidence: ladder.Likely, Load: "P0S3-04-4-00", Protocol: phone.SIP, Major: 4, Loader: no, Signed: no}},
		{"told P00305000500", ladder.Clue{Source: ladder.FromToldNot, Confidence: ladder.Sure, Load: sccp5, Protocol: phone.SCCP, Major: 5, Loader: no, Signed: yes}},
		{"fetched P0S3-05-3-00 P0S3-04-4-00", ladder.Clue{Source: ladder.FromFetched, Confidence: ladder.Likely, Load: "P0S3-05-3-00", Before: "P0S3-04-4-00", Protocol: phone.SIP, Major: 5, Loader: no, Signed: yes}},
		{"fetched P003-8-12-00", ladder.Clue{Source: ladder.FromFetched, Confidence: ladder.Likely, Load: "P003-8-12-00", Loader: yes, Signed: yes}},
		{"OS79XX.TXT", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Likely, Loader: no}},
		{"CTLSEP0006D7AA2A2E.tlv", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Likely, Loader: yes}},
		{"SEP0006D7AA2A2E.cnf.xml", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Likely, XML: yes}},
		{"XMLDefault.cnf.xml", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Likely, XML: yes}},
		{"SEPDefault.cnf", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Likely, Protocol: phone.SCCP, Loader: no, XML: no}},
		{"SEP0006D7AA2A2E.cnf", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Likely, Protocol: phone.SCCP, Loader: no, XML: no}},
		{"SIPDefault.cnf", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Protocol: phone.SIP}},
		{"7960-font.xml", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Protocol: phone.SCCP}},
		{"P0S30203.bin", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Loader: no, Signed: no, NotLoad: "P0S30203"}},
		{"P0S3-06-3-00.sbn", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Signed: yes, NotLoad: "P0S3-06-3-00"}},
		{"P0S3-07-4-00.sbn", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Loader: no, Signed: yes}},
		{"P003-8-12-00.sbn", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Signed: yes}},
		{"P00308010200.sbn", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Signed: yes}},
		{"P0S3-8-12-00.loads", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Loader: yes, Signed: yes}},
		{"P0S3-8-12-00.sb2", ladder.Clue{Source: ladder.FromNames, Confidence: ladder.Sure, Loader: yes, Signed: yes, NotLoad: sip8}},
	} {
		got := clues(t, tt.clue)[0]
		if got.Text == "" {
			t.Errorf("%s: no sentence", tt.clue)
		}
		got.Text, got.At = "", time.Time{}
		if got != tt.want {
			t.Errorf("%s:\nfound  %+v\nwanted %+v", tt.clue, got, tt.want)
		}
	}
}

func TestNoClues(t *testing.T) {
	t.Parallel()
	if c, ok := ladder.Class("MSFT 5.0", start); ok {
		t.Errorf("%+v", c)
	}
	for _, agent := range []string{"", "Asterisk PBX", "Cisco-CP7940G/9.1", "CSCO/0", "CSCO/44", "Cisco-SIPGateway/IOS-12.x", "Cisco-CP7975G/8.5"} {
		if c, ok := ladder.Agent(agent, start); ok {
			t.Errorf("%q: %+v", agent, c)
		}
	}
	for _, platform := range []string{"", "cisco WS-C3750", "Cisco IP Phone"} {
		if c, ok := ladder.CDP(platform, sip8, start); ok {
			t.Errorf("%q: %+v", platform, c)
		}
	}
	for _, load := range []string{"", "8.12", "P003-8-12-00", "SIP41.8-5-4S"} {
		if c, ok := ladder.Stated(load, start); ok {
			t.Errorf("%q: %+v", load, c)
		}
	}
	for _, name := range []string{"MGC0006D7AA2A2E.cnf", "SIP0006D7AA2A2E.cnf", "ring.pcm", "index.html", ""} {
		if c, ok := ladder.Asked(phone.ParseFileName(name), true, start); ok {
			t.Errorf("%q: %+v", name, c)
		}
	}
	if c, ok := ladder.Asked(phone.ParseFileName("CTLSEP0006D7AA2A2E.tlv"), false, start); ok {
		t.Errorf("a trust list that is not asked first: %+v", c)
	}
}

// TestConclude is what clues come to together, contradictions among them.
func TestConclude(t *testing.T) {
	t.Parallel()
	const ctl, sep, txt = "CTLSEP0006D7AA2A2E.tlv", "SEP0006D7AA2A2E.cnf.xml", "OS79XX.TXT"
	for _, tt := range []struct {
		about string
		clues []string
		want  ladder.Belief // without Why
		why   string        // something that Why must say
	}{
		{"nothing", nil, ladder.Belief{}, ""},
		{"an old SCCP phone", []string{"class", txt, sep}, ladder.Belief{Protocol: phone.SCCP, Loader: no, XML: yes, Confidence: ladder.Likely}, "it reads XML"},
		{"a very old SCCP phone", []string{"class", txt, "SEPDefault.cnf"}, ladder.Belief{Protocol: phone.SCCP, Loader: no, XML: no, Confidence: ladder.Likely}, "too old for XML"},
		{"XML once is XML", []string{txt, sep, "SEPDefault.cnf"}, ladder.Belief{Protocol: phone.SCCP, Loader: no, XML: yes, Confidence: ladder.Likely}, ""},
		{"a loader with SIP", []string{"class 7960", ctl, sep, "SIPDefault.cnf"}, ladder.Belief{Model: "7960", Protocol: phone.SIP, Loader: yes, Signed: yes, XML: yes, Confidence: ladder.Sure}, "its SIP application runs"},
		{"an exact load says the rest", []string{txt, "told P0S3-05-3-00"}, ladder.Belief{Load: "P0S3-05-3-00", Protocol: phone.SIP, Major: 5, Loader: no, Signed: yes, Confidence: ladder.Sure}, "did not ask for it"},
		{"CDP", []string{"cdp " + sccp8}, ladder.Belief{Model: "7960", Load: sccp8, Protocol: phone.SCCP, Major: 8, Loader: yes, Signed: yes, XML: yes, Confidence: ladder.Likely, Beside: &ladder.Facts{}}, "CDP"},
		{"CDP, and what the phone showed itself", []string{txt, sep, "cdp " + sccp5}, ladder.Belief{Model: "7960", Load: sccp5, Protocol: phone.SCCP, Major: 5, Loader: no, Signed: yes, XML: yes, Confidence: ladder.Likely, Beside: &ladder.Facts{Protocol: phone.SCCP, Loader: no, XML: yes, Confidence: ladder.Likely}}, "CDP"},
		{"told counts before CDP", []string{"told P0S3-05-3-00", "cdp P0S3-06-3-00"}, ladder.Belief{Model: "7960", Load: "P0S3-05-3-00", Protocol: phone.SIP, Major: 5, Loader: no, Signed: yes, Confidence: ladder.Sure}, "did not ask for it"},
		{"fetched, and CDP agrees", []string{"fetched P0S3-05-3-00 P0S3-04-4-00", "cdp P0S3-05-3-00"}, ladder.Belief{Model: "7960", Load: "P0S3-05-3-00", Before: "P0S3-04-4-00", Protocol: phone.SIP, Major: 5, Loader: no, Signed: yes, Confidence: ladder.Likely}, "fetched"},
		{"fetched, and CDP does not agree", []string{"fetched P0S3-05-3-00 P0S3-04-4-00", "cdp P0S3-04-4-00"}, ladder.Belief{Model: "7960", Load: "P0S3-04-4-00", Protocol: phone.SIP, Major: 4, Loader: no, Signed: no, Confidence: ladder.Likely, Beside: &ladder.Facts{Protocol: phone.SIP, Major: 5, Loader: no, Signed: yes, Confidence: ladder.Likely}}, "CDP"},
		{"a person", []string{"runs P0S3-04-4-00"}, ladder.Belief{Load: "P0S3-04-4-00", Protocol: phone.SIP, Major: 4, Loader: no, Signed: no, Confidence: ladder.Likely}, "the site says"},
		{"a person and a phone that agrees", []string{"runs P0S3-04-4-00", txt, "SIPDefault.cnf", "P0S3-05-3-00.bin"}, ladder.Belief{Load: "P0S3-04-4-00", Protocol: phone.SIP, Major: 4, Loader: no, Signed: no, Confidence: ladder.Likely}, ""},
		{"the phone is right: signed", []string{"runs P0S3-04-4-00", txt, "SIPDefault.cnf", "P0S3-05-3-00.sbn"}, ladder.Belief{Protocol: phone.SIP, Loader: no, Signed: yes, Confidence: ladder.Sure}, "the site says that it runs P0S3-04-4-00, but that does not hold: later it asks for P0S3-05-3-00.sbn"},
		{"the phone is right: another release", []string{"runs P0S3-04-4-00", "agent CSCO/6"}, ladder.Belief{Protocol: phone.SIP, Major: 6, Loader: no, Signed: yes, Confidence: ladder.Sure}, "does not hold"},
		{"the phone is right: another protocol", []string{"runs P0S3-04-4-00", txt, "7960-font.xml"}, ladder.Belief{Protocol: phone.SCCP, Loader: no, Confidence: ladder.Sure}, "does not hold"},
		{"the phone is right: the loader", []string{"runs P0S3-06-3-00", ctl}, ladder.Belief{Loader: yes, Signed: yes}, "does not hold"},
		{"what it asks for it does not run", []string{"runs P0S3-04-4-00", "P0S3-04-4-00.bin"}, ladder.Belief{Loader: no, Signed: no}, "does not hold"},
		{"a list it asks for it may run", []string{"told " + sip8, ctl, sip8 + ".loads"}, ladder.Belief{Load: sip8, Protocol: phone.SIP, Major: 8, Loader: yes, Signed: yes, Confidence: ladder.Sure}, ""},
		{"SCCP 5.x may ask for a trust list", []string{"told " + sccp5, "class", ctl}, ladder.Belief{Load: sccp5, Protocol: phone.SCCP, Major: 5, Loader: no, Signed: yes, XML: yes, Confidence: ladder.Sure}, ""},
		{"SCCP 5.x that asked for an image and then a trust list", []string{sip8 + ".sbn", "class", ctl, sep}, ladder.Belief{Protocol: phone.SCCP, Loader: no, Signed: yes, XML: yes, Confidence: ladder.Likely}, "without the universal loader"},
		{"converted elsewhere", []string{"P0S30203.bin", "class 7960", ctl, sep}, ladder.Belief{Model: "7960", Loader: yes, Signed: yes, XML: yes}, "universal loader does"},
		{"fetched", []string{"told P0S3-04-4-00", "P0S3-05-3-00.bin", "fetched P0S3-05-3-00 P0S3-04-4-00"}, ladder.Belief{Load: "P0S3-05-3-00", Before: "P0S3-04-4-00", Protocol: phone.SIP, Major: 5, Loader: no, Signed: yes, Confidence: ladder.Likely}, "fetched"},
		{"fetched and told", []string{"fetched P0S3-05-3-00 P0S3-04-4-00", txt, "told P0S3-05-3-00"}, ladder.Belief{Load: "P0S3-05-3-00", Protocol: phone.SIP, Major: 5, Loader: no, Signed: yes, Confidence: ladder.Sure}, ""},
		{"fetched, and the writing failed", []string{"told P0S3-04-4-00", "fetched P0S3-05-3-00 P0S3-04-4-00", txt, "P0S3-05-3-00.bin"}, ladder.Belief{Load: "P0S3-04-4-00", Protocol: phone.SIP, Major: 4, Loader: no, Signed: no, Confidence: ladder.Sure}, "fetched P0S3-05-3-00 whole and started again, but that does not hold"},
		{"the same, and what ran before was only believed", []string{"fetched P0S3-05-3-00 P0S3-04-4-00", txt, "P0S3-05-3-00.bin"}, ladder.Belief{Load: "P0S3-04-4-00", Protocol: phone.SIP, Major: 4, Loader: no, Signed: no, Confidence: ladder.Likely}, "still runs P0S3-04-4-00"},
		{"told counts before a person", []string{"told P0S30203", "runs P0S3-04-4-00"}, ladder.Belief{Load: "P0S30203", Protocol: phone.SIP, Major: 2, Loader: no, Signed: no, Confidence: ladder.Sure}, ""},
		{"fetched counts before a person who said it earlier", []string{"runs P0S30203", "fetched P0S3-04-4-00 P0S30203"}, ladder.Belief{Load: "P0S3-04-4-00", Before: "P0S30203", Protocol: phone.SIP, Major: 4, Loader: no, Signed: no, Confidence: ladder.Likely}, ""},
		{"the loader came", []string{"told P0S3-06-3-00", "fetched P003-8-12-00 P0S3-06-3-00", "class 7960"}, ladder.Belief{Model: "7960", Load: "P003-8-12-00", Before: "P0S3-06-3-00", Loader: yes, Signed: yes, Confidence: ladder.Likely}, ""},
		{"the loader came and behaves as one", []string{"told P0S3-06-3-00", "fetched P003-8-12-00 P0S3-06-3-00", ctl}, ladder.Belief{Load: "P003-8-12-00", Loader: yes, Signed: yes, Confidence: ladder.Sure}, "as the universal loader does"},
		{"its application came as well", []string{"fetched P003-8-12-00", ctl, "SIPDefault.cnf"}, ladder.Belief{Protocol: phone.SIP, Loader: yes, Signed: yes, Confidence: ladder.Sure}, "its SIP application runs"},
		{"a guess, and nothing better", []string{txt, "agent Cisco-SIPIPPhone/3"}, ladder.Belief{Protocol: phone.SIP, Major: 3, Loader: no, Confidence: ladder.Guess}, ""},
		{"a release that newer clues have overtaken", []string{"agent CSCO/6", "P0S3-8-12-00.loads", "SIPDefault.cnf"}, ladder.Belief{Protocol: phone.SIP, Loader: yes, Signed: yes, Confidence: ladder.Sure}, ""},
		{"a load of another family", []string{"told SIP41.8-5-4S"}, ladder.Belief{Load: "SIP41.8-5-4S", Confidence: ladder.Sure}, ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			got := ladder.Conclude(clues(t, tt.clues...))
			why := strings.Join(got.Why, "; ")
			got.Why = nil
			if !reflect.DeepEqual(got, tt.want) || !strings.Contains(why, tt.why) {
				t.Errorf("found  %+v because %s\nwanted %+v because %s", got, why, tt.want, tt.why)
			}
		})
	}
}

// vocabulary is what a phone can show, one clue each.
var vocabulary = []string{
	"class", "class 7940", "class 7941", "OS79XX.TXT", "SEP0006D7AA2A2E.cnf.xml", "SEPDefault.cnf", "SIPDefault.cnf", "7960-font.xml",
	"P0S30203.bin", "P0S3-04-4-00.bin", "P0S3-05-3-00.sbn", "P0S3-06-3-00.sbn", "P0S3-8-12-00.sbn", "P003-8-12-00.sbn", "P0S3-8-12-00.loads",
	"P0S3-8-12-00.sb2", "CTLSEP0006D7AA2A2E.tlv", "agent CSCO/3", "agent CSCO/6", "agent Cisco-CP7940G/8.0", "agent Cisco-SIPIPPhone/2",
	"cdp P00305000500", "cdp P0S3-8-12-00", "runs P0S3-04-4-00", "runs P0S3-06-3-00", "told P0S30203", "told P0S3-05-3-00", "told P0S3-8-12-00",
	"told SIP41.8-5-4S", "fetched P0S3-04-4-00 P0S30203", "fetched P0S3-05-3-00 P0S3-04-4-00", "fetched P003-8-12-00 P0S3-06-3-00",
	"fetched P0S3-8-12-00 P003-8-12-00", "fetched P00305000500 P00303010102", "fetched P0S3-06-3-00",
}

// FuzzConclude takes clues at any moments, in any order: the belief is the same, it stands on its own clues, and a load is
// never more certain than the clue that names it.
func FuzzConclude(f *testing.F) {
	var known []ladder.Clue
	for _, text := range vocabulary {
		known = append(known, clues(f, text)...)
	}
	f.Add([]byte{0, 0, 3, 1, 6, 2, 25, 3, 29, 4, 11, 5}, uint64(1))
	f.Add([]byte{23, 0, 10, 1, 18, 2, 21, 3, 16, 3}, uint64(2))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		var list []ladder.Clue
		for i := 0; i+1 < len(data) && i < 60; i += 2 {
			c := known[int(data[i])%len(known)]
			c.At = start.Add(time.Duration(data[i+1]) * time.Second)
			list = append(list, c)
		}
		want := ladder.Conclude(list)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if got := ladder.Conclude(list); !reflect.DeepEqual(got, want) {
			t.Fatalf("in another order %+v\nbefore %+v", got, want)
		}
		named := func(c ladder.Clue) bool {
			certain := want.Confidence == ladder.Sure && want.Load != "P003-8-12-00" // which files that are asked for make sure
			return c.Load == want.Load && (c.Confidence == ladder.Sure || !certain) || c.Before == want.Load && !certain
		}
		if want.Load != "" && !slices.ContainsFunc(list, named) {
			t.Errorf("no clue names %q that surely: %+v", want.Load, want)
		}
		if p, err := ladder.Plan(want, sip8, rungsOnce); err == nil {
			chain(t, p)
		}
	})
}

var rungsOnce = rungs()
