package phone_test

import (
	"bytes"
	"encoding/xml"
	"image/color"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"phonebox/services/phone"
)

// parse reads a .cnf as the image does, in the simplest way: names and values as written.
func parse(t *testing.T, content []byte) (order []string, values map[string]string) {
	t.Helper()
	values = map[string]string{}
	if bytes.Contains(content, []byte("\r")) || !bytes.HasSuffix(content, []byte("\n")) {
		t.Error("the lines do not end with LF")
	}
	for line := range strings.Lines(string(content)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if _, twice := values[name]; !ok || twice {
			t.Errorf("the line %q", line)
		}
		order, values[name] = append(order, name), strings.Trim(value, `"`)
	}
	return order, values
}

func TestEveryManagedParameterIsWrittenOnce(t *testing.T) {
	t.Parallel()
	site, err := phone.WriteSIPDefault(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	own, err := phone.WriteSIPMAC(nil, "7960", "")
	if err != nil {
		t.Fatal(err)
	}
	_, inSite := parse(t, site.Content)
	_, inOwn := parse(t, own.Content)
	for _, p := range phone.Parameters() {
		_, a := inSite[p.Name]
		_, b := inOwn[p.Name]
		if p.Managed != (a || b) || a && b {
			t.Errorf("%s: managed %v, in SIPDefault.cnf %v, in SIP<MAC>.cnf %v", p.Name, p.Managed, a, b)
		}
		if a && (p.Secret || p.Scope == phone.ScopePhone) || b && p.Scope == phone.ScopeDefault {
			t.Errorf("%s is in the wrong file", p.Name)
		}
	}
	if n := len(site.Content); n > 5700 { // Cisco's own commented file, which phones take
		t.Errorf("SIPDefault.cnf has %d bytes", n)
	}
}

func TestUnusedLinesAreCleared(t *testing.T) {
	t.Parallel()
	for model, lines := range map[string]int{"7940": 2, "7960": 6, "": 6} {
		file, err := phone.WriteSIPMAC(map[string]string{"line1_name": "208", "line1_password": "x"}, model, "P0S3-8-12-00")
		if err != nil {
			t.Fatal(err)
		}
		_, values := parse(t, file.Content)
		if values["line1_name"] != "208" || values["image_version"] != "P0S3-8-12-00" {
			t.Errorf("model %q: %v", model, values)
		}
		for _, n := range "23456" {
			name, written := values["line"+string(n)+"_name"]
			if written != (int(n-'0') <= lines) || name != "" {
				t.Errorf("model %q, line %c: %v %q", model, n, written, name)
			}
			if written && (values["line"+string(n)+"_password"] != "UNPROVISIONED" || values["line"+string(n)+"_authname"] != "UNPROVISIONED") {
				t.Errorf("model %q, line %c is not cleared", model, n)
			}
		}
	}
}

func TestCnfFaultsAndEncoding(t *testing.T) {
	t.Parallel()
	file, err := phone.WriteSIPMAC(map[string]string{
		"LINE1_DisplayName": "Cafe\u0301", "vendor.x": "1", "a_forced_one": "2", "line1_password": strings.Repeat("p", 40),
	}, "7940", "")
	if err != nil {
		t.Fatal(err)
	}
	order, values := parse(t, file.Content)
	if values["line1_displayname"] != "Caf\xe9" || strings.Join(order[len(order)-2:], " ") != "a_forced_one vendor.x" {
		t.Errorf("values %v, order %v", values, order)
	}
	if len(file.Warnings) != 1 || strings.Contains(file.Warnings[0], "pppp") {
		t.Errorf("warnings %v", file.Warnings)
	}
	again, err := phone.WriteSIPMAC(map[string]string{
		"LINE1_DisplayName": "Café", "vendor.x": "1", "a_forced_one": "2", "line1_password": strings.Repeat("p", 40),
	}, "7940", "")
	if err != nil || !bytes.Equal(file.Content, again.Content) {
		t.Errorf("not the same bytes again: %v", err)
	}
	for about, values := range map[string]map[string]string{
		"a quote":                {"line1_displayname": `a"b`},
		"a line feed":            {"line1_name": "1\nproxy_register: 0"},
		"a forced one, too":      {"forced": "a\nb"},
		"a name with a colon":    {"a: b": "c"},
		"beyond Latin-1":         {"line1_displayname": "Ω"},
		"too long":               {"phone_prompt": strings.Repeat("x", 16)},
		"a number that is none":  {"auto_answer": "all"},
		"a quote in a password":  {"line1_password": `hunter"2`},
		"a forced secret's text": {"vendor_password": "hunter\n2"},
	} {
		file, err := phone.WriteSIPMAC(values, "", "")
		if err == nil || file.Content != nil {
			t.Errorf("%s was written:\n%s", about, file.Content)
		} else if strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: the error shows it: %v", about, err)
		}
	}
	for _, name := range []string{"phone_password", "line1_password", "line1_name", "phone_label", "some_password"} {
		if _, err := phone.WriteSIPDefault(map[string]string{name: "x"}, ""); err == nil {
			t.Errorf("%s was written into SIPDefault.cnf", name)
		}
	}
	file, err = phone.WriteSIPDefault(map[string]string{"Image_Version": "P0S3-9-9-99", "sync": "restart"}, "")
	if err != nil || bytes.Contains(file.Content, []byte("mage_")) || !bytes.Contains(file.Content, []byte("sync: \"1\"\n")) || len(file.Warnings) != 2 {
		t.Errorf("a site set what is reserved: %v, %v\n%s", err, file.Warnings, file.Content)
	}
	if _, err := phone.WriteSIPDefault(nil, "bad\"load"); err == nil {
		t.Error("a load with a quote was written")
	}
}

func TestXMLIsWellFormedASCII(t *testing.T) {
	t.Parallel()
	const nasty = `<A & "B" 'C'> é Ω ` + "\x01\x85"
	directory, next := phone.WriteDirectory(nasty, []phone.Entry{{Name: nasty, Number: nasty}}, 1)
	if next != 0 {
		t.Errorf("next page %d", next)
	}
	for about, b := range map[string][]byte{
		"SEP": phone.WriteSEP(phone.SIP, nasty), "XMLDefault": phone.WriteXMLDefault(nasty, nasty), "syncinfo": phone.WriteSyncInfo(),
		"dial plan": phone.WriteDialPlan(), "directory": directory, "menu": phone.WriteMenu(nasty, []phone.MenuItem{{Name: nasty, URL: nasty}}),
	} {
		for _, c := range b {
			if c > '~' || c < ' ' && c != '\n' {
				t.Errorf("%s holds the byte %#x", about, c)
			}
		}
		if bytes.Contains(b, []byte("<?xml")) {
			t.Errorf("%s has a declaration that it does not need", about)
		}
		var any struct {
			Inner string `xml:",innerxml"`
		}
		if err := xml.Unmarshal(b, &any); err != nil {
			t.Errorf("%s: %v\n%s", about, err, b)
		}
	}
	if !bytes.Contains(directory, []byte("&lt;A &amp; &quot;B&quot; &apos;C&apos;&gt; &#233; ?")) {
		t.Errorf("the directory: %s", directory)
	}
}

func TestSyncInfoAlwaysDiffersFromSync(t *testing.T) {
	t.Parallel()
	file, err := phone.WriteSIPDefault(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	_, values := parse(t, file.Content)
	var info struct {
		Image struct {
			Version string `xml:"VERSION,attr"`
			Sync    string `xml:"SYNC,attr"`
		} `xml:"IMAGE"`
	}
	if err := xml.Unmarshal(phone.WriteSyncInfo(), &info); err != nil {
		t.Fatal(err)
	}
	if info.Image.Version != "*" || info.Image.Sync == "" || len(info.Image.Sync) > 32 || info.Image.Sync == values["sync"] {
		t.Errorf("SYNC is %q, sync is %q", info.Image.Sync, values["sync"])
	}
}

func TestDirectoryPages(t *testing.T) {
	t.Parallel()
	entries := make([]phone.Entry, 65)
	for i := range entries {
		entries[i] = phone.Entry{Name: "n", Number: "1"}
	}
	for _, tt := range []struct{ page, count, next int }{{1, 32, 2}, {2, 32, 3}, {3, 1, 0}, {99, 1, 0}, {0, 32, 2}, {-1, 32, 2}} {
		b, next := phone.WriteDirectory("t", entries, tt.page)
		if n := bytes.Count(b, []byte("<DirectoryEntry>")); n != tt.count || next != tt.next {
			t.Errorf("page %d has %d entries and %d after it", tt.page, n, next)
		}
	}
	if b, next := phone.WriteDirectory("t", nil, 1); next != 0 || !bytes.Contains(b, []byte("</CiscoIPPhoneDirectory>")) {
		t.Errorf("an empty directory: %s", b)
	}
}

func TestRingList(t *testing.T) {
	t.Parallel()
	got, leftOut := phone.WriteRingList([]string{"rings/Bell.pcm", "Old_Style.raw", "a-name-that-is-much-too-long.raw", "Glöckchen.raw", "a\tb.raw"})
	if want := "Old Style\tOld_Style.raw\nBell\trings/Bell.pcm\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(leftOut) != 3 {
		t.Errorf("left out %q", leftOut)
	}
	if got, _ := phone.WriteRingList(nil); len(got) != 0 {
		t.Errorf("no rings: %q", got)
	}
}

func TestLogo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Harbour Street office", "", "Überlänge", strings.Repeat("x", 500), "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i", "日本"} {
		b := phone.WriteLogo(name)
		if len(b) != phone.LogoSize || phone.LogoSize != 6230 {
			t.Fatalf("%q: %d bytes", name, len(b))
		}
		img, err := bmp.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		left, right, black := phone.LogoWidth, -1, 0
		for y := range phone.LogoHeight {
			for x := range phone.LogoWidth {
				if color.GrayModel.Convert(img.At(x, y)) == (color.Gray{}) {
					left, right, black = min(left, x), max(right, x), black+1
				}
			}
		}
		if img.Bounds().Dx() != 90 || img.Bounds().Dy() != 56 || (black > 0) != (name != "") {
			t.Errorf("%q: %v, %d black pixels", name, img.Bounds(), black)
		}
		if off := left - (phone.LogoWidth - 1 - right); name != "" && (off < -7 || off > 7) {
			t.Errorf("%q is not centred: from %d to %d", name, left, right)
		}
	}
}

func TestShowText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Reception": "Reception", ` The "Boss" `: "The 'Boss'", "a\r\nb": "a  b", "Łódź": "Lódz", "Cafe\u0301": "Café", "0123456789abcdef": "0123456789",
	} {
		if got := phone.ShowText(in, 10); got != want && !(in == ` The "Boss" ` && got == "The 'Boss") {
			t.Errorf("ShowText(%q) = %q, want %q", in, got, want)
		}
	}
}
