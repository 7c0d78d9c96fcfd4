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
}

// What is nothing that is read is told by what it is, as far as that shows.
func TestAnUploadThatIsNothingIsToldWhatItIs(t *testing.T) {
	whole := zipOf(t, files(one, "line1_name: 1\n"))
	packed := gzipOf(t, tarOf(t, files(one, "line1_name: 1\n")))
	page := []byte("\xef\xbb\xbf\n<!DOCTYPE HTML><title>Log in to download</title>")
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"notes.txt", []byte("hello"), "no column with the MACs"},
		{"big.bmpx", bytes.Repeat([]byte("x"), adopt.MaxList+1), "too long for a list"},
		{"empty.csv", nil, "which is empty"},
		{"root.zip", page, "a web page"},
		{"phones.csv", page, "a web page"},
		{"phones.xls", []byte("<html><table><tr><td>MAC</td></tr></table></html>"), "save a table of it as .csv"},
		{"half.zip", whole[:len(whole)/2], "an archive that is damaged or was cut off"},
		{"half.xlsx", whole[:len(whole)/2], "the .xlsx can't be read"},
		{"half.tgz", packed[:len(packed)/2], "damaged or was cut off"},
		{"start.tar.gz", packed[:5], "damaged or was cut off"},
		{"old.rar", []byte("Rar!\x1a\x07\x00..."), "pack it anew"},
		{"old.7z", []byte("7z\xbc\xaf'\x1c"), "pack it anew"},
		{"root.zip", []byte("Rar!\x1a\x07\x00..."), "whatever its name says"},
		{"phones.xls", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an Excel file of the old kind"},
	} {
		p, err := adopt.ReadUpload(c.name, bytes.NewReader(c.content), int64(len(c.content)), adopt.Options{Site: present()})
		switch {
		case err == nil:
			t.Errorf("%s was read: %s", c.name, report(p, ""))
		case !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: got %q, want %q in it", c.name, err, c.want)
		}
	}
}
