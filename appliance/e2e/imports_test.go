package e2e_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// importReport is the answer to POST /api/v1/import.
type importReport struct {
	Dry      bool
	Summary  string
	Verdicts []struct {
		Where, Verdict, Text string
		Warnings             []string
	}
	Site string
}

// verdict is what became of one file or row; the last word on it counts.
func (r importReport) verdict(where string) (verdict, text string) {
	for _, v := range r.Verdicts {
		if v.Where == where {
			verdict, text = v.Verdict, v.Text+" "+strings.Join(v.Warnings, " ")
		}
	}
	return verdict, text
}

// send posts a file in a form, as a browser does, and returns the answer.
func (b *box) send(path, name string, content []byte) (code int, answer []byte) {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(content)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		b.t.Fatal(err)
	}
	code, answer, _ = b.call(b.laptop, http.MethodPost, path, body.Bytes(), "Content-Type", form.FormDataContentType())
	return code, answer
}

// importFile imports a file and wants it to be taken; query is "?dry_run=1" or "".
func (b *box) importFile(name, query string, content []byte) (r importReport) {
	b.t.Helper()
	code, answer := b.send("/api/v1/import"+query, name, content)
	if err := json.Unmarshal(answer, &r); err != nil || code != http.StatusOK {
		b.t.Fatalf("importing %s: %d: %v: %s", name, code, err, answer)
	}
	if strings.Contains(string(answer), "secret-") {
		b.t.Errorf("the report of %s tells a password: %s", name, answer)
	}
	return r
}

// export returns the list of phones with its passwords.
func (b *box) export(format string) []byte {
	b.t.Helper()
	code, body, h := b.call(b.laptop, http.MethodGet, "/api/v1/export?secrets=1&format="+format, nil)
	if code != http.StatusOK || !strings.Contains(h.Get("Content-Disposition"), "phones."+format) {
		b.t.Fatalf("exporting %s: %d %v", format, code, h)
	}
	return body
}

// zipped makes an archive.
func zipped(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// oldRoot is the TFTP root of a server that the box replaces: firmware, a ring, a dial plan, people, and two phones, with
// the slips of somebody's pen.
func oldRoot(mac, other phone.MAC) map[string][]byte {
	files := map[string][]byte{
		"tftpboot/SIPDefault.cnf":                  []byte("# our phones\r\nimage_version: " + target + "\r\nproxy1_address: " + pbxAddr + "\r\nnat_enabel: 1\r\nsntp_server: 10.1.1.1\r\n"),
		"tftpboot/SIP" + mac.Name() + ".cnf":       []byte("line1_name: 301\nline1_authname: 301\nline1_password: \"secret-301\"\nphone_label: \"M\xfcller & <S\xf6hne>\"\nline2_pasword: secret-typo\n"),
		"tftpboot/SEP" + other.Name() + ".cnf.xml": []byte("<device><loadInformation>P00307020300</loadInformation></device>"),
		"tftpboot/dialplan.xml":                    []byte("<DIALTEMPLATE>\n<TEMPLATE MATCH=\"1..\" Timeout=\"0\"/>\n<TEMPLATE MATCH=\"*\" Timeout=\"5\"/>\n</DIALTEMPLATE>\n"),
		"tftpboot/RINGLIST.DAT":                    []byte("Old Bell\tbell.raw\n"),
		"tftpboot/bell.raw":                        bytes.Repeat([]byte{0x55}, 240*30),
		"tftpboot/directory.xml":                   []byte("<CiscoIPPhoneDirectory><DirectoryEntry><Name>Pizza &amp; Co</Name><Telephone>0123456</Telephone></DirectoryEntry></CiscoIPPhoneDirectory>"),
		"tftpboot/notes.doc":                       []byte("call Anna"),
		"tftpboot/P0S3-07-4-00.sb2":                []byte("cut off"),
	}
	for name, content := range shelf() {
		files["tftpboot/"+name] = content
	}
	return files
}

// TestImports hands the box what an office has: an old TFTP root, a list from a spreadsheet, a sound. A phone then boots
// from what was imported, and another looks people up.
func TestImports(t *testing.T) {
	waiting.enter(t)
	lan := office(t, testkit.Host{Name: "wire"},
		testkit.Host{Name: "desk", MAC: deskMAC.String(), Addr: netip.MustParsePrefix("10.77.0.50/16")})
	mac, other := mustMAC("00:06:d7:66:00:00"), mustMAC("00:06:d7:66:00:01")
	b := startBox(t, lan, site{phones: []sitePhone{{mac: deskMAC, label: "Front desk", line: "208", address: "10.77.0.50"}}}.text(), nil)
	root := zipped(t, oldRoot(mac, other))

	b.dryRun(root, mac)
	b.adopted(b.importFile("old.zip", "", root), mac, other)
	r, unplug := boot(t, phonesim.Config{Link: newWire(t, lan.Node("wire")), MAC: mac, State: phonesim.StateSIP7, Want: target})
	unplug()
	if r.Load != target || !slices.Equal(r.Lines, []string{"301"}) {
		t.Errorf("the phone runs %s with the lines %q, wanted %s and the line of the old file", r.Load, r.Lines, target)
	}
	b.importList()
	b.exported()
	b.newRing(mac)
	b.lookUp(lan.Node("desk"))
	if log := b.proc.Output(); strings.Contains(log, "secret-") {
		t.Error("the log tells a password")
	}
	b.healthy()
}

// dryRun wants a report of all that would come, and nothing to happen.
func (b *box) dryRun(root []byte, mac phone.MAC) {
	b.t.Helper()
	before, etag := b.site()
	r := b.importFile("old.zip", "?dry_run=1", root)
	if !r.Dry || !strings.Contains(r.Summary, "2 phones added") || !strings.Contains(r.Site, mac.String()) {
		b.t.Errorf("the dry run says %q and the site\n%s", r.Summary, r.Site)
	}
	if _, text := r.verdict("tftpboot/SIPDefault.cnf"); !strings.Contains(text, "nat_enable was probably meant") {
		b.t.Errorf("of SIPDefault.cnf it says %q", text)
	}
	if after, now := b.site(); now != etag || !bytes.Equal(after, before) {
		b.t.Error("the dry run changed the settings")
	}
	if e := b.phone(mac); e.Known {
		b.t.Errorf("after the dry run the box lists %+v", e)
	}
	if text, answer := b.file(deskMAC, "bell.raw"); answer == "ok" {
		b.t.Errorf("after the dry run phones get a ring of %d bytes", len(text))
	}
}

// adopted looks at what the import of the old root left.
func (b *box) adopted(r importReport, mac, other phone.MAC) {
	b.t.Helper()
	for where, want := range map[string]string{
		"SIP" + mac.Name() + ".cnf": "phone", "SEP" + other.Name() + ".cnf.xml": "phone", target + ".sb2": "firmware", "bell.raw": "ring",
		"dialplan.xml": "dial plan", "directory.xml": "contacts", "notes.doc": "ignored", "P0S3-07-4-00.sb2": "refused",
	} {
		if got, text := r.verdict("tftpboot/" + where); got != want {
			b.t.Errorf("%s became %q (%s), wanted %q", where, got, text, want)
		}
	}
	// What the shelf refuses is neither stored nor taken in.
	if r.Dry || !strings.Contains(r.Summary, "2 phones added") || !strings.Contains(r.Summary, "5 files stored, 1 left out") {
		b.t.Errorf("the import says %q", r.Summary)
	}
	if e := b.phone(mac); !e.Known || e.Label != "Müller & <Söhne>" {
		b.t.Errorf("after the import the box tells %+v", e)
	}
	if text, answer := b.file(mac, "dialplan.xml"); answer != "ok" || !bytes.Contains(text, []byte(`"1.."`)) {
		b.t.Errorf("the dial plan is %q: %s", answer, text)
	}
	if code, text, _ := b.call(b.laptop, http.MethodGet, "/api/v1/site", nil); code != http.StatusOK || bytes.Contains(text, []byte("secret-")) {
		b.t.Errorf("%d, and the settings show a password:\n%s", code, text)
	}
}

// importList imports a list as a German spreadsheet writes it: semicolons, Windows-1252, MACs in three notations.
func (b *box) importList() {
	b.t.Helper()
	list := "MAC-Adresse;Name;Nebenstelle;Kennwort\r\n0007.0e11.2233;B\xfcro S\xfcd;401;secret-401\r\n" +
		"00-07-0E-11-22-34;\"Lager; hinten\";402;secret-402\r\n00070E1122;kaputt;403;secret-403\r\n"
	r := b.importFile("telefone.csv", "", []byte(list))
	if got, text := r.verdict("row 4"); got != "refused" || !strings.Contains(r.Summary, "2 phones added, 1 left out") {
		b.t.Errorf("the import says %q, and of row 4 %q %s", r.Summary, got, text)
	}
	if e := b.phone(mustMAC("00:07:0e:11:22:33")); !e.Known || e.Label != "Büro Süd" {
		b.t.Errorf("after the import the box tells %+v", e)
	}
	if code, answer := b.send("/api/v1/import", "photo.jpg", []byte("\xff\xd8\xff\xe0 no list")); code != http.StatusUnprocessableEntity {
		b.t.Errorf("a photo was answered with %d %s", code, answer)
	}
}

// exported takes the lists out, the phones away, and gets the same phones back from each list.
func (b *box) exported() {
	b.t.Helper()
	full, _ := b.site()
	cut := bytes.Index(full, []byte("[[phones]]"))
	if cut < 0 {
		b.t.Fatalf("no phones in\n%s", full)
	}
	for _, format := range []string{"csv", "xlsx"} {
		list := b.export(format)
		if code, why := b.putSite(full[:cut]); code != http.StatusNoContent {
			b.t.Fatalf("taking the phones away: %d %+v", code, why)
		}
		b.importFile("phones."+format, "", list)
		if now, _ := b.site(); !bytes.Equal(now, full) {
			b.t.Errorf("after an export and an import as %s the settings are\n%s\nthey were\n%s", format, now, full)
		}
	}
}

// tone is a second of a sound in 16 bits at 44.1 kHz.
func tone() []byte {
	const rate = 44100
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), 36+2*rate)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, rate), 2*rate)
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, 2*rate)
	for i := range rate {
		b = binary.LittleEndian.AppendUint16(b, uint16(i%100*100))
	}
	return b
}

// newRing adds a sound, which stands on the list that phones fetch beside the adopted one.
func (b *box) newRing(mac phone.MAC) {
	b.t.Helper()
	if code, answer := b.send("/media/rings", "Door Bell.wav", tone()); code != http.StatusSeeOther {
		b.t.Errorf("a sound was answered with %d %s", code, answer)
	}
	list, answer := b.file(mac, "RINGLIST.DAT")
	for _, want := range []string{"Old Bell\tbell.raw", "Door Bell\t"} {
		if answer != "ok" || !strings.Contains(string(list), want) {
			b.t.Errorf("the ring list is %s %q, wanted %q in it", answer, list, want)
		}
	}
	_, rest, _ := strings.Cut(string(list), "Door Bell\t")
	name, _, _ := strings.Cut(rest, "\n")
	if ring, answer := b.file(mac, strings.TrimSpace(name)); answer != "ok" || len(ring)%240 != 0 || len(ring) < 7000 || len(ring) > 16080 {
		b.t.Errorf("the ring %q is %s with %d bytes", name, answer, len(ring))
	}
}

// lookUp presses the buttons of the phone at the desk: search, and what it says of itself.
func (b *box) lookUp(desk *testkit.Node) {
	b.t.Helper()
	c := b.client(desk)
	page := func(path string) string {
		resp, err := c.Get("http://" + boxAddr + "/phone/" + path)
		if err != nil {
			b.t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/xml") {
			b.t.Errorf("%s: %d %s %v", path, resp.StatusCode, resp.Header.Get("Content-Type"), err)
		}
		if strings.Contains(string(body), "secret-") {
			b.t.Errorf("%s tells a password: %s", path, body)
		}
		return string(body)
	}
	found := page("search.xml?name=" + url.QueryEscape("sohne") + "&number=")
	if !strings.Contains(found, "<Name>M&#252;ller &amp; &lt;S&#246;hne&gt;</Name><Telephone>301</Telephone>") || strings.Contains(found, "Pizza") {
		b.t.Errorf("the search found %s", found)
	}
	if found = page("search.xml?name=&number=12345"); !strings.Contains(found, "Pizza &amp; Co") || strings.Contains(found, "301") {
		b.t.Errorf("the search for a number found %s", found)
	}
	if found = page("search.xml?name=nobody"); !strings.Contains(found, "Nobody was found") {
		b.t.Errorf("the search for nobody found %s", found)
	}
	// The page is about whom the box saw at this address: first it must ask for its file.
	desk.Run(b.t, "curl", "-sS", "--max-time", "20", "-o", "/dev/null", "tftp://"+boxAddr+"/SIP"+deskMAC.Name()+".cnf")
	var about string
	testkit.Eventually(b.t, 10*time.Second, "the phone at the desk is known by its address", func() bool {
		about = page("about.xml")
		return strings.Contains(about, "Number: 208")
	})
	if !strings.Contains(about, "Front desk") || !strings.Contains(about, deskMAC.String()) || !strings.Contains(about, "10.77.0.50") {
		b.t.Errorf("the phone at the desk is told %s", about)
	}
	if stranger, err := b.laptop.Get("http://" + boxAddr + "/phone/about.xml"); err != nil {
		b.t.Error(err)
	} else {
		body, _ := io.ReadAll(stranger.Body)
		stranger.Body.Close()
		if strings.Contains(string(body), "208") {
			b.t.Errorf("the laptop is told of the phone: %s", body)
		}
	}
}
