package phone_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"phonebox/services/phone"
)

func TestWrittenFilesHaveABound(t *testing.T) {
	t.Parallel()
	forced := func(n int) map[string]string {
		values := map[string]string{}
		for i := range n {
			values[fmt.Sprintf("vendor.%02d", i)] = strings.Repeat("x", 250)
		}
		return values
	}
	for _, tt := range []struct {
		forced   int
		ok, warn bool
	}{{10, true, false}, {20, true, true}, {40, false, false}} {
		file, err := phone.WriteSIPMAC(forced(tt.forced), "7960", "P0S3-8-12-00")
		n := len(file.Content)
		if (err == nil) != tt.ok || (len(file.Warnings) > 0) != tt.warn || n > phone.CnfLimit || tt.warn != (n > phone.CnfAccepted) {
			t.Errorf("%d forced parameters: %d bytes, %v, %q", tt.forced, n, err, file.Warnings)
		}
		if err != nil && (!strings.Contains(err.Error(), "8192") || strings.Contains(err.Error(), "xxx")) {
			t.Errorf("the error: %v", err)
		}
	}
}

// TestTheFullestFilesFit: all of the catalogue at its longest stays below the size that phones are known to take.
func TestTheFullestFilesFit(t *testing.T) {
	t.Parallel()
	values := map[string]string{}
	for _, p := range phone.Parameters() {
		if p.PhoneFile && (p.Type == phone.TypeString || p.Type == phone.TypeURL) {
			values[p.Name] = strings.Repeat("x", p.Max)
		}
	}
	file, err := phone.WriteSIPMAC(values, "7960", "P0S3-8-12-00")
	if err != nil || len(file.Warnings) > 0 {
		t.Errorf("%d bytes, %v, %v", len(file.Content), file.Warnings, err)
	}
}

func TestOneOfTwoCasesWins(t *testing.T) {
	t.Parallel()
	for range 20 {
		file, err := phone.WriteSIPDefault(map[string]string{"NAT_enable": "1", "nat_enable": "0", "Forced": "1", "forced": "2"}, "")
		if err != nil {
			t.Fatal(err)
		}
		f := phone.ReadCnf(file.Content)
		nat, _ := f.Value("nat_enable")
		if forced, _ := f.Value("FORCED"); nat != "0" || forced != "2" {
			t.Fatalf("nat_enable is %q, forced is %q", nat, forced)
		}
	}
}

func TestMisreadAccentsAreWarnedOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"CafÃ©": 1, "Café": 0, "Cafe": 0} {
		file, err := phone.WriteSIPMAC(map[string]string{"line1_displayname": name}, "7960", "")
		if err != nil || len(file.Warnings) != want {
			t.Errorf("%s: %q, %v", name, file.Warnings, err)
		}
	}
}

// TestOwnFilesReadBack: what phonebox writes has nothing that its own reader calls odd.
func TestOwnFilesReadBack(t *testing.T) {
	t.Parallel()
	site, err := phone.WriteSIPDefault(map[string]string{"logo_url": "http://10.77.0.1/phone/logo.bmp", "dst_start_day": ""}, "P0S3-8-12-00")
	if err != nil {
		t.Fatal(err)
	}
	own, err := phone.WriteSIPMAC(map[string]string{"line1_displayname": "Café «Zum Bären»", "line1_password": "a b:c"}, "7960", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{site.Content, own.Content} {
		f := phone.ReadCnf(content)
		if len(f.Warnings) > 0 || f.Encoding != "ISO-8859-1" {
			t.Errorf("%s, %+v", f.Encoding, f.Warnings)
		}
		for _, l := range f.Lines {
			if !l.Known || !l.Used || l.End != "\n" {
				t.Errorf("the line %+v", l)
			}
		}
	}
	if v, _ := phone.ReadCnf(own.Content).Value("Line1_DisplayName"); v != "Café «Zum Bären»" {
		t.Errorf("the name came back as %q", v)
	}
}

// FuzzCnfRoundTrip: any values that the writers accept come back the same from the reader, and all others as they are
// without them. The one exception is text that looks misread, of which the writer warns.
func FuzzCnfRoundTrip(f *testing.F) {
	f.Add("line1_displayname", "Café", "line1_password", "a;b#c", "7960")
	f.Add("vendor.x", "a\nb", "VENDOR.X", " blanks ", "7940")
	f.Add("dst_start_time", "02/00", "dst_stop_day", "", "")
	f.Add("line3_name", "208", "sync", "9", "7940")
	f.Add("proxy_backup", "pbx", "Domain_Name", "voice.home.arpa", "7960")
	f.Add("phone_label", "CafÃ©", "line2_shortname", "Å\u0301", "7960")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2, model string) {
		values := map[string]string{name1: value1, name2: value2}
		plain, err := phone.WriteSIPMAC(nil, model, "")
		if err != nil {
			t.Fatal(err)
		}
		if file, err := phone.WriteSIPMAC(values, model, ""); err == nil {
			checkRoundTrip(t, values, model, plain, file)
		}
		if plain, err = phone.WriteSIPDefault(nil, ""); err != nil {
			t.Fatal(err)
		}
		if file, err := phone.WriteSIPDefault(values, ""); err == nil {
			checkRoundTrip(t, values, "", plain, file)
		}
	})
}

func checkRoundTrip(t *testing.T, values map[string]string, model string, plain, file phone.Cnf) {
	t.Helper()
	got := phone.ReadCnf(file.Content)
	if strings.Contains(strings.Join(file.Warnings, " "), "wrong encoding") {
		if got.Encoding != "UTF-8" {
			t.Errorf("warned of an encoding that reads as %s", got.Encoding)
		}
		return
	}
	want := phone.ReadCnf(plain.Content).Values()
	for _, name := range sortedNames(values) {
		p, known := phone.LookUpParameter(name)
		if p.Reserved || known && strings.HasPrefix(p.Name, "line") && !p.On(model) {
			continue
		}
		key := strings.ToLower(name)
		want[key] = norm.NFC.String(values[name])
	}
	if !maps.Equal(got.Values(), want) {
		t.Errorf("%q came back as %q, want %q", values, got.Values(), want)
	}
	if len(got.Lines) != len(got.Values()) {
		t.Errorf("%q: %d lines for %d values", values, len(got.Lines), len(got.Values()))
	}
}
