package provision_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"phonebox/services/provision"
)

// Transfers of one image share its bytes. Once the file is another one, who asks gets that, and a transfer that runs goes
// on with the whole old one.
func TestImagesAreShared(t *testing.T) {
	t.Parallel()
	files := bundle("P0S3-05-3-00")
	const name = "P0S3-05-3-00.bin"
	p, dir := start(t, office(), newWorld(), files)
	open := func() provision.Answer {
		t.Helper()
		a := p.Answer(t.Context(), provision.Query{Name: name, From: laptopAt})
		if a.Status != provision.OK || a.Size != int64(len(a.Bytes)) {
			t.Fatalf("%+v", a)
		}
		return a
	}
	a, b := open(), open()
	if &a.Bytes[0] != &b.Bytes[0] || !bytes.Equal(a.Bytes, files[name]) {
		t.Error("two answers have two copies, or others than the file")
	}
	other := append(bytes.Clone(files[name]), "longer"...)
	if err := os.WriteFile(filepath.Join(dir, name), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := open(); !bytes.Equal(c.Bytes, other) || c.Close() != nil {
		t.Error("after the file changed, the old one is sent")
	}
	if !bytes.Equal(a.Bytes, files[name]) {
		t.Error("what is being sent changed")
	}
	for range 2 { // closing twice is one use less
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(b.Bytes, files[name]) || b.Close() != nil {
		t.Error("what is being sent changed")
	}
}
