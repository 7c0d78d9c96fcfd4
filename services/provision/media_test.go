package provision_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

// wave is a WAV of a tone: 16 bits, stereo, 44100 samples a second.
func wave(seconds float64) []byte {
	var data bytes.Buffer
	for i := range int(seconds * 44100) {
		v := int16(8000 * math.Sin(float64(i)*2*math.Pi*440/44100))
		_ = binary.Write(&data, binary.LittleEndian, [2]int16{v, v})
	}
	le := binary.LittleEndian
	b := append([]byte("RIFF"), le.AppendUint32(nil, uint32(36+data.Len()))...)
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint32(b, 44100)
	b = le.AppendUint32(b, 44100*4)
	b = le.AppendUint16(b, 4)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(data.Len()))
	return append(b, data.Bytes()...)
}

// What a person uploads becomes a ring that phones find on their list and can fetch.
func TestAddRing(t *testing.T) {
	t.Parallel()
	p, _ := start(t, office(), newWorld(), map[string][]byte{"Old_Style.raw": ring()})
	for _, tt := range []struct {
		name  string
		sound []byte
		said  string // "" = refused
		why   string
	}{
		{"Täterätä.wav", wave(3), "Stored as Taterata.raw.", ""},
		{`C:\sounds\Two Tone.WAV`, wave(0.5), "Stored as Two_Tone.raw.", ""},
		{"A name that is far too long for phones.wav", wave(0.1), "Stored as A_name_that_is_far_to.raw.", ""},
		{"beep", wave(0.1), "Stored as beep.raw.", ""},
		{"raw.pcm", ring(), "Stored as raw.raw.", ""},
		{"short.raw", ring()[:100], "", "100 bytes"},
		{"wrong.wav", []byte("no sound"), "", ""},
		{"???.wav", wave(0.1), "", "letters or digits"},
	} {
		said, err := p.AddRing(tt.name, bytes.NewReader(tt.sound))
		if !strings.HasPrefix(said, tt.said) || (err == nil) != (tt.said != "") || err != nil && !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %q, %v", tt.name, said, err)
		}
	}
	_, list := ask(t, p, provision.Query{Name: "RINGLIST.DAT", From: receptionAt})
	want := "A name that is far too lo\tA_name_that_is_far_to.raw\nOld Style\tOld_Style.raw\nT\xe4ter\xe4t\xe4\tTaterata.raw\nTwo Tone\tTwo_Tone.raw\nbeep\tbeep.raw\nraw\traw.raw\n"
	if list != want {
		t.Errorf("the list is\n%q\nwant\n%q", list, want)
	}
	for _, line := range strings.Split(strings.TrimSpace(list), "\n") {
		_, file, _ := strings.Cut(line, "\t")
		a, raw := ask(t, p, provision.Query{Name: file, From: receptionAt})
		if a.Status != provision.OK || len(raw)%240 != 0 || len(raw) == 0 || len(raw) > 16080 {
			t.Errorf("%s has %d bytes: %+v", file, len(raw), a)
		}
	}
	for _, r := range p.Rings() {
		if r.Fault != "" || r.Seconds < 0.03 || r.Seconds > 2.01 {
			t.Errorf("ring %+v", r)
		}
	}
}

// Names outlast a restart, and go with their ring.
func TestRingNames(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p, dir := start(t, office(), w, map[string][]byte{"rings/Bell.pcm": ring(), "x.raw": ring()})
	for file, title := range map[string]string{"rings/Bell.pcm": "Cloche d'église", "X.RAW": "The \"X\"\tring"} {
		if err := p.NameRing(file, title); err != nil {
			t.Fatal(err)
		}
	}
	again, err := provision.New(office(), provision.Deps{Dir: dir, Observer: w, Guard: w, Log: discard, Released: w.release})
	if err != nil {
		t.Fatal(err)
	}
	want := []provision.Ring{{Name: "Cloche d'église", File: "rings/Bell.pcm", Seconds: 0.03}, {Name: "The 'X' ring", File: "x.raw", Seconds: 0.03}}
	if diff := cmp.Diff(want, again.Rings()); diff != "" {
		t.Error(diff)
	}
	if err := again.NameRing("nothing.raw", "a"); err == nil {
		t.Error("a ring that is not there was named")
	}
	for _, file := range []string{"x.raw", "rings/Bell.pcm"} {
		if err := again.RemoveRing(file); err != nil {
			t.Error(err)
		}
	}
	if err := again.RemoveRing("x.raw"); err == nil {
		t.Error("a ring was removed twice")
	}
	if names := namesIn(t, dir); len(names) != 1 || names[0] != "rings" {
		t.Errorf("the folder holds %v", names)
	}
	if a, _ := ask(t, p, provision.Query{Name: ".ringnames", From: laptopAt}); a.Status != provision.Missing {
		t.Errorf("the names were sent: %+v", a)
	}
}

// A ring that breaks the phones' rules is a fault and not on the list.
func TestRingsThatPhonesRefuse(t *testing.T) {
	t.Parallel()
	p, _ := start(t, office(), newWorld(), map[string][]byte{
		"good.raw": ring(), "odd.raw": make([]byte, 250), "long.raw": make([]byte, 16320), "endless.raw": make([]byte, 100_000), "wave.raw": wave(0.1),
		"a_name_that_no_list_can_hold.raw": ring(), "empty.raw": nil,
	})
	if _, list := ask(t, p, provision.Query{Name: "RINGLIST.DAT", From: receptionAt}); list != "good\tgood.raw\n" {
		t.Errorf("the list is %q", list)
	}
	faults := map[string]string{}
	for _, r := range p.Rings() {
		faults[r.File] = r.Fault
	}
	for file, want := range map[string]string{
		"good.raw": "", "odd.raw": "multiples of 240", "long.raw": "16080", "endless.raw": "100000 bytes", "wave.raw": "WAV",
		"a_name_that_no_list_can_hold.raw": "up to 25", "empty.raw": "empty",
	} {
		if got, ok := faults[file]; !ok || !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

func picture(t *testing.T, size int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for x := range size {
		img.Set(x, x, color.Black)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSetLogo(t *testing.T) {
	t.Parallel()
	p, dir := start(t, office(), newWorld(), nil)
	drawn, own := p.Logo()
	if own || len(drawn) != phone.LogoSize {
		t.Fatalf("the drawn one has %d bytes, own %v", len(drawn), own)
	}
	if _, err := p.SetLogo(strings.NewReader("no picture")); err == nil {
		t.Error("no picture was taken")
	}
	said, err := p.SetLogo(bytes.NewReader(picture(t, 200)))
	if err != nil || !strings.HasPrefix(said, "The logo is stored.") || !strings.Contains(said, "200x200") {
		t.Errorf("said %q, %v", said, err)
	}
	logo, own := p.Logo()
	a, _ := p.HTTP(t.Context(), laptopAt, "logo.bmp", "")
	if got := content(t, a); !own || len(logo) != phone.LogoSize || got != string(logo) || got == string(drawn) || a.ContentType != "image/bmp" {
		t.Errorf("the phones get %d bytes, own %v: %+v", len(got), own, a)
	}
	if len(p.Faults()) != 0 {
		t.Errorf("faults %+v", p.Faults())
	}
	// One that was copied there by hand is converted on its way.
	put(t, dir, map[string][]byte{"logo.bmp": picture(t, 30)})
	if err := p.Rescan(); err != nil {
		t.Fatal(err)
	}
	if byHand, own := p.Logo(); !own || len(byHand) != phone.LogoSize || bytes.Equal(byHand, logo) {
		t.Error("the one that was copied there is not used")
	}
	put(t, dir, map[string][]byte{"logo.bmp": []byte("no picture any more")})
	if err := p.Rescan(); err != nil {
		t.Fatal(err)
	}
	if bmp, own := p.Logo(); own || !bytes.Equal(bmp, drawn) || len(p.Faults()) != 1 || !strings.Contains(p.Faults()[0].Why, "drawn instead") {
		t.Errorf("a broken one: own %v, faults %+v", own, p.Faults())
	}
	if _, err := p.SetLogo(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "logo.bmp")); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := p.SetLogo(nil); err != nil {
		t.Errorf("taking away what is not there: %v", err)
	}
}

// A WAV within an upload becomes a ring.
func TestUploadWithSounds(t *testing.T) {
	t.Parallel()
	p, _ := start(t, office(), newWorld(), nil)
	verdicts, err := p.Add("sounds.zip", bytes.NewReader(zipOf(t, map[string][]byte{"a/Bell.wav": wave(0.2), "b/broken.wav": []byte("RIFF"), "c/two.raw": ring()})))
	if err != nil || len(verdicts) != 3 {
		t.Fatalf("%+v, %v", verdicts, err)
	}
	for i, want := range []string{"converted and stored as Bell.raw", "", "stored as two.raw"} {
		if v := verdicts[i]; v.OK != (want != "") || !strings.HasPrefix(v.Why, want) || v.Why == "" {
			t.Errorf("verdict %+v, want %q", v, want)
		}
	}
	if rings := p.Rings(); len(rings) != 2 || rings[0].File != "Bell.raw" {
		t.Errorf("rings %+v", rings)
	}
}
