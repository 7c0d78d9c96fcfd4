package pbx_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/phone/pbx"
)

var writeDocs = flag.Bool("write-docs", false, "write the table of docs/pbx.md anew")

const docFile = "../../../docs/pbx.md"

// table is the table of docs/pbx.md.
func table() []string {
	var rows []string
	for _, p := range pbx.Presets() {
		var sets []string
		for _, s := range p.Sets {
			switch {
			case s.Asked:
				sets = append(sets, "`"+s.Key+"`: yours")
			case s.Value == "":
				sets = append(sets, "`"+s.Key+"`: nothing")
			default:
				sets = append(sets, "`"+s.Key+" = "+s.Value+"`")
			}
		}
		other := "accounts, which the provider makes"
		if p.Write != nil {
			other = p.File
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", p.Name, p.What, strings.Join(sets, ", "), other))
	}
	return rows
}

func TestTheDocsListThePresets(t *testing.T) {
	text, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	head := "| preset | for | sets | on the other side |\n| --- | --- | --- | --- |\n"
	before, rest, ok := strings.Cut(doc, head)
	have, after, closed := strings.Cut(rest, "\n\n")
	if !ok || !closed {
		t.Fatal("docs/pbx.md has no table of presets")
	}
	want := strings.Join(table(), "\n")
	if *writeDocs {
		if err := os.WriteFile(docFile, []byte(before+head+want+"\n\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != want {
		t.Errorf("docs/pbx.md has other presets than the program; go test ./services/phone/pbx -write-docs writes them. It has\n%s\nwant\n%s", have, want)
	}
}

func TestPresetsSayWhatTheySetAndWhy(t *testing.T) {
	keys := map[string]bool{}
	for _, p := range pbx.Presets() {
		if keys[p.Key] || p.Name == "" || p.What == "" || len(p.Steps) == 0 || p.Provider == (p.Write != nil) {
			t.Errorf("%+v is incomplete, or there twice", p)
		}
		keys[p.Key] = true
		if again, ok := pbx.Lookup(p.Key); !ok || again.Name != p.Name {
			t.Errorf("%s is not found", p.Key)
		}
		proxy := false
		for _, s := range p.Sets {
			proxy = proxy || s.Key == "sip.proxy"
			if !strings.HasSuffix(s.Why, ".") {
				t.Errorf("%s: %s lacks a reason", p.Key, s.Key)
			}
			if !s.Parameter {
				continue
			}
			known, ok := phone.LookUpParameter(s.Key)
			if !ok || known.Reserved {
				t.Errorf("%s: %s is no parameter that a site may set", p.Key, s.Key)
			} else if _, err := known.Check(s.Value); err != nil && s.Value != "" {
				t.Errorf("%s: %v", p.Key, err)
			}
		}
		if !proxy {
			t.Errorf("%s does not say where the phones register", p.Key)
		}
	}
	if _, ok := pbx.Lookup("nothing"); ok {
		t.Error("a preset was found that is not there")
	}
}

// hard is an office whose names and passwords want to be something else in a file.
func hard() pbx.Office {
	return pbx.Office{Name: "Harbour ; Street\n[general]", Codec: "g711alaw", Lines: []pbx.Line{
		{Phone: "Reception", Number: "208", Password: "sip-secret-208", DisplayName: "Front desk"},
		{Phone: "Attic\n[evil]", Number: "209", AuthName: "user-209", Password: "p;a=s[s]#w", DisplayName: `The "boss"; yes`},
		{Phone: "Cellar", Number: "208", Password: "sip-secret-208"},
		{Phone: "No number", Number: ""},
	}}
}

// asteriskKeys are the keys of each kind of section that the texts may use, as Asterisk 16 to 22 document them.
var asteriskKeys = map[string][]string{
	"transport": {"type", "protocol", "bind"},
	"endpoint":  {"type", "context", "disallow", "allow", "auth", "aors", "callerid", "dtmf_mode", "force_rport", "rewrite_contact", "direct_media"},
	"auth":      {"type", "auth_type", "username", "password"},
	"aor":       {"type", "max_contacts", "remove_existing", "qualify_frequency"},
	"friend":    {"type", "host", "secret", "context", "callerid", "nat", "qualify", "dtmfmode", "directmedia", "disallow", "allow"},
}

// section is one of a file of Asterisk.
type section struct {
	name   string
	values map[string]string
}

var (
	headerLine = regexp.MustCompile(`^\[([^\[\]();,]+)\]$`)
	valueLine  = regexp.MustCompile(`^([a-z_]+)=(.*)$`)
)

// readAsterisk reads a file as strictly as its grammar allows: comments, headers, name=value, and nothing else.
func readAsterisk(t *testing.T, text string) []section {
	t.Helper()
	var out []section
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, ";"):
		case headerLine.MatchString(line):
			out = append(out, section{headerLine.FindStringSubmatch(line)[1], map[string]string{}})
		case valueLine.MatchString(line) && len(out) > 0:
			m := valueLine.FindStringSubmatch(line)
			value, comment := strings.ReplaceAll(m[2], `\;`, "\x00"), false
			if value, _, comment = strings.Cut(value, ";"); comment {
				t.Errorf("line %d: a comment cuts %q off", i+1, line)
			}
			out[len(out)-1].values[m[1]] = strings.ReplaceAll(value, "\x00", ";")
		default:
			t.Errorf("line %d is %q", i+1, line)
		}
	}
	for _, s := range out {
		for key := range s.values {
			if !slices.Contains(asteriskKeys[s.values["type"]], key) {
				t.Errorf("[%s] type=%s has the key %s, which Asterisk does not know there", s.name, s.values["type"], key)
			}
		}
	}
	return out
}

func write(t *testing.T, key string, o pbx.Office) string {
	t.Helper()
	p, ok := pbx.Lookup(key)
	if !ok {
		t.Fatalf("no preset %s", key)
	}
	return p.Write(o)
}

func TestPJSIP(t *testing.T) {
	got := readAsterisk(t, write(t, "asterisk-pjsip", hard()))
	if len(got) != 7 {
		t.Fatalf("%d sections, want a transport and three for each of two numbers: %v", len(got), got)
	}
	endpoint, auth, aor := got[1].values, got[2].values, got[3].values
	if got[1].name != "208" || endpoint["allow"] != "alaw,ulaw" || auth["username"] != "208" || auth["password"] != "sip-secret-208" || aor["max_contacts"] != "2" || aor["remove_existing"] != "no" {
		t.Errorf("208 is %v", got[1:4])
	}
	endpoint, auth, aor = got[4].values, got[5].values, got[6].values
	if endpoint["callerid"] != `"The 'boss'; yes" <209>` || auth["username"] != "user-209" || auth["password"] != "p;a=s[s]#w" || aor["max_contacts"] != "1" {
		t.Errorf("209 is %v", got[4:])
	}
}

func TestChanSIP(t *testing.T) {
	text := write(t, "asterisk-sip", hard())
	got := readAsterisk(t, text)
	if len(got) != 2 || got[0].name != "208" || got[1].values["secret"] != "p;a=s[s]#w" || got[0].values["allow"] != "alaw,ulaw" {
		t.Errorf("got %v", got)
	}
	for _, want := range []string{"; Reception, Cellar\n", "enter 209 as login name", "the one that registered last rings"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestTextsForPeople(t *testing.T) {
	for _, key := range []string{"freepbx", "pbx"} {
		text := write(t, key, hard())
		for _, want := range []string{"208", "209", "sip-secret-208", "p;a=s[s]#w", "Front desk"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", key, want, text)
			}
		}
		if strings.Contains(text, "No number") {
			t.Errorf("%s: a line without a number is in\n%s", key, text)
		}
	}
}

// FuzzWrite: whatever lines are called, each text of Asterisk has one section for each number, and the password in its place.
func FuzzWrite(f *testing.F) {
	f.Add("208", "secret", "Front", "Office")
	f.Add("20;8", "a;b\\;c\r\n[x]", "\"]\n", "\n")
	f.Fuzz(func(t *testing.T, number, password, name, office string) {
		if number == "" {
			return
		}
		o := pbx.Office{Name: office, Lines: []pbx.Line{{Phone: name, Number: number, Password: password, DisplayName: name}}}
		for key, sections := range map[string]int{"asterisk-pjsip": 4, "asterisk-sip": 1} {
			n := 0
			for line := range strings.Lines(write(t, key, o)) {
				if strings.HasPrefix(line, "[") {
					n++
				} else if line != "\n" && line[0] != ';' && !valueLine.MatchString(strings.TrimSuffix(line, "\n")) {
					t.Errorf("%s: the line %q", key, line)
				}
			}
			if n != sections {
				t.Errorf("%s: %d sections, want %d", key, n, sections)
			}
		}
	})
}
