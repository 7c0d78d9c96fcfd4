package adopt_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
)

func writeFile(dir, name, text string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
}

func symlink(dir, target, name string) error { return os.Symlink(target, filepath.Join(dir, name)) }

func openRoot(dir string) (*os.Root, error) { return os.OpenRoot(dir) }

// everyVerdict fails unless each verdict says what and why.
func everyVerdict(t *testing.T, verdicts []adopt.Verdict) {
	t.Helper()
	for _, v := range verdicts {
		if v.Where == "" || v.Verdict == "" || v.Text == "" {
			t.Errorf("a verdict lacks something: %+v", v)
		}
	}
}

// FuzzReadList proves that whatever is read makes a site that can be saved, with a verdict for each row, and that the
// phones of that site go through an export unharmed.
func FuzzReadList(f *testing.F) {
	f.Add([]byte("MAC;Durchwahl;Kennwort\n0006D7AA2A2E;208;x\n0006D7AA2A2E;209;\"y\"\"\"\n"))
	f.Add([]byte("sep=,\nmac,label,ext,ext 2\n00:06:d7:aa:2a:2e,'=a,'+1,2\n"))
	f.Add([]byte("Reception\t208\t0006.d7aa.2a2e\t7960\t10.77.0.50\n"))
	f.Add([]byte("MAC,Parameters,Forced parameters,Load,Port\n0006d7aa2a2e,\"a=b\nphone_password=x\",q=r,stay,99999\n"))
	f.Add([]byte(workbook(f, [][]any{{"MAC", "Extension"}, {"0006D7AA2A2E", 208}}, nil)))
	f.Add([]byte("Label,Extension,Password\nReception,208,x\nStores,209,y\nStores,209,\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := adopt.ReadList("list", content, adopt.Options{Site: present()})
		if err != nil {
			return
		}
		valid(t, p.Site)
		everyVerdict(t, p.Verdicts)
		if len(p.Added) < len(p.Site.Phones) {
			t.Errorf("%d phones, %d of them added", len(p.Site.Phones), len(p.Added))
		}
		for _, format := range []string{adopt.FormatCSV, adopt.FormatXLSX} {
			out, err := adopt.Export(p.Site, format, true)
			if err != nil {
				t.Fatal(err)
			}
			back, err := adopt.ReadList("list", out, adopt.Options{Site: p.Site})
			if len(p.Site.Phones) == 0 {
				continue // a list of headers alone has no MACs
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back.Site.Phones, p.Site.Phones) {
				t.Errorf("%s:\ngot  %+v\nwant %+v\n%s", format, back.Site.Phones, p.Site.Phones, out)
			}
		}
	})
}

// FuzzReadPastedRows proves the same for rows that somebody pastes, of which those without a MAC are lines that wait; pasted once
// more, they change nothing.
func FuzzReadPastedRows(f *testing.F) {
	f.Add([]byte("Reception\t208\tsecret\t0006.d7aa.2a2e\nStores\t209\tother\t\n"))
	f.Add([]byte("208,Reception\n209,\"Stores\"\n"))
	f.Add([]byte("MAC;Label;Extension;Password;Extension 2\n;Stores;209;x;210\n0006D7AA2A2E;;209;;\n;;209;;\n"))
	f.Add([]byte("0006D7AA2A2E\n0006D7AA2A2F\n"))
	f.Add([]byte("208\n209\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := adopt.ReadList("rows", content, adopt.Options{Site: present(), Lines: true})
		if err != nil {
			return
		}
		valid(t, p.Site)
		everyVerdict(t, p.Verdicts)
		if p.Waiting != len(p.Site.Lines) {
			t.Errorf("%d lines wait, and the plan says %d", len(p.Site.Lines), p.Waiting)
		}
		again, err := adopt.ReadList("rows", content, adopt.Options{Site: p.Site, Lines: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Added) > 0 || !reflect.DeepEqual(again.Site.Lines, p.Site.Lines) {
			t.Errorf("the second time it changes:\n%+v\n%+v", again.Site.Lines, p.Site.Lines)
		}
	})
}

// FuzzReadContacts proves that every contact can stand in a site, and that writing them as vCards gives them back.
func FuzzReadContacts(f *testing.F) {
	f.Add([]byte("BEGIN:VCARD\nFN:Anna\nTEL;CELL:1\nEND:VCARD\n"))
	f.Add([]byte("BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6=\r\n rg\r\nTEL;WORK:+49 (0)30 1\r\nTEL;\"a;b:c\":2\r\nEND:VCARD"))
	f.Add([]byte("BEGIN:VCARD\nitem1.TEL;VALUE=uri:tel:+1-555;ext=7\nitem1.X-ABLabel:Mobile\nORG:a\\;b;c\nBEGIN:VCARD\nEND:VCARD\nEND:VCARD"))
	f.Add([]byte("Name;Mobil;Telefon privat\nAnna;1;2 ::: 3\n"))
	f.Add([]byte("Phone 1 - Type,Phone 1 - Value,Name\nWork,1,Anna\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, verdicts, err := adopt.ReadContacts("people", content)
		if err != nil {
			return
		}
		everyVerdict(t, verdicts)
		if len(list) > 2000 {
			return
		}
		s := present()
		s.Contacts = list
		valid(t, s)
		var cards strings.Builder
		escape := strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`)
		for _, c := range list {
			cards.WriteString("BEGIN:VCARD\nVERSION:4.0\nFN:" + escape.Replace(c.Name) + "\nTEL:" + escape.Replace(c.Number) + "\nEND:VCARD\n")
		}
		if len(list) == 0 {
			return
		}
		back, _, err := adopt.ReadContacts("people", []byte(cards.String()))
		if err != nil || !reflect.DeepEqual(back, list) {
			t.Errorf("got %q, want %q (%v)", back, list, err)
		}
	})
}

// FuzzRead proves that every file of an archive has one verdict, that the site can be saved, and that no file would be
// stored outside of the folder.
func FuzzRead(f *testing.F) {
	small := map[string][]byte{
		"SIPDefault.cnf": []byte("proxy1_address: a\ntime_zone: CET\ndial_template: x\nlogo_url: http://a/l.bmp\n"), "x.xml": []byte("<DIALTEMPLATE><TEMPLATE MATCH=\"*\"/></DIALTEMPLATE>"),
		"SIP0006D7AA2A2E.cnf": []byte("line1_name: 1\nline2_name: \"2\"\nproxy2_address: b\nfoo: bar\n"), "RINGLIST.DAT": []byte("A\ta.raw\n"), "a.raw": []byte("x"),
		"d.xml": []byte("<CiscoIPPhoneDirectory><DirectoryEntry><Name>A</Name><Telephone>5</Telephone></DirectoryEntry></CiscoIPPhoneDirectory>"),
	}
	t := &testing.T{}
	f.Add(zipOf(t, small))
	f.Add(tarOf(t, small))
	f.Add(tarOf(t, small, &tar.Header{Typeflag: tar.TypeReg})) // a file without a name
	f.Add(gzipOf(t, tarOf(t, small)))
	f.Fuzz(func(t *testing.T, content []byte) {
		src, err := adopt.Archive("upload", bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		count := 0
		walked := src.Walk(func(adopt.Entry) error { count++; return nil })
		p, err := adopt.Read(src, adopt.Options{Site: present()})
		if err != nil {
			return
		}
		if walked != nil || len(p.Verdicts) != count {
			t.Errorf("%d verdicts for %d files (%v)", len(p.Verdicts), count, walked)
		}
		valid(t, p.Site)
		everyVerdict(t, p.Verdicts)
		for _, s := range p.Files {
			if s.Name == "" || strings.HasPrefix(s.Name, "/") || strings.Contains("/"+s.Name+"/", "/../") || strings.Contains(s.Name, `\`) {
				t.Errorf("%q would be stored as %q", s.Where, s.Name)
			}
		}
		if err := p.Each(func(_ adopt.Stored, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }); err != nil {
			return // damaged within a file that the dry run does not read
		}
	})
}

// FuzzReadCnfFiles proves the same for what stands in the two files of SIP.
func FuzzReadCnfFiles(f *testing.F) {
	f.Add("proxy1_address: a\nproxy1_port: 1\nimage_version: P0S3-8-12-00\nnat_enabel: 1\n", "line1_name: \"1\"\nline3_name: 2\nproxy3_address: b\nphone_password: x\n")
	f.Add("time_zone: NZST\ndst_start_day: 3\nservices_url: http://x\ntftp_cfg_dir: ./p/\n", "phone_label: \"a\"\nimage_version: x\nproxy1_address: USECALLMANAGER\nreg.1.x=1\n")
	f.Fuzz(func(t *testing.T, defaults, phone string) {
		p, err := adopt.Read(folderOf(files("SIPDefault.cnf", defaults, one, phone)), adopt.Options{Site: present()})
		if err != nil {
			t.Fatal(err)
		}
		valid(t, p.Site)
		everyVerdict(t, p.Verdicts)
		again, err := adopt.Read(folderOf(files("SIPDefault.cnf", defaults, one, phone)), adopt.Options{Site: p.Site})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(phones(again.Site), phones(p.Site)) {
			t.Errorf("the second time it changes:\n%+v\n%+v", again.Site.Phones, p.Site.Phones)
		}
	})
}

// phones are the phones of a site with empty maps made equal to none.
func phones(s *site.Site) []site.Phone {
	out := s.Clone().Phones
	for i := range out {
		if len(out[i].Parameters) == 0 {
			out[i].Parameters = nil
		}
		if len(out[i].Forced) == 0 {
			out[i].Forced = nil
		}
	}
	return out
}
