package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// build is one run of this program.
type build struct {
	options
	root   string // the checkout
	mkfs   string // path of mkfs.ext4
	stdout io.Writer
	stderr io.Writer
}

// image builds the image into file, complete with /perm, and the update archive if it is asked for.
func (b build) image(ctx context.Context, file string) error {
	scratch, err := os.MkdirTemp("", "phonebox-image-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	if err := makeInstance(b.root, scratch, b.arch); err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "building programs and file systems for %s (a first build downloads the kernel and firmware)\n", b.arch)
	// What is not complete never has the name of an image, nor replaces one that is.
	err = replace(file, func(part string) error {
		args := []string{"--full", part, "--target_storage_bytes", strconv.Itoa(imageBytes)}
		if err := b.gok(ctx, scratch, args...); err != nil {
			return err
		}
		return b.fillPerm(ctx, part)
	})
	if err != nil || b.gaf == "" {
		return err
	}
	fmt.Fprintln(b.stdout, "building the update archive")
	return replace(b.gaf, func(part string) error { return b.gok(ctx, scratch, "--gaf", part) })
}

// gok runs gok overwrite on the scratch instance folder.
func (b build) gok(ctx context.Context, scratch string, output ...string) error {
	return runGok(ctx, scratch, append([]string{"overwrite", "--parent_dir", scratch, "-i", instance}, output...), b.stderr)
}

// replace has make write a file beside the one of that name and then puts it in its place.
func replace(file string, make func(part string) error) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("finding %s: %w", file, err)
	}
	part := abs + ".part"
	err = make(part)
	if err == nil {
		err = os.Rename(part, abs)
	}
	if err != nil {
		if gone := os.Remove(part); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// makeInstance lays out the instance folder in scratch. Its builddir is a link to the checkout, so that each program of
// the image is built in our own module; go.mod and go.sum are copies, for the go command to change if it must.
func makeInstance(root, scratch, arch string) error {
	config, err := os.ReadFile(filepath.Join(root, "config.json"))
	if err != nil {
		return fmt.Errorf("reading the instance: %w", err)
	}
	if config, err = adaptConfig(config, arch); err != nil {
		return err
	}
	dir := filepath.Join(scratch, instance)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("making the instance: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644); err != nil {
		return fmt.Errorf("writing the instance: %w", err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return fmt.Errorf("reading the versions: %w", err)
		}
		if err := os.WriteFile(filepath.Join(scratch, name), content, 0o644); err != nil {
			return fmt.Errorf("writing the versions: %w", err)
		}
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
