package phone_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"phonebox/services/phone"
)

func sortedNames(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// toUTF16 writes text in UTF-16 with a byte order mark.
func toUTF16(text string, order binary.AppendByteOrder) []byte {
	b := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func TestReadCnfLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		about, line, name, value, comment string
		warning                           string // a part of the only one; "" for none
		suggestion                        string
	}{
		{"the usual", `proxy1_address: "10.0.0.1"`, "proxy1_address", "10.0.0.1", "", "", ""},
		{"blanks around the colon", "\tcnf_join_enable : 1  ", "cnf_join_enable", "1", "", "", ""},
		{"no blank at all", `nat_enable:1`, "nat_enable", "1", "", "", ""},
		{"a comment line", "# tos_media: 9", "", "", "tos_media: 9", "", ""},
		{"a comment of semicolons", ";; old", "", "", "; old", "", ""},
		{"blanks only", " \t", "", "", "", "", ""},
		{"CME's style", "tos_media: 5;", "tos_media", "5", "", "", ""},
		{"CME's style with quotes", `proxy1_address : "10.0.0.1" ;`, "proxy1_address", "10.0.0.1", "", "", ""},
		{"a comment behind", "nat_enable: 1 ; for Asterisk", "nat_enable", "1", "for Asterisk", "", ""},
		{"an empty value", `nat_address: ""`, "nat_address", "", "", "", ""},
		{"no value", `nat_address:`, "nat_address", "", "", "", ""},
		{"a quoted number", `proxy1_port: "5060"`, "proxy1_port", "5060", "", "", ""},
		{"blanks inside quotes stay", `line1_displayname: " Jo "`, "line1_displayname", " Jo ", "", "", ""},
		{"a colon in the value", `logo_url: "http://10.0.0.1/l.bmp"`, "logo_url", "http://10.0.0.1/l.bmp", "", "", ""},
		{"a hash in a number to dial", "messages_uri: 9#", "messages_uri", "9#", "", "holds ; or #", ""},
		{"another case", "PROXY_REGISTER: 1", "PROXY_REGISTER", "1", "", "usually spelt proxy_register", "proxy_register"},
		{"mixed case of the catalogue", `Domain_Name: "a.b"`, "Domain_Name", "a.b", "", "", ""},
		{"lower case of it", `domain_name: "a.b"`, "domain_name", "a.b", "", "", ""},

		{"a semicolon inside quotes", `line1_password: "a;b" ; x`, "line1_password", "a;b", "x", "holds ; or #", ""},
		{"no closing quote", `proxy1_address: "10.0.0.1 ; pbx`, "proxy1_address", "10.0.0.1", "pbx", "closing double quote is missing", ""},
		{"text behind the quote", `proxy1_address: "10.0.0.1" old ; pbx`, "proxy1_address", "10.0.0.1", "pbx", "what follows", ""},
		{"a hash behind the quote", `proxy1_address: "10.0.0.1" # pbx`, "proxy1_address", "10.0.0.1", "pbx", "a # behind a value", ""},
		{"a hash behind a value", "time_zone: CET # Brussels", "time_zone", "CET", "Brussels", "a # behind a value", ""},
		{"blanks without quotes", "line1_displayname: Jo Doe", "line1_displayname", "Jo Doe", "", "has blanks and no double quotes", ""},
		{"a number out of range", "tos_media: 7", "tos_media", "7", "", `found "7", allowed is 0 to 5`, ""},
		{"no such value", "preferred_codec: g729", "preferred_codec", "g729", "", "allowed is one of g711ulaw, g711alaw, g729a, none", ""},
		{"a swap", "nat_enabel: 1", "nat_enabel", "1", "", "nat_enabel is not a known parameter", "nat_enable"},
		{"an underscore too many", `proxy_1_address: "a"`, "proxy_1_address", "a", "", "not a known", "proxy1_address"},
		{"one in a line's name", `line_1_name: "a"`, "line_1_name", "a", "", "not a known", "line1_name"},
		{"the old spelling", "timer_registry_delta: 5", "timer_registry_delta", "5", "", "not a known", "timer_register_delta"},
		{"far from all", `reg.1.label: "x"`, "reg.1.label", "x", "", "not a known", ""},
		{"no colon", "proxy_register 1", "", "", "", "no colon", "proxy_register"},
		{"an equals sign", "proxy_regster=1", "", "", "", "no colon", "proxy_register"},
		{"an equals sign and a colon", `reg.1.server="a:b"`, "", "", "", "no name of a parameter", ""},
		{"no name", ": 5", "", "", "", "no name of a parameter", ""},
		{"plain words", "See the guide: page 3", "", "", "", "no name of a parameter", ""},
		{"a NUL", "nat_enable: 1\x00", "nat_enable", "1", "", "holds NUL bytes", ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			f := phone.ReadCnf([]byte(tt.line))
			if len(f.Lines) != 1 || f.Text() != tt.line {
				t.Fatalf("lines %+v", f.Lines)
			}
			l := f.Lines[0]
			if l.Number != 1 || l.Name != tt.name || l.Value != tt.value || l.Comment != tt.comment || l.Used != (tt.name != "") {
				t.Errorf("read %+v", l)
			}
			if tt.warning == "" && len(f.Warnings) > 0 || tt.warning != "" && len(f.Warnings) != 1 {
				t.Fatalf("warnings %+v", f.Warnings)
			}
			if tt.warning != "" {
				w := f.Warnings[0]
				if w.Line != 1 || !strings.Contains(w.Text, tt.warning) || w.Suggestion != tt.suggestion {
					t.Errorf("warning %+v", w)
				}
			}
		})
	}
}

func TestReadCnfNeverQuotesASecret(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`line1_password: "hunter2` + "\x01\"", `line1_password: hunter2 hunter2`, `line1_password: "hunter2" hunter2`, `line1_password: "hunter2`,
		`line1_password "hunter2"`, `line1_password = "hun:ter2" hunter2`, `line1_pasword: "hunter2` + "\x01\"", `PHONE_PASSWORD: "hunter2` + strings.Repeat("x", 300) + `"`,
		`hunter2`, `password hunter2: x`, "line1_password: \"hunter2\x00\"", `line1_password: hunter2 # hunter2`, `secret.1: 'hunter2` + "\x02'",
	} {
		f := phone.ReadCnf([]byte(line + "\n" + line))
		if len(f.Warnings) == 0 {
			t.Errorf("%q: no warning", line)
		}
		for _, w := range f.Warnings {
			if strings.Contains(w.Text+w.Suggestion, "hunter") || strings.Contains(w.Text, "hun:") {
				t.Errorf("%q: the warning shows it: %+v", line, w)
			}
		}
	}
}

func TestReadCnfEncodings(t *testing.T) {
	t.Parallel()
	const text = "# Bär\r\nline1_displayname: \"Café\"\r\n"
	latin := "# B\xe4r\r\nline1_displayname: \"Caf\xe9\"\r\n"
	for _, tt := range []struct {
		about, content, encoding string
		bom                      bool
		warnings                 []string
	}{
		{"ISO-8859-1", latin, "ISO-8859-1", false, nil},
		{"UTF-8", text, "UTF-8", false, []string{"1: this line (and another one) has accents in UTF-8"}},
		{"UTF-8 with a mark", "\xef\xbb\xbf" + text, "UTF-8", true, []string{"0: a byte order mark", "1: this line (and another one) has accents"}},
		{"ISO-8859-1 with a mark", "\xef\xbb\xbf" + latin, "ISO-8859-1", true, []string{"0: a byte order mark"}},
		{"UTF-16, small end first", string(toUTF16(text, binary.LittleEndian)), "UTF-16", true, []string{"0: the file is in UTF-16"}},
		{"UTF-16, big end first", string(toUTF16(text, binary.BigEndian)), "UTF-16", true, []string{"0: the file is in UTF-16"}},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			f := phone.ReadCnf([]byte(tt.content))
			if v, ok := f.Value("line1_displayname"); v != "Café" || !ok || f.Text() != text || f.Encoding != tt.encoding || f.BOM != tt.bom {
				t.Errorf("%q, %s, mark %v, text %q", v, f.Encoding, f.BOM, f.Text())
			}
			wantWarnings(t, f, tt.warnings...)
		})
	}
	wantWarnings(t, phone.ReadCnf([]byte("\xff\xfea\x00:\x00x")), "0: the file is in UTF-16 and damaged", "0: the file is in UTF-16, which", "1: a is not a known")
	wantWarnings(t, phone.ReadCnf([]byte("phone_label: \"Caf\xe9 \x80\"")), "1: phone_label: found", "1: this line holds control characters")
}

// wantWarnings compares the beginnings of warnings, each with its line.
func wantWarnings(t *testing.T, f phone.CnfFile, want ...string) {
	t.Helper()
	ok := len(f.Warnings) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.HasPrefix(fmt.Sprintf("%d: %s", f.Warnings[i].Line, f.Warnings[i].Text), want[i])
	}
	if !ok {
		t.Errorf("warnings %+v, want %q", f.Warnings, want)
	}
}

func TestReadCnfEndsOfLines(t *testing.T) {
	t.Parallel()
	const text = "a: 1\r\n\nb: 2\rc: 3\r\r\nd: 4\n\r"
	f := phone.ReadCnf([]byte(text))
	var ends []string
	for _, l := range f.Lines {
		ends = append(ends, l.Name+l.End)
	}
	if want := []string{"a\r\n", "\n", "b\r", "c\r", "\r\n", "d\n", "\r"}; f.Text() != text || !slices.Equal(ends, want) {
		t.Errorf("%q, text %q", ends, f.Text())
	}
	wantWarnings(t, f, "1: a is not", "3: b is not", "3: this line (and 2 others) ends with a carriage return alone", "4: c is not", "6: d is not")
	if phone.ReadCnf(nil).Lines != nil {
		t.Error("an empty file has lines")
	}
}

// TestReadCnfTakesCMEsStyle: every value is ended by a semicolon, quotes come and go, and none of it is odd.
func TestReadCnfTakesCMEsStyle(t *testing.T) {
	t.Parallel()
	f := phone.ReadCnf([]byte("image_version: P0S3-07-4-00;\r\nproxy1_address: \"10.4.1.1\" ; Can be dotted or FQDN\r\nproxy_register : 1 ;\r\n" +
		"dst_start_time: 02/00;\r\ndst_stop_day: ;\r\nDomain_Name: \"voice.example\";\r\nsync: 20260101120000;\r\nlogo_url: \"http://10.4.1.1/l.bmp\";\r\n" +
		"speed_line1: 5001;\r\nspeed_label1: \"Gate; north\" ;\r\n;\r\n"))
	want := map[string]string{
		"image_version": "P0S3-07-4-00", "proxy1_address": "10.4.1.1", "proxy_register": "1", "dst_start_time": "02/00", "dst_stop_day": "", "domain_name": "voice.example",
		"sync": "20260101120000", "logo_url": "http://10.4.1.1/l.bmp", "speed_line1": "5001", "speed_label1": "Gate; north",
	}
	if got := f.Values(); !maps.Equal(got, want) {
		t.Errorf("values %q", got)
	}
	wantWarnings(t, f, "10: speed_label1 holds ; or #")
}

func TestReadCnfDuplicates(t *testing.T) {
	t.Parallel()
	f := phone.ReadCnf([]byte("nat_enable: 0\nproxy_register: 1\nNAT_Enable: 1\n"))
	if v := f.Values(); !maps.Equal(v, map[string]string{"nat_enable": "1", "proxy_register": "1"}) {
		t.Errorf("values %v", v)
	}
	if f.Lines[0].Used || !f.Lines[2].Used {
		t.Errorf("lines %+v", f.Lines)
	}
	wantWarnings(t, f, "3: NAT_Enable is usually spelt", "3: NAT_Enable stands in line 1 already")
	if _, ok := f.Value("nat"); ok {
		t.Error("a name that is not there has a value")
	}
}

func TestReadCnfIsBounded(t *testing.T) {
	t.Parallel()
	for about, content := range map[string]string{
		"too large":      strings.Repeat("nat_enable: 1 \n", 1<<15),
		"too many lines": strings.Repeat("\n", 10001),
	} {
		f := phone.ReadCnf([]byte(content))
		if len(f.Lines) != 0 || len(f.Warnings) != 1 || f.Warnings[0].Line != 0 || !strings.Contains(f.Warnings[0].Text, "not read") {
			t.Errorf("%s: %d lines, %+v", about, len(f.Lines), f.Warnings)
		}
	}
	f := phone.ReadCnf([]byte(strings.Repeat("nat_enabled: x\n", 10000)))
	if n := len(f.Warnings); len(f.Lines) != 10000 || n > 510 || n < 500 {
		t.Errorf("%d lines, %d warnings", len(f.Lines), n)
	}
	f = phone.ReadCnf([]byte(`nat_enable: "` + strings.Repeat("é", 100000) + `"`))
	for _, w := range f.Warnings {
		if len(w.Text) > 500 {
			t.Errorf("a warning of %d bytes", len(w.Text))
		}
	}
}

// FuzzReadCnf: no line is lost, warnings point at lines, and what was read is read again from what is written of it.
func FuzzReadCnf(f *testing.F) {
	f.Add([]byte("# x\r\nproxy1_address: \"10.0.0.1\" ; pbx\r\nnat_enabel: 1\r\n"))
	f.Add([]byte("line1_password: \"a;b#c\nline1_password : x y ;\r\rDomain_Name: \xe9\n"))
	f.Add([]byte("\xef\xbb\xbfphone_label: \"Caf\xc3\xa9\"\n\x00\n:\n\"\":\"\"\n"))
	f.Add(toUTF16("sync: \"1\"\r\nreg.1.x=\"y:z\"\n", binary.LittleEndian))
	f.Add(toUTF16("sync: 1 # a\n\U0001f600", binary.BigEndian))
	f.Add([]byte("proxy_1_address: 1\nproxy1_address: 2\nPROXY1_ADDRESS: 3"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file := phone.ReadCnf(content)
		if len(file.Lines) == 0 && len(content) > 3 {
			if len(file.Warnings) == 0 {
				t.Fatal("nothing was read and nothing said")
			}
			return
		}
		checkNothingLost(t, content, file)
		for _, w := range file.Warnings {
			if w.Line < 0 || w.Line > len(file.Lines) || w.Text == "" || len(w.Text) > 1000 {
				t.Errorf("warning %+v of a file with %d lines", w, len(file.Lines))
			}
		}
		values := file.Values()
		var again strings.Builder
		for _, name := range sortedNames(values) {
			if got, ok := file.Value(name); !ok || got != values[name] {
				t.Errorf("%s is %q and %q", name, got, values[name])
			}
			if strings.ContainsAny(values[name], "\"\r\n") {
				delete(values, name) // an old file with a stray quote; no writer can carry it
				continue
			}
			fmt.Fprintf(&again, "%s: \"%s\"\n", name, values[name])
		}
		if got := phone.ReadCnf([]byte(again.String())); !maps.Equal(got.Values(), values) && again.Len() < 200<<10 {
			t.Errorf("read again: %q, want %q", got.Values(), values)
		}
	})
}

// checkNothingLost writes the lines in the file's encoding and compares.
func checkNothingLost(t *testing.T, content []byte, file phone.CnfFile) {
	t.Helper()
	for i, l := range file.Lines {
		if l.Number != i+1 || l.End == "" && i != len(file.Lines)-1 || l.Used && l.Name == "" {
			t.Errorf("line %d is %+v", i+1, l)
		}
	}
	var b []byte
	switch text := file.Text(); file.Encoding {
	case "UTF-16":
		for _, w := range file.Warnings {
			if strings.Contains(w.Text, "damaged") {
				return // told; half a character can't be kept in UTF-8
			}
		}
		if b = toUTF16(text, binary.LittleEndian); content[0] == 0xfe {
			b = toUTF16(text, binary.BigEndian)
		}
	case "UTF-8":
		b = []byte(text)
	default:
		for _, r := range text {
			b = append(b, byte(r))
		}
	}
	if file.BOM && file.Encoding != "UTF-16" {
		b = append([]byte("\xef\xbb\xbf"), b...)
	}
	if string(b) != string(content) {
		t.Errorf("%q became %q", content, b)
	}
}
