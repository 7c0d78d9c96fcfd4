package adopt_test

import (
	"bytes"
	"strings"
	"testing"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
)

func TestAnUploadIsKnownByItsContent(t *testing.T) {
	s := present()
	s.Phones = []site.Phone{{MAC: mac(t, "0006D7AA2A30"), Lines: []site.Line{{Name: "208"}}}}
	s.Contacts = []site.Contact{{Name: "Ben", Number: "5"}}
	list := "MAC;Extension\n0006D7AA2A2E;300\n"
	people := "Name;Number\nReception;208\nBen;5\nAnna;6\n"
	for _, c := range []struct{ name, content, want string }{
		{"root.zip", string(zipOf(t, files(one, "line1_name: 1\n"))), "1 phone added"},
		{"whatever", string(gzipOf(t, tarOf(t, files(one, "line1_name: 1\n")))), "1 phone added"},
		{"phones.csv", list, "1 phone added"},
		{"phones.zip", workbook(t, [][]any{{"MAC", "Extension"}, {"0006D7AA2A2E", "300"}}, nil), "1 phone added"},
		{"people.csv", people, "1 contact added"},
		{"people.xlsx", workbook(t, [][]any{{"Name", "Number"}, {"Anna", "6"}}, nil), "1 contact added"},
		{"people.vcf", "BEGIN:VCARD\nFN:Anna\nTEL:6\nEND:VCARD\nBEGIN:VCARD\nFN:Nobody\nEND:VCARD\n", "1 contact added, 1 left out"},
		{one, "line1_name: 1\n", "1 phone added"},
		{`C:\tftp\SIPDefault.cnf`, "proxy1_address: 10.77.0.10\n", "nothing to do"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := adopt.ReadUpload(c.name, strings.NewReader(c.content), int64(len(c.content)), adopt.Options{Site: s})
			if err != nil {
				t.Fatal(err)
			}
			valid(t, p.Site)
			everyVerdict(t, p.Verdicts)
			if p.Summary() != c.want {
				t.Errorf("got %q, want %q\n%s", p.Summary(), c.want, report(p, ""))
			}
		})
	}
	for name, content := range map[string][]byte{"notes.txt": []byte("hello"), "big.bmpx": bytes.Repeat([]byte("x"), adopt.MaxList+1)} {
		if p, err := adopt.ReadUpload(name, bytes.NewReader(content), int64(len(content)), adopt.Options{Site: s}); err == nil {
			t.Errorf("%s was read: %s", name, report(p, ""))
		}
	}
}
