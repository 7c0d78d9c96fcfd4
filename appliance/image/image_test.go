package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
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
		{"nothing wrong", "-o x.img -arch amd64", ""},
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
	for _, tt := range []struct{ name, dev, removable, kind, mounts, want string }{
		{"a USB stick", "sdz", "1", "", "", ""},
		{"a card in a built-in reader", "mmcblk0", "0", "SD", "", ""},
		{"a built-in disk", "sda", "0", "", "", "built in"},
		{"soldered memory", "mmcblk1", "0", "MMC", "", "built in"},
		{"a disk that is in use", "sdy", "1", "", "/dev/sdy1 /media/stick ext4 rw 0 0\n", "unmount it first"},
		{"a partition", "", "", "", "", "not a whole disk"},
	} {
		sys := t.TempDir()
		mounts := filepath.Join(sys, "mounts")
		write(t, mounts, tt.mounts)
		dev := "/dev/sdx1"
		if tt.dev != "" {
			dev = "/dev/" + tt.dev
			write(t, filepath.Join(sys, tt.dev, "removable"), tt.removable+"\n")
			write(t, filepath.Join(sys, tt.dev, "device", "type"), tt.kind+"\n")
		}
		err := checkBlock(sys, mounts, dev)
		if got := text(err); !strings.Contains(got, tt.want) || (tt.want == "") != (err == nil) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWriteCardAsksFirst(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "a.img"), filepath.Join(dir, "card")
	write(t, src, "image")
	write(t, dst, "holiday pictures")
	if err := writeCard(src, dst, strings.NewReader("y\n"), io.Discard); err == nil {
		t.Error("anything but yes must write nothing")
	}
	if got, _ := os.ReadFile(dst); string(got) != "holiday pictures" {
		t.Errorf("the card holds %q", got)
	}
	write(t, dst, "")
	if err := writeCard(src, dst, strings.NewReader("yes\n"), io.Discard); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(dst); string(got) != "image" {
		t.Errorf("the card holds %q", got)
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
