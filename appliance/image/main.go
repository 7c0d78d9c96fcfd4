// Command image builds the SD card image of phonebox.
//
//	go run ./appliance/image                      # phonebox.img for a Raspberry Pi 3, 4, 5 or Zero 2 W
//	go run ./appliance/image -o /dev/sdX          # writes the card itself, after asking
//	go run ./appliance/image -perm DIR            # DIR is what /perm holds at first boot (phonebox/site.toml, ...)
//
// It is gok, gokrazy's builder, on a scratch copy of the instance folder (config.json and overlay/), so the checkout stays
// as it was; every version comes from the go.mod of the checkout. Then it formats and fills /perm.
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
	"syscall"
	"time"
)

func main() { os.Exit(start(os.Args[1:])) }

func start(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == gokArgument {
		stop() // an interrupt ends gok at once
		return gokMain(ctx, args[1:])
	}
	err := run(ctx, args, os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "image:", err)
		return 1
	}
	return 0
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
	return o, errors.Join(o.faults()...)
}

// faults returns everything that is wrong with the command line.
func (o options) faults() []error {
	var faults []error
	if o.arch != "arm64" && o.arch != "amd64" {
		faults = append(faults, fmt.Errorf("-arch: found %q, allowed are arm64 and amd64", o.arch))
	}
	if o.perm != "" {
		faults = append(faults, checkPerm(o.perm))
	}
	if !isDevice(o.output) {
		faults = append(faults, checkFile("-o", o.output))
	}
	if o.gaf != "" {
		faults = append(faults, checkFile("-gaf", o.gaf))
	}
	if o.gaf != "" && filepath.Clean(o.gaf) == filepath.Clean(o.output) {
		faults = append(faults, fmt.Errorf("-gaf: found %q, the same file as -o; allowed is another", o.gaf))
	}
	return faults
}

// checkFile finds out before the work whether the result can be put there.
func checkFile(name, file string) error {
	if st, err := os.Stat(file); file == "" || err == nil && !st.Mode().IsRegular() {
		return fmt.Errorf("%s: found %q, allowed is the name of a file", name, file)
	}
	if st, err := os.Stat(filepath.Dir(file)); err != nil || !st.IsDir() {
		return fmt.Errorf("%s: found %q, allowed is a file in a folder that exists", name, file)
	}
	return nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	b := build{options: o, stdout: stdout, stderr: stderr}
	if b.root, err = moduleRoot(); err != nil {
		return err
	}
	if err := findGo(exec.LookPath); err != nil {
		return err
	}
	if b.mkfs, err = findMkfs(exec.LookPath); err != nil {
		return err
	}
	begin := time.Now()
	if isDevice(o.output) {
		return b.toCard(ctx, stdin)
	}
	if err := b.image(ctx, o.output); err != nil {
		return err
	}
	return b.summary(begin, o.output, o.gaf)
}

// toCard builds the image and writes it to the disk that -o names.
func (b build) toCard(ctx context.Context, stdin io.Reader) error {
	c, err := findCard(b.output)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "phonebox-card-")
	if err != nil {
		return fmt.Errorf("making a folder for the image: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "phonebox.img")
	if err := b.image(ctx, file); err != nil {
		return err
	}
	if err := c.ask(stdin, b.stdout); err != nil {
		return err
	}
	return c.write(file, b.stdout)
}

// summary prints what was made since begin: length, data and checksum of each file, and the time that it took.
func (b build) summary(begin time.Time, files ...string) error {
	for _, f := range files {
		if f == "" {
			continue
		}
		if err := describe(f, b.stdout); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.stdout, "built in %.1f s. To write a card: go run ./appliance/image -o /dev/sdX\n", time.Since(begin).Seconds())
	return nil
}

// findGo makes sure of the go command, which gok runs.
func findGo(lookPath func(string) (string, error)) error {
	if _, err := lookPath("go"); err != nil {
		return errors.New("found no go command, which builds the programs of the image; install Go from https://go.dev/dl/ " +
			"and run this again")
	}
	return nil
}
