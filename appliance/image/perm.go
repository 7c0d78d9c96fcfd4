package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	_ "time/tzdata" // site.Parse looks for time zones

	"phonebox/appliance/site"
)

const sectorSize = 512

// permPartition is the number of the partition that gokrazy mounts on /perm.
const permPartition = 4

// findMkfs finds mkfs.ext4, also where a user's PATH lacks the sbin folders.
func findMkfs(lookPath func(string) (string, error)) (string, error) {
	for _, name := range []string{"mkfs.ext4", "/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4", "/opt/homebrew/opt/e2fsprogs/sbin/mkfs.ext4"} {
		if path, err := lookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("found no mkfs.ext4, which formats the part of the card that keeps leases and settings; " +
		"install e2fsprogs (Debian: apt install e2fsprogs) and run this again")
}

// checkPerm refuses what can't become /perm, and a site.toml in it that the box would refuse.
func checkPerm(dir string) error {
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return fmt.Errorf("-perm: found %q, allowed is a folder that exists", dir)
	}
	name := filepath.Join(dir, "phonebox", site.FileName)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("-perm: reading the settings: %w", err)
	}
	var faults []error
	_, found := site.Parse(text, site.Catalogue())
	for _, f := range found {
		if !f.Warning {
			faults = append(faults, fmt.Errorf("-perm: %s: %s", name, f))
		}
	}
	return errors.Join(faults...)
}

// fillPerm formats the last partition inside the image file and fills it with the folder of -perm (none = an empty
// phonebox folder).
func (b build) fillPerm(ctx context.Context, file string) error {
	dir := b.perm
	offset, length, err := findPartition(file, permPartition)
	if err != nil {
		return err
	}
	if dir == "" {
		empty, err := os.MkdirTemp("", "phonebox-perm-")
		if err != nil {
			return fmt.Errorf("making an empty /perm: %w", err)
		}
		defer os.RemoveAll(empty)
		// MkdirTemp makes the folder private; as the root of /perm it is to be readable.
		if err := errors.Join(os.Chmod(empty, 0o755), os.Mkdir(filepath.Join(empty, "phonebox"), 0o700)); err != nil {
			return fmt.Errorf("making an empty /perm: %w", err)
		}
		dir = empty
	}
	fmt.Fprintf(b.stdout, "formatting /perm (%d MB)\n", length/1e6)
	// The options make the file system complete at once: the box is to write little and to be whole at its first boot.
	cmd := exec.CommandContext(ctx, b.mkfs, "-q", "-F", "-L", "perm",
		"-E", fmt.Sprintf("offset=%d,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0", offset),
		"-d", dir, file, fmt.Sprintf("%dk", length/1024))
	cmd.Stdout, cmd.Stderr = b.stdout, b.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("formatting /perm: %w", err)
	}
	return nil
}

// findPartition returns offset and length in bytes of a partition of the image, from its GPT or else its MBR (the
// UEFI specification, chapter 5).
func findPartition(file string, number int) (offset, length int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the partitions: %w", err)
	}
	defer f.Close()
	head := make([]byte, 34*sectorSize)
	if _, err := io.ReadFull(f, head); err != nil {
		return 0, 0, fmt.Errorf("reading the partitions: %w", err)
	}
	le := binary.LittleEndian
	var first, sectors int64
	if gpt := head[sectorSize:]; bytes.HasPrefix(gpt, []byte("EFI PART")) {
		table, size := le.Uint64(gpt[72:]), int(le.Uint32(gpt[84:]))
		at := int(table)*sectorSize + (number-1)*size
		if table > 33 || size < 128 || at+48 > len(head) {
			return 0, 0, fmt.Errorf("reading the partitions: the table of %s lies at sector %d, expected 2", file, table)
		}
		first = int64(le.Uint64(head[at+32:]))
		sectors = int64(le.Uint64(head[at+40:])) - first + 1
	} else {
		at := 446 + (number-1)*16
		first, sectors = int64(le.Uint32(head[at+8:])), int64(le.Uint32(head[at+12:]))
	}
	if first <= 0 || sectors <= 0 {
		return 0, 0, fmt.Errorf("reading the partitions: %s has no partition %d", file, number)
	}
	return first * sectorSize, sectors * sectorSize, nil
}
