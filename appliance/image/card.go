package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// isDevice reports whether the output is a device rather than a file.
func isDevice(path string) bool {
	if st, err := os.Stat(path); err == nil {
		return st.Mode()&os.ModeDevice != 0
	}
	return strings.HasPrefix(path, "/dev/")
}

// card is a disk that the image may be written to.
type card struct {
	dev   string // such as /dev/sdb
	model string // what it calls itself; "" = nothing
	bytes int64
}

// String names the card as a person knows it.
func (c card) String() string {
	about := fmt.Sprintf("%.1f GB", float64(c.bytes)/1e9)
	if c.model != "" {
		about = c.model + ", " + about
	}
	return fmt.Sprintf("%s (%s)", c.dev, about)
}

// findCard refuses what is not a whole removable disk that nobody uses: an SD card or a USB stick.
func findCard(dev string) (card, error) {
	if runtime.GOOS != "linux" {
		return card{}, fmt.Errorf("-o: found %q; disks are written on Linux only. Allowed is a file, which any program for "+
			"writing cards takes", dev)
	}
	real, err := filepath.EvalSymlinks(dev)
	if err != nil {
		return card{}, fmt.Errorf("-o: found %q, which is not there; allowed is a file or a removable disk that is plugged in", dev)
	}
	return checkBlock("/sys/block", "/proc/self/mounts", real)
}

// checkBlock is findCard on the kernel's files, which tests bring along.
func checkBlock(sysBlock, mounts, dev string) (card, error) {
	sys := filepath.Join(sysBlock, filepath.Base(dev))
	if _, err := os.Stat(sys); err != nil {
		return card{}, fmt.Errorf("-o: found %q, which is not a whole disk; allowed is a disk such as /dev/sdX or /dev/mmcblkX", dev)
	}
	read := func(name ...string) string {
		text, _ := os.ReadFile(filepath.Join(append([]string{sys}, name...)...)) // absent = not said
		return strings.TrimSpace(string(text))
	}
	// A built-in card reader does not call itself removable, its card says SD.
	if read("removable") != "1" && read("device", "type") != "SD" {
		return card{}, fmt.Errorf("-o: found %q, a disk that is built in; allowed are removable ones (SD card, USB stick)", dev)
	}
	sectors, _ := strconv.ParseInt(read("size"), 10, 64) // 0 = no card is in the reader
	c := card{dev: dev, bytes: sectors * sectorSize, model: read("device", "model")}
	if c.model == "" {
		c.model = read("device", "name")
	}
	if c.bytes < imageBytes {
		return card{}, fmt.Errorf("-o: found %s; allowed are disks of %.1f GB and more", c, float64(imageBytes)/1e9)
	}
	table, err := os.ReadFile(mounts)
	if err != nil {
		return card{}, fmt.Errorf("reading what is mounted: %w", err)
	}
	for line := range strings.Lines(string(table)) {
		if from, rest, _ := strings.Cut(line, " "); strings.HasPrefix(from, dev) {
			at, _, _ := strings.Cut(rest, " ")
			return card{}, fmt.Errorf("-o: found %q in use (%s is mounted on %s); unmount it first", dev, from, at)
		}
	}
	return c, nil
}

// ask returns nil if a person agrees that the card is overwritten.
func (c card) ask(stdin io.Reader, stdout io.Writer) error {
	fmt.Fprintf(stdout, "Everything on %s will be lost. Type yes to write phonebox to it: ", c)
	answer, _ := bufio.NewReader(stdin).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was written: the answer was not yes")
	}
	return nil
}

// write copies the image to the card and returns once it is on it.
func (c card) write(file string, stdout io.Writer) error {
	src, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("writing the card: %w", err)
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return fmt.Errorf("writing the card: %w", err)
	}
	dst, err := os.OpenFile(c.dev, os.O_WRONLY|os.O_EXCL, 0)
	if err != nil {
		return fmt.Errorf("writing the card: %w", err)
	}
	p := &progress{to: dst, w: stdout, total: st.Size()}
	_, err = io.CopyBuffer(p, struct{ io.Reader }{src}, make([]byte, 16<<20))
	if err := errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		return fmt.Errorf("writing the card: %w", err)
	}
	fmt.Fprintf(stdout, "\n%s is written; put the card into the Pi.\n", c.dev)
	return nil
}

// progress writes to the card and prints how much is on it, in steps of five per cent.
type progress struct {
	to          *os.File
	w           io.Writer
	done, total int64
	shown       int64
}

// Write implements io.Writer. It waits for the card: else the kernel takes everything at once, and the progress shown
// would be that of memory.
func (p *progress) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if err == nil {
		err = p.to.Sync()
	}
	if err != nil {
		return n, err
	}
	p.done += int64(n)
	if percent := p.done * 100 / p.total; percent >= p.shown+5 {
		p.shown = percent
		fmt.Fprintf(p.w, "\r%3d %% written", percent)
	}
	return n, nil
}
