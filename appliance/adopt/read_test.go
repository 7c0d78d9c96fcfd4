package adopt_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
	"phonebox/services/phone"
)

var update = flag.Bool("update", false, "write the golden files anew")

// present is the site into which the tests import.
func present() *site.Site {
	s := site.Default()
	s.Network.Address = netip.MustParsePrefix("10.77.0.1/16")
	s.DHCP.Pool = []site.Range{{First: netip.MustParseAddr("10.77.1.1"), Last: netip.MustParseAddr("10.77.3.250")}}
	return s
}

// oldRoot is the folder of a server that was in use for years: testdata/tftpboot, whose files are made for this test,
// with synthetic firmware and what no checkout can hold.
func oldRoot(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := os.DirFS("testdata/tftpboot")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(files, phone.MakeBundle("P0S3-8-12-00", 2000, 3000))
	files["P0S30203.bin"] = phone.MakeBundle("P0S30203", 0, 1000)["P0S30203.bin"]
	files["firmware/P003-8-12-00.bin"] = []byte("another one")
	files["apps41.8-5-4TH1-6.sbn"] = []byte("of a 7941")
	files["sipdefault.cnf"] = []byte("proxy1_address: wrong\n")
	return files
}

func folderOf(files map[string][]byte) adopt.Source {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: content, Mode: 0o644}
	}
	return adopt.Folder(m)
}

func zipOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create("tftpboot/" + name)
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

func tarOf(t *testing.T, files map[string][]byte, extra ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range extra {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := w.WriteHeader(&tar.Header{Name: "./tftpboot/" + name, Size: int64(len(files[name])), Mode: 0o644})
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(content)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func archive(t *testing.T, content []byte) adopt.Source {
	t.Helper()
	src, err := adopt.Archive("upload", bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// report writes a plan as people read it; top is taken off the paths.
func report(p *adopt.Plan, top string) string {
	var b strings.Builder
	fmt.Fprintln(&b, p.Summary())
	for _, v := range p.Verdicts {
		fmt.Fprintf(&b, "\n%s\n  %s: %s\n", strings.TrimPrefix(v.Where, top), v.Verdict, v.Text)
		for _, w := range v.Warnings {
			fmt.Fprintf(&b, "  - %s\n", w)
		}
	}
	fmt.Fprintln(&b, "\nstored:")
	for _, f := range p.Files {
		fmt.Fprintf(&b, "  %s: %s, %q, %d bytes\n", f.Verdict, f.Name, f.Title, f.Size)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (-update writes it anew); got:\n%s", file, got)
	}
}

func read(t *testing.T, src adopt.Source, opts adopt.Options) *adopt.Plan {
	t.Helper()
	p, err := adopt.Read(src, opts)
	if err != nil {
		t.Fatal(err)
	}
	valid(t, p.Site)
	return p
}

// valid fails unless the site can be saved and read again.
func valid(t testing.TB, s *site.Site) {
	t.Helper()
	_, faults := site.Parse(s.TOML(true), site.Catalogue())
	for _, f := range faults {
		if !f.Warning {
			t.Errorf("the site is at fault: %s", f)
		}
	}
}

func TestAnOldTFTPRootBecomesASite(t *testing.T) {
	before := present()
	text := string(before.TOML(true))
	p := read(t, folderOf(oldRoot(t)), adopt.Options{Site: before})
	if string(before.TOML(true)) != text {
		t.Error("the present site was changed")
	}
	golden(t, "root.txt", report(p, ""))
	golden(t, "root.toml", string(p.Site.TOML(true)))
	if strings.Contains(report(p, ""), "geheim") || strings.Contains(report(p, ""), "abc123") {
		t.Error("a verdict holds a password")
	}
}

func TestArchivesOfAnOldRootReadLikeTheFolder(t *testing.T) {
	files := oldRoot(t)
	want := report(read(t, folderOf(files), adopt.Options{Site: present()}), "")
	tarball := tarOf(t, files)
	for name, content := range map[string][]byte{"zip": zipOf(t, files), "tar": tarball, "tar.gz": gzipOf(t, tarball)} {
		t.Run(name, func(t *testing.T) {
			p := read(t, archive(t, content), adopt.Options{Site: present()})
			got := strings.ReplaceAll(report(p, ""), "\n./", "\n")
			if got = strings.ReplaceAll(got, "\ntftpboot/", "\n"); got != want {
				t.Errorf("got:\n%s", got)
			}
			stored := map[string]string{}
			var order []string
			err := p.Each(func(f adopt.Stored, content io.Reader) error {
				b, err := io.ReadAll(content)
				stored[f.Where] = string(b)
				order = append(order, f.Name)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range p.Files {
				where := strings.TrimPrefix(strings.TrimPrefix(f.Where, "./"), "tftpboot/")
				if stored[f.Where] != string(files[where]) {
					t.Errorf("%s was not handed on as it is", f.Where)
				}
			}
			if len(stored) != len(p.Files) || order[len(order)-1] != "P0S3-8-12-00.loads" {
				t.Errorf("handed on %d of %d files, the last is %s, wanted the .loads list", len(stored), len(p.Files), order[len(order)-1])
			}
		})
	}
}
