package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// isDevice reports whether the output is a device rather than a file.
func isDevice(path string) bool {
	if st, err := os.Stat(path); err == nil {
		return st.Mode()&os.ModeDevice != 0
	}
	return strings.HasPrefix(path, "/dev/")
}

// checkRemovable refuses what is not a whole removable disk that nobody uses: an SD card or a USB stick.
func checkRemovable(dev string) error {
	real, err := filepath.EvalSymlinks(dev)
	if err != nil {
		return fmt.Errorf("-o: found %q, which is not there; allowed is a file or a removable disk that is plugged in", dev)
	}
	return checkBlock("/sys/block", "/proc/self/mounts", real)
}

// checkBlock is checkRemovable on the kernel's files, which tests bring along.
func checkBlock(sysBlock, mounts, dev string) error {
	sys := filepath.Join(sysBlock, filepath.Base(dev))
	if _, err := os.Stat(sys); err != nil {
		return fmt.Errorf("-o: found %q, which is not a whole disk; allowed is a disk such as /dev/sdX or /dev/mmcblkX", dev)
	}
	removable, _ := os.ReadFile(filepath.Join(sys, "removable"))
	kind, _ := os.ReadFile(filepath.Join(sys, "device", "type"))
	// A built-in card reader does not call itself removable, its card says SD.
	if strings.TrimSpace(string(removable)) != "1" && strings.TrimSpace(string(kind)) != "SD" {
		return fmt.Errorf("-o: found %q, a disk that is built in; allowed are removable ones (SD card, USB stick)", dev)
	}
	table, err := os.ReadFile(mounts)
	if err != nil {
		return fmt.Errorf("reading what is mounted: %w", err)
	}
	for _, line := range strings.Split(string(table), "\n") {
		if from, rest, _ := strings.Cut(line, " "); strings.HasPrefix(from, dev) {
			at, _, _ := strings.Cut(rest, " ")
			return fmt.Errorf("-o: found %q in use (%s is mounted on %s); unmount it first", dev, from, at)
		}
	}
	return nil
}

// writeCard asks, then copies the image to the card and waits until it is written.
func writeCard(file, dev string, stdin io.Reader, stdout io.Writer) error {
	fmt.Fprintf(stdout, "Everything on %s will be lost. Type yes to write phonebox to it: ", dev)
	answer, _ := bufio.NewReader(stdin).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was written: the answer was not yes")
	}
	src, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("writing the card: %w", err)
	}
	defer src.Close()
	dst, err := os.OpenFile(dev, os.O_WRONLY|os.O_EXCL, 0)
	if err != nil {
		return fmt.Errorf("writing the card: %w", err)
	}
	p := &progress{w: stdout, total: imageBytes}
	_, err = io.CopyBuffer(struct{ io.Writer }{dst}, io.TeeReader(src, p), make([]byte, 4<<20))
	if err := errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		return fmt.Errorf("writing the card: %w", err)
	}
	fmt.Fprintf(stdout, "\n%s is written; put the card into the Pi.\n", dev)
	return nil
}

// progress prints how much of the card is written, in steps of five per cent.
type progress struct {
	w           io.Writer
	done, total int64
	shown       int64
}

// Write implements io.Writer.
func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	if percent := p.done * 100 / p.total; percent >= p.shown+5 {
		p.shown = percent
		fmt.Fprintf(p.w, "\r%3d %% written", percent)
	}
	return len(b), nil
}
