package assemble

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/provision"
)

// plug lays a disk into a made-up /sys/block.
func plug(t *testing.T, sys, name, removable, seq string, parts ...string) {
	t.Helper()
	files := map[string]string{"removable": removable, "diskseq": seq}
	for _, p := range parts {
		files[p+"/partition"] = "1"
	}
	for f, content := range files {
		path := filepath.Join(sys, name, f)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStickIsLookedAtOnceEachTimeItIsPluggedIn(t *testing.T) {
	sys := t.TempDir()
	var mounted []string
	mounts := 0
	s := &sticks{
		sysBlock: sys, seen: map[string]string{},
		mount: func(device, dir string) error {
			mounted = append(mounted, device)
			if device == "/dev/sdb" {
				return errors.New("no file system")
			}
			mounts++
			if device == "/dev/sda2" {
				return errors.Join(os.Mkdir(filepath.Join(dir, "phonebox"), 0o755), os.WriteFile(filepath.Join(dir, resetFile), nil, 0o644))
			}
			return nil
		},
		unmount: func(dir string) error { mounts--; return os.RemoveAll(filepath.Join(dir, "phonebox")) },
	}
	check := func(step string, want bool, wantErr bool, devices ...string) {
		t.Helper()
		mounted = nil
		found := false
		err := s.look(func(dir string) error {
			if _, err := os.Stat(filepath.Join(dir, resetFile)); err == nil {
				found = true
			}
			return nil
		})
		if found != want || (err != nil) != wantErr || len(mounted) != len(devices) || mounts != 0 {
			t.Errorf("%s: found %t (%v), looked at %v, %d left mounted; want %t and %v", step, found, err, mounted, mounts, want, devices)
		}
	}
	check("nothing plugged in", false, false)
	plug(t, sys, "sdc", "0", "1", "sdc1")
	check("a built-in disk", false, false)
	plug(t, sys, "sda", "1", "2", "sda1", "sda2")
	check("a stick with the file", true, false, "/dev/sda1", "/dev/sda2")
	check("the same stick, still there", false, false)
	plug(t, sys, "sda", "1", "3", "sda1", "sda2")
	check("plugged in again", true, false, "/dev/sda1", "/dev/sda2")
	plug(t, sys, "sdb", "1", "4")
	check("a stick without partitions that cannot be read", false, true, "/dev/sdb")
	check("it is not tried again and again", false, false)
	plug(t, sys, "sdb", "1", "4", "sdb1")
	check("its partition shows up a moment later", false, false, "/dev/sdb1")
}

// makeStick lays the folder of a stick out.
func makeStick(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, "phonebox", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	listOfPhones = "MAC;Label;Extension;Password\n0006D7000001;Kitchen;301;secret-301\n"
	oldPhone     = "line1_name: 302\nline1_authname: 302\nline1_password: secret-302\nnat_enabel: 1\nphone_label: \"Attic\"\n"
)

// take does what plugging a stick in does.
func take(t *testing.T, b *Box, dir string) {
	t.Helper()
	files, err := b.takeStick(dir)
	if err != nil {
		t.Fatal(err)
	}
	b.doStick(t.Context(), files)
}

// A stick is imported by itself only while no password is set; later it waits for a yes.
func TestAStickBringsPhones(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	run(t, b)
	take(t, b, makeStick(t, map[string]string{"phones.csv": listOfPhones, "old/SIP0006D7000002.cnf": oldPhone, "RINGLIST.DAT": "Bell\tbell.raw\n"}))
	s := b.current().site
	if len(s.Phones) != 3 {
		t.Fatalf("the site lists %d phones, want 3", len(s.Phones))
	}
	if texts := boxTexts(b); !strings.Contains(texts, "phones.csv of a USB stick was imported") || strings.Contains(texts, "secret-30") {
		t.Errorf("the box's timeline says %s", texts)
	}
	if err := (secrets{b.store}).SetPassword("hash"); err != nil {
		t.Fatal(err)
	}
	take(t, b, makeStick(t, map[string]string{"more.csv": strings.ReplaceAll(listOfPhones, "0006D7000001", "0006D7000003")}))
	waiting := b.shop.Waiting()
	if len(waiting) != 1 || !waiting[0].Dry || len(b.current().site.Phones) != 3 || strings.Contains(waiting[0].Site, "secret-30") {
		t.Fatalf("with a password %d imports wait and the site lists %d phones, want 1 and 3", len(waiting), len(b.current().site.Phones))
	}
	if _, err := b.shop.Decide(t.Context(), waiting[0].ID, true); err != nil {
		t.Fatal(err)
	}
	if n := len(b.current().site.Phones); n != 4 || len(b.shop.Waiting()) != 0 {
		t.Errorf("after the yes the site lists %d phones and %d imports wait, want 4 and 0", n, len(b.shop.Waiting()))
	}
	if left, _ := os.ReadDir(filepath.Join(data, importDir)); len(left) != 0 {
		t.Errorf("%d uploads were left behind", len(left))
	}
}

// boxTexts are the sentences of the box's own timeline.
func boxTexts(b *Box) string {
	var out []string
	for _, e := range b.journal.Events(phone.MAC{}) {
		out = append(out, e.Text)
	}
	return strings.Join(out, "\n")
}

// What is imported is shown first, and read against the site as it is when the yes comes.
func TestAnUploadIsShownAndThenImported(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	report, err := b.shop.Import(t.Context(), "phones.csv", strings.NewReader(listOfPhones), true)
	if err != nil || !report.Dry || len(b.current().site.Phones) != 1 || len(b.shop.Waiting()) != 0 {
		t.Fatalf("the dry run gave %+v, %v", report, err)
	}
	if _, err := b.shop.Decide(t.Context(), report.ID, false); err != nil || len(b.current().site.Phones) != 1 {
		t.Errorf("after a no the site lists %d phones (%v), want 1", len(b.current().site.Phones), err)
	}
	if _, err := b.shop.Decide(t.Context(), report.ID, true); err == nil {
		t.Error("an import that was declined was done")
	}
	if report, err = b.shop.Import(t.Context(), "people.vcf", strings.NewReader("BEGIN:VCARD\nVERSION:3.0\nFN:Anna\nTEL:555\nEND:VCARD\n"), false); err != nil || len(b.current().site.Contacts) != 1 {
		t.Errorf("the contacts gave %+v, %v and %v", report, err, b.current().site.Contacts)
	}
	if _, err = b.shop.Import(t.Context(), "broken.zip", strings.NewReader("no archive"), true); err == nil {
		t.Error("what is no archive was taken")
	}
	content, name, kind, err := b.shop.ExportPhones("csv", false)
	if err != nil || name != "phones.csv" || !strings.HasPrefix(kind, "text/csv") || !strings.Contains(string(content), "Front desk") || strings.Contains(string(content), "geheim") {
		t.Errorf("the export is %q of %s (%v)", content, kind, err)
	}
}

// A stick does not take the room that is kept for the leases.
func TestAStickLeavesRoomOnTheCard(t *testing.T) {
	stick, to := makeStick(t, map[string]string{"a.raw": ringOf(2400)}), t.TempDir()
	_, err := copyFolder(filepath.Join(stick, stickFolder), to, func() int64 { return 2399 })
	if !errors.Is(err, provision.ErrNoRoom) {
		t.Errorf("with room for one byte less: %v", err)
	}
	if n, err := copyFolder(filepath.Join(stick, stickFolder), t.TempDir(), func() int64 { return 2400 }); err != nil || n != 1 {
		t.Errorf("with just enough room: %d files, %v", n, err)
	}
}
