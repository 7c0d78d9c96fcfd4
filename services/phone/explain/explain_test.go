package explain_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/explain"
)

// constants returns the values of the constants of a type that a file of services/phone declares, so that a new one
// without a sentence fails the tests.
func constants(t *testing.T, file, kind string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "../"+file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) == 0 {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == kind {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, value)
		}
		return true
	})
	if len(out) < 5 {
		t.Fatalf("%s has only %q", file, out)
	}
	return out
}

// states are all states of a phone.
func states() []explain.Now {
	var out []explain.Now
	for _, protocol := range []phone.Protocol{phone.ProtocolUnknown, phone.SCCP, phone.SIP, phone.MGCP} {
		for _, loader := range []explain.Answer{explain.Unknown, explain.Yes, explain.No} {
			for bits := range 16 {
				now := explain.Now{Protocol: protocol, Loader: loader, Listed: bits&1 > 0, HasTarget: bits&2 > 0}
				if bits&4 > 0 {
					now.Load = "P0S3-07-4-00"
				}
				if bits&8 > 0 {
					now.Named = "P0S3-8-12-00"
				}
				out = append(out, now)
			}
		}
	}
	return out
}

func TestEveryKindHasASentence(t *testing.T) {
	t.Parallel()
	kinds := explain.Kinds()
	declared := constants(t, "file.go", "Kind")
	for _, k := range declared {
		if !slices.Contains(kinds, phone.Kind(k)) {
			t.Errorf("Kinds does not have %q", k)
		}
	}
	if len(kinds) != len(declared) {
		t.Errorf("%d kinds, declared are %d", len(kinds), len(declared))
	}
	_, unknown := explain.Absence(phone.KindOther, explain.Now{})
	for _, k := range kinds {
		for _, now := range states() {
			harmless, sentence := explain.Absence(k, now)
			where := fmt.Sprintf("%s, %+v: %q", k, now, sentence)
			if !strings.HasSuffix(sentence, ".") || strings.Contains(sentence, ". ") || len(sentence) < 30 {
				t.Errorf("not one sentence: %s", where)
			}
			if k != phone.KindOther && sentence == unknown {
				t.Errorf("no sentence of its own: %s", where)
			}
			advice := strings.Contains(sentence, ": ")
			if !harmless && !advice {
				t.Errorf("does not say what to do: %s", where)
			}
		}
	}
}

func TestAbsence(t *testing.T) {
	t.Parallel()
	type now = explain.Now
	for _, tt := range []struct {
		kind     phone.Kind
		now      now
		harmless bool
		words    string
	}{
		{phone.KindTrustList, now{}, true, "at once"},
		{phone.KindMGC, now{Protocol: phone.SIP}, true, "at once"},
		{phone.KindMGC, now{Protocol: phone.MGCP}, false, "name a SIP or SCCP load"},
		{phone.KindOS79XX, now{Loader: explain.Yes, Listed: true, HasTarget: true}, true, "newer"},
		{phone.KindOS79XX, now{Loader: explain.No, Listed: true, HasTarget: true}, false, "upload the firmware of the next step"},
		{phone.KindOS79XX, now{Loader: explain.No, HasTarget: true}, true, "keeps what it runs"},
		{phone.KindSEP, now{Loader: explain.Yes, Listed: true, HasTarget: true}, false, "upload all files"},
		{phone.KindSEP, now{Loader: explain.Yes, Listed: true, Protocol: phone.SIP}, true, "SIP<MAC>.cnf"},
		{phone.KindSEP, now{Loader: explain.No, Listed: true, HasTarget: true, Protocol: phone.SIP}, true, "does not read it"},
		{phone.KindSEP, now{Loader: explain.Yes}, true, "XMLDefault"},
		{phone.KindSEPOld, now{Loader: explain.No, Protocol: phone.SCCP}, false, "too old for XML"},
		{phone.KindSEPOld, now{Loader: explain.Yes, Protocol: phone.SCCP}, true, "newer"},
		{phone.KindSEPOld, now{Protocol: phone.SIP}, true, "very old"},
		{phone.KindSIP, now{Protocol: phone.SIP, Listed: true}, false, "refused"},
		{phone.KindSIP, now{Protocol: phone.SIP}, false, "add this phone"},
		{phone.KindSIP, now{Protocol: phone.SCCP, Listed: true}, true, "does not run"},
		{phone.KindSIP, now{}, true, "once the phone runs SIP"},
		{phone.KindXMLDefault, now{Protocol: phone.SIP, Listed: true, HasTarget: true, Loader: explain.Yes}, true, "come first"},
		{phone.KindXMLDefault, now{Protocol: phone.SIP, Loader: explain.No}, true, "does not read it"},
		{phone.KindXMLDefault, now{Protocol: phone.SCCP, Listed: true, HasTarget: true}, false, "upload all files"},
		{phone.KindXMLDefault, now{Listed: true}, false, "set the load"},
		{phone.KindXMLDefault, now{}, false, "add this phone"},
		{phone.KindXMLDefault, now{Protocol: phone.SCCP, Load: "P00308010200"}, true, "keeps the load"},
		{phone.KindSIPDefault, now{Protocol: phone.SIP}, true, "optional"},
		{phone.KindLoads, now{Loader: explain.Yes}, false, "upload all files"},
		{phone.KindLoads, now{Loader: explain.No}, true, "none yet"},
		{phone.KindLoader, now{Loader: explain.Yes}, false, "comes with a load"},
		{phone.KindLoader, now{Loader: explain.No}, false, "next step"},
		{phone.KindApplication, now{}, false, "Protocol Application Invalid"},
		{phone.KindRingList, now{}, true, "Chirp1"},
		{phone.KindDialPlan, now{}, true, "built-in dialling rules"},
		{phone.KindSyncInfo, now{}, true, "restart"},
		{phone.KindRing, now{}, false, "upload it"},
		{phone.KindLocale, now{}, true, "English"},
		{phone.KindOther, now{}, false, "upload it"},
	} {
		if harmless, sentence := explain.Absence(tt.kind, tt.now); harmless != tt.harmless || !strings.Contains(sentence, tt.words) {
			t.Errorf("%s, %+v: %v, %s", tt.kind, tt.now, harmless, sentence)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	mac := phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2e}
	const m = "0006D7AA2A2E"
	hunt := []string{"CTLSEP" + m + ".tlv", "SEP" + m + ".cnf.xml", "SIP" + m + ".cnf", "MGC" + m + ".cnf", "XMLDefault.cnf.xml"}
	extras := []string{"RINGLIST.DAT", "dialplan.xml", "syncinfo.xml"}
	for name, tt := range map[string]struct {
		now  explain.Now
		want []string
	}{
		"SIP 8.12, up to date": {
			explain.Now{Protocol: phone.SIP, Loader: explain.Yes, Load: "P0S3-8-12-00", Named: "P0S3-8-12-00"},
			slices.Concat(hunt, []string{"P0S3-8-12-00.loads", "SIPDefault.cnf"}, extras),
		},
		"SCCP 8 to SIP 8.12": {
			explain.Now{Protocol: phone.SCCP, Loader: explain.Yes, Load: "P00308010200", Named: "P0S3-8-12-00"},
			slices.Concat(hunt, []string{"P0S3-8-12-00.loads", "P0S3-8-12-00.sb2"}),
		},
		"SIP 4.4 to 5.3": {
			explain.Now{Protocol: phone.SIP, Loader: explain.No, Load: "P0S3-04-4-00", Named: "P0S3-05-3-00"},
			slices.Concat([]string{"OS79XX.TXT", "SIPDefault.cnf", "SIP" + m + ".cnf", "P0S3-05-3-00.bin"}, extras),
		},
		"SIP 5.3 to 6.3": {
			explain.Now{Protocol: phone.SIP, Loader: explain.No, Load: "P0S3-05-3-00", Named: "P0S3-06-3-00"},
			slices.Concat([]string{"OS79XX.TXT", "SIPDefault.cnf", "SIP" + m + ".cnf", "P0S3-06-3-00.sbn"}, extras),
		},
		"old SCCP": {
			explain.Now{Protocol: phone.SCCP, Loader: explain.No},
			[]string{"OS79XX.TXT", "SEP" + m + ".cnf.xml", "SEP" + m + ".cnf", "XMLDefault.cnf.xml", "SEPDefault.cnf"},
		},
		"nothing is known": {
			explain.Now{},
			slices.Concat([]string{"OS79XX.TXT"}, hunt, []string{"SIPDefault.cnf"}, extras),
		},
	} {
		if got := explain.Names(mac, tt.now); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, wanted %q", name, got, tt.want)
		}
	}
	asked := map[phone.Kind]bool{phone.KindRing: true, phone.KindLocale: true, phone.KindOther: true}
	for _, now := range states() {
		seen := map[string]bool{}
		for _, n := range explain.Names(mac, now) {
			f := phone.ParseFileName(n)
			if seen[n] || f.Kind == phone.KindOther || !f.MAC.IsZero() && f.MAC != mac {
				t.Errorf("%+v: %s", now, n)
			}
			seen[n], asked[f.Kind] = true, true
		}
	}
	for _, k := range explain.Kinds() {
		if !asked[k] {
			t.Errorf("no phone asks for %s", k)
		}
	}
}

func TestEveryStepHasSentences(t *testing.T) {
	t.Parallel()
	for _, s := range constants(t, "step.go", "Step") {
		for _, now := range states() {
			waits, long, next := explain.Step(phone.Step(s), now)
			for _, sentence := range []string{waits, long, next} {
				if len(sentence) < 10 || !strings.HasSuffix(sentence, ".") || strings.Contains(sentence, "%!") {
					t.Errorf("%s, %+v: %q", s, now, sentence)
				}
			}
		}
	}
	if waits, _, _ := explain.Step("dancing", explain.Now{}); waits != "" {
		t.Errorf("a step that does not exist: %q", waits)
	}
}

func TestStep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		step  phone.Step
		now   explain.Now
		words []string
	}{
		{phone.Seen, explain.Now{}, []string{"address"}},
		{phone.Addressed, explain.Now{Loader: explain.Yes}, []string{"CTLSEP"}},
		{phone.Addressed, explain.Now{Loader: explain.No}, []string{"OS79XX.TXT"}},
		{phone.Loading, explain.Now{Loader: explain.Yes}, []string{"171 s"}},
		{phone.Loading, explain.Now{Protocol: phone.SIP}, []string{"SIP<MAC>.cnf", "31 s"}},
		{phone.Loading, explain.Now{Protocol: phone.SCCP}, []string{"60 s"}},
		{phone.Loading, explain.Now{HasTarget: true, Named: "P0S3-8-12-00"}, []string{"fetches P0S3-8-12-00"}},
		{phone.Upgrading, explain.Now{Loader: explain.Yes}, []string{"Do not unplug", "lamps flash", "three boots", "60 to 100 s", "10 minutes", "120 s"}},
		{phone.Upgrading, explain.Now{Loader: explain.No}, []string{"Do not unplug", "lamps flash", "10 minutes"}},
		{phone.Configured, explain.Now{}, []string{"rings", "1 to 2 seconds", "ready"}},
		{phone.Ready, explain.Now{}, []string{"nothing"}},
		{phone.Stuck, explain.Now{}, []string{"171 s", "31 s", "10 minutes", "half"}},
	} {
		waits, long, next := explain.Step(tt.step, tt.now)
		all := waits + " " + long + " " + next
		for _, w := range tt.words {
			if !strings.Contains(all, w) {
				t.Errorf("%s, %+v: %q does not say %q", tt.step, tt.now, all, w)
			}
		}
	}
}

func TestTroubles(t *testing.T) {
	t.Parallel()
	seen := map[explain.Code]bool{}
	for _, k := range explain.Troubles() {
		for _, s := range []string{k.Symptom, k.Cause, k.Cure} {
			if len(s) < 20 || !strings.HasSuffix(s, ".") {
				t.Errorf("%s: %q", k.Code, s)
			}
		}
		if seen[k.Code] {
			t.Errorf("%s is there twice", k.Code)
		}
		seen[k.Code] = true
	}
	if len(seen) != 11 { // nine rows of phones.md c.6, two of a.8
		t.Errorf("%d troubles", len(seen))
	}
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	type asked = explain.Asked
	type trace = explain.Trace
	covered := map[explain.Code]bool{}
	for name, tt := range map[string]struct {
		trace trace
		want  []explain.Code
	}{
		"nothing": {trace{}, nil},
		"a good boot": {trace{
			TrustList: asked{Times: 1, SamePort: 1, Answered: 1}, SEP: asked{Times: 1, SamePort: 1, Answered: 1, Got: 1},
			SIPCnf: asked{Times: 1, SamePort: 1, Answered: 1, Got: 1}, Hunts: 1, Small: 5, SameImage: 1, Protocol: phone.SIP,
		}, nil},
		"two hunts of a conversion": {trace{
			TrustList: asked{Times: 2, SamePort: 1, Answered: 2, Span: 36 * time.Second}, SEP: asked{Times: 2, SamePort: 1, Answered: 2, Got: 2, Span: 36 * time.Second},
			Hunts: 2, Fetched: phone.SIP, Protocol: phone.SIP,
		}, nil},
		"hunts without a load":     {trace{Hunts: 3, NoLoad: true}, []explain.Code{explain.ApplicationInvalid}},
		"a part is missing":        {trace{Hunts: 1, Missing: "P0S3-8-12-00.sb2"}, []explain.Code{explain.ApplicationInvalid}},
		"hunts with a load":        {trace{Hunts: 3}, nil},
		"no answers":               {trace{TrustList: asked{Times: 15, SamePort: 5, Span: time.Minute}}, []explain.Code{explain.RepeatsTrustList}},
		"unusable content":         {trace{SEP: asked{Times: 6, SamePort: 1, Answered: 6, Got: 6, Span: 6 * time.Second}}, []explain.Code{explain.RepeatsSEP}},
		"SEP at each hunt":         {trace{SEP: asked{Times: 6, SamePort: 1, Answered: 6, Got: 6, Span: 6 * 171 * time.Second}}, nil},
		"stopped by the phone":     {trace{Stopped: "SIPDefault.cnf"}, []explain.Code{explain.BufferFull}},
		"the same image":           {trace{SameImage: 3}, []explain.Code{explain.ImageRefused}},
		"twice is a second try":    {trace{SameImage: 2}, nil},
		"a file without load":      {trace{NoLoad: true, Hunts: 1}, []explain.Code{explain.NoLoad}},
		"polling":                  {trace{SIPCnf: asked{Times: 2, SamePort: 1, Answered: 2, Span: 31 * time.Second}}, []explain.Code{explain.Unprovisioned}},
		"no line":                  {trace{SIPCnf: asked{Times: 1, SamePort: 1, Answered: 1, Got: 1}, NoLine: true}, []explain.Code{explain.Unprovisioned}},
		"SCCP all the same":        {trace{Fetched: phone.SIP, Protocol: phone.SCCP}, []explain.Code{explain.StaysSCCP}},
		"back to SCCP as wanted":   {trace{Fetched: phone.SCCP, Protocol: phone.SCCP}, nil},
		"too old":                  {trace{SEPDefault: asked{Times: 6, SamePort: 1, Answered: 6}}, []explain.Code{explain.TooOld}},
		"answers that don't reach": {trace{SEP: asked{Times: 15, SamePort: 5, Answered: 15, Span: time.Minute}}, []explain.Code{explain.Unreachable}},
		"any file": {trace{Other: asked{Times: 5, SamePort: 5, Answered: 5}, SIPCnf: asked{Times: 4, SamePort: 4, Answered: 4}}, []explain.Code{
			explain.Unreachable,
		}},
		"transfers break off": {trace{Aborted: 3, Small: 2}, []explain.Code{explain.BreaksOff}},
		"nothing arrives":     {trace{Aborted: 3}, nil},
		"two at once":         {trace{Aborted: 3, Small: 2, SameImage: 4}, []explain.Code{explain.ImageRefused, explain.BreaksOff}},
	} {
		var got []explain.Code
		for _, k := range explain.Recognise(tt.trace) {
			got = append(got, k.Code)
			covered[k.Code] = true
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, wanted %q", name, got, tt.want)
		}
	}
	for _, k := range explain.Troubles() {
		if !covered[k.Code] {
			t.Errorf("nothing recognises %s", k.Code)
		}
	}
}
