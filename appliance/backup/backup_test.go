package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/site"
)

var made = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sources are files in memory.
func sources(files map[string]string) []Source {
	var out []Source
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out = append(out, Bytes(name, []byte(files[name])))
	}
	return out
}

func backup(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, Header{Made: made, Box: "Harbour Street", By: "test"}, sources(files)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inMemory is a sink.
type inMemory map[string]*bytes.Buffer

func (m inMemory) put(name string, _ int64) (io.WriteCloser, error) {
	m[name] = &bytes.Buffer{}
	return nopCloser{m[name]}, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

var someFiles = map[string]string{
	"site.toml": "name = \"x\"\n", "password": "$argon2id$hash", "certs/page.pem": "PEM",
	"tftp/Ring.raw": "rrr", "tftp/.ringnames": "Bell\tRing.raw\n", "tftp/.ringorder": "ring.raw\n", "tftp/P0S3-8-12-00.loads": "loads", "tftp/sub/own.xml": "<x/>",
}

func TestWhatWasBackedUpIsRead(t *testing.T) {
	for _, passphrase := range []string{"", "horse battery"} {
		plain := backup(t, someFiles)
		if passphrase != "" {
			var b bytes.Buffer
			w, err := Encrypt(&b, passphrase)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(plain); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			plain = b.Bytes()
			for _, wrong := range []string{"", "horse"} {
				if _, err := read(bytes.NewReader(plain), wrong, inMemory{}.put); !errors.Is(err, ErrPassphrase) {
					t.Errorf("with the passphrase %q: got %v, want that it is wrong", wrong, err)
				}
			}
		}
		got := inMemory{}
		c, err := read(bytes.NewReader(plain), passphrase, got.put)
		if err != nil {
			t.Fatal(err)
		}
		if c.Box != "Harbour Street" || !c.Made.Equal(made) || c.Encrypted != (passphrase != "") || len(c.Entries) != len(someFiles) {
			t.Errorf("got %+v, want what was written", c)
		}
		for name, want := range someFiles {
			if got[name] == nil || got[name].String() != want {
				t.Errorf("%s: got %v, want %q", name, got[name], want)
			}
		}
		for _, p := range Parts() {
			if !c.Has(p) {
				t.Errorf("the backup has no %s, want one of each", p)
			}
		}
	}
}

// raw makes an archive that our own writer would not.
func raw(t testing.TB, entries ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		switch e := e.(type) {
		case [2]string:
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e[0], Size: int64(len(e[1])), Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, e[1])
		case *tar.Header:
			if err := w.WriteHeader(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Close()
	z.Close()
	return b.Bytes()
}

func TestBackupsThatAreRefused(t *testing.T) {
	head := [2]string{"backup.json", `{"format":"phonebox-backup","version":1,"box":"x"}`}
	none := [2]string{"manifest.json", `{"entries":[]}`}
	good := backup(t, someFiles)
	flipped := slices.Clone(good)
	flipped[len(flipped)-5] ^= 0x40 // the sum of gzip
	for _, tt := range []struct {
		name string
		body []byte
		want string
	}{
		{"nothing", nil, "no backup of phonebox"},
		{"text", []byte("hello, this is some text that is no archive at all"), "no backup of phonebox"},
		{"another archive", raw(t, [2]string{"README", "x"}), "does not begin with backup.json"},
		{"another format", raw(t, [2]string{"backup.json", `{"format":"other"}`}), "says something else"},
		{"a newer version", raw(t, [2]string{"backup.json", `{"format":"phonebox-backup","version":2,"by":"9.9"}`}), "has the format 2, and this phonebox reads up to 1"},
		{"cut off", good[:len(good)/2], "damaged or cut off"},
		{"without its last byte", good[:len(good)-1], "damaged or cut off"},
		{"another sum", flipped, "damaged"},
		{"more behind", append(slices.Clone(good), 'x'), "more behind its end"},
		{"without a manifest", raw(t, head, [2]string{"site.toml", "x"}), "ends too early"},
		{"a slip", raw(t, head, [2]string{"tftp/../../etc/passwd", "x"}, none), "no backup of phonebox has"},
		{"a slip upwards", raw(t, head, [2]string{"../x", "x"}, none), "no backup of phonebox has"},
		{"an absolute name", raw(t, head, [2]string{"/etc/passwd", "x"}, none), "no backup of phonebox has"},
		{"a file of ours that is not backed up", raw(t, head, [2]string{"leases.db", "x"}, none), "no backup of phonebox has"},
		{"a hidden file", raw(t, head, [2]string{"tftp/.hidden", "x"}, none), "no backup of phonebox has"},
		{"a backslash", raw(t, head, [2]string{`tftp/..\x`, "x"}, none), "no backup of phonebox has"},
		{"a link", raw(t, head, &tar.Header{Typeflag: tar.TypeSymlink, Name: "tftp/x", Linkname: "/etc/passwd"}, none), "is no plain file"},
		{"a folder", raw(t, head, &tar.Header{Typeflag: tar.TypeDir, Name: "tftp/x"}, none), "is no plain file"},
		{"a name twice", raw(t, head, [2]string{"site.toml", "x"}, [2]string{"site.toml", "x"}, none), "twice"},
		{"not in the list", raw(t, head, [2]string{"site.toml", "x"}, none), "holds 1 files and lists 0"},
		{"another content", raw(t, head, [2]string{"site.toml", "x"}, [2]string{"manifest.json", `{"entries":[{"name":"site.toml","size":1,"sha256":"00"}]}`}), "not what its list of contents says"},
		{"too large settings", raw(t, head, [2]string{"site.toml", strings.Repeat("x", maxSite+1)}, none), "larger than"},
		{"a bomb", raw(t, head, [2]string{"tftp/x.raw", strings.Repeat("\x00", maxFile+1)}, none), "larger than 64 MB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Open(dir).Stage(bytes.NewReader(tt.body), "")
			var r *Refusal
			if !errors.As(err, &r) || !strings.Contains(r.Why, tt.want) {
				t.Errorf("got %v, want a refusal with %q", err, tt.want)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A connection that breaks is no fault of the backup.
func TestAnUploadThatBreaksOffIsNoRefusal(t *testing.T) {
	lost := errors.New("the connection is lost")
	good := backup(t, someFiles)
	_, err := Open(t.TempDir()).Stage(io.MultiReader(bytes.NewReader(good[:100]), failingReader{lost}), "")
	var r *Refusal
	if errors.As(err, &r) || !errors.Is(err, lost) {
		t.Errorf("got %v, want the error of the connection", err)
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// A bomb behind the archive's end is not unpacked for ever.
func TestZerosBehindTheEndAreBounded(t *testing.T) {
	var plain bytes.Buffer
	z, err := gzip.NewReader(bytes.NewReader(backup(t, someFiles)))
	if err == nil {
		_, err = io.Copy(&plain, z)
	}
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(plain.Bytes())
	_, _ = w.Write(make([]byte, 8<<20))
	w.Close()
	if _, err := read(&b, "", inMemory{}.put); err == nil {
		t.Error("got no error, want the backup refused")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(backup(f, someFiles), true)
	f.Add(raw(f, [2]string{"backup.json", `{"format":"phonebox-backup","version":1}`}, [2]string{"manifest.json", `{"entries":[]}`}), true)
	plain := func(b []byte) []byte {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil
		}
		out, _ := io.ReadAll(z)
		return out
	}
	f.Add(plain(backup(f, someFiles)), false) // the fuzzer packs it: so it gets behind the sum of gzip
	f.Fuzz(func(t *testing.T, body []byte, packed bool) {
		if !packed {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(body)
			z.Close()
			body = b.Bytes()
		}
		got := inMemory{}
		c, err := read(bytes.NewReader(body), "", func(name string, size int64) (io.WriteCloser, error) {
			if !filepath.IsLocal(name) || strings.Contains(name, "..") && !strings.HasPrefix(name, "tftp/") {
				t.Fatalf("the name %q leads elsewhere", name)
			}
			if size > limit(name) {
				t.Fatalf("%q has %d bytes", name, size)
			}
			return got.put(name, size)
		})
		if err != nil {
			return
		}
		files := map[string]string{}
		for _, e := range c.Entries {
			files[e.Name] = got[e.Name].String()
		}
		again, err := read(bytes.NewReader(backup(t, files)), "", inMemory{}.put)
		if err != nil || len(again.Entries) != len(c.Entries) {
			t.Fatalf("what was read is not read again: %v", err)
		}
	})
}

// liveDir is a box whose settings and password are files of its folder.
type liveDir struct {
	dir  string
	fail string // the text of settings that it cannot take
}

func (l liveDir) PutSite(text []byte) error {
	if l.fail != "" && string(text) == l.fail {
		return errors.New("the address cannot be had")
	}
	return site.Save(l.dir, text)
}

func (l liveDir) PutPassword(hash string) error {
	return os.WriteFile(filepath.Join(l.dir, "hash"), []byte(hash), 0o600)
}

var before = map[string]string{
	"site.toml": "before", "hash": "hash before", "certs/page.pem": "cert before", "tftp/a.raw": "a before", "tftp/gone.raw": "gone",
	"tftp/dir/x.xml": "x before", "tftp/both": "a file", "tftp/P0S3-8-12-00.sb2": "kept firmware",
}

var inBackup = map[string]string{
	"site.toml": "after", "password": "hash after", "certs/page.pem": "cert after", "tftp/a.raw": "a after", "tftp/new.raw": "new",
	"tftp/dir": "a file now", "tftp/both/x.xml": "a folder now",
}

var after = map[string]string{
	"site.toml": "after", "hash": "hash after", "certs/page.pem": "cert after", "tftp/a.raw": "a after", "tftp/new.raw": "new",
	"tftp/dir": "a file now", "tftp/both/x.xml": "a folder now", "tftp/P0S3-8-12-00.sb2": "kept firmware",
}

var allButFirmware = []Part{Settings, Files, Certificate, Password}

func fill(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// contents are the data of a folder, without what restores keep.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, file)
		if err == nil && d.IsDir() && strings.HasPrefix(name, "restore") {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() || strings.HasPrefix(name, "site.toml.") {
			return err
		}
		body, err := os.ReadFile(file)
		out[filepath.ToSlash(name)] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestARestoreAndItsUndo(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, before)
	f, live := Open(dir), liveDir{dir: dir}
	c, err := f.Stage(bytes.NewReader(backup(t, inBackup)), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, dir); !maps.Equal(got, before) {
		t.Errorf("after the upload alone the data are %v, want them untouched", got)
	}
	if err := f.Restore(c, allButFirmware, "hash before", made, live); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, dir); !maps.Equal(got, after) {
		t.Errorf("restored: %v, want %v", got, after)
	}
	if h, at, parts, ok := f.Undoable(); !ok || h.Box != "Harbour Street" || !at.Equal(made) || !slices.Equal(parts, allButFirmware) {
		t.Errorf("to undo: %+v %v %v %v, want the restore", h, at, parts, ok)
	}
	if said, err := f.Recover(live); err != nil || said != "" {
		t.Errorf("a start after it says %q, %v, want nothing", said, err)
	}
	if err := f.Undo(made, live); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, dir); !maps.Equal(got, before) {
		t.Errorf("undone: %v, want %v", got, before)
	}
	if err := f.Undo(made, live); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("undoing twice: got %v, want that there is nothing", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "restore*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Only what was chosen changes.
func TestOnlyTheChosenPartsAreRestored(t *testing.T) {
	dir, f, c := staged(t)
	if err := f.Restore(c, []Part{Settings}, "hash before", made, liveDir{dir: dir}); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(before)
	want["site.toml"] = "after"
	if got := contents(t, dir); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// staged is a box with the backup that waits for its decision.
func staged(t *testing.T) (dir string, f *Folder, c *Contents) {
	t.Helper()
	dir = t.TempDir()
	fill(t, dir, before)
	f = Open(dir)
	c, err := f.Stage(bytes.NewReader(backup(t, inBackup)), "")
	if err != nil {
		t.Fatal(err)
	}
	return dir, f, c
}

// Settings that the box cannot take bring everything back.
func TestARestoreThatFailsIsTakenBack(t *testing.T) {
	dir, f, c := staged(t)
	if err := f.Restore(c, allButFirmware, "hash before", made, liveDir{dir: dir, fail: "after"}); err == nil || !strings.Contains(err.Error(), "cannot be had") {
		t.Fatalf("got %v, want why the settings were not taken", err)
	}
	if got := contents(t, dir); !maps.Equal(got, before) {
		t.Errorf("got %v, want all as before: %v", got, before)
	}
	if _, _, _, ok := f.Undoable(); ok {
		t.Error("a restore that failed can be undone, want that there is none")
	}
}

func TestPlansThatWereChangedAreNotCarriedOut(t *testing.T) {
	dir := t.TempDir()
	body, _ := json.Marshal(plan{Ops: []op{{Name: "../../victim", Put: false}}})
	fill(t, dir, map[string]string{"restore/plan.json": string(body)})
	if _, err := Open(dir).Recover(liveDir{dir: dir}); err == nil {
		t.Error("got no error, want the plan refused")
	}
}

func FuzzPartOf(f *testing.F) {
	f.Add("tftp/a/b.raw")
	f.Add("tftp/../x")
	f.Fuzz(func(t *testing.T, name string) {
		if _, ok := PartOf(name); ok && (!filepath.IsLocal(name) || filepath.Clean(name) != name) {
			t.Errorf("%q is taken", name)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	body := backup(b, map[string]string{"tftp/P0S3-8-12-00.sb2": strings.Repeat("firmware", 100_000)})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(bytes.NewReader(body), "", func(string, int64) (io.WriteCloser, error) { return nopCloser{io.Discard}, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// A card that fails at the moment when a restore begins leaves all as it was, also for the next start.
func TestARestoreThatCouldNotBeginIsForgotten(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, before)
	f, live := Open(dir), liveDir{dir: dir}
	c, err := f.Stage(bytes.NewReader(backup(t, inBackup)), "")
	if err != nil {
		t.Fatal(err)
	}
	begun := false
	f.hook = func(step string) { begun = begun || step == "sync the beginning" }
	f.sync = func() error {
		if begun {
			return errors.New("input/output error")
		}
		return nil
	}
	if err := f.Restore(c, allButFirmware, "hash before", made, live); err == nil || errors.Is(err, ErrHalf) {
		t.Fatalf("got %v, want what the card said", err)
	}
	if said, err := Open(dir).Recover(live); err != nil || said != "" {
		t.Errorf("the next start says %q, %v, want nothing: a person was told that nothing was restored", said, err)
	}
	if got := contents(t, dir); !maps.Equal(got, before) {
		t.Errorf("got %v, want all as before: %v", got, before)
	}
}

// Where a restore that failed cannot be taken back either, nobody is told that all is as it was; the next start brings it to an end.
func TestARestoreThatCannotBeTakenBackSaysSo(t *testing.T) {
	dir, f, c := staged(t)
	failed := false
	f.hook = func(step string) { failed = failed || step == "do site.toml" }
	f.sync = func() error {
		if failed {
			return errors.New("input/output error")
		}
		return nil
	}
	if err := f.Restore(c, allButFirmware, "hash before", made, liveDir{dir: dir, fail: "after"}); !errors.Is(err, ErrHalf) {
		t.Errorf("got %v, want that it is neither done nor taken back", err)
	}
	for range 2 {
		if _, err := Open(dir).Recover(liveDir{dir: dir}); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, dir); !maps.Equal(got, after) && !maps.Equal(got, before) {
		t.Errorf("after the next start: a mixture: %v", got)
	}
}

// A card that takes no more is not the fault of the backup.
func TestACardThatTakesNoMoreSaysSo(t *testing.T) {
	dir := t.TempDir()
	f := Open(dir)
	f.sync = func() error { return errors.Join(ErrDisk, errors.New("no space left on device")) }
	_, err := f.Stage(bytes.NewReader(backup(t, inBackup)), "")
	if !errors.Is(err, ErrDisk) {
		t.Errorf("got %v, want that the card is at fault", err)
	}
	full := func(string, int64) (io.WriteCloser, error) { return fullDisk{}, nil }
	if _, err := read(bytes.NewReader(backup(t, inBackup)), "", full); !errors.Is(err, ErrDisk) {
		t.Errorf("got %v, want that the card is at fault", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "restore*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
func (fullDisk) Close() error              { return nil }
