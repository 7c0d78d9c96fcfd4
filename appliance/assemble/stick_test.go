package assemble

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// plug lays a disk into a made-up /sys/block.
func plug(t *testing.T, sys, name, removable, seq string, parts ...string) {
	t.Helper()
	files := map[string]string{"removable": removable, "diskseq": seq}
	for _, p := range parts {
		files[p+"/partition"] = "1"
	}
	for f, content := range files {
		path := filepath.Join(sys, name, f)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStickIsLookedAtOnceEachTimeItIsPluggedIn(t *testing.T) {
	sys := t.TempDir()
	var mounted []string
	mounts := 0
	s := &sticks{
		sysBlock: sys, seen: map[string]string{},
		mount: func(device, dir string) error {
			mounted = append(mounted, device)
			if device == "/dev/sdb" {
				return errors.New("no file system")
			}
			mounts++
			if device == "/dev/sda2" {
				return errors.Join(os.Mkdir(filepath.Join(dir, "phonebox"), 0o755), os.WriteFile(filepath.Join(dir, resetFile), nil, 0o644))
			}
			return nil
		},
		unmount: func(dir string) error { mounts--; return os.RemoveAll(filepath.Join(dir, "phonebox")) },
	}
	check := func(step string, want bool, wantErr bool, devices ...string) {
		t.Helper()
		mounted = nil
		found, err := s.look()
		if found != want || (err != nil) != wantErr || len(mounted) != len(devices) || mounts != 0 {
			t.Errorf("%s: found %t (%v), looked at %v, %d left mounted; want %t and %v", step, found, err, mounted, mounts, want, devices)
		}
	}
	check("nothing plugged in", false, false)
	plug(t, sys, "sdc", "0", "1", "sdc1")
	check("a built-in disk", false, false)
	plug(t, sys, "sda", "1", "2", "sda1", "sda2")
	check("a stick with the file", true, false, "/dev/sda1", "/dev/sda2")
	check("the same stick, still there", false, false)
	plug(t, sys, "sda", "1", "3", "sda1", "sda2")
	check("plugged in again", true, false, "/dev/sda1", "/dev/sda2")
	plug(t, sys, "sdb", "1", "4")
	check("a stick without partitions that cannot be read", false, true, "/dev/sdb")
	check("it is not tried again and again", false, false)
	plug(t, sys, "sdb", "1", "4", "sdb1")
	check("its partition shows up a moment later", false, false, "/dev/sdb1")
}
