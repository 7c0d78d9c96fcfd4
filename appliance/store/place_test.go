package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"phonebox/appliance/store"
	"phonebox/services/dhcp"
	"phonebox/services/testkit"
)

// TestSomethingElseInThePlaceOfTheFiles: a folder, another kind of file, nothing at all. Each is set aside and told, and
// the store works.
func TestSomethingElseInThePlaceOfTheFiles(t *testing.T) {
	for _, name := range []string{"leases.db", "leases-1.log", "leases-2.log", "journal.db"} {
		for what, put := range map[string]func(path string) error{
			"a folder":     func(path string) error { return os.MkdirAll(filepath.Join(path, "sub"), 0o700) },
			"another file": func(path string) error { return os.WriteFile(path, []byte("SQLite format 3\x00 and so on"), 0o600) },
			"an empty one": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		} {
			dir := store.MemoryDir(t)
			s := open(t, dir, store.Options{})
			if err := s.Commit(t.Context(), record(1)); err != nil {
				t.Fatal(err)
			}
			s.Close()
			path := filepath.Join(dir, name)
			if err := errors.Join(os.Remove(path), put(path)); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(dir, nil)
			if err != nil {
				t.Errorf("%s is %s: %v", name, what, err)
				continue
			}
			if f := s.Faults(); len(f) == 0 || !strings.Contains(strings.Join(f, " "), name) {
				t.Errorf("%s is %s: told is %q", name, what, f)
			}
			got, err := s.Leases(t.Context())
			if lost := len(got) == 0; lost && !errors.Is(err, dhcp.ErrIncomplete) || name == "leases.db" && lost {
				t.Errorf("%s is %s: %d leases, %v", name, what, len(got), err)
			}
			if err := s.Commit(t.Context(), record(2)); err != nil {
				t.Errorf("%s is %s: %v", name, what, err)
			}
			if aside, _ := filepath.Glob(path + ".damaged-1"); len(aside) != 1 {
				t.Errorf("%s is %s: it was not set aside", name, what)
			}
			s.Close()
		}
	}
}

// TestFilesThatAreGone: what one file knows of the other tells that it was there.
func TestFilesThatAreGone(t *testing.T) {
	for _, names := range [][]string{{"leases.db"}, {"leases-1.log"}, {"leases-1.log", "leases-2.log"}, {"leases.db", "leases-1.log", "leases-2.log"}} {
		dir := store.MemoryDir(t)
		s := open(t, dir, store.Options{})
		if err := s.Commit(t.Context(), record(1)); err != nil {
			t.Fatal(err)
		}
		if err := s.FoldNow(); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), record(2)); err != nil {
			t.Fatal(err)
		}
		s.Close()
		for _, name := range names {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		s = open(t, dir, store.Options{})
		got, err := s.Leases(t.Context())
		if !errors.Is(err, dhcp.ErrIncomplete) || len(s.Faults()) == 0 || !strings.Contains(s.Faults()[0], "gone") {
			t.Errorf("without %v: %d leases, %v, told %q", names, len(got), err, s.Faults())
		}
		if err := s.Commit(t.Context(), record(3)); err != nil {
			t.Errorf("without %v: %v", names, err)
		}
		s.Close()
		if s = open(t, dir, store.Options{}); len(s.Faults()) > 0 {
			t.Errorf("without %v, the second start: %q", names, s.Faults())
		}
	}
}

// TestFileThatMayNotBeRead runs as a user without rights: a file of its own it opens all the same, another's is set aside.
func TestFileThatMayNotBeRead(t *testing.T) {
	testkit.Need(t, "root")
	dir := store.MemoryDir(t)
	s := open(t, dir, store.Options{})
	if err := s.Commit(t.Context(), record(1), record(2)); err != nil {
		t.Fatal(err)
	}
	if err := s.FoldNow(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, name := range []string{"", "leases.db", "leases-1.log", "leases-2.log", "journal.db"} {
		if err := os.Chown(filepath.Join(dir, name), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string) {
		cmd := child(t, "look", dir)
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("found %q, %v; want %q", out, err, want)
		}
	}
	check("2 leases, missing false, told 0")
	for _, name := range []string{"leases.db", "leases-1.log"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	check("2 leases, missing false, told 0")
	if err := os.Chown(filepath.Join(dir, "leases.db"), 0, 0); err != nil {
		t.Fatal(err)
	}
	check("1 leases, missing true, told 1") // the other one was in leases.db alone
}

const nobody = 65534

// look prints what a store tells of its leases to a user without rights.
func look(dir string) int {
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		fmt.Println(err)
		return 1
	}
	s, err := store.Open(dir, nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer s.Close()
	leases, err := s.Leases(context.Background())
	fmt.Printf("%d leases, missing %v, told %d", len(leases), errors.Is(err, dhcp.ErrIncomplete), len(s.Faults()))
	if err := s.Commit(context.Background(), record(1)); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// TestFileSystemFailsWhileOpen: ext4 finds an error and becomes read-only under the store, as it does on a card that
// dies. Known leases are still told, nothing new is called stored, and after a restart everything acknowledged is there.
func TestFileSystemFailsWhileOpen(t *testing.T) {
	testkit.Need(t, "root", "mkfs.ext4", "mount", "/dev/loop-control")
	dir := t.TempDir()
	mkfs := exec.CommandContext(t.Context(), "sh", "-c", "truncate -s 24M card && mkfs.ext4 -q -F card && mkdir mnt")
	mkfs.Dir = dir
	if out, err := mkfs.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := child(t, "broken", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
}

func breakDisk(dir string) int {
	if err := breakAndMend(filepath.Join(dir, "card"), filepath.Join(dir, "mnt")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func run(name string, args ...string) error {
	if out, err := exec.CommandContext(context.Background(), name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}

func breakAndMend(card, mnt string) error {
	ctx := context.Background()
	mount := func() error { return run("mount", "-o", "loop,errors=remount-ro", card, mnt) }
	if err := mount(); err != nil {
		return err
	}
	defer func() { _ = unix.Unmount(mnt, unix.MNT_DETACH) }()
	s, err := store.Open(mnt, nil)
	if err != nil {
		return err
	}
	for i := range 50 {
		if err := s.Commit(ctx, record(i)); err != nil {
			return err
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(mnt, &st); err != nil {
		return err
	}
	trigger := fmt.Sprintf("/sys/fs/ext4/loop%d/trigger_fs_error", unix.Minor(st.Dev))
	if err := os.WriteFile(trigger, []byte("a card that dies"), 0); err != nil {
		return err
	}
	if err := s.Commit(ctx, record(100)); err == nil {
		return errors.New("a commit to a file system that has failed succeeded")
	}
	if s.Failing() == nil {
		return errors.New("the failed file system is not told")
	}
	if leases, err := s.Leases(ctx); err != nil || len(leases) != 50 {
		return fmt.Errorf("while the file system fails: %d leases of 50: %w", len(leases), err)
	}
	_ = s.Close() // what can't be closed is told, and no matter
	if err := errors.Join(unix.Unmount(mnt, 0), run("sh", "-c", "fsck.ext4 -y "+card+"; test $? -lt 4"), mount()); err != nil {
		return err
	}
	if s, err = store.Open(mnt, nil); err != nil {
		return err
	}
	defer s.Close()
	leases, err := s.Leases(ctx)
	if err != nil || len(leases) < 50 || s.Failing() != nil {
		return fmt.Errorf("after the restart: %d leases of 50: %w, %w", len(leases), err, s.Failing())
	}
	return s.Commit(ctx, record(100))
}
