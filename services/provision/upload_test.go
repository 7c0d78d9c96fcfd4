package provision_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

func zipOf(t testing.TB, files map[string][]byte) []byte {
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

func tarOf(t testing.TB, files map[string][]byte, compress bool) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = struct {
		io.Writer
		io.Closer
	}{&b, io.NopCloser(nil)}
	if compress {
		w = gzip.NewWriter(&b)
	}
	a := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := a.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(files[name])), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = a.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func in(folder string, files map[string][]byte) map[string][]byte {
	c := map[string][]byte{}
	for name, content := range files {
		c[folder+name] = content
	}
	return c
}

func TestUploadOfAWholeLoad(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	for about, upload := range map[string][]byte{
		"zip":                zipOf(t, whole),
		"zip with folders":   zipOf(t, with(in("fw/8.12/", whole), map[string][]byte{"fw/__": nil, "__MACOSX/._x": {1}, "fw/.DS_Store": {1}})),
		"zip with dot dot":   zipOf(t, in("../../", whole)),
		"tar":                tarOf(t, whole, false),
		"tar.gz":             tarOf(t, in("./deep/down/", whole), true),
		"tar.gz with slash":  tarOf(t, in("/etc/", whole), true),
		"zip with backslash": zipOf(t, in(`fw\`, whole)),
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			p, dir := start(t, office(), newWorld(), nil)
			verdicts, err := p.Add("whatever.name", bytes.NewReader(upload))
			if err != nil {
				t.Fatal(err)
			}
			ok := 0
			for _, v := range verdicts {
				if v.OK {
					ok++
				}
			}
			if ok != len(whole) {
				t.Errorf("verdicts %+v", verdicts)
			}
			for name, want := range whole {
				a, got := ask(t, p, provision.Query{Name: name, From: laptopAt})
				if a.Status != provision.OK || got != string(want) {
					t.Errorf("%s: %+v", name, a)
				}
			}
			if names := namesIn(t, dir); !slices.Equal(names, slices.Sorted(maps.Keys(whole))) {
				t.Errorf("the folder holds %v", names)
			}
		})
	}
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestUploadVerdicts(t *testing.T) {
	t.Parallel()
	whole, old := bundle(target), phone.MakeBundle("P0S30203", 0, 100_000)
	for _, tt := range []struct {
		about, name string
		content     []byte
		ok          bool
		why         string
	}{
		{"an image", target + ".sb2", whole[target+".sb2"], true, "stored as"},
		{"a name in another case gets its own", strings.ToLower(target) + ".SB2", whole[target+".sb2"], true, "stored as " + target + ".sb2"},
		{"an unsigned loader", "P003-8-12-00.bin", whole["P003-8-12-00.bin"], true, "stored as"},
		{"a ring", "bell.raw", []byte{1}, true, "stored as"},
		{"an own file", "SIP0006D7AA2A2E.cnf", []byte("x"), true, "stored as"},
		{"with a folder", "C:\\fw\\dialplan.xml", []byte("x"), true, "stored as dialplan.xml"},
		{"an unsigned image", "P0S30203.bin", old["P0S30203.bin"], true, "stored as"},
		{"an unsigned image in the other spelling", "P0S3-02-3-00.bin", old["P0S30203.bin"], true, "stored as"},
		{"an unsigned image that bears no name", "P0S3-04-4-00.bin", bytes.Repeat([]byte{7}, 100_000), true, "stored as"},
		{"a renamed unsigned image", "P0S3-04-4-00.bin", old["P0S30203.bin"], false, "renamed: the image inside is P0S30203"},
		{"renamed", "P0S3-8-11-00.sb2", whole[target+".sb2"], false, "the image inside is " + target + ".sb2"},
		{"a renamed list", "P0S3-8-11-00.loads", whole[target+".loads"], false, "renamed"},
		{"not signed", "P003-8-12-00.sbn", whole["P003-8-12-00.bin"], false, "not a signed image"},
		{"cut off in the header", target + ".sb2", whole[target+".sb2"][:200], false, "404 bytes"},
		{"cut off after the header", target + ".sb2", whole[target+".sb2"][:404], false, "cut off"},
		{"a list without files", target + ".loads", whole[target+".loads"][:404], false, "names no file"},
		{"a list that is none", target + ".loads", []byte("P003-8-12-00.sbn\n"), false, "header"},
		{"a logo that is cut off", "logo.bmp", phone.WriteLogo("x")[:2000], false, "damaged"},
		{"a logo", "logo.bmp", phone.WriteLogo("x"), true, "stored"},
		{"empty", "bell.raw", nil, false, "empty"},
		{"too long", "bell.raw", make([]byte, 16<<20+1), false, "longer"},
		{"a trust list", "CTLSEP0006D7AA2A2E.tlv", []byte{1}, false, "never sent"},
		{"another thing", "setup.exe", []byte("MZ"), false, "no firmware"},
		{"a hidden file", ".bashrc", []byte("x"), false, "not a file name"},
		{"an upload's own name", ".upload-x.raw", []byte("x"), false, "not a file name"},
		{"no name", "", []byte("x"), false, "not a file name"},
		{"dots", "..", []byte("x"), false, "not a file name"},
		{"a control character", "a\nb.raw", []byte("x"), false, "characters"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			p, dir := start(t, office(), newWorld(), nil)
			verdicts, err := p.Add(tt.name, bytes.NewReader(tt.content))
			if err != nil || len(verdicts) != 1 || verdicts[0].OK != tt.ok || !strings.Contains(verdicts[0].Why, tt.why) {
				t.Errorf("verdicts %+v, %v", verdicts, err)
			}
			if names := namesIn(t, dir); len(names) != map[bool]int{true: 1, false: 0}[tt.ok] {
				t.Errorf("the folder holds %v", names)
			}
		})
	}
}

func TestUploadReplacesOtherSpellings(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	p, dir := start(t, office(), newWorld(), in("", map[string][]byte{strings.ToLower(target) + ".sb2": {1}, "P0S3-8-12-00.SB2": {2}}))
	if _, err := p.Add(target+".sb2", bytes.NewReader(whole[target+".sb2"])); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, dir); !slices.Equal(names, []string{target + ".sb2"}) {
		t.Errorf("the folder holds %v", names)
	}
}

func TestBrokenUploadsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	zipped, tarred := zipOf(t, whole), tarOf(t, whole, true)
	for _, tt := range []struct {
		about   string
		name    string
		content io.Reader
		why     string // "" = whoever sent it broke off
	}{
		{"a zip that ends", target + ".sb2", bytes.NewReader(zipped[:len(zipped)-30]), "cut off"},
		{"a tar.gz that ends", target + ".sb2", bytes.NewReader(tarred[:len(tarred)/2]), "cut off"},
		{"a tar that ends", target + ".sb2", bytes.NewReader(tarOf(t, whole, false)[:1500]), "cut off"},
		{"gzip of nothing", target + ".sb2", bytes.NewReader([]byte{0x1f, 0x8b, 0, 0}), "cut off"},
		{"a page under the name of an archive", "P0S3-8-12-00.ZIP", strings.NewReader("<!DOCTYPE html><title>Log in</title>"), "no archive"},
		{"too many files", target + ".sb2", bytes.NewReader(tarOf(t, many(501), true)), "more than 500 files"},
		{"too many files, zip", target + ".sb2", bytes.NewReader(zipOf(t, many(501))), "more than 500 files"},
		{"a line that is cut", target + ".sb2", iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(whole[target+".sb2"]))), ""},
		{"an error in a zip", target + ".sb2", io.MultiReader(bytes.NewReader(zipped[:100]), iotest.ErrReader(io.ErrUnexpectedEOF)), ""},
		{"an error in a tar.gz", target + ".sb2", io.MultiReader(bytes.NewReader(tarred[:1000]), iotest.ErrReader(io.ErrUnexpectedEOF)), ""},
		{"an error at once", target + ".sb2", iotest.ErrReader(io.ErrUnexpectedEOF), ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			p, dir := start(t, office(), newWorld(), nil)
			verdicts, err := p.Add(tt.name, tt.content)
			var refused *provision.Refusal
			if errors.As(err, &refused) != (tt.why != "") || err == nil || refused != nil && !strings.Contains(refused.Why, tt.why) {
				t.Errorf("%v, verdicts %+v", err, verdicts)
			}
			for _, name := range namesIn(t, dir) {
				if strings.HasPrefix(name, ".") {
					t.Errorf("left behind: %s", name)
				}
				if want, ok := whole[name]; ok {
					if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s is not whole", name)
					}
				}
			}
		})
	}
}

// What is kept free for the leases is not taken by uploads: each that finds no room says so, and leaves nothing behind.
func TestUploadsLeaveRoomForTheLeases(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	for about, add := range map[string]func(p *provision.Provisioner) error{
		"an image": func(p *provision.Provisioner) error {
			_, err := p.Add(target+".sb2", bytes.NewReader(whole[target+".sb2"]))
			return err
		},
		"a list": func(p *provision.Provisioner) error {
			_, err := p.Add(target+".loads", bytes.NewReader(whole[target+".loads"]))
			return err
		},
		"a zip": func(p *provision.Provisioner) error {
			_, err := p.Add("fw.zip", bytes.NewReader(zipOf(t, whole)))
			return err
		},
		"a ring": func(p *provision.Provisioner) error {
			_, err := p.AddRing("bell.wav", bytes.NewReader(wave(1)))
			return err
		},
		"a logo": func(p *provision.Provisioner) error {
			_, err := p.SetLogo(bytes.NewReader(phone.WriteLogo("x")))
			return err
		},
		"a file of an old root": func(p *provision.Provisioner) error {
			_, err := p.Put("bell.raw", bytes.NewReader(ring()))
			return err
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			dir, w := t.TempDir(), newWorld()
			p, err := provision.New(office(), provision.Deps{
				Dir: dir, Observer: w, Guard: w, Log: discard, Released: w.release, LeastImage: 1, Room: func() int64 { return 0 },
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := add(p); !errors.Is(err, provision.ErrNoRoom) || !errors.Is(err, provision.ErrStore) {
				t.Errorf("with no room: %v", err)
			}
			if names := namesIn(t, dir); len(names) != 0 {
				t.Errorf("the folder holds %v", names)
			}
		})
	}
}

func many(n int) map[string][]byte {
	files := map[string][]byte{}
	for i := range n {
		files[strings.Repeat("r", 1+i/26)+string(rune('a'+i%26))+".raw"] = []byte{1}
	}
	return files
}

func TestDamagedPartOfAZipIsRefusedAlone(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	damaged := zipOf(t, map[string][]byte{"a.raw": bytes.Repeat([]byte("abc"), 100), "b.raw": {1}})
	damaged[45] ^= 0xff // in the compressed bytes of a.raw
	p, dir := start(t, office(), newWorld(), whole)
	verdicts, err := p.Add("rings.zip", bytes.NewReader(damaged))
	if err != nil || len(verdicts) != 2 || verdicts[0].OK || !verdicts[1].OK {
		t.Errorf("verdicts %+v, %v", verdicts, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a.raw")); err == nil {
		t.Error("the damaged part was stored")
	}
}

func TestSameNameTwiceInAnArchive(t *testing.T) {
	t.Parallel()
	p, _ := start(t, office(), newWorld(), nil)
	verdicts, err := p.Add("x.zip", bytes.NewReader(zipOf(t, map[string][]byte{"1/a.raw": {1}, "2/A.raw": {2}})))
	if err != nil || len(verdicts) != 2 || !verdicts[0].OK || verdicts[1].OK || !strings.Contains(verdicts[1].Why, "1/a.raw") {
		t.Errorf("verdicts %+v, %v", verdicts, err)
	}
}

func TestLeftoversOfAPowerCutGo(t *testing.T) {
	t.Parallel()
	p, dir := start(t, office(), newWorld(), map[string][]byte{".upload-ABC": []byte("half"), "a.raw": {1}})
	if names := namesIn(t, dir); !slices.Equal(names, []string{"a.raw"}) {
		t.Errorf("the folder holds %v", names)
	}
	put(t, dir, map[string][]byte{".upload-DEF": []byte("being written")})
	if a, _ := ask(t, p, provision.Query{Name: ".upload-DEF", From: laptopAt}); a.Status != provision.Missing {
		t.Errorf("a file that is being written: %+v", a)
	}
}

func TestLinksDoNotLeadOut(t *testing.T) {
	t.Parallel()
	p, dir := start(t, office(), newWorld(), map[string][]byte{"real.raw": ring()})
	for name, to := range map[string]string{"out.raw": "/etc/passwd", "in.raw": "real.raw", "up.raw": "../../../../etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Rescan(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]provision.Status{"out.raw": provision.Missing, "up.raw": provision.Missing, "in.raw": provision.OK} {
		if a, _ := ask(t, p, provision.Query{Name: name, From: laptopAt}); a.Status != want {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if len(p.Faults()) != 2 {
		t.Errorf("faults %+v", p.Faults())
	}
}

// TestAllAtOnce is for the race detector: settings, uploads and answers at the same time.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Target = target
	w := newWorld()
	w.running[reception] = provision.Running{Loader: true}
	whole := bundle(target)
	p, _ := start(t, cfg, w, nil)
	archive := zipOf(t, whole)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				for _, name := range []string{"SIPDefault.cnf", "SIP0006D7AA2A2E.cnf", "SEP0006D7AA2A2E.cnf.xml", target + ".sb2", "RINGLIST.DAT"} {
					a := p.Answer(t.Context(), provision.Query{Name: name, From: receptionAt})
					if a.Status == provision.OK && strings.HasSuffix(name, ".sb2") {
						if got := content(t, a); got != string(whole[name]) {
							t.Error("a torn image was sent")
						}
					} else if a.Close != nil {
						a.Close()
					}
				}
				p.Loads()
				p.Faults()
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			if _, err := p.Add("fw.zip", bytes.NewReader(archive)); err != nil {
				t.Error(err)
			}
			if err := p.Apply(cfg); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

// FuzzAdd: whatever is uploaded, nothing leaves the folder, nothing temporary stays, and every image that is there is
// what its name says.
func FuzzAdd(f *testing.F) {
	whole := phone.MakeBundle(target, 400, 400)
	f.Add("fw.zip", zipOf(f, whole))
	f.Add("fw.tar", tarOf(f, whole, false))
	f.Add("fw.tgz", tarOf(f, in("../", whole), true))
	f.Add(target+".sb2", whole[target+".sb2"])
	f.Add(target+".loads", whole[target+".loads"])
	f.Add("../../x.raw", []byte("x"))
	f.Add("x.raw", []byte("PK\x03\x04"))
	f.Add("Bell.wav", wave(0.02))
	f.Add("rings.zip", zipOf(f, map[string][]byte{"-x.wav": wave(0.01), "x.wav": wave(0.01), "X.raw": ring()}))
	f.Add("bell.raw", ring())
	f.Add("logo.bmp", phone.WriteLogo("x"))
	f.Add("logo.bmp", phone.WriteLogo("x")[:2000])
	f.Fuzz(func(t *testing.T, name string, upload []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "tftp")
		w := newWorld()
		p, err := provision.New(office(), provision.Deps{Dir: dir, Observer: w, Guard: w, Log: discard, Released: w.release, LeastImage: 1})
		if err != nil {
			t.Fatal(err)
		}
		verdicts, _ := p.Add(name, bytes.NewReader(upload))
		if bmp, _ := p.Logo(); len(bmp) != phone.LogoSize {
			t.Errorf("the logo has %d bytes", len(bmp))
		}
		for _, img := range p.Images() {
			if len(img.SHA256) != 64 {
				t.Errorf("image %+v", img)
			}
		}
		for _, l := range p.Shelf() {
			if l.Name == "" || len(l.Files)+len(l.Missing) == 0 {
				t.Errorf("load %+v", l)
			}
		}
		for _, r := range p.Rings() {
			if r.Fault == "" && (r.Name == "" || r.Seconds <= 0) {
				t.Errorf("ring %+v", r)
			}
		}
		stored := 0
		for _, v := range verdicts {
			if v.OK {
				stored++
			} else if v.Why == "" {
				t.Errorf("refused without a reason: %+v", v)
			}
		}
		if names := namesIn(t, outer); len(names) != 1 {
			t.Errorf("files outside of the folder: %v", names)
		}
		names := slices.DeleteFunc(namesIn(t, dir), func(name string) bool { return name == ".ringnames" })
		if len(names) != stored {
			t.Errorf("%d files are there, %d were stored", len(names), stored)
		}
		for _, n := range names {
			if strings.HasPrefix(n, ".") {
				t.Errorf("left behind: %q", n)
			}
			a := p.Answer(t.Context(), provision.Query{Name: n, From: netip.Addr{}})
			if a.Close != nil {
				a.Close()
			}
		}
		for _, fault := range p.Faults() {
			if strings.Contains(fault.Why, "renamed") || strings.Contains(fault.Why, "damaged") {
				t.Errorf("a bad image was stored: %+v", fault)
			}
		}
	})
}

// Files of an adopted root keep their folders, in which phones ask for them; firmware does not.
func TestPut(t *testing.T) {
	t.Parallel()
	whole := bundle(target)
	p, dir := start(t, office(), newWorld(), nil)
	for _, tt := range []struct {
		name    string
		content []byte
		stored  string // "" = refused
	}{
		{"rings/Bell.raw", ring(), "rings/Bell.raw"},
		{"./a/b/c/x.xml", []byte("<x/>"), "a/b/c/x.xml"},
		{`fw\8.12\` + target + ".sb2", whole[target+".sb2"], target + ".sb2"},
		{"archive.xml", zipOf(t, whole), "archive.xml"},
		{"../up.xml", []byte("x"), ""},
		{"a/../b.xml", []byte("x"), ""},
		{".hidden/b.xml", []byte("x"), ""},
		{"a//b.xml", []byte("x"), ""},
		{"a/b/c/d/e/f.xml", []byte("x"), ""},
		{"a/CTLSEP0006D7AA2A2E.tlv", []byte("x"), ""},
		{"a/setup.exe", []byte("x"), ""},
		{"", []byte("x"), ""},
		{"P0S3-8-11-00.sb2", whole[target+".sb2"], ""},
	} {
		tried, err := p.Try(tt.name, bytes.NewReader(tt.content))
		if _, there := os.Stat(filepath.Join(dir, tt.stored)); err != nil || tried.OK != (tt.stored != "") || tt.stored != "" && there == nil {
			t.Errorf("trying %s: %+v, %v; stored: %v", tt.name, tried, err, there == nil)
		}
		v, err := p.Put(tt.name, bytes.NewReader(tt.content))
		if err != nil || v.OK != (tt.stored != "") || v.Why == "" {
			t.Errorf("%s: %+v, %v", tt.name, v, err)
		}
		if !v.OK && v.Why != tried.Why {
			t.Errorf("%s is refused because %q, and trying it said %q", tt.name, v.Why, tried.Why)
		}
		if tt.stored == "" {
			continue
		}
		if got, err := os.ReadFile(filepath.Join(dir, tt.stored)); err != nil || !bytes.Equal(got, tt.content) {
			t.Errorf("%s: stored %q, %v", tt.name, got, err)
		}
		if a, got := ask(t, p, provision.Query{Name: tt.stored, From: laptopAt}); a.Status == provision.OK && got != string(tt.content) {
			t.Errorf("%s: sent %q", tt.name, got)
		}
	}
	if _, err := p.Put("a.xml", iotest.ErrReader(io.ErrUnexpectedEOF)); err == nil {
		t.Error("what could not be read was stored")
	}
}
