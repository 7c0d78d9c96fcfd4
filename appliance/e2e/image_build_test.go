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

// imageCA is an authority that the image of a Pi trusts, because the computer that built it did.
var imageCA = sync.OnceValues(makeAuthority)

func imageAuthority(t *testing.T) *authority {
	t.Helper()
	ca, err := imageCA()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// trusting runs a program on a computer that trusts one authority more: whatever the file of all authorities is that gokrazy
// looks for first, the program sees another one in its place. Nobody else does, for it has mounts of its own.
const trusting = `extra=$1; shift
for all in /etc/ssl/certs/ca-certificates.crt /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/pki/tls/certs/ca-bundle.crt; do
	if [ -f "$all" ]; then
		cat "$all" "$extra" >"$extra.all"
		mount --bind "$extra.all" "$all"
		exec "$@"
	fi
done
echo "this computer has no file of authorities (Debian: ca-certificates)" >&2
exit 1`

// ownMounts reports whether a program may have mounts of its own, as whoever makes network namespaces may: nobody else asks a
// booted image for its authorities.
func ownMounts() bool {
	return exec.Command("unshare", "--mount", "mount", "--bind", "/tmp", "/tmp").Run() == nil
}

// imageBuild is one run of the image builder.
type imageBuild struct {
	file, gaf string
	authority string // a file with one that this computer trusts while it builds; "" = none more than it does
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
	// The image takes its authorities from the computer that builds it.
	ca, err := imageCA()
	if err != nil {
		return imageBuild{}, err
	}
	b.authority = filepath.Join(dir, "authority.pem")
	if err := os.WriteFile(b.authority, ca.pem(), 0o600); err != nil {
		return imageBuild{}, err
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
	args = append([]string{"go", "run", "./appliance/image"}, args...)
	if b.authority != "" && ownMounts() {
		args = append([]string{"unshare", "--mount", "sh", "-ec", trusting, "sh", b.authority}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
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
