package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// TestASmallCardIsNotFilled sends a box with a small card more than it has room for, by each way. Each answers in a
// sentence, nothing is left behind, and leases, settings and the page go on with what is kept free for them.
func TestASmallCardIsNotFilled(t *testing.T) {
	testkit.Need(t, "netns")
	waiting.enter(t)
	b := newBox(t, office(t, testkit.Host{Name: "desk"}), "", nil)
	if err := unix.Mount("tmpfs", b.data, "tmpfs", 0, "size=42m"); err != nil {
		t.Fatalf("mounting a small card: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(b.data, unix.MNT_DETACH); err != nil {
			t.Errorf("taking the small card away: %v", err)
		}
	})
	b.writeSite(site{}.text())
	b.start()
	b.setPassword()
	b.waitReady()

	loads := []string{"P0S3-8-12-00", "P0S3-08-9-00", "P0S3-08-8-00", "P0S3-08-7-00", "P0S3-08-6-00", "P0S3-08-5-00", "P0S3-08-4-00"}
	stored := b.fillShelf(loads)
	if stored == 0 {
		t.Fatal("not even one load was stored")
	}
	if free := b.freeOfCard(); free < 32<<20-1<<20 { // a store may grow by some pages meanwhile
		t.Errorf("%d MB are free", free>>20)
	}
	if code, page, _ := b.call(b.laptop, http.MethodGet, "/firmware", nil); code != http.StatusOK || !strings.Contains(string(page), "That is too little for a bundle") {
		t.Errorf("the page of the firmware (%d) does not say that the card is full: %s", code, page)
	}
	if left, err := filepath.Glob(filepath.Join(b.data, "tftp", ".upload*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	big := make([]byte, 12<<20)
	if _, err := rand.Read(big); err != nil { // what cannot be compressed
		t.Fatal(err)
	}
	for path, name := range map[string]string{"/api/v1/import": "root.zip", "/api/v1/firmware": "fw.zip"} {
		code, answer := b.send(path, name, zipped(t, map[string][]byte{"bell.raw": big}))
		if code != http.StatusInsufficientStorage || !strings.Contains(string(answer), "32 MB stay free") {
			t.Errorf("%s: %d %s", path, code, answer)
		}
	}
	code, saved, _ := b.call(b.laptop, http.MethodGet, "/api/v1/backup?parts=settings,firmware", nil)
	if code != http.StatusOK {
		t.Fatalf("a backup: %d %s", code, saved)
	}
	if code, answer, _ := b.call(b.laptop, http.MethodPost, "/api/v1/restore", saved); code != http.StatusUnprocessableEntity || !strings.Contains(string(answer), "no room for this backup") {
		t.Errorf("restoring %d KB: %d %s", len(saved)>>10, code, answer)
	}
	if a, _ := takeLease(t, b.lan.Node("desk")); !a.IsValid() {
		t.Error("no lease")
	}
	if code, answer := b.putSite([]byte(site{phones: listed(phone.MAC{0, 6, 0xd7, 0, 0, 1}, 1)}.text())); code != http.StatusNoContent {
		t.Errorf("saving the settings: %d %+v", code, answer)
	}
	b.damagedArchives(wholeLoads(loads[0]))
}

// fillShelf uploads loads until one finds no room, and returns how many were taken.
func (b *box) fillShelf(loads []string) int {
	b.t.Helper()
	for i, load := range loads {
		code, answer := b.send("/api/v1/firmware", load+".zip", zipped(b.t, wholeLoads(load)))
		switch {
		case code == http.StatusOK:
		case code != http.StatusInsufficientStorage || !strings.Contains(string(answer), "no room") || !strings.Contains(string(answer), "tored"):
			b.t.Fatalf("%s: %d %s", load, code, answer)
		default:
			return i
		}
	}
	b.t.Fatal("all loads found room")
	return 0
}

func (b *box) freeOfCard() int64 {
	b.t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(b.data, &st); err != nil {
		b.t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize
}

// damagedArchives uploads what a broken download leaves: each is refused in words, and the fault is not the box's.
func (b *box) damagedArchives(load map[string][]byte) {
	b.t.Helper()
	whole := zipped(b.t, load)
	for about, content := range map[string][]byte{
		"half a zip": whole[:len(whole)/2], "a gzip that ends": {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff},
	} {
		code, answer := b.send("/api/v1/firmware", "fw.zip", content)
		var said struct {
			Error    string
			Verdicts []struct{ Why string }
		}
		err := json.Unmarshal(answer, &said)
		if err != nil || code != http.StatusUnprocessableEntity || len(said.Verdicts) != 1 || !strings.Contains(said.Verdicts[0].Why, "download it again") {
			b.t.Errorf("%s: %d %s", about, code, answer)
		}
	}
}
