package provision_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
	"phonebox/services/provision"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// The page shows what is inside of each image, to which loads it belongs, and what is there twice.
func TestImages(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	old := phone.MakePayload("P0S30203", "PAS3ARM1", 3000)
	files := with(whole, map[string][]byte{
		"P0S30203.bin": old, "P0S30202.bin": old, "P0S3-8-11-00.sb2": whole[target+".sb2"], "backup/" + target + ".sb2": whole[target+".sb2"], "bell.raw": ring(),
	})
	p, dir := start(t, office(), newWorld(), files)
	renamed := "it was renamed: the image inside is " + target + ".sb2, and phones refuse it under another name"
	want := []provision.FirmwareImage{
		{Name: "P003-8-12-00.bin", LoaderID: "PAS30830", Loads: []string{target}},
		{Name: "P003-8-12-00.sbn", Inside: "P003-8-12-00.sbn", LoaderID: "PAS30830", Loads: []string{target}},
		{Name: "P0S3-8-11-00.sb2", Loads: []string{"P0S3-8-11-00"}, Fault: renamed, Same: []string{target + ".sb2", "backup/" + target + ".sb2"}},
		{Name: target + ".loads", Inside: target + ".loads", LoaderID: "PAS30830", Loads: []string{target}},
		{Name: target + ".sb2", Inside: target + ".sb2", LoaderID: "PAS3ARM1", Loads: []string{target}, Same: []string{"P0S3-8-11-00.sb2", "backup/" + target + ".sb2"}},
		{Name: "P0S30202.bin", Loads: []string{"P0S30202"}, Fault: "it was renamed: the image inside is P0S30203", Same: []string{"P0S30203.bin"}},
		{Name: "P0S30203.bin", LoaderID: "PAS3ARM1", Loads: []string{"P0S30203"}, Same: []string{"P0S30202.bin"}},
		{
			Name: "backup/" + target + ".sb2", Inside: target + ".sb2", LoaderID: "PAS3ARM1", Loads: nil,
			Fault: "it lies in a folder, and phones ask for firmware outside of folders only", Same: []string{"P0S3-8-11-00.sb2", target + ".sb2"},
		},
	}
	for i, img := range want {
		want[i].Size, want[i].SHA256 = int64(len(files[img.Name])), sum(files[img.Name])
	}
	if diff := cmp.Diff(want, p.Images()); diff != "" {
		t.Error(diff)
	}
	// A file that changed is summed anew.
	put(t, dir, map[string][]byte{"P0S30202.bin": append(slices.Clone(old), 1)})
	if err := p.Rescan(); err != nil {
		t.Fatal(err)
	}
	if img := p.Images()[5]; img.SHA256 != sum(append(slices.Clone(old), 1)) || img.Same != nil {
		t.Errorf("the changed file is %+v", img)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	p, dir := start(t, office(), newWorld(), with(bundle(target), map[string][]byte{"SIPDefault.cnf": {1}, "bell.raw": ring()}))
	for _, name := range []string{"", "SIPDefault.cnf", "bell.raw", "../" + filepath.Base(dir) + "/" + target + ".sb2", strings.ToLower(target) + ".sb2", "P0S30203.bin"} {
		if err := p.Remove(name); err == nil || !strings.Contains(err.Error(), "there is no firmware file") {
			t.Errorf("removing %q: %v", name, err)
		}
	}
	if err := p.Remove(target + ".sb2"); err != nil {
		t.Fatal(err)
	}
	if loads := p.Loads(); len(loads) != 1 || !slices.Equal(loads[0].Missing, []string{target + ".sb2"}) {
		t.Errorf("loads %+v", loads)
	}
	if _, err := os.Stat(filepath.Join(dir, target+".sb2")); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if a, _ := ask(t, p, provision.Query{Name: target + ".loads", From: receptionAt}); a.Status != provision.Missing {
		t.Errorf("the rest of the load is still sent: %+v", a)
	}
}

// The ladder plans with what is there and whole.
func TestShelfForTheLadder(t *testing.T) {
	t.Parallel()
	old := bundle("P0S3-05-3-00")
	files := with(with(bundle(target), without(old, "P0S3-05-3-00.sbn")), bundle("P0S30203"))
	files = with(files, map[string][]byte{"P00305000500.sbn": bundle("P00305000500")["P00305000500.sbn"][:300]})
	p, _ := start(t, office(), newWorld(), files)
	want := ladder.Shelf{
		{Name: "P00305000500", Missing: []string{"P00305000500.sbn (it is damaged: the signature header should have 404 bytes, but the file ends after 300)"}},
		{Name: "P0S3-05-3-00", Files: []string{"P0S3-05-3-00.bin"}},
		{Name: target, Files: []string{"P003-8-12-00.bin", "P003-8-12-00.sbn", target + ".loads", target + ".sb2"}, Loader: "P003-8-12-00"},
		{Name: "P0S30203", Files: []string{"P0S30203.bin"}},
	}
	if diff := cmp.Diff(want, p.Shelf()); diff != "" {
		t.Error(diff)
	}
	if a, _ := ask(t, p, provision.Query{Name: "P0S3-05-3-00.bin", From: laptopAt}); a.Status != provision.OK {
		t.Errorf("the unsigned image alone: %+v", a)
	}
}

// Every file that is cut off is told as that, wherever the cut is, and its load is not offered.
func TestTruncatedFirmware(t *testing.T) {
	t.Parallel()
	whole := phone.MakeBundle(target, 130_552, 756_120)
	list := whole[target+".loads"]
	for _, tt := range []struct {
		about, name string
		content     []byte
		why         string
	}{
		{"an application before its header ends", target + ".sb2", whole[target+".sb2"][:403], "should have 404 bytes"},
		{"an application before its id ends", target + ".sb2", whole[target+".sb2"][:404+0x127], "it ends after 699 bytes, of which its header alone has 404"},
		{"an application after a few blocks", target + ".sb2", whole[target+".sb2"][:20*512], "no image of these phones is known to have less than 65536"},
		{"an unsigned loader after a few blocks", "P003-8-12-00.bin", whole["P003-8-12-00.bin"][:5120], "less than 65536"},
		{"a list within the second name", target + ".loads", list[:404+17+9], `the middle of the name "P0S3-8-12"`},
		{"a list after the first name", target + ".loads", list[:404+17], "not name both"},
		{"a list after the second name", target + ".loads", list[:404+17+17], "LA_VERSION at its end is missing"},
		{"a list within LA_VERSION", target + ".loads", list[:len(list)-13], `the middle of the name "LA_VERS"`},
		{"a list within the id", target + ".loads", list[:len(list)-3], "LA_VERSION at its end is not whole"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			dir := t.TempDir()
			put(t, dir, with(whole, map[string][]byte{tt.name: tt.content}))
			p, err := provision.New(office(), provision.Deps{Dir: dir, Observer: w, Guard: w, Log: discard, Released: w.release})
			if err != nil {
				t.Fatal(err)
			}
			if loads := p.Loads(); len(loads) != 1 || len(loads[0].Missing) == 0 || !strings.Contains(strings.Join(loads[0].Missing, " "), tt.why) {
				t.Errorf("loads %+v, want %q", loads, tt.why)
			}
			if a, _ := ask(t, p, provision.Query{Name: target + ".loads", From: receptionAt}); a.Status != provision.Missing || !strings.Contains(a.Why, tt.name) {
				t.Errorf("the list: %+v", a)
			}
			verdicts, err := p.Add(tt.name, bytes.NewReader(tt.content))
			if err != nil || len(verdicts) != 1 || verdicts[0].OK || !strings.Contains(verdicts[0].Why, tt.why) {
				t.Errorf("uploaded: %+v, %v", verdicts, err)
			}
		})
	}
	// The whole one without the line's end at its end is whole: what ends it is not confirmed.
	w := newWorld()
	dir := t.TempDir()
	put(t, dir, with(whole, map[string][]byte{target + ".loads": bytes.TrimRight(list, "\n")}))
	p, err := provision.New(office(), provision.Deps{Dir: dir, Observer: w, Guard: w, Log: discard, Released: w.release})
	if err != nil || len(p.Loads()[0].Missing) != 0 {
		t.Errorf("loads %+v, %v", p.Loads(), err)
	}
}

// A loader that is there unsigned and signed is the same image; the shorter one is cut off.
func TestUnsignedAndSignedLoaderAreCompared(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	for name, want := range map[string]string{
		"P003-8-12-00.bin": "P003-8-12-00.bin (it is cut off: P003-8-12-00.sbn holds 100 bytes more of the same image)",
		"P003-8-12-00.sbn": "P003-8-12-00.sbn (it is cut off: P003-8-12-00.bin holds 100 bytes more of the same image)",
	} {
		cut := whole[name][:len(whole[name])-100]
		p, _ := start(t, office(), newWorld(), with(whole, map[string][]byte{name: cut}))
		loads := p.Loads()
		if len(loads) != 1 || !slices.Equal(loads[0].Missing, []string{want}) || slices.Contains(loads[0].Files, name) {
			t.Errorf("%s: loads %+v", name, loads)
		}
	}
}

// What is there already is not stored again, and the file keeps its time.
func TestUploadOfTheSame(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	p, dir := start(t, office(), newWorld(), whole)
	before, err := os.Stat(filepath.Join(dir, target+".sb2"))
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := p.Add("all.zip", bytes.NewReader(zipOf(t, whole)))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if !v.OK || !strings.Contains(v.Why, "it is there already") {
			t.Errorf("verdict %+v", v)
		}
	}
	if after, err := os.Stat(filepath.Join(dir, target+".sb2")); err != nil || !after.ModTime().Equal(before.ModTime()) || !os.SameFile(before, after) {
		t.Errorf("it was stored again: %v", err)
	}
}
