package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, args, want string }{
		{"an unknown processor", "-arch mips", `found "mips", allowed are arm64 and amd64`},
		{"a folder that is not there", "-perm /nowhere", `found "/nowhere", allowed is a folder that exists`},
		{"an argument", "phonebox.img", `found the argument "phonebox.img"`},
		{"an output in no folder", "-o /nowhere/x.img", `found "/nowhere/x.img", allowed is a file in a folder that exists`},
		{"a folder as output", "-o /tmp", `-o: found "/tmp", allowed is the name of a file`},
		{"a folder as archive", "-gaf /tmp", `-gaf: found "/tmp", allowed is the name of a file`},
		{"one file for both", "-o x -gaf ./x", "the same file as -o"},
		{"two faults at once", "-arch mips -o /nowhere/x.img", "allowed are arm64 and amd64\n-o: found"},
		{"nothing wrong", "-o x.img -arch amd64 -gaf x.gaf", ""},
	} {
		_, err := parse(strings.Fields(tt.args), io.Discard)
		if got := text(err); !strings.Contains(got, tt.want) || (tt.want == "") != (err == nil) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestMkfsMissing(t *testing.T) {
	_, err := findMkfs(func(string) (string, error) { return "", errors.New("not there") })
	if got := text(err); !strings.Contains(got, "no mkfs.ext4") || !strings.Contains(got, "install e2fsprogs") {
		t.Errorf("got %q: it must say what is missing and how to get it", got)
	}
}

func TestGoMissing(t *testing.T) {
	err := findGo(func(string) (string, error) { return "", errors.New("not there") })
	if got := text(err); !strings.Contains(got, "no go command") || !strings.Contains(got, "install Go") {
		t.Errorf("got %q: it must say what is missing and how to get it", got)
	}
}

func TestPermWithWrongSettingsIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := checkPerm(dir); err != nil {
		t.Errorf("a folder without settings: %v", err)
	}
	file := filepath.Join(dir, "phonebox", "site.toml")
	write(t, file, "[network]\naddress = \"10.77.0.1/16\"\n[dhcp]\npool = [\"10.77.1.1-10.77.1.9\"]\n")
	if err := checkPerm(dir); err != nil {
		t.Errorf("good settings: %v", err)
	}
	write(t, file, "[network]\naddress = \"10.77.0.1\"\nadress = 1\n")
	got := text(checkPerm(dir))
	for _, want := range []string{"site.toml: line 2", "network.address", "line 3", "adress"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, which lacks %q", got, want)
		}
	}
}

func TestAFailedBuildLeavesWhatWasThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "phonebox.img")
	write(t, file, "old")
	err := replace(file, func(part string) error {
		write(t, part, "half")
		return errors.New("disk full")
	})
	if text(err) != "disk full" {
		t.Errorf("got %v", err)
	}
	if err := replace(file, func(string) error { return errors.New("refused") }); text(err) != "refused" {
		t.Errorf("got %v", err)
	}
	left, _ := filepath.Glob(file + "*")
	if got, _ := os.ReadFile(file); string(got) != "old" || len(left) != 1 {
		t.Errorf("the image holds %q, and there are %q", got, left)
	}
	if err := replace(file, func(part string) error { write(t, part, "new"); return nil }); err != nil {
		t.Fatal(err)
	}
	left, _ = filepath.Glob(file + "*")
	if got, _ := os.ReadFile(file); string(got) != "new" || len(left) != 1 {
		t.Errorf("the image holds %q, and there are %q", got, left)
	}
}

func TestOnlyTheGoCommandIsShown(t *testing.T) {
	var shown bytes.Buffer
	out := &gokOutput{show: &shown}
	for _, s := range []string{"Build target: x\ngo: down", "loading a v1\nERROR:\n  no", " space"} {
		if _, err := io.WriteString(out, s); err != nil {
			t.Fatal(err)
		}
	}
	if got := shown.String(); got != "go: downloading a v1\n" {
		t.Errorf("shown: %q", got)
	}
	if got := out.tail(); !strings.HasSuffix(got, "ERROR:\n  no space") {
		t.Errorf("kept: %q", got)
	}
}

func TestDescribe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	write(t, file, "abc")
	if err := os.Truncate(file, 5_000_000); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := describe(file, &out); err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 5_000_000)
	copy(content, "abc")
	want := fmt.Sprintf("%s: 5000000 bytes (0 MB of data), SHA-256 %x\n", file, sha256.Sum256(content))
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestFindPartition(t *testing.T) {
	le := binary.LittleEndian
	mbr := make([]byte, 40*sectorSize)
	le.PutUint32(mbr[446+3*16+8:], 100)
	le.PutUint32(mbr[446+3*16+12:], 50)
	gpt := bytes.Clone(mbr)
	copy(gpt[sectorSize:], "EFI PART")
	le.PutUint64(gpt[sectorSize+72:], 2)
	le.PutUint32(gpt[sectorSize+84:], 128)
	entry := gpt[2*sectorSize+3*128:]
	le.PutUint64(entry[32:], 2000)
	le.PutUint64(entry[40:], 2999)
	broken := bytes.Clone(gpt)
	le.PutUint64(broken[sectorSize+72:], 1<<40)
	for _, tt := range []struct {
		name           string
		image          []byte
		offset, length int64
		ok             bool
	}{
		{"GPT", gpt, 2000 * sectorSize, 1000 * sectorSize, true},
		{"MBR", mbr, 100 * sectorSize, 50 * sectorSize, true},
		{"GPT whose table lies elsewhere", broken, 0, 0, false},
		{"no partition", make([]byte, 40*sectorSize), 0, 0, false},
		{"too short", make([]byte, 10), 0, 0, false},
	} {
		file := filepath.Join(t.TempDir(), "x.img")
		if err := os.WriteFile(file, tt.image, 0o600); err != nil {
			t.Fatal(err)
		}
		offset, length, err := findPartition(file, permPartition)
		if offset != tt.offset || length != tt.length || (err == nil) != tt.ok {
			t.Errorf("%s: got %d, %d, %v; want %d, %d", tt.name, offset, length, err, tt.offset, tt.length)
		}
	}
}

func TestAdaptConfig(t *testing.T) {
	config, err := os.ReadFile("../../config.json")
	if err != nil {
		t.Fatal(err)
	}
	for arch, kernel := range map[string]string{"arm64": "github.com/gokrazy/kernel.rpi", "amd64": "github.com/gokrazy/kernel.amd64"} {
		out, err := adaptConfig(config, arch)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			KernelPackage, EEPROMPackage string
			Environment                  []string
		}
		if err := json.Unmarshal(out, &c); err != nil {
			t.Fatal(err)
		}
		if c.KernelPackage != kernel || c.EEPROMPackage != "" || !strings.Contains(strings.Join(c.Environment, " "), "GOARCH="+arch) {
			t.Errorf("%s: got %+v", arch, c)
		}
	}
}

func TestOnlyRemovableDisksAreWritten(t *testing.T) {
	const sectors = "62333952"
	for _, tt := range []struct{ name, dev, removable, kind, size, mounts, want string }{
		{"a USB stick", "sdz", "1", "", sectors, "", ""},
		{"a card in a built-in reader", "mmcblk0", "0", "SD", sectors, "", ""},
		{"a built-in disk", "sda", "0", "", sectors, "", "built in"},
		{"soldered memory", "mmcblk1", "0", "MMC", sectors, "", "built in"},
		{"a reader without a card", "sdx", "1", "", "0", "", "allowed are disks of 1.8 GB and more"},
		{"a card that is too small", "sdx", "1", "", "2000000", "", "1.0 GB); allowed are disks of 1.8 GB and more"},
		{"a disk that is in use", "sdy", "1", "", sectors, "/dev/sdy1 /media/stick ext4 rw 0 0\n", "unmount it first"},
		{"a partition", "", "", "", "", "", "not a whole disk"},
	} {
		sys := t.TempDir()
		mounts := filepath.Join(sys, "mounts")
		write(t, mounts, tt.mounts)
		dev := "/dev/sdx1"
		if tt.dev != "" {
			dev = "/dev/" + tt.dev
			write(t, filepath.Join(sys, tt.dev, "removable"), tt.removable+"\n")
			write(t, filepath.Join(sys, tt.dev, "size"), tt.size+"\n")
			write(t, filepath.Join(sys, tt.dev, "device", "type"), tt.kind+"\n")
			write(t, filepath.Join(sys, tt.dev, "device", "model"), "Cruzer Blade   \n")
		}
		c, err := checkBlock(sys, mounts, dev)
		if got := text(err); !strings.Contains(got, tt.want) || (tt.want == "") != (err == nil) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if got := c.String(); err == nil && got != dev+" (Cruzer Blade, 31.9 GB)" {
			t.Errorf("%s: a person is asked about %q", tt.name, got)
		}
	}
}

func TestACardIsWrittenAfterYesOnly(t *testing.T) {
	for answer, ok := range map[string]bool{"yes\n": true, "y\n": false, "\n": false, "": false, "yes yes\n": false} {
		if err := (card{dev: "/dev/sdx"}).ask(strings.NewReader(answer), io.Discard); (err == nil) != ok {
			t.Errorf("%q: got %v", answer, err)
		}
	}
	dir := t.TempDir()
	src, c := filepath.Join(dir, "a.img"), card{dev: filepath.Join(dir, "card")}
	write(t, src, strings.Repeat("image", 10_000))
	write(t, c.dev, "")
	var out bytes.Buffer
	if err := c.write(src, &out); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(c.dev); string(got) != strings.Repeat("image", 10_000) {
		t.Errorf("the card holds %d bytes", len(got))
	}
	if !strings.Contains(out.String(), "100 % written") {
		t.Errorf("shown: %q", out.String())
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
