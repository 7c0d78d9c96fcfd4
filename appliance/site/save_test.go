package site_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"phonebox/appliance/site"
)

func TestSaveKeepsFiveOldCopies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := site.Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("loading nothing: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".site.toml4711"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		for range 2 { // the second time changes nothing
			if err := site.Save(dir, fmt.Appendf(nil, "version %d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := site.Load(dir); err != nil || string(got) != "version 7" {
		t.Errorf("loaded %q, %v", got, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"site.toml": "version 7"}
	for i := 1; i <= site.OldCopies; i++ {
		want[fmt.Sprintf("site.toml.%d", i)] = fmt.Sprintf("version %d", 7-i)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil || string(text) != want[f.Name()] {
			t.Errorf("%s holds %q, %v", f.Name(), text, err)
		}
		if info, err := f.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
		delete(want, f.Name())
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestSaveThatFailsLeavesTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := site.Save(dir, []byte("good")); err != nil {
		t.Fatal(err)
	}
	if err := site.Save(dir, make([]byte, site.MaxSize+1)); err == nil {
		t.Error("a file that is too large was saved")
	}
	if got, err := site.Load(dir); err != nil || string(got) != "good" {
		t.Errorf("loaded %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, site.FileName), make([]byte, site.MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Load(dir); err == nil {
		t.Error("a file that is too large was loaded")
	}
	if err := site.Save(filepath.Join(dir, "absent"), []byte("x")); err == nil {
		t.Error("saved into a folder that is not there")
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	if a, b := site.ETag([]byte("a")), site.ETag([]byte("b")); a == b || a != site.ETag([]byte("a")) || a[0] != '"' {
		t.Errorf("tags %s and %s", a, b)
	}
}
