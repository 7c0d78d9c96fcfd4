package e2e_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"phonebox/services/testkit"
)

// TestImageLeavesTheCheckoutClean builds the image in a copy of the checkout, with our builder and with plain gok as the
// quick start tells it, and compares what git says before and after.
func TestImageLeavesTheCheckoutClean(t *testing.T) {
	working.enter(t)
	testkit.Need(t, "git", "mkfs.ext4")
	root := copyCheckout(t)
	out := t.TempDir()
	before := gitStatus(t, root)
	if before != "" {
		t.Fatalf("the copy is not clean: %s", before)
	}
	t.Run("go run ./appliance/image", func(t *testing.T) {
		var b imageBuild
		if err := b.run(root, "-o", filepath.Join(out, "own.img"), "-gaf", filepath.Join(out, "own.gaf")); err != nil {
			t.Fatal(err)
		}
		if after := gitStatus(t, root); after != before {
			t.Errorf("after the build git says %q", after)
		}
	})
	t.Run("into the checkout", func(t *testing.T) {
		var b imageBuild
		if err := b.run(root); err != nil {
			t.Fatal(err)
		}
		if after := gitStatus(t, root); after != "!! phonebox.img\n" {
			t.Errorf("after the build git says %q, wanted the ignored image alone", after)
		}
		if err := os.Remove(filepath.Join(root, "phonebox.img")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("plain gok", func(t *testing.T) {
		line := gokLine(t, root)
		cmd := exec.Command("sh", "-ec", line)
		cmd.Dir = root
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, text)
		}
		if st, err := os.Stat(filepath.Join(root, "phonebox.img")); err != nil || st.Size() < 1_200_000_000 {
			t.Errorf("%s: it made no image: %v", line, err)
		}
		if after := gitStatus(t, root); after != "!! phonebox.img\n" {
			t.Errorf("after %s git says %q, wanted the ignored image alone", line, after)
		}
	})
}

// gokLine returns the command of the quick start.
func gokLine(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "quick-start.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "go tool gok ") {
			return line
		}
	}
	t.Fatal("docs/quick-start.md has no line that begins with go tool gok")
	return ""
}

// copyCheckout makes a repository of its own from the files that git knows or would take, as they are now. Its folder has
// another name than the instance: nothing may rest on how a checkout is called.
func copyCheckout(t *testing.T) string {
	t.Helper()
	list := git(t, "../..", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	root := filepath.Join(t.TempDir(), "my checkout "+strconv.Itoa(os.Getpid()))
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		if err := copyInto(root, name); err != nil {
			t.Fatalf("copying %s: %v", name, err)
		}
	}
	git(t, root, "init", "-q")
	git(t, root, "add", "-A")
	git(t, root, "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-q", "-m", "copy")
	return root
}

// copyInto copies one file or link of the checkout; one that was removed meanwhile is left out.
func copyInto(root, name string) error {
	from, to := filepath.Join("../..", name), filepath.Join(root, name)
	st, err := os.Lstat(from)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if st.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, st.Mode().Perm())
}

// gitStatus returns what is not as it was committed, the ignored files too.
func gitStatus(t *testing.T, root string) string {
	t.Helper()
	return git(t, root, "status", "--porcelain", "--ignored")
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out)
}
