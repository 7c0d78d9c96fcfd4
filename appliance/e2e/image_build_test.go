package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"phonebox/services/testkit"
)

// imageTarget is the load that the phones of the virtual computer shall run; it is uploaded, the image has none.
const imageTarget = target

// imageSite is what the built image has as its settings: the listed phones are those that boot against it.
func imageSite() string {
	return site{
		firmware: `target = "` + imageTarget + `"`, phones: listed(mustMAC("00:06:d7:77:00:00"), 1),
	}.text()
}

// imageBuild is one run of the image builder.
type imageBuild struct {
	file, gaf string
	output    string
	took      time.Duration
}

// imageBuilds are the images that the tests share, each built once: by processor.
var imageBuilds = map[string]func() (imageBuild, error){
	"arm64": sync.OnceValues(func() (imageBuild, error) { return buildSharedImage("arm64") }),
	"amd64": sync.OnceValues(func() (imageBuild, error) { return buildSharedImage("amd64") }),
}

// sharedImage returns the image for a processor, to copy and not to change.
func sharedImage(t *testing.T, arch string) imageBuild {
	t.Helper()
	testkit.Need(t, "mkfs.ext4", "go")
	build(t) // the folder that it makes goes when the tests end
	b, err := imageBuilds[arch]()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// buildSharedImage builds the image of a PC as a newcomer gets it, without settings of one's own, and that of a Pi with
// the tests' site.
func buildSharedImage(arch string) (imageBuild, error) {
	dir := filepath.Join(built.dir, arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return imageBuild{}, err
	}
	b := imageBuild{file: filepath.Join(dir, "phonebox.img"), gaf: filepath.Join(dir, "phonebox.gaf")}
	args := []string{"-arch", arch, "-o", b.file, "-gaf", b.gaf}
	if arch == "amd64" {
		return b, b.run("../..", args...)
	}
	seed := filepath.Join(dir, "seed", "phonebox")
	if err := os.MkdirAll(seed, 0o755); err != nil {
		return imageBuild{}, err
	}
	if err := os.WriteFile(filepath.Join(seed, "site.toml"), []byte(imageSite()), 0o600); err != nil {
		return imageBuild{}, err
	}
	return b, b.run("../..", append(args, "-perm", filepath.Dir(seed))...)
}

// run runs the image builder in a checkout.
func (b *imageBuild) run(checkout string, args ...string) error {
	cmd := exec.Command("go", append([]string{"run", "./appliance/image"}, args...)...)
	cmd.Dir = checkout
	began := time.Now()
	out, err := cmd.CombinedOutput()
	b.took, b.output = time.Since(began), string(out)
	if err != nil {
		return fmt.Errorf("building the image: %w: %s", err, out)
	}
	return nil
}

// copySparse makes a copy of an image, without writing its empty part.
func copySparse(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "--sparse=always", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copying the image: %v: %s", err, out)
	}
}
