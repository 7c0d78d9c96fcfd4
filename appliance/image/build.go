package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gokrazy/tools/gok"
)

// imageBytes is the length of the image: boot and two root file systems take the first 1.1 GiB, /perm the rest. Every
// card of 2 GB holds it.
const imageBytes = 1_800_000_000 / 4096 * 4096

// instance is the name of gokrazy's instance folder, and the host name of the box.
const instance = "phonebox"

// moduleRoot finds the checkout: the folder with our go.mod, from the working directory upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the checkout: %w", err)
	}
	for d := dir; ; d = filepath.Dir(d) {
		if mod, err := os.ReadFile(filepath.Join(d, "go.mod")); err == nil && strings.HasPrefix(string(mod), "module phonebox\n") {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("finding the checkout: no go.mod of phonebox in %s or above; run this in a checkout", dir)
		}
	}
}

// buildImage runs gok on a scratch instance folder. Its builddir is a link to the checkout, so that each program of the
// image is built in our own module and with the versions of our go.mod.
func buildImage(ctx context.Context, root, arch, file, gaf string, stdout, stderr io.Writer) error {
	scratch, err := os.MkdirTemp("", "phonebox-image-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	dir := filepath.Join(scratch, instance)
	if err := makeInstance(root, dir, arch); err != nil {
		return err
	}
	outputs := [][]string{{"--full", file, "--target_storage_bytes", strconv.Itoa(imageBytes)}}
	if gaf != "" {
		outputs = append(outputs, []string{"--gaf", gaf})
	}
	for _, out := range outputs {
		// gok changes the working directory; give it absolute paths.
		if out[1], err = filepath.Abs(out[1]); err != nil {
			return fmt.Errorf("finding %s: %w", out[1], err)
		}
	}
	back, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("finding the working directory: %w", err)
	}
	for _, out := range outputs {
		fmt.Fprintf(stdout, "building %s\n", out[1])
		args := append([]string{"overwrite", "--parent_dir", scratch, "-i", instance}, out...)
		err := gok.Context{Args: args, Stdout: stdout, Stderr: stderr}.Execute(ctx)
		if err := errors.Join(err, os.Chdir(back)); err != nil {
			return fmt.Errorf("running gok: %w", err)
		}
		if _, err := os.Stat(out[1]); err != nil {
			return fmt.Errorf("running gok: it wrote no image: %w", err)
		}
	}
	return nil
}

// makeInstance lays out the scratch instance folder.
func makeInstance(root, dir, arch string) error {
	config, err := os.ReadFile(filepath.Join(root, "config.json"))
	if err != nil {
		return fmt.Errorf("reading the instance: %w", err)
	}
	if config, err = adaptConfig(config, arch); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("making the instance: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644); err != nil {
		return fmt.Errorf("writing the instance: %w", err)
	}
	for link, target := range map[string]string{"overlay": filepath.Join(root, "overlay"), "builddir": root} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			return fmt.Errorf("linking %s: %w", link, err)
		}
	}
	return nil
}

// adaptConfig changes what differs on a PC: kernel, console and boot loader. The file is written for a Raspberry Pi.
func adaptConfig(config []byte, arch string) ([]byte, error) {
	var c map[string]any
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("reading config.json: %w", err)
	}
	c["Environment"] = []string{"GOOS=linux", "GOARCH=" + arch, "CGO_ENABLED=0"}
	if arch == "amd64" {
		c["KernelPackage"] = "github.com/gokrazy/kernel.amd64"
		c["FirmwarePackage"] = ""
		c["EEPROMPackage"] = ""
		c["SerialConsole"] = "ttyS0,115200"
	}
	return json.MarshalIndent(c, "", "    ")
}

// describe prints the length, how much of it is not empty, and the SHA-256 of a file.
func describe(file string, stdout io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	defer f.Close()
	sum, data := sha256.New(), new(dataCounter)
	n, err := io.CopyBuffer(io.MultiWriter(sum, data), struct{ io.Reader }{f}, make([]byte, 1<<20))
	if err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	fmt.Fprintf(stdout, "%s: %d bytes (%d MB of data), SHA-256 %x\n", file, n, int64(*data)/1e6, sum.Sum(nil))
	return nil
}

// dataCounter counts the bytes of blocks that are not all zero: about what the image takes on disk and on the wire.
type dataCounter int64

// Write implements io.Writer.
func (d *dataCounter) Write(b []byte) (int, error) {
	const block = 4096
	var zero [block]byte
	for rest := b; len(rest) > 0; {
		n := min(block, len(rest))
		if !bytes.Equal(rest[:n], zero[:n]) {
			*d += dataCounter(n)
		}
		rest = rest[n:]
	}
	return len(b), nil
}
