package phone_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
)

func TestParseLoad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                      string
		protocol                  phone.Protocol
		version                   [4]int
		loader, universal, signed bool
	}{
		{"P0S30203", phone.SIP, [4]int{2, 3}, false, false, false},
		{"P0S3-03-0-00", phone.SIP, [4]int{3, 0}, false, false, false},
		{"P0S3-04-4-00", phone.SIP, [4]int{4, 4}, false, false, false},
		{"P0S3-05-3-00", phone.SIP, [4]int{5, 3}, false, false, true},
		{"P0S3-06-3-00", phone.SIP, [4]int{6, 3}, false, false, true},
		{"P0S3-07-4-00", phone.SIP, [4]int{7, 4}, false, true, true},
		{"p0s3-8-12-00", phone.SIP, [4]int{8, 12}, false, true, true},
		{"P003-8-12-00", phone.SCCP, [4]int{8, 12}, true, true, true},
		{"P00303020214", phone.SCCP, [4]int{3, 2, 2, 14}, false, false, false},
		{"P00305000500", phone.SCCP, [4]int{5, 0, 5, 0}, false, false, true},
		{"P00307020300", phone.SCCP, [4]int{7, 2, 3, 0}, false, true, true},
		{"P0030801SR02", phone.SCCP, [4]int{8, 1, 0, 2}, false, true, true},
		{"P0M3-07-0-00", phone.MGCP, [4]int{7, 0}, false, true, true},
	} {
		l, ok := phone.ParseLoad(tt.name)
		if !ok || l.Protocol != tt.protocol || l.Version != tt.version || l.Loader != tt.loader || l.Universal() != tt.universal || l.Signed() != tt.signed {
			t.Errorf("ParseLoad(%q) = %+v (universal %v, signed %v), %v", tt.name, l, l.Universal(), l.Signed(), ok)
		}
		if l.Name != strings.ToUpper(tt.name) {
			t.Errorf("ParseLoad(%q) has the name %q", tt.name, l.Name)
		}
	}
	for _, name := range []string{"", "P0S3", "SIP41.8-5-4S", "P0S3-8-12-00.loads", "P0X3-8-12-00", "P0S3-8-12-0", "latest", " P0S30203"} {
		if l, ok := phone.ParseLoad(name); ok {
			t.Errorf("ParseLoad(%q) = %+v", name, l)
		}
	}
}

func TestSyntheticContainers(t *testing.T) {
	t.Parallel()
	files := phone.MakeBundle("P0S3-8-12-00", 130552, 756120)
	for name, size := range map[string]int{ // phones.md c.2
		"P003-8-12-00.bin": 130552, "P003-8-12-00.sbn": 130956, "P0S3-8-12-00.sb2": 756524, "P0S3-8-12-00.loads": 458,
	} {
		if len(files[name]) != size {
			t.Errorf("%s has %d bytes, measured were %d", name, len(files[name]), size)
		}
	}
	img, err := phone.ParseImage(files["P003-8-12-00.sbn"][:phone.MaxHeader])
	bears, _ := phone.ParseLoad("P003-8-12-00")
	if want := (phone.Image{Signed: true, Name: "P003-8-12-00.sbn", HeaderLength: 404, LoaderID: "PAS30830", Bears: bears}); err != nil || img != want {
		t.Errorf("the loader: %+v, %v", img, err)
	}
	img, err = phone.ParseImage(files["P003-8-12-00.bin"])
	if want := (phone.Image{LoaderID: "PAS30830", Bears: bears}); err != nil || img != want {
		t.Errorf("the unsigned loader: %+v, %v", img, err)
	}
	list, err := phone.ParseLoads(files["P0S3-8-12-00.loads"])
	if err != nil || list.Name != "P0S3-8-12-00.loads" || list.LoaderID != "PAS30830" || !slices.Equal(list.Files, []string{"P003-8-12-00.sbn", "P0S3-8-12-00.sb2"}) {
		t.Errorf("the list: %+v, %v", list, err)
	}
	long := strings.Repeat("n", 60) + ".sb2"
	if img, err := phone.ParseImage(phone.MakeContainer(long, []byte("payload"))); err != nil || img.Name != long {
		t.Errorf("a long name: %+v, %v", img, err)
	}
	for load, want := range map[string]int{"P00308010200": 4, "P0S3-05-3-00": 2, "P0S30203": 1, "P003-8-12-00": 0, "junk": 0} {
		if got := len(phone.MakeBundle(load, 0, 0)); got != want {
			t.Errorf("a bundle of %s has %d files, want %d", load, got, want)
		}
	}
}

func TestParseImageRefusesDamage(t *testing.T) {
	t.Parallel()
	whole := phone.MakeContainer("P003-8-12-00.sbn", make([]byte, 1000))
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], to)
		return b
	}
	for about, b := range map[string][]byte{
		"cut off":                whole[:300],
		"a length past its end":  change(11, 0xff, 0xff),
		"a header that is short": change(8, 0, 12),
		"no name":                phone.MakeContainer("", nil),
		"a name with a folder":   phone.MakeContainer("../x.sbn", nil),
		"no signature":           change(5+5+94+18, 0x0f),
	} {
		if img, err := phone.ParseImage(b); err == nil {
			t.Errorf("%s: %+v", about, img)
		}
	}
}

func TestParseLoads(t *testing.T) {
	t.Parallel()
	wrap := func(s string) []byte { return phone.MakeContainer("x.loads", []byte(s)) }
	list, err := phone.ParseLoads(wrap("a.sbn\r\n\r\nb.sb2\nOTHER=1\nLA_VERSION=PAS30830"))
	if err != nil || list.LoaderID != "PAS30830" || !slices.Equal(list.Files, []string{"a.sbn", "b.sb2"}) {
		t.Errorf("%+v, %v", list, err)
	}
	for about, b := range map[string][]byte{
		"nothing": nil, "no header": []byte("a.sbn\nb.sb2\n"), "no files": wrap("LA_VERSION=PAS30830\n"), "a path": wrap("../a.sbn\n"),
		"binary": wrap("a\x01b\n"), "too many": wrap(strings.Repeat("a.sbn\n", 40)), "a line without end": wrap(strings.Repeat("a", 5000)),
	} {
		if list, err := phone.ParseLoads(b); err == nil {
			t.Errorf("%s: %+v", about, list)
		}
	}
}

func FuzzParseLoads(f *testing.F) {
	f.Add(phone.MakeBundle("P0S3-8-12-00", 0, 0)["P0S3-8-12-00.loads"])
	f.Add(phone.MakeContainer("x.loads", []byte("a\r\nb\nLA_VERSION=")))
	f.Add([]byte("a.sbn\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := phone.ParseLoads(b)
		if err != nil {
			return
		}
		if len(list.Files) == 0 || list.Name == "" {
			t.Fatalf("an empty list: %+v", list)
		}
		for _, name := range append(list.Files, list.Name) {
			if strings.ContainsAny(name, "/\\\x00 \n") || name == ".." {
				t.Errorf("the name %q", name)
			}
		}
		again, err := phone.ParseLoads(phone.MakeLoads(list.Name, list.Files, list.LoaderID))
		if err != nil || !slices.Equal(again.Files, list.Files) || again.Name != list.Name {
			t.Errorf("written again: %+v, %v", again, err)
		}
	})
}

func FuzzParseImage(f *testing.F) {
	for _, b := range phone.MakeBundle("P0S3-8-12-00", 400, 400) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := phone.ParseImage(b)
		if err != nil {
			return
		}
		if img.HeaderLength > len(b) || img.Signed != (img.HeaderLength > 0) || img.Signed && img.Name == "" {
			t.Errorf("%+v of %d bytes", img, len(b))
		}
		if img.Signed {
			again, err := phone.ParseImage(phone.MakeContainer(img.Name, b[img.HeaderLength:]))
			if err != nil || again.Name != img.Name || again.LoaderID != img.LoaderID {
				t.Errorf("written again: %+v, %v, was %+v", again, err, img)
			}
		}
	})
}
