package assemble

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"phonebox/services/web"
)

// resetFile on a USB stick takes the page's password away (promise 5): who can plug a stick in holds the box, and owns it.
const resetFile = "phonebox/reset-password"

// lookForSticks is how often the box looks for a stick that was plugged in.
const lookForSticks = 2 * time.Second

// sticks finds USB sticks that were plugged in and visits each once.
type sticks struct {
	sysBlock string                         // /sys/block
	mount    func(device, dir string) error // read only
	unmount  func(dir string) error
	seen     map[string]string // disk -> its sequence number and partitions when it was last looked at
}

func newSticks() *sticks {
	return &sticks{sysBlock: "/sys/block", mount: mountStick, unmount: func(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }, seen: map[string]string{}}
}

// mountStick mounts the file systems that sticks come with, so that nothing on them can be run or written.
func mountStick(device, dir string) error {
	const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	var errs []error
	for _, fs := range []struct{ name, options string }{{"vfat", "codepage=437,iocharset=ascii"}, {"exfat", "iocharset=ascii"}, {"ext4", "noload"}} {
		err := unix.Mount(device, dir, fs.name, flags, fs.options)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("as %s: %w", fs.name, err))
	}
	return errors.Join(errs...)
}

// look visits each stick once after it was plugged in. visit gets the folder where a file system of it is mounted.
func (s *sticks) look(visit func(dir string) error) error {
	disks, err := filepath.Glob(filepath.Join(s.sysBlock, "sd*"))
	if err != nil {
		return err
	}
	now := map[string]string{}
	var errs []error
	for _, disk := range disks {
		if read(disk, "removable") != "1" {
			continue
		}
		// The kernel reads the partitions a moment after the disk shows up: then it is looked at again.
		parts := partitions(disk)
		name, seq := filepath.Base(disk), read(disk, "diskseq")+" "+strings.Join(parts, " ")
		now[name] = seq
		if before, known := s.seen[name]; known && before == seq {
			continue
		}
		for _, part := range parts {
			if err := s.mounted("/dev/"+part, visit); err != nil {
				errs = append(errs, fmt.Errorf("looking at the stick %s: %w", part, err))
			}
		}
	}
	s.seen = now
	return errors.Join(errs...)
}

// partitions returns the partitions of a disk, or the disk itself where it has none.
func partitions(disk string) []string {
	name := filepath.Base(disk)
	parts, _ := filepath.Glob(filepath.Join(disk, name+"*", "partition"))
	if len(parts) == 0 {
		return []string{name}
	}
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = filepath.Base(filepath.Dir(p))
	}
	slices.Sort(out)
	return out
}

// mounted visits a device while it is mounted.
func (s *sticks) mounted(device string, visit func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "phonebox-stick-")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	if err := s.mount(device, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.unmount(dir)) }()
	return visit(dir)
}

func read(dir, name string) string {
	b, _ := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(b))
}

// watchSticks does what a stick asks for: its folder can take the page's password away, and bring phones and files.
func (b *Box) watchSticks(ctx context.Context) error {
	s := newSticks()
	tick := time.NewTicker(lookForSticks)
	defer tick.Stop()
	for {
		var found []stickFiles
		err := s.look(func(dir string) error {
			files, err := b.takeStick(dir)
			found = append(found, files)
			return err
		})
		if err != nil {
			b.log.Warn("USB stick not read", "err", err)
		}
		for _, files := range found {
			b.doStick(web.WithActor(ctx, &web.Actor{How: "stick"}), files)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// resetPassword takes the page's password away: the page then shows its first form again, and all sessions end.
func (b *Box) resetPassword() {
	text := "the page's password was taken away by a USB stick with " + resetFile
	if err := (secrets{b.store}).SetPassword(""); err != nil {
		b.log.Error("password not reset", "err", err)
		return
	}
	b.log.Warn("password reset", "file", resetFile)
	b.audit.add(web.AuditEntry{How: "stick", What: sentence(text)})
	b.note("box", text)
}
