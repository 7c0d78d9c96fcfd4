package dialplan_test

import (
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone/dialplan"
)

func TestWhichRuleWins(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rules  []rule
		number string
		rule   int
		wait   string
		sent   string
		rest   string
	}{
		"a rule with more literals, though incomplete": {[]rule{{Match: "9.11", Timeout: "0"}, {Match: "9011*", Timeout: "5"}}, "9011", 0, "after 10 s", "9011", ""},
		"and then complete":                            {[]rule{{Match: "9.11", Timeout: "0"}, {Match: "9011*", Timeout: "5"}}, "90114", 2, "after 5 s", "90114", ""},
		"exact beats dots":                             {[]rule{{Match: "2..", Timeout: "3"}, {Match: "208", Timeout: "1"}}, "208", 2, "after 1 s", "208", ""},
		"dots beat a star":                             {[]rule{{Match: "2*", Timeout: "5"}, {Match: "2..", Timeout: "3"}}, "208", 2, "after 3 s", "208", ""},
		"the star goes on":                             {[]rule{{Match: "2*", Timeout: "5"}, {Match: "2..", Timeout: "3"}}, "2080", 1, "after 5 s", "2080", ""},
		"the first of equals":                          {[]rule{{Match: "2..", Timeout: "3"}, {Match: "20.", Timeout: "4"}, {Match: "2.8", Timeout: "5"}}, "208", 2, "after 4 s", "208", ""},
		"dots beat a star that fits as well as what is incomplete": {[]rule{{Match: "9..."}, {Match: "9*", Timeout: "5"}, {Match: "9.", Timeout: "3"}}, "91", 3, "after 3 s", "91", ""},
		"a catch-all does not cut a longer rule":                   {[]rule{{Match: "*", Timeout: "0"}, {Match: "9.......", Timeout: "0"}}, "94694210", 2, "at once", "94694210", ""},
		"nor does it when it comes last":                           {[]rule{{Match: "9.......", Timeout: "0"}, {Match: "*", Timeout: "0"}}, "94694210", 1, "at once", "94694210", ""},
		"a short rule at once cuts":                                {[]rule{{Match: "2..", Timeout: "0"}, {Match: "2.....", Timeout: "0"}}, "212345", 1, "at once", "212", "345"},
		"no rule":                                                  {[]rule{{Match: "2.."}}, "555", 0, "after 10 s", "555", ""},
		"no rules":                                                 {nil, "555", 0, "after 10 s", "555", ""},
		"no timeout":                                               {[]rule{{Match: "555"}}, "555", 1, "after 10 s", "555", ""},
		"# ends":                                                   {[]rule{{Match: "0*", Timeout: "5", Rewrite: "9%1"}}, "0123#", 1, "at once", "9123", ""},
		"# ends what is incomplete":                                {[]rule{{Match: "0.........", Timeout: "5"}}, "0123#4", 0, "at once", "0123", "4"},
		"# ends what no rule fits":                                 {[]rule{{Match: "0*"}}, "55#", 0, "at once", "55", ""},
		"# ends without rules":                                     {nil, "55#", 0, "at once", "55", ""},
		"# matches":                                                {[]rule{{Match: "12#", Timeout: "0"}, {Match: "12*", Timeout: "4"}}, "12#", 1, "at once", "12#", ""},
		"# behind a star matches":                                  {[]rule{{Match: `\*21*#`, Timeout: "0"}, {Match: "*", Timeout: "4"}}, "*21208#", 1, "at once", "*21208#", ""},
		"an escaped star":                                          {[]rule{{Match: `\*6.`, Timeout: "0", Rewrite: "6.."}, {Match: "16.", Timeout: "0"}}, "*67", 1, "at once", "67", ""},
		"a dot takes a star":                                       {[]rule{{Match: "..", Timeout: "0"}}, "1*", 1, "at once", "1*", ""},
		"a star stops at what follows":                             {[]rule{{Match: "9*1.", Timeout: "0", Rewrite: "%1-%2"}}, "92312", 1, "at once", "23-2", ""},
		"and takes one digit whatever it is":                       {[]rule{{Match: "9*1", Timeout: "0", Rewrite: "%1"}}, "911", 1, "at once", "1", ""},
		"separators are left out":                                  {[]rule{{Match: "02.......", Timeout: "0"}}, "02/345.67 89", 1, "at once", "023456789", ""},
		"a plus":                                                   {[]rule{{Match: "+32*", Timeout: "2", Rewrite: "00%s"}}, "+3223", 1, "after 2 s", "00+3223", ""},
		"a faulty rule takes no part":                              {[]rule{{Match: "20", Timeout: "x"}, {Match: "2*", Timeout: "5"}}, "20", 2, "after 5 s", "20", ""},
		"nor one for another line":                                 {[]rule{{Match: "20", Timeout: "0", Line: 2}, {Match: "2*", Timeout: "5", Line: 1}}, "20", 2, "after 5 s", "20", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := dialplan.Test(plan(tt.rules...), tt.number)
			if r.Fault != "" || r.Rule != tt.rule || r.Wait() != tt.wait || r.Sent != tt.sent || r.Rest != tt.rest {
				t.Errorf("%+v\n%s", r, strings.Join(r.Trace, "\n"))
			}
			if r.Rule > 0 && r.Match != tt.rules[r.Rule-1].Match || r.At+len(r.Rest) != len(r.Number) || len(r.Trace) < r.At {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ match, rewrite, number, sent string }{
		{"31.", "1111%s", "310", "1111310"},
		{"32..", "122232..", "3255", "12223255"},
		{"33...", "13%1", "33123", "13123"},
		{"34..1..", "1%1-%2", "3412134", "112-34"},
		{"34..3..", "1..1..", "3456378", "156178"},
		{"9.", "%0%%x", "91", "91%x"},
		{"9.", "....", "91", "1"},
		{"9.", "%2", "91", "2"},
		{"9,.", "8%1", "91", "81"},
		{".,.", "%2%1", "12", "21"},
		{".*", "%2/%1", "123", "23/1"},
		{"9*", "0..", "9123", "012"},
		{"1.2.3.4.5.6.", "%5%6", "1a2b3c4d5e6f", ""},
		{"102.3.4.5.6.7.8.", "%5", "1021", "1021"},
		{"9.", "5%", "91", "5"},
	} {
		r := dialplan.Test(plan(rule{Match: tt.match, Timeout: "5", Rewrite: tt.rewrite}), tt.number)
		if r.Sent != tt.sent {
			t.Errorf("%s with %q: %q is sent as %q, wanted %q", tt.match, tt.rewrite, tt.number, r.Sent, tt.sent)
		}
	}
	r := dialplan.Test(plan(rule{Match: "112", Timeout: "0", User: "Phone", Route: "emergency"}), "112")
	if r.Route != "Emergency" || r.User != "phone" {
		t.Errorf("%+v", r)
	}
}

func TestSecondaryDialTones(t *testing.T) {
	t.Parallel()
	p := plan(
		rule{Match: "*", Timeout: "5"},
		rule{Match: "9,,3,....", Timeout: "0", Tones: []string{"", "Cisco-Zip"}},
		rule{Match: "8", Timeout: "3"},
		rule{Match: "8,1", Timeout: "0", Tones: []string{"Cisco-ZipZip"}},
	)
	r := dialplan.Test(p, "931234")
	want := []dialplan.Tone{{At: 1, Name: "Bellcore-Outside"}, {At: 2, Name: "Cisco-Zip"}}
	if !slices.Equal(r.Tones, want) || r.Rule != 2 || r.After != 0 {
		t.Errorf("%+v", r)
	}
	behind := dialplan.Test(plan(rule{Match: ".,..", Tones: []string{"Cisco-Zip"}}, rule{Match: "*", Timeout: "5"}), "1")
	if len(behind.Tones) != 1 || behind.Rule != 2 {
		t.Errorf("a catch-all keeps the tone from being played: %+v", behind)
	}
	if r := dialplan.Test(p, "81"); len(r.Tones) > 0 || r.Rule != 4 {
		t.Errorf("a tone is played although the number may be whole: %+v", r)
	}
}

func TestWhatCannotBeDialled(t *testing.T) {
	t.Parallel()
	for number, words := range map[string]string{
		"": "No number", " -/": "No number", "12a": "'a'", "hé": "'h'", "#": "Nothing was dialled", strings.Repeat("1", 256): "at most 255",
	} {
		if r := dialplan.Test(plan(rule{Match: "*"}), number); !strings.Contains(r.Fault, words) || r.Sent != "" {
			t.Errorf("%.10q: %+v", number, r)
		}
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	emergency := rule{Match: "112", Timeout: "0"}
	rest := rule{Match: "*", Timeout: "5"}
	for name, tt := range map[string]struct {
		rules []rule
		extra []string
		want  []string // words of each
	}{
		"all is well":           {[]rule{emergency, {Match: "2.."}, rest}, nil, nil},
		"the plan of all boxes": {[]rule{rest}, nil, []string{"No rule is for an emergency number"}},
		"sends before":          {[]rule{emergency, {Match: "2..", Timeout: "0"}, {Match: "2.....", Timeout: "0"}, rest}, nil, []string{"Rule 2 (2..) sends after 3 digits, so rule 3 (2.....) can never win."}},
		"order does not help":   {[]rule{emergency, {Match: "2....."}, {Match: "2..", Timeout: "0"}, rest}, nil, []string{"Rule 3 (2..) sends after 3 digits, so rule 2 (2.....) can never win."}},
		"twice":                 {[]rule{emergency, {Match: "208"}, {Match: "208", Rewrite: "1"}, rest}, nil, []string{"Rule 2 (208) always wins over rule 3 (208)"}},
		"one exception is enough": {[]rule{emergency, {Match: "2.", Timeout: "0"}, {Match: "23.", Timeout: "0"}, {Match: "2...."}, {Match: "2*"}, rest}, nil, []string{
			"so rule 4", "so rule 5",
		}},
		"some numbers reach it": {[]rule{
			emergency,
			{Match: "0.", Timeout: "0"},
			{Match: "..", Timeout: "4"},
			{Match: "....", Timeout: "0"},
			{Match: "1234", Timeout: "0"},
			{Match: "12340", Timeout: "0"},
			rest,
		}, nil, []string{"Rule 5 (1234) sends after 4 digits, so rule 6"}},
		"no catch-all":            {[]rule{emergency}, nil, []string{"No rule catches"}},
		"an emergency delayed":    {[]rule{{Match: "911", Timeout: "3"}, rest}, nil, []string{"911 is sent only after 3 s"}},
		"an emergency cut":        {[]rule{{Match: "9", Timeout: "0"}, {Match: "911", Timeout: "0"}, rest}, nil, []string{"Rule 1 (9) sends after 1 digit, so rule 2", "911 is not reached: rule 1 (9)"}},
		"an emergency holds back": {[]rule{{Match: "1.", Timeout: "0"}, {Match: "112", Timeout: "0"}, rest}, nil, nil},
		"an emergency changed":    {[]rule{{Match: "0,112", Timeout: "0", Route: "Emergency", Rewrite: "112"}, rest}, nil, []string{"0112 is sent as 112"}},
		"one of the country":      {[]rule{emergency, rest}, []string{"101", "112"}, []string{"101 is sent only after 5 s"}},
		"faults of rules":         {[]rule{emergency, {Match: "x"}, {Match: "2", Line: 1}, rest}, nil, []string{"Rule 2: MATCH", "Rule 3 has a Line"}},
		"groups that are absent":  {[]rule{emergency, {Match: "9..", Rewrite: "%1%2%%9"}, rest}, nil, []string{"uses %2"}},
		"a route without host":    {[]rule{emergency, {Match: "9..", Route: "FQDN"}, {Match: "8..", Route: "FQDN", Rewrite: "%s@a.example"}, rest}, nil, []string{"Rule 2 has the route FQDN"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := dialplan.Lint(plan(tt.rules...), tt.extra...)
			if len(got) != len(tt.want) {
				t.Fatalf("%q, wanted %q", got, tt.want)
			}
			for i, words := range tt.want {
				if !strings.Contains(got[i], words) {
					t.Errorf("%q does not say %q", got[i], words)
				}
			}
		})
	}
}

// The search for shadows is bounded: a plan as large as a file can be is looked at, whatever it holds.
func TestLintIsBounded(t *testing.T) {
	t.Parallel()
	var p dialplan.Plan
	for i := range 200 {
		m := []byte(strings.Repeat(".*1.", 5))
		m[i%20], m[(i*7)%20] = '1', '.'
		p.Rules = append(p.Rules, rule{Match: strings.ReplaceAll(strings.ReplaceAll(string(m), "*.", "*2"), "**", "*1")})
	}
	dialplan.Lint(p)
}
