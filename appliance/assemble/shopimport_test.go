package assemble

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// rootZip is an archive of a TFTP root; pairs are a name and its content.
func rootZip(t *testing.T, pairs ...string) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, err := z.Create(pairs[i])
		if err == nil {
			_, err = w.Write([]byte(pairs[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func ringOf(samples int) string { return strings.Repeat("U", samples) }

// The dry run knows what the shelf will refuse, and what was refused counts as left out and is told once.
func TestAnImportTellsWhatTheShelfRefuses(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	files := []string{"P0S3-8-12-00.sb2", "cut off", "bell.raw", ringOf(2400), "SIP0006D7000002.cnf", oldPhone}
	for _, dry := range []bool{true, false} {
		r, err := b.shop.Import(t.Context(), "root.zip", rootZip(t, files...), dry)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, v := range r.Verdicts {
			if v.Where == "P0S3-8-12-00.sb2" {
				n++
				if v.Verdict != "refused" || !strings.Contains(v.Text, "signature") {
					t.Errorf("dry %v: the cut image is %s: %s", dry, v.Verdict, v.Text)
				}
			}
		}
		if n != 1 || r.Summary != "1 phone added, 1 file stored, 1 left out." {
			t.Errorf("dry %v: %d verdicts for the cut image, and %q", dry, n, r.Summary)
		}
	}
}

// An import that ends half way leaves the site as it was and says what was stored, without a word of the disk's paths.
func TestAnImportThatEndsHalfWay(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	run(t, b)
	if err := os.MkdirAll(filepath.Join(data, "tftp", "b.raw", "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := b.current().etag
	_, err := b.shop.Import(t.Context(), "root.zip", rootZip(t, "a.raw", ringOf(2400), "b.raw", ringOf(2400), "SIP0006D7000002.cnf", oldPhone), false)
	var public *web.PublicError
	if !errors.As(err, &public) || !strings.Contains(public.Text, "The settings are as they were") || !strings.Contains(public.Text, "a.raw") || strings.Contains(public.Text, "rename") {
		t.Errorf("the import said %v", err)
	}
	if b.current().etag != before {
		t.Error("the site changed")
	}
	if left, _ := os.ReadDir(filepath.Join(data, importDir)); len(left) != 0 {
		t.Errorf("%d uploads were left behind", len(left))
	}
}

func TestAnUploadThatCannotBeKept(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	run(t, b)
	if err := os.WriteFile(filepath.Join(data, importDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := b.shop.Import(t.Context(), "phones.csv", strings.NewReader(listOfPhones), true)
	var public *web.PublicError
	if !errors.As(err, &public) || !strings.Contains(public.Text, "could not write its card") || strings.Contains(public.Text, data) {
		t.Errorf("the upload said %v", err)
	}
}

// Imports that meet each other are all done: each is read again against the site that the other left.
func TestImportsAtTheSameTime(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	const imports = 4
	before := len(b.current().site.Phones)
	var wg sync.WaitGroup
	for i := range imports {
		wg.Go(func() {
			list := strings.ReplaceAll(listOfPhones, "0006D7000001", fmt.Sprintf("0006D70000%02d", 10+i))
			if _, err := b.shop.Import(t.Context(), "phones.csv", strings.NewReader(list), false); err != nil {
				t.Errorf("import %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := len(b.current().site.Phones) - before; n != imports {
		t.Errorf("%d phones were added, want %d", n, imports)
	}
}

// What a stick brought waits for its yes, however many uploads are looked at meanwhile.
func TestUploadsDoNotDropWhatAStickBrought(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	run(t, b)
	if err := (secrets{b.store}).SetPassword("hash"); err != nil {
		t.Fatal(err)
	}
	take(t, b, makeStick(t, map[string]string{"phones.csv": listOfPhones}))
	var last web.ImportReport
	for range 3 * maxPending {
		var err error
		if last, err = b.shop.Import(t.Context(), "more.csv", strings.NewReader(listOfPhones), true); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.shop.Waiting()) != 1 {
		t.Error("the import from the stick is gone")
	}
	if left, _ := os.ReadDir(filepath.Join(data, importDir)); len(left) != maxPending {
		t.Errorf("%d uploads are kept, want %d", len(left), maxPending)
	}
	if _, err := b.shop.Decide(t.Context(), last.ID, true); err != nil {
		t.Errorf("the last upload: %v", err)
	}
	mac, _ := phone.ParseMAC("0006D7000001")
	if b.index.Load().byMAC[mac] == nil {
		t.Error("the phone of the last upload is not listed")
	}
}
