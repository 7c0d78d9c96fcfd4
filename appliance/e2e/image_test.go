package e2e_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"phonebox/services/testkit"
)

// maxImageZst is how large the compressed image may be (zstd at its usual level): what people download.
const maxImageZst = 60_000_000

// TestImage builds the image and measures it: what the builder says of it, how large it is, what is in the update archive.
func TestImage(t *testing.T) {
	working.enter(t)
	testkit.Need(t, "zstd")
	b := sharedImage(t, "arm64")
	t.Log(b.output)
	t.Run("the builder says what it made", func(t *testing.T) {
		for _, file := range []string{b.file, b.gaf} {
			size, sum := sumOf(t, file)
			want := regexp.MustCompile(fmt.Sprintf(`(?m)^%s: %d bytes \(\d+ MB of data\), SHA-256 %s$`, regexp.QuoteMeta(file), size, sum))
			if !want.MatchString(b.output) {
				t.Errorf("it does not say that %s has %d bytes and the SHA-256 %s", file, size, sum)
			}
		}
		for _, want := range []string{"building programs", "formatting /perm", "building the update archive", "built in "} {
			if !strings.Contains(b.output, want) {
				t.Errorf("it shows no progress: %q is missing", want)
			}
		}
	})
	t.Run("a warm build", func(t *testing.T) {
		var warm imageBuild
		if err := warm.run("../..", "-o", filepath.Join(t.TempDir(), "phonebox.img")); err != nil {
			t.Fatal(err)
		}
		t.Logf("FIGURE image: warm build %.1f s", warm.took.Seconds())
	})
	t.Run("its size", func(t *testing.T) {
		zst := filepath.Join(t.TempDir(), "phonebox.img.zst")
		if out, err := exec.Command("zstd", "-q", "-T0", "-o", zst, b.file).CombinedOutput(); err != nil {
			t.Fatalf("compressing the image: %v: %s", err, out)
		}
		st, err := os.Stat(zst)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("FIGURE image: %.1f MB as .zst", float64(st.Size())/1e6)
		if st.Size() > maxImageZst {
			t.Errorf("the image has %d bytes as .zst, allowed are %d", st.Size(), maxImageZst)
		}
	})
	t.Run("the update archive", func(t *testing.T) { testArchive(t, b.gaf) })
}

// testArchive looks into the update archive: the parts that gokrazy's updater takes, and the pinned versions.
func testArchive(t *testing.T, gaf string) {
	z, err := zip.OpenReader(gaf)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		if f.UncompressedSize64 == 0 {
			t.Errorf("%s is empty", f.Name)
		}
	}
	slices.Sort(names)
	if want := []string{"boot.img", "mbr.img", "root.img", "sbom.json"}; !slices.Equal(names, want) {
		t.Fatalf("found %q, wanted %q", names, want)
	}
	f, err := z.Open("sbom.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Errorf("sbom.json is no JSON: %.200s", text)
	}
}

func sumOf(t *testing.T, file string) (size int64, sum string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	if err != nil {
		t.Fatal(err)
	}
	return size, fmt.Sprintf("%x", h.Sum(nil))
}
