// Command image builds the SD card image of phonebox.
//
//	go run ./appliance/image                      # phonebox.img for a Raspberry Pi 3, 4, 5 or Zero 2 W
//	go run ./appliance/image -o /dev/sdX          # writes the card itself, after asking
//	go run ./appliance/image -perm DIR            # DIR is what /perm holds at first boot (phonebox/site.toml, ...)
//
// It runs gok, gokrazy's builder, in process on a scratch copy of the instance folder (config.json and overlay/), so the
// checkout stays as it was; every version comes from the go.mod of the checkout. Then it formats and fills /perm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "image:", err)
		}
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	output string
	arch   string
	perm   string
	gaf    string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.output, "o", "phonebox.img", "the image `file` to write, or a removable disk such as /dev/sdX")
	fs.StringVar(&o.arch, "arch", "arm64", "arm64 for a Raspberry Pi, amd64 for a PC or a virtual machine")
	fs.StringVar(&o.perm, "perm", "", "a `folder` that /perm holds at first boot, such as one with phonebox/site.toml")
	fs.StringVar(&o.gaf, "gaf", "", "also write an update archive to this `file`")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("found the argument %q, allowed are flags only (see -help)", fs.Arg(0))
	}
	if o.arch != "arm64" && o.arch != "amd64" {
		return options{}, fmt.Errorf("-arch: found %q, allowed are arm64 and amd64", o.arch)
	}
	if o.perm != "" {
		if st, err := os.Stat(o.perm); err != nil || !st.IsDir() {
			return options{}, fmt.Errorf("-perm: found %q, allowed is a folder that exists", o.perm)
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	mkfs, err := findMkfs(exec.LookPath)
	if err != nil {
		return err
	}
	file, card := o.output, ""
	if isDevice(o.output) {
		if err := checkRemovable(o.output); err != nil {
			return err
		}
		dir, err := os.MkdirTemp("", "phonebox-card-")
		if err != nil {
			return fmt.Errorf("making a folder for the image: %w", err)
		}
		defer os.RemoveAll(dir)
		file, card = filepath.Join(dir, "phonebox.img"), o.output
	}
	begin := time.Now()
	if err := buildImage(ctx, root, o.arch, file, o.gaf, stdout, stderr); err != nil {
		return err
	}
	if err := fillPerm(ctx, mkfs, file, o.perm, stdout, stderr); err != nil {
		return err
	}
	if card != "" {
		return writeCard(file, card, stdin, stdout)
	}
	return summary(file, o.gaf, time.Since(begin), stdout)
}

// summary prints what was made: size on disk, length and checksum.
func summary(file, gaf string, took time.Duration, stdout io.Writer) error {
	for _, f := range []string{file, gaf} {
		if f == "" {
			continue
		}
		if err := describe(f, stdout); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "built in %.1f s. Write it to a card with: go run ./appliance/image -o /dev/sdX\n", took.Seconds())
	return nil
}
