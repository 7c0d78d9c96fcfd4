package adopt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
)

func contacts(t testing.TB, name, content string) ([]site.Contact, []adopt.Verdict) {
	t.Helper()
	list, verdicts, err := adopt.ReadContacts(name, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return list, verdicts
}

func wantContacts(t *testing.T, got []site.Contact, want ...string) {
	t.Helper()
	var list []string
	for _, c := range got {
		list = append(list, c.Name+": "+c.Number)
	}
	if !slices.Equal(list, want) {
		t.Errorf("got  %q\nwant %q", list, want)
	}
}

func TestVCardsOfEachVersionAreRead(t *testing.T) {
	latin1, err := charmap.ISO8859_1.NewEncoder().String("Müller")
	if err != nil {
		t.Fatal(err)
	}
	content := "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=ISO-8859-1:" + latin1 + ";J\xf6rg\r\nTEL;WORK;VOICE:+49 (0)30 123-456\r\nTEL;WORK;FAX:+49 30 99\r\nEND:VCARD\r\n" +
		"BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Ren=C3=A9=\r\n=20Ma=\r\n gritte\r\nTEL;CELL:0475 12 34 56\r\nTEL;HOME:02 555 12 34\r\nTEL;CELL:0475/12.34.57\r\nEND:VCARD\r\n" +
		"BEGIN:VCARD\nVERSION:3.0\nFN:Anna Ex\n ample\\, Ltd\nN:Example;Anna;;;\nitem1.TEL:+1 555 0100\nitem1.X-ABLabel:_$!<Mobile>!$_\nTEL;TYPE=WORK,VOICE:5550101\nTEL;TYPE=\"work\":5550101\nEND:VCARD\n" +
		"BEGIN:VCARD\nVERSION:4.0\nFN:\nORG:Plumbers;Pipes\nTEL;VALUE=uri;TYPE=\"voice,home\":tel:+1-555-0102;ext=7\nEND:VCARD\n" +
		"BEGIN:VCARD\nVERSION:3.0\nFN:No Number\nEND:VCARD\n" +
		"BEGIN:VCARD\nVERSION:3.0\nFN:Bad\nTEL:not a number\n"
	got, verdicts := contacts(t, "people.vcf", content)
	wantContacts(
		t, got, "Jörg Müller: +4930123456",
		"René Ma gritte (mobile): 0475123456", "René Ma gritte (home): 025551234", "René Ma gritte (mobile 2): 0475123457",
		"Anna Example, Ltd (mobile): +15550100", "Anna Example, Ltd (work): 5550101", "Plumbers: +15550102",
	)
	var b strings.Builder
	for _, v := range verdicts {
		fmt.Fprintln(&b, v.Where, "/", v.Verdict, "/", v.Text, v.Warnings)
	}
	golden(t, "vcards.txt", b.String())
}

func TestContactsFromTables(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"plain", "Name,Number\nAnna,208\nBen,+32 2 555 12 34\n", []string{"Anna: 208", "Ben: +3225551234"}},
		{
			"Outlook", "First Name,Last Name,Company,Business Street,Business Phone,Home Phone,Mobile Phone,Business Fax,E-mail Address\nAnna,Example,Firm,Street 1,555-0100,,555-0101,555-0102,a@example.com\n,,Plumber,,555-0103,,,,\n",
			[]string{"Anna Example (work): 5550100", "Anna Example (mobile): 5550101", "Plumber: 5550103"},
		},
		{"German", "Nachname;Vorname;Telefon geschäftlich;Telefon privat;Mobiltelefon\nMüller;Jörg;030/1;030/22;017\n", []string{"Jörg Müller (work): 0301", "Jörg Müller (home): 03022", "Jörg Müller (mobile): 017"}},
		{"Dutch", "Naam;GSM;Thuis\nJan;0475;02555\n", []string{"Jan (mobile): 0475", "Jan (home): 02555"}},
		{"French", "Nom;Prénom;Portable;Tél. travail\nMagritte;René;0475;02555\n", []string{"René Magritte (mobile): 0475", "René Magritte (work): 02555"}},
		{"Google", "Name,Phone 1 - Type,Phone 1 - Value,Phone 2 - Type,Phone 2 - Value\nAnna,Mobile,555-1 ::: 555-2,Work,555-3\n", []string{"Anna (mobile): 5551", "Anna (mobile 2): 5552", "Anna (work): 5553"}},
		{"no headers", "Anna;208\nBen;209\n", []string{"Anna: 208", "Ben: 209"}},
		{"twice and spoilt", "Name;Number\nAnna;208\nAnna;208\nBen;3,22555E+11\n", []string{"Anna: 208"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, verdicts := contacts(t, "people.csv", c.text)
			wantContacts(t, got, c.want...)
			if want := strings.Count(c.text, "\n"); c.name != "no headers" && len(verdicts) != want {
				t.Errorf("got %d verdicts for %d rows: %+v", len(verdicts), want, verdicts)
			}
		})
	}
	got, _ := contacts(t, "people.xlsx", workbook(t, [][]any{{"Name", "Number"}, {"Anna", 208}, {"Ben", "0209"}}, nil))
	wantContacts(t, got, "Anna: 208", "Ben: 0209")
	if _, _, err := adopt.ReadContacts("x.csv", []byte("nothing here\nof use\n")); err == nil {
		t.Error("a text without numbers was read")
	}
}
