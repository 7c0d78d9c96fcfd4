package adopt_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
	"phonebox/services/phone"
)

func mac(t testing.TB, s string) phone.MAC {
	t.Helper()
	m, err := phone.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func list(t testing.TB, name, content string, opts adopt.Options) *adopt.Plan {
	t.Helper()
	p, err := adopt.ReadList(name, []byte(content), opts)
	if err != nil {
		t.Fatal(err)
	}
	valid(t, p.Site)
	return p
}

// workbook writes rows with excelize; values keep their type.
func workbook(t testing.TB, rows [][]any, after func(*excelize.File)) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	if after != nil {
		after(f)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAListOfAGermanExcelIsRead(t *testing.T) {
	text, err := charmap.Windows1252.NewEncoder().String("Telefonliste Büro Süd;;;;;;\r\n;;;;;;\r\n" +
		"MAC-Adresse;Gerätetyp;Bezeichnung;Standort;Durchwahl;Kennwort;Durchwahl 2;Kennwort 2\r\n" +
		"00-06-d7-aa-2a-2e;CP-7960G;Empfang;EG;0208;geheim;0209;\"a;b\"\r\n" +
		"0006.d7aa.2a2f;7940;\"Büro \"\"Süd\"\"\";1. OG;210;x;;\r\n" +
		"6,78901E+11;7940;Lager;;211;x;;\r\n" +
		"0006D7AA2A2E;;;;0207;dritte;;\r\n" +
		"0006D7AA2A30;7941;Chef;;212;x;;\r\n" +
		"O006D7AA2A31;7940;Chef;;212;x;;\r\n" +
		"MAC-Adresse;Gerätetyp;Bezeichnung;Standort;Durchwahl;Kennwort;Durchwahl 2;Kennwort 2\r\n" +
		";;Summe;;5;;;\r\n" +
		"0006D7AA2A2F;;;;213;x;;\r\n0006D7AA2A2F;;;;214;x;;\r\n0006D7AA2A2F;;;;213;x;;\r\n0006D7AA2A2F;;;;;;;\r\n")
	if err != nil {
		t.Fatal(err)
	}
	p := list(t, "liste.csv", text, adopt.Options{Site: present()})
	golden(t, "german.txt", report(p, ""))
	want := []site.Phone{
		{MAC: mac(t, "0006D7AA2A2E"), Model: "7960", Label: "Empfang", Lines: []site.Line{
			{Name: "0208", Password: "geheim"}, {Name: "0209", Password: "a;b"}, {Name: "0207", Password: "dritte"},
		}},
		// A quotation mark can't stand in a label, so that is left out.
		{MAC: mac(t, "0006D7AA2A2F"), Model: "7940", Lines: []site.Line{{Name: "210", Password: "x"}, {Name: "213", Password: "x"}}},
	}
	if !reflect.DeepEqual(p.Site.Phones, want) {
		t.Errorf("got  %+v\nwant %+v", p.Site.Phones, want)
	}
}

func TestListsInFourLanguagesAndManyShapes(t *testing.T) {
	line := site.Line{Name: "0208", AuthName: "u208", Password: " pa ss", DisplayName: "Front", ShortName: "F", Proxy: "pbx.example.com", Port: 5070}
	full := site.Phone{
		MAC: phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}, Model: "7960", Label: "Reception", Address: netip.MustParseAddr("10.77.0.50"),
		Lines: []site.Line{line, {Name: "209"}},
	}
	plain := site.Phone{MAC: full.MAC, Label: "Reception", Lines: []site.Line{{Name: "208", AuthName: "208"}}}
	rows := func(header, data, sep string) string {
		return strings.ReplaceAll(header, "|", sep) + "\n" + strings.ReplaceAll(data, "|", sep) + "\n"
	}
	data := "00:06:D7:AA:2A:2E|CP-7960|Reception|10.77.0.50|0208|u208| pa ss|Front|F|PBX.example.com|5070|209"
	for _, c := range []struct {
		name, text string
		want       site.Phone
	}{
		{"English with commas", rows("MAC address|Model|Name|IP address|Extension|Auth user|Secret|Caller ID|Key label|Server|SIP port|Extension 2", data, ","), full},
		{"German with semicolons", rows("MAC-Adresse|Modell|Bezeichnung|IP-Adresse|Durchwahl|Anmeldename|Passwort|Anzeigename|Kurzname|Telefonanlage|Port|2. Nebenstelle", data, ";"), full},
		{"Dutch with tabs", rows("MAC-adres|Type toestel|Omschrijving|IP-adres|Toestelnummer|Gebruikersnaam|Wachtwoord|Weergavenaam|Korte naam|Centrale|Poort|Lijn 2", data, "\t"), full},
		{"French", rows("Adresse MAC|Modèle|Libellé|Adresse IP|Numéro de poste|Nom d'utilisateur|Mot de passe|Nom affiché|Nom court|Serveur|Port SIP|Ligne 2", data, ";"), full},
		{"names of .cnf files", rows("mac|model|phone_label|ip|line1_name|line1_authname|line1_password|line1_displayname|line1_shortname|proxy1|proxy 1 port|line2_name", data, ";"), full},
		{"byte order mark", "\ufeffMAC,Label,Extension,Auth\n0006d7aa2a2e,Reception,208,208\n", plain},
		{"a line that names the delimiter", "sep=;\nMAC;Label;Extension;Auth\n0006d7aa2a2e;Reception;208;208\n", plain},
		{"no headers", "Reception;208;0006d7aa2a2e;208\n", plain},
		{"UTF-16", string(utf16LE("MAC\tLabel\tExtension\tAuth\r\n0006d7aa2a2e\tReception\t208\t208\r\n")), plain},
		{"a device is a phone, not its model", "Gerät;Name;Nebenstelle;Benutzername\n00-06-d7-aa-2a-2e;Reception;208;208\n", plain},
		{"device name of a call manager", "Device Name,Description,Line,User ID\nSEP0006D7AA2A2E,Reception,208,208\n", plain},
		{"first and last name", "MAC;Vorname;Nachname;Nst;Benutzer;Nummer\n0006d7-aa2a2e;Anna;Beispiel;1;208;208\n", site.Phone{MAC: full.MAC, Label: "Anna Beispiel", Lines: []site.Line{{Name: "208", AuthName: "208"}}}},
		{"location where there is no label", "MAC;Raum;Durchwahl;User\n0:6:d7:aa:2a:2e;Reception;208;208\n", plain},
		{"floats of a program", "mac;label;ext;user\n0006d7aa2a2e;Reception;208.0;208.0\n", plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := list(t, "list.csv", c.text, adopt.Options{Site: present()})
			if len(p.Site.Phones) != 1 || !reflect.DeepEqual(p.Site.Phones[0], c.want) {
				t.Errorf("got  %+v\nwant %+v\n%s", p.Site.Phones, c.want, report(p, ""))
			}
		})
	}
}

func utf16LE(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func TestAWorkbookIsRead(t *testing.T) {
	content := workbook(t, [][]any{
		{"Phones of the office"},
		{},
		{"MAC", "Label", "Extension", "Password"},
		{"00:06:D7:AA:2A:2E", "Reception", "0208", "secret"},
		{688901234567.0, "Stores", 209, "secret"}, // 12 digits: nothing is lost
		{67890123.0, "Lost zeros", 210, "secret"},
		{1.23456789012e+17, "Scientific", 211, "secret"},
		{"00:06:D7:AA:2A:2F", "A date", time.Date(2026, 1, 12, 0, 0, 0, 0, time.UTC), "secret"},
		{"00:06:D7:AA:2A:30", "Zeros by format", 42, 1234},
	}, func(f *excelize.File) {
		zeros := "0000"
		style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &zeros})
		if err == nil {
			err = f.SetCellStyle("Sheet1", "C9", "C9", style)
		}
		if err == nil {
			_, err = f.NewSheet("Notes")
		}
		if err == nil {
			err = f.SetCellStr("Notes", "A1", "remember the milk")
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	p := list(t, "list.xlsx", content, adopt.Options{Site: present()})
	golden(t, "workbook.txt", report(p, ""))
	var got []string
	for _, ph := range p.Site.Phones {
		text := ph.MAC.Name()
		for _, l := range ph.Lines {
			text += " " + l.Name + "/" + l.Password
		}
		got = append(got, text)
	}
	want := []string{"0006D7AA2A2E 0208/secret", "688901234567 209/secret", "0006D7AA2A2F", "0006D7AA2A30 0042/1234"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// office is a site with everything that a list can hold.
func office(t testing.TB) *site.Site {
	t.Helper()
	s := present()
	s.DNS.Upstream = []site.Upstream{{Addr: netip.MustParseAddrPort("192.0.2.53:53")}}
	s.Phones = []site.Phone{
		{MAC: mac(t, "0006D7AA2A2E"), Model: "7960", Label: "Réception", Address: netip.MustParseAddr("10.77.0.50"), Lines: []site.Line{
			{Name: "0208", AuthName: "=208", Password: "@'+secret ;,", DisplayName: "Front", ShortName: "'-x"},
			{Name: "209", Password: "''=", Proxy: "sip.example.com", Port: 5070},
			{Name: "+32255512", DisplayName: "-1", Password: "00123"},
		}, Parameters: map[string]string{"phone_password": "hidden", "call_waiting": "0"}, Load: "stay", Runs: "P0S3-8-12-00"},
		{MAC: mac(t, "0006D7AA2A2F"), OpenConfig: true, OwnFiles: true, Forced: map[string]string{"reg.1.x": "a=b"}},
		{MAC: mac(t, "0006D7AA2A30"), Label: "Stores, \"back\"", Lines: []site.Line{{Name: "210"}}},
	}
	s.Phones[2].Label = "Stores, back; left"
	valid(t, s)
	return s
}

func TestAnExportReadsBackToTheSamePhones(t *testing.T) {
	s := office(t)
	for _, format := range []string{adopt.FormatCSV, adopt.FormatXLSX} {
		t.Run(format, func(t *testing.T) {
			content, err := adopt.Export(s, format, true)
			if err != nil {
				t.Fatal(err)
			}
			empty := office(t)
			empty.Phones = nil
			for name, into := range map[string]*site.Site{"nothing": empty, "the same": s} {
				p := list(t, "export."+format, string(content), adopt.Options{Site: into})
				if !reflect.DeepEqual(p.Site.Phones, s.Phones) {
					t.Errorf("into %s: got  %+v\nwant %+v\n%s", name, p.Site.Phones, s.Phones, report(p, ""))
				}
				if name == "the same" && p.Summary() != "3 phones unchanged" {
					t.Errorf("got %q, want 3 phones unchanged", p.Summary())
				}
			}
		})
	}
	if _, err := adopt.Export(s, "ods", true); err == nil {
		t.Error("an unknown format was written")
	}
}

func TestMaskedPasswordsStandForThePresentOnes(t *testing.T) {
	s := office(t)
	for _, format := range []string{adopt.FormatCSV, adopt.FormatXLSX} {
		content, err := adopt.Export(s, format, false)
		if err != nil {
			t.Fatal(err)
		}
		if format == adopt.FormatCSV && (bytes.Contains(content, []byte("secret")) || bytes.Contains(content, []byte("hidden"))) {
			t.Error("the list without secrets holds a password")
		}
		p := list(t, "export."+format, string(content), adopt.Options{Site: s})
		if !reflect.DeepEqual(p.Site.Phones, s.Phones) || len(p.Same) != 3 {
			t.Errorf("%s: got %+v\n%s", format, p.Site.Phones, report(p, ""))
		}
		strange := present()
		p = list(t, "export."+format, string(content), adopt.Options{Site: strange})
		if got := p.Site.Phones[0].Lines[0].Password; got != "" || !strings.Contains(report(p, ""), "masked") {
			t.Errorf("%s: a mask that stands for nothing became the password %q", format, got)
		}
	}
}

func TestACSVHoldsNoFormula(t *testing.T) {
	content, err := adopt.Export(office(t), adopt.FormatCSV, true)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		for field := range strings.SplitSeq(strings.TrimPrefix(line, "\ufeff"), ",") {
			if field = strings.TrimLeft(field, `"`); field != "" && strings.ContainsRune("=+-@", rune(field[0])) {
				t.Errorf("%q would be run as a formula", field)
			}
		}
	}
}

func TestAListChangesOnlyWhatItSays(t *testing.T) {
	s := office(t)
	text := "MAC;Label;Extension;Password;Extension 2\n0006D7AA2A2E;;0208;new;777\n0006D7AA2A30;Stores;;;\n0006D7AA2A31;New;300;x;\n"
	p := list(t, "l.csv", text, adopt.Options{Site: s})
	a := p.Site.Phones[0]
	if a.Label != "Réception" || a.Lines[0].Password != "new" || a.Lines[0].AuthName != "=208" || a.Lines[1].Name != "777" || a.Lines[1].Password != "" || a.Lines[2].Name != "+32255512" {
		t.Errorf("got %+v", a)
	}
	if b := p.Site.Phones[2]; b.Label != "Stores" || b.Lines[0].Name != "210" {
		t.Errorf("got %+v", b)
	}
	if got := p.Summary(); got != "1 phone added, 2 changed" {
		t.Errorf("summary is %q", got)
	}
	p = list(t, "l.csv", text, adopt.Options{Site: s, KeepPresent: true})
	if !reflect.DeepEqual(p.Site.Phones[:3], s.Phones) || len(p.Site.Phones) != 4 {
		t.Errorf("with KeepPresent: got %+v", p.Site.Phones)
	}
}

func TestWhatIsNoListIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "prose": "Dear all,\nthe phones come on Monday.\n", "old Excel": "\xd0\xcf\x11\xe0\xa1\xb1", "PDF": "%PDF-1.4",
		"no workbook": "PK\x03\x04junk", "too long": strings.Repeat("x", adopt.MaxList+1),
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := adopt.ReadList("list", []byte(content), adopt.Options{}); err == nil {
				t.Errorf("it was read: %s", report(p, ""))
			}
		})
	}
}

func TestAWorkbookThatClaimsTooMuchIsRefused(t *testing.T) {
	far := workbook(t, nil, func(f *excelize.File) {
		w, err := f.NewStreamWriter("Sheet1")
		for i := 1; err == nil && i <= 3000; i++ {
			err = w.SetRow(fmt.Sprintf("XFD%d", i), []any{"x"})
		}
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if _, err := adopt.ReadList("far.xlsx", []byte(far), adopt.Options{}); err == nil {
		t.Error("a sheet of 3000 rows to the last column was read")
	}
	rows := [][]any{{"MAC", "Label"}}
	for i := range 6100 {
		rows = append(rows, []any{fmt.Sprintf("0006D7%06X", i), "x"})
	}
	p := list(t, "many.xlsx", workbook(t, rows, nil), adopt.Options{Site: present()})
	if n := len(p.Site.Phones); n >= 6000 || n < 5900 || p.LeftOut < 100 {
		t.Errorf("%d phones were read: %s", n, p.Summary())
	}
}
