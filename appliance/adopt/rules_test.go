package adopt_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
)

func files(pairs ...string) map[string][]byte {
	out := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = []byte(pairs[i+1])
	}
	return out
}

// verdict returns the verdict of a file.
func verdict(t *testing.T, p *adopt.Plan, where string) adopt.Verdict {
	t.Helper()
	i := slices.IndexFunc(p.Verdicts, func(v adopt.Verdict) bool { return v.Where == where })
	if i < 0 {
		t.Fatalf("%s has no verdict", where)
	}
	return p.Verdicts[i]
}

func said(v adopt.Verdict) string {
	return v.Verdict + ": " + v.Text + "\n" + strings.Join(v.Warnings, "\n")
}

func mentions(t *testing.T, v adopt.Verdict, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(said(v), part) {
			t.Errorf("%s: %q is not said in %q", v.Where, part, said(v))
		}
	}
}

const one = "SIP0006D7AA2A2E.cnf"

func TestAPhoneThatIsListedIsMerged(t *testing.T) {
	s := present()
	s.Phones = []site.Phone{{
		MAC: mac(t, "0006D7AA2A2E"), Label: "Old", OpenConfig: true, Parameters: map[string]string{"call_waiting": "1", "dnd_control": "1"},
		Lines: []site.Line{{Name: "208", Password: "kept", AuthName: "kept"}, {Name: "209"}},
	}}
	root := files(one, "phone_label: New\nline1_name: 208\nline1_password: UNPROVISIONED\nline1_displayname: \"Front\"\nCall_Waiting: 0\n")
	p := read(t, folderOf(root), adopt.Options{Site: s})
	want := site.Phone{
		MAC: s.Phones[0].MAC, Label: "New", OpenConfig: true, Parameters: map[string]string{"call_waiting": "0", "dnd_control": "1"},
		Lines: []site.Line{{Name: "208", Password: "kept", AuthName: "kept", DisplayName: "Front"}},
	}
	if !reflect.DeepEqual(p.Site.Phones[0], want) {
		t.Errorf("got  %+v\nwant %+v", p.Site.Phones[0], want)
	}
	mentions(t, verdict(t, p, one), "phone: ", "label", "call_waiting", "line 1 (208)", "number of lines (1, were 2)")
	if p.Summary() != "1 phone changed" {
		t.Errorf("summary is %q", p.Summary())
	}
	if p = read(t, folderOf(root), adopt.Options{Site: p.Site}); p.Summary() != "1 phone unchanged" {
		t.Errorf("the second time: %q, %s", p.Summary(), said(verdict(t, p, one)))
	}
	if p = read(t, folderOf(root), adopt.Options{Site: s, KeepPresent: true}); !reflect.DeepEqual(p.Site.Phones, s.Phones) {
		t.Errorf("with KeepPresent: got %+v", p.Site.Phones)
	}
}

func TestThePresentSiteAndSIPDefault(t *testing.T) {
	s := present()
	s.SIP.Proxy, s.Time.Zone, s.Firmware.Target = "10.77.0.9", "Europe/Brussels", "P0S3-8-9-00"
	s.SIP.Parameters = map[string]string{"tos_media": "3"}
	root := files("SIPDefault.cnf", "proxy1_address: 10.77.0.10\ntos_media: 5\nimage_version: P0S3-8-12-00\ntime_zone: EST\nproxy_register: 0\nproxy2_address: 10.77.0.11\nx_password: topsecret\n")
	p := read(t, folderOf(root), adopt.Options{Site: s})
	got := p.Site
	if got.SIP.Proxy != "10.77.0.10" || got.SIP.Parameters["tos_media"] != "5" || got.Firmware.Target != "P0S3-8-9-00" || got.Time.Zone != "Europe/Brussels" || got.SIP.Register || got.SIP.Parameters["proxy2_address"] != "10.77.0.11" || len(got.SIP.Forced) != 0 {
		t.Errorf("got %+v", got)
	}
	v := verdict(t, p, "SIPDefault.cnf")
	mentions(t, v, "sip.proxy was 10.77.0.9 and becomes 10.77.0.10", "the site wants P0S3-8-9-00", "the clock of EST; the site's time.zone is Europe/Brussels", "x_password looks like a password")
	if strings.Contains(said(v), "topsecret") {
		t.Error("the verdict holds a password")
	}
	p = read(t, folderOf(root), adopt.Options{Site: s, KeepPresent: true})
	if p.Site.SIP.Proxy != "10.77.0.9" || p.Site.SIP.Parameters["tos_media"] != "3" {
		t.Errorf("with KeepPresent: got %+v", p.Site.SIP)
	}
}

func TestTheZoneIsSuggestedByItsRule(t *testing.T) {
	us := "dst_start_month: %s\ndst_start_day_of_week: 1\ndst_start_week_of_month: %d\ndst_stop_month: %s\ndst_stop_day_of_week: Sun\ndst_stop_week_of_month: %d\n"
	for _, c := range []struct {
		name, text, want string
		has              string
	}{
		{"today's rule of the USA", "time_zone: EST\n" + fmt.Sprintf(us, "Mar", 2, "11", 1), "America/New_York America/Toronto", "which is the clock of"},
		{"the factory's rule, of before 2007", "time_zone: PST\n", "America/Los_Angeles America/Vancouver", "that no zone has now"},
		{"no summer time", "time_zone: JST\ndst_auto_adjust: 0\n", "Asia/Tokyo Asia/Seoul", "which is the clock of"},
		{"the southern hemisphere", "time_zone: NZST\n" + fmt.Sprintf(us, "September", 8, "April", 1), "Pacific/Auckland", "which is the clock of"},
		{"a name for which no zone is known", "time_zone: IDL\n", "", "set time.zone by hand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := read(t, folderOf(files("SIPDefault.cnf", c.text)), adopt.Options{Site: present()})
			if got := strings.Join(p.Zones, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if p.Site.Time.Zone != "UTC" {
				t.Errorf("the zone was set to %s, it should only be suggested", p.Site.Time.Zone)
			}
			mentions(t, verdict(t, p, "SIPDefault.cnf"), c.has)
		})
	}
}

func TestProxiesOfLines(t *testing.T) {
	lines := "line1_name: a\nline2_name: b\nline3_name: c\n"
	for _, c := range []struct {
		name, defaults, text string
		want                 []string // proxy:port of each line
	}{
		{"none", "proxy1_address: p.example.com", "", []string{":0", ":0", ":0"}},
		{"the same", "proxy1_address: p.example.com", "proxy1_address: P.example.com\nproxy1_port: 5060\n", []string{":0", ":0", ":0"}},
		{"line 1 has another, which the others inherit", "proxy1_address: p.example.com", "proxy1_address: q.example.com\nproxy1_port: 5070\n", []string{"q.example.com:5070", "q.example.com:5070", "q.example.com:5070"}},
		{"line 2 has another", "proxy1_address: p.example.com", "proxy2_address: q.example.com\n", []string{":0", "q.example.com:0", ":0"}},
		{"SIPDefault.cnf has one for line 2", "proxy1_address: p.example.com\nproxy2_address: r.example.com", "proxy1_address: q.example.com\nproxy2_address: r.example.com", []string{"q.example.com:0", ":0", "q.example.com:0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := read(t, folderOf(files("SIPDefault.cnf", c.defaults, one, lines+c.text)), adopt.Options{Site: present()})
			var got []string
			for _, l := range p.Site.Phones[0].Lines {
				got = append(got, fmt.Sprintf("%s:%d", l.Proxy, l.Port))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	text := "proxy1_address: \"sip.example.com\"\nproxy1_port: 5080\nline1_name: 1777\n"
	p := read(t, folderOf(files(one, text, "SIP0006D7AA2A2F.cnf", text)), adopt.Options{Site: present()})
	if p.Site.SIP.Proxy != "sip.example.com" || p.Site.SIP.Port != 5080 || p.Site.Phones[0].Lines[0].Proxy != "" {
		t.Errorf("a proxy that all phones name should be the site's: got %+v", p.Site.SIP)
	}
	p = read(t, folderOf(files(one, "proxy1_address: USECALLMANAGER\nline1_name: 1\n")), adopt.Options{Site: present()})
	if p.Site.Phones[0].Parameters["proxy1_address"] != "USECALLMANAGER" {
		t.Errorf("USECALLMANAGER is not kept: %+v", p.Site.Phones[0])
	}
}

func TestWhatTheSiteCanNotTakeIsLeftOutAndNamed(t *testing.T) {
	root := files(
		"SIPDefault.cnf", "proxy1_address: not/a/host\npreferred_codec: g711alaw\n",
		one, "phone_label: \"Front\"\nline1_name: \"two words\"\nline1_displayname: A\nline2_name: 209\nline2_displayname: "+strings.Repeat("x", 31)+"\n",
		"SIP010000000001.cnf", "line1_name: 1\n",
		"directory.xml", "<CiscoIPPhoneDirectory><DirectoryEntry><Name>A</Name><Telephone>1;2</Telephone></DirectoryEntry></CiscoIPPhoneDirectory>",
	)
	p := read(t, folderOf(root), adopt.Options{Site: present()})
	mentions(t, verdict(t, p, "SIPDefault.cnf"), `sip.proxy was left out: found "not/a/host"`)
	mentions(t, verdict(t, p, one), `name of line 1 of the phone was left out: found "two words"`)
	mentions(t, verdict(t, p, "SIP010000000001.cnf"), "refused: no phone has the MAC 01:00:00:00:00:01")
	mentions(t, verdict(t, p, "directory.xml"), `found the number "1;2"`)
	if len(p.Added) != 1 || len(p.Site.Phones) != 1 || len(p.Site.Phones[0].Lines) != 1 || p.Site.Phones[0].Lines[0].Name != "209" || p.Site.SIP.Proxy != "" || p.Site.SIP.Parameters["preferred_codec"] != "g711alaw" {
		t.Errorf("got %+v %+v", p.Site.SIP, p.Site.Phones)
	}
}

func TestLinksEscapesAndDamageAreRefused(t *testing.T) {
	link := &tar.Header{Name: "tftpboot/SIPDefault.cnf", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}
	out := &tar.Header{Name: "../../etc/cron.d/x", Typeflag: tar.TypeReg}
	p := read(t, archive(t, tarOf(t, files(one, "line1_name: 1\n"), link, out)), adopt.Options{Site: present()})
	if v := verdict(t, p, link.Name); v.Verdict != adopt.VerdictRefused {
		t.Errorf("a link: %s", said(v))
	}
	if v := verdict(t, p, out.Name); v.Verdict != adopt.VerdictRefused {
		t.Errorf("a path out of the folder: %s", said(v))
	}
	if len(p.Added) != 1 {
		t.Errorf("the phone beside them was not read: %s", p.Summary())
	}
	whole := gzipOf(t, tarOf(t, oldRoot(t)))
	for _, cut := range []int{20, len(whole) / 2, len(whole) - 9} {
		src, err := adopt.Archive("x", bytes.NewReader(whole[:cut]), int64(cut))
		if err == nil {
			_, err = adopt.Read(src, adopt.Options{})
		}
		if err == nil {
			t.Errorf("an archive that was cut off after %d of %d bytes was read", cut, len(whole))
		}
	}
	if _, err := adopt.Archive("x", strings.NewReader("hello"), 5); err == nil {
		t.Error("a text was taken for an archive")
	}
}

func TestTheBoundsOfASourceHold(t *testing.T) {
	many := fstest.MapFS{}
	for i := range adopt.MaxFiles + 1 {
		many[fmt.Sprintf("f%d", i)] = &fstest.MapFile{}
	}
	if _, err := adopt.Read(adopt.Folder(many), adopt.Options{}); err == nil {
		t.Error("too many files were read")
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "big.bin", Size: adopt.MaxFile + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeroReader{}, adopt.MaxFile+1); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p := read(t, archive(t, gzipOf(t, b.Bytes())), adopt.Options{Site: present()})
	if v := verdict(t, p, "big.bin"); v.Verdict != adopt.VerdictRefused {
		t.Errorf("a file that is too long: %s", said(v))
	}
	b.Reset()
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: "huge.bin", Size: adopt.MaxTotal + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := adopt.Read(archive(t, b.Bytes()), adopt.Options{}); err == nil {
		t.Error("an archive that claims too much was read")
	}
}

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestFilesThatChangeInBetweenAreNotStored(t *testing.T) {
	root := fstest.MapFS{"P0S30203.bin": {Data: []byte("an image")}}
	p := read(t, adopt.Folder(root), adopt.Options{Site: present()})
	root["P0S30203.bin"] = &fstest.MapFile{Data: []byte("another image")}
	err := p.Each(func(_ adopt.Stored, r io.Reader) error {
		_, err := io.ReadAll(r)
		return err
	})
	if err == nil {
		t.Error("a file that changed since the dry run was stored")
	}
	gone := errors.New("disk full")
	root["P0S30203.bin"] = &fstest.MapFile{Data: []byte("an image")}
	if err := p.Each(func(adopt.Stored, io.Reader) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("got %v, want the error of the store", err)
	}
}

func TestAFolderOnDiskWithALinkIsRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := writeFile(dir, name, text); err != nil {
			t.Fatal(err)
		}
	}
	write("SIPDefault.cnf", "proxy1_address: 10.77.0.10\n")
	if err := symlink(dir, "SIPDefault.cnf", one); err != nil {
		t.Fatal(err)
	}
	root, err := openRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var fsys fs.FS = root.FS()
	p := read(t, adopt.Folder(fsys), adopt.Options{Site: present()})
	if v := verdict(t, p, one); v.Verdict != adopt.VerdictRefused || p.Site.SIP.Proxy != "10.77.0.10" {
		t.Errorf("a link on the disk: %s", said(v))
	}
}
