package phone_test

import (
	"testing"

	"phonebox/services/phone"
)

func TestSyntheticIDsDifferFromReleaseToRelease(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, load := range []string{"P0S3-07-4-00", "P0S3-07-5-00", "P0S3-08-3-00", "P0S3-08-9-00", "P0S3-8-12-00", "P00308000500", "P00308010200", "P00306000200"} {
		id := phone.SyntheticIDOf(load)
		if other := seen[id]; other != "" || len(id) != len(phone.SyntheticLoaderID) {
			t.Errorf("%s has the id %q, which is that of %q or of the wrong length", load, id, other)
		}
		seen[id] = load
	}
	if id := phone.SyntheticIDOf("P0S3-8-12-00"); id != phone.SyntheticLoaderID {
		t.Errorf("8.12 has the id %q", id)
	}
	if id := phone.SyntheticIDOf("junk"); id != "" {
		t.Errorf("junk has the id %q", id)
	}
}

func TestABundleCarriesItsID(t *testing.T) {
	t.Parallel()
	for load, loader := range map[string]string{"P0S3-07-4-00": "P003-07-4-00", "P00308000500": "P00308000500"} {
		id := phone.SyntheticIDOf(load)
		files := phone.MakeBundleWithID(load, id, 400, 400)
		if len(files) != 4 {
			t.Errorf("%s: %d files, want 4", load, len(files))
		}
		list, err := phone.ParseLoads(files[load+".loads"])
		if err != nil || list.LoaderID != id {
			t.Errorf("%s: the list says %+v, %v, want %s", load, list, err, id)
		}
		for _, suffix := range []string{".sbn", ".bin"} {
			img, err := phone.ParseImage(files[loader+suffix])
			if err != nil || img.LoaderID != id || img.Signed != (suffix == ".sbn") {
				t.Errorf("%s%s: %+v, %v, want the id %s", loader, suffix, img, err, id)
			}
		}
		if img, err := phone.ParseImage(files[load+".sb2"]); err != nil || img.LoaderID == id {
			t.Errorf("%s.sb2: %+v, %v, want an id that is no loader's", load, img, err)
		}
	}
	if files := phone.MakeBundleWithID("P00303010102", "PAS30000", 400, 400); len(files) != 1 || len(files["P00303010102.bin"]) != 400 {
		t.Errorf("an early load: %d files", len(files))
	}
}
