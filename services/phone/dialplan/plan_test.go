package dialplan_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"phonebox/services/phone/dialplan"
)

type rule = dialplan.Rule

func plan(rules ...rule) dialplan.Plan { return dialplan.Plan{Rules: rules} }

func TestWrite(t *testing.T) {
	t.Parallel()
	content, err := dialplan.Write(plan(
		rule{
			Match: "9,1..........", Timeout: "0", User: "Phone", Rewrite: "1%1", Route: "Default",
			Tones: []string{"Bellcore-Outside", "", "Cisco-Zip"}, Comment: "outside\nà l'extérieur",
		},
		rule{Match: `\*21*`, Line: 2},
	))
	want := "<DIALTEMPLATE>\n<!-- outside -->\n<!-- \xe0 l'ext\xe9rieur -->\n" +
		`<TEMPLATE MATCH="9,1.........." Timeout="0" User="Phone" Rewrite="1%1" Route="Default" Tone="Bellcore-Outside" Tone="" Tone="Cisco-Zip"/>` + "\n" +
		`<TEMPLATE MATCH="\*21*" Line="2"/>` + "\n</DIALTEMPLATE>\n"
	if err != nil || string(content) != want {
		t.Errorf("%q %v", content, err)
	}
}

func TestWhatPhonesCannotTakeIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("5", 64)
	for _, tt := range []struct {
		r      rule
		faults []string // words of each
	}{
		{rule{Match: "208"}, nil},
		{rule{Match: `9,1..*#`, Timeout: "0", User: "ip", Rewrite: "<sip:%s@h&x>", Route: "fqdn", Tones: []string{"cisco-zip"}, Line: 6}, nil},
		{rule{}, []string{"MATCH is empty"}},
		{rule{Match: long}, []string{"64 characters"}},
		{rule{Match: "[1-9]"}, []string{`"[1-9]"`}},
		{rule{Match: `2\0`}, []string{`after \`}},
		{rule{Match: "9*."}, []string{"behind *"}},
		{rule{Match: "9,"}, []string{"comma"}},
		{rule{Match: ",9"}, []string{"comma"}},
		{rule{Match: "1", Timeout: "-1"}, []string{`"-1"`}},
		{rule{Match: "1", Timeout: "+1"}, []string{`"+1"`}},
		{rule{Match: "1", Timeout: "5s"}, []string{`"5s"`}},
		{rule{Match: "1", Timeout: "3601"}, []string{"3600"}},
		{rule{Match: "1", User: "SIP", Route: "x", Tones: []string{"Beep"}}, []string{`"SIP"`, `"x"`, "Cisco-BeepBonk"}},
		{rule{Match: "1", Rewrite: `a"b`}, []string{"quotation"}},
		{rule{Match: "1", Rewrite: "é"}, []string{"accents"}},
		{rule{Match: "1", Rewrite: long}, []string{"64 characters"}},
		{rule{Match: "1", Tones: make([]string, 4)}, []string{"4 tones"}},
		{rule{Match: "1", Line: 7}, []string{"Line is 7"}},
		{rule{Match: "1", Comment: "a -> b"}, []string{"can't hold"}},
		{rule{Match: "1", Comment: "電話"}, []string{"can't hold"}},
	} {
		got := dialplan.Check(tt.r)
		if len(got) != len(tt.faults) {
			t.Errorf("%+v: %q, wanted %q", tt.r, got, tt.faults)
			continue
		}
		for i, words := range tt.faults {
			if !strings.Contains(got[i], words) {
				t.Errorf("%+v: %q does not say %q", tt.r, got[i], words)
			}
		}
		content, err := dialplan.Write(plan(rule{Match: "208"}, tt.r))
		if (err != nil) != (len(tt.faults) > 0) || (err != nil) == (content != nil) {
			t.Errorf("%+v: Write gave %q, %v", tt.r, content, err)
		}
		if err != nil && !strings.Contains(err.Error(), "rule 2: ") {
			t.Errorf("the error does not name the rule: %v", err)
		}
	}
	if _, err := dialplan.Write(plan(slices.Repeat([]rule{{Match: "0123456789", Timeout: "5"}}, 200)...)); err == nil || !strings.Contains(err.Error(), "8191") {
		t.Errorf("a file of more than 8 KB: %v", err)
	}
}

func TestReadIsTolerant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text     string
		want     []rule
		warnings []string // "line: words", in order
	}{
		"the sample of the guides": {
			"<DIALTEMPLATE>\r\n<TEMPLATE MATCH=\"9,1..........\" Timeout=\"0\" User=\"Phone\" Rewrite=\"1%1\" Route=\"Default\" Tone=\"Bellcore-Outside\"/>\r\n" +
				"<!-- comment -->\r\n<TEMPLATE MATCH=\"*\" Timeout=\"5\"/>\r\n</DIALTEMPLATE>\r\n",
			[]rule{
				{Match: "9,1..........", Timeout: "0", User: "Phone", Rewrite: "1%1", Route: "Default", Tones: []string{"Bellcore-Outside"}},
				{Match: "*", Timeout: "5", Comment: "comment"},
			},
			nil,
		},
		"comments of several lines, before and behind": {
			"<DIALTEMPLATE>\n<!-- one\n  two -->\n\n<!--three-->\n<TEMPLATE MATCH=\"1\"/> <!-- four -->\n<TEMPLATE MATCH=\"2\"></TEMPLATE>\n<!-- five -->\n</DIALTEMPLATE>",
			[]rule{{Match: "1", Comment: "one\ntwo\nthree\nfour"}, {Match: "2"}},
			[]string{`8: no rule follows the comment "five"`},
		},
		"case, declaration and byte order mark": {
			"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<dialtemplate>\n<Template match=\"1\" TIMEOUT='3' user=Phone/>\n</dialtemplate>",
			[]rule{{Match: "1", Timeout: "3", User: "Phone"}},
			[]string{"1: byte order mark", "1: XML declaration", "3: must be TEMPLATE", "3: stands between '", "3: no quotation marks"},
		},
		"without the root element": {
			"<TEMPLATE MATCH=\"1\" /><TEMPLATE MATCH=\"2\" ></TEMPLATE>",
			[]rule{{Match: "1"}, {Match: "2"}},
			[]string{"1: outside of DIALTEMPLATE"},
		},
		"what a phone refuses": {
			"<DIALTEMPLATE>\n<TEMPLATE MATCH=\"1\" Colour=\"red\"/>\n<TEMPLATE MATCH=\"2\" Tone=\"Cisco-Zip,Cisco-Zip\" Tone=\"x\" Tone=\"\"/>\n" +
				"<TEMPLATE MATCH=\"3\" Rewrite=\"a&b&amp;c\"/>\n<TEMPLATE MATCH=\"4\" Timeout=\" 5 \">\n<TEMPLATE MATCH=\"5\"\n<TEMPLATE MATCH=\"6\" ! Line=\"1\" Line=\"2\" User/>\n" +
				"<TEMPLATE MATCH=\"\" Rewrite=\"7\"/>\n</DIALTEMPLATE>",
			[]rule{
				{Match: "1"},
				{Match: "2", Tones: []string{"Cisco-Zip", "Cisco-Zip", "x", ""}},
				{Match: "3", Rewrite: "a&b&amp;c"},
				{Match: "4", Timeout: "5"},
				{Match: "5"},
				{Match: "6", Line: 2},
			},
			[]string{
				`2: Colour="red"`, `3: each tone needs`, "3: at most 3", `3: Tone is "x"`, "4: without resolving", "5: blanks around", "5: closes it",
				"6: not closed", `7: "!"`, "7: stands there twice", `7: "User" has no value`, "7: 7941", `8: <TEMPLATE MATCH=\"\" Rewrite=\"7\"/>`,
			},
		},
		"nothing is lost": {
			"hello\n<DIALTEMPLATE version=\"2\">\n<versionStamp>abc</versionStamp>\n<TEMPLATE MATCH=\"1\" Rewrite=\"22/>\n<TEMPLATE MATCH=\"2\"/>\n" +
				"<!-- <TEMPLATE MATCH=\"3\"/> -->\n</DIALTEMPLATE>\n</DIALTEMPLATE>\n<!-- open",
			[]rule{{Match: "1", Rewrite: "22"}, {Match: "2"}},
			[]string{
				`1: "hello"`, "2: rest of this tag", `3: "<versionStamp>"`, `3: "abc"`, `3: "</versionStamp>"`, "4: quotation mark", "6: first >",
				`6: is kept as "(TEMPLATE MATCH=\"3\"/)"`, "6: no rule follows", "8: closes nothing", "9: has no end",
			},
		},
		"Latin-1": {
			"<DIALTEMPLATE><!-- \xe9t\xe9 --><TEMPLATE MATCH=\"1\"/></DIALTEMPLATE>",
			[]rule{{Match: "1", Comment: "été"}},
			nil,
		},
		"UTF-8": {
			"<DIALTEMPLATE><!-- été --><TEMPLATE MATCH=\"1\"/></DIALTEMPLATE>",
			[]rule{{Match: "1", Comment: "été"}},
			[]string{"1: UTF-8"},
		},
		"too large": {
			"<DIALTEMPLATE><TEMPLATE MATCH=\"1\"/>" + strings.Repeat(" ", 8192) + "</DIALTEMPLATE>",
			[]rule{{Match: "1"}},
			[]string{"1: less than 8192"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, warnings, err := dialplan.Read([]byte(tt.text))
			if err != nil || !reflect.DeepEqual(got, plan(tt.want...)) {
				t.Errorf("%+v %v, wanted %+v", got, err, tt.want)
			}
			for i, w := range warnings {
				line := fmt.Sprintf("%d: %s", w.Line, w.Text)
				if i >= len(tt.warnings) {
					t.Errorf("also said: %s", line)
					continue
				}
				number, words, _ := strings.Cut(tt.warnings[i], ": ")
				if !strings.HasPrefix(line, number+": ") || !strings.Contains(line, words) {
					t.Errorf("said: %s, wanted %s", line, tt.warnings[i])
				}
			}
			if len(warnings) < len(tt.warnings) {
				t.Errorf("not said: %q", tt.warnings[len(warnings):])
			}
		})
	}
}

func TestWhatIsNoDialPlan(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "hello", "<device></device>", "<DIALTEMPLATE>" + strings.Repeat(" ", 256<<10)} {
		if p, _, err := dialplan.Read([]byte(text)); err == nil || len(p.Rules) > 0 {
			t.Errorf("%.20q was read as %v", text, p)
		}
	}
	if p, warnings, err := dialplan.Read([]byte("<DIALTEMPLATE></DIALTEMPLATE>")); err != nil || len(warnings) > 0 || len(p.Rules) > 0 {
		t.Errorf("an empty plan: %v %v %v", p, warnings, err)
	}
}

func TestTonesOfAnEditor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{"": nil, " ": nil, "Cisco-Zip": {"Cisco-Zip"}, "a, ,b": {"a", "", "b"}} {
		if got := dialplan.SplitTones(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
		if got := dialplan.SplitTones(dialplan.JoinTones(want)); !slices.Equal(got, want) {
			t.Errorf("%q: joined and split %q", want, got)
		}
	}
	if names := dialplan.ToneNames(); len(names) != 20 || !slices.Contains(names, "Bellcore-Cw2") {
		t.Errorf("%q", names)
	}
}

// FuzzRead: what was read can be written once its faulty rules are taken out, and then says the same without a warning.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"<DIALTEMPLATE><TEMPLATE MATCH=\"9,1*\" Timeout=\"0\" Tone=\"Cisco-Zip\" Tone=\"\"/><!-- x -->\n<TEMPLATE MATCH='*'></TEMPLATE></DIALTEMPLATE>",
		"\xef\xbb\xbf<?xml?><dialtemplate><Template match=1 Line=\"2\"/>text<!-- é -- > --><TEMPLATE MATCH=\"2\" Rewrite=\"%1",
		"<TEMPLATE MATCH=\"\\*\" User=\"IP\" Route=\"FQDN\" Rewrite=\"<sip:%s@h&amp;>\"/><!-- last",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		read, warnings, err := dialplan.Read(content)
		if err != nil {
			return
		}
		for _, w := range warnings {
			if w.Line < 1 || w.Line > 1+bytes.Count(content, []byte("\n"))+bytes.Count(content, []byte("\r")) || w.Text == "" {
				t.Errorf("the warning %+v", w)
			}
		}
		read.Rules = slices.DeleteFunc(read.Rules, func(r rule) bool { return len(dialplan.Check(r)) > 0 || r.Line > 0 })
		written, err := dialplan.Write(read)
		if err != nil {
			if len(content) < 2000 && !strings.Contains(err.Error(), "accent") {
				t.Errorf("writing what was read: %v", err)
			}
			return
		}
		again, odd, err := dialplan.Read(written)
		odd = slices.DeleteFunc(odd, func(w dialplan.Warning) bool { return strings.Contains(w.Text, "&...;") })
		if err != nil || len(odd) > 0 || len(read.Rules) > 0 && !reflect.DeepEqual(again, read) {
			t.Errorf("read %+v\nwrote %q\nread again %+v %v %v", read, written, again, odd, err)
		}
	})
}

// FuzzRoundTrip: what Write takes, Read gives back.
func FuzzRoundTrip(f *testing.F) {
	f.Add("9,1..", "0", "Phone", "1%1", "Default", "Cisco-Zip,,Bellcore-None", 0, "outside\nété", "*")
	f.Add(`\*21*#`, "", "ip", "<sip:%s@h>", "FQDN", "", 3, "", "112")
	f.Fuzz(func(t *testing.T, match, timeout, user, rewrite, route, tones string, line int, comment, second string) {
		p := plan(
			rule{match, timeout, user, rewrite, route, dialplan.SplitTones(tones), line, comment},
			rule{Match: second, Comment: match},
		)
		content, err := dialplan.Write(p)
		if err != nil {
			return
		}
		back, _, err := dialplan.Read(content)
		if err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("%+v\n%q\n%+v %v", p, content, back, err)
		}
		if len(content) >= dialplan.MaxFile || utf8.Valid(content) != (bytes.IndexFunc(content, func(r rune) bool { return r >= utf8.RuneSelf }) < 0) {
			t.Errorf("%q", content)
		}
		dialplan.Lint(p)
	})
}
