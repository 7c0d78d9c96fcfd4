package web

import (
	"flag"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phonebox/services/phone"
	"phonebox/services/phone/dialplan"
)

var updateScreens = flag.Bool("update-screens", false, "write the drawn screens anew")

// dump writes a screen as text: a character a pixel.
func (s *Screen) dump() string {
	var b strings.Builder
	for _, row := range s.pix {
		for _, ink := range row {
			b.WriteByte(" .o#"[ink])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// The drawn screens are those that a person looked at, pixel by pixel.
func TestDrawnScreens(t *testing.T) {
	t.Parallel()
	content, _ := phone.WriteDirectory("Harbour Street office", []phone.Entry{{Name: "Brandmeldung & Überwachung", Number: "112"}, {Name: "Élodie Gómez-Ñandú", Number: "5"}}, 1)
	o, err := readPhoneObject(content)
	if err != nil || len(o.Entries) != 2 || o.Entries[0] != (Contact{Name: "Brandmeldung & Überwachung", Number: "112"}) {
		t.Fatalf("the page of the directory is read as %+v, %v", o, err)
	}
	directory := screenList{Title: o.Title, Prompt: o.Prompt, Keys: []string{"Dial", "EditDial", "Exit", "Next"}}
	for _, e := range o.Entries {
		directory.Items = append(directory.Items, e.Name)
	}
	long := screenList{Title: "Ring Type", Prompt: "Select a ring", Selected: 7, Keys: []string{"Select", "Play", "Exit", ""}}
	long.Items = strings.Fields("Chirp1 Chirp2 Bell Old_Style quick brown fox jumps over")
	var every []string // every character, 16 a line
	for r := rune(0x20); r <= 0xff; r += 16 {
		line := ""
		for c := r; c < r+16; c++ {
			line += string(c)
		}
		if r != 0x80 && r != 0x90 {
			every = append(every, line)
		}
	}
	logo := image.NewGray(image.Rect(0, 0, 90, 56))
	for i := range logo.Pix {
		logo.Pix[i] = uint8(i % 90 * 255 / 89)
	}
	test := dialplan.Test(dialplan.Plan{Rules: []dialplan.Rule{{Match: "9,...", Timeout: "0", Rewrite: "%1"}}}, "9123")
	for name, s := range map[string]*Screen{
		"directory": directory.draw(), "rings": long.draw(), "empty": screenList{Title: "Nobody"}.draw(),
		"face1": screenList{Title: every[0], Items: every[1:6], Selected: 1}.draw(),
		"face2": screenList{Title: every[6], Items: every[7:12], Selected: 1}.draw(),
		"rest":  logoScreen(logo, []string{"208", "Front"}), "dial": stepScreen(test.Steps[0], test), "sent": stepScreen(test.Steps[3], test),
	} {
		file := filepath.Join("testdata", "screens", name+".txt")
		if *updateScreens {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(s.dump()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(s.dump(), "\n")); diff != "" {
			t.Errorf("%s is drawn differently:\n%s", name, diff)
		}
		if s.Alt == "" {
			t.Errorf("%s has no words for who can't see it", name)
		}
	}
}

// The SVG has the pixels of the screen, each once, and nothing that the content policy forbids.
func TestScreenAsSVG(t *testing.T) {
	t.Parallel()
	s := screenList{Title: "A <b> & \"c\"", Items: []string{"one", "two"}, Prompt: "x", Keys: []string{"Exit"}}.draw()
	svg := string(s.SVG())
	if strings.Contains(svg, "style") || strings.Contains(svg, "<b>") || len(svg) > 12<<10 {
		t.Errorf("the drawing has %d bytes: %.300s", len(svg), svg)
	}
	drawn := Screen{}
	for ink := uint8(1); ink < inks; ink++ {
		_, rest, ok := strings.Cut(svg, `stroke="`+screenGreys[ink]+`" transform="translate(0 .5)" d="`)
		if !ok {
			t.Fatalf("grey %d is not drawn", ink)
		}
		path, _, _ := strings.Cut(rest, `"`)
		replay(t, &drawn, path, ink)
	}
	if diff := cmp.Diff(strings.Split(s.dump(), "\n"), strings.Split(drawn.dump(), "\n")); diff != "" {
		t.Error(diff)
	}
	if again := string(s.SVG()); again != svg {
		t.Error("the same pixels are drawn in two ways")
	}
}

// replay draws what the strokes of a path say.
func replay(t *testing.T, s *Screen, path string, ink uint8) {
	t.Helper()
	x, y := 0, 0
	for path != "" {
		cmd := path[0]
		end := strings.IndexAny(path[1:], "Mmh")
		arg := path[1:]
		if end >= 0 {
			arg = path[1 : 1+end]
		}
		path = path[1+len(arg):]
		var a, b int
		for i, f := range strings.Fields(arg) {
			n := 0
			for _, c := range f {
				n = n*10 + int(c-'0')
			}
			if i == 0 {
				a = n
			} else {
				b = n
			}
		}
		switch cmd {
		case 'M':
			x, y = a, b
		case 'm':
			x, y = x+a, y+b
		case 'h':
			for range a {
				if s.pix[y][x] != 0 {
					t.Fatalf("the pixel %d,%d is drawn twice", x, y)
				}
				s.pix[y][x] = ink
				x++
			}
		}
	}
}

// Every character that phones show has a drawing of its own.
func TestTheFaceIsWhole(t *testing.T) {
	t.Parallel()
	font, err := parseFont(screenFontText)
	if err != nil {
		t.Fatal(err)
	}
	same := map[glyph]rune{}
	for r := rune(0x21); r <= 0xff; r++ {
		if r >= 0x7f && r <= 0xa0 || r == 0xad {
			continue
		}
		g, ok := font[r]
		if !ok {
			t.Errorf("%q has no drawing", r)
			continue
		}
		if other, twice := same[g]; twice {
			t.Errorf("%q is drawn like %q", r, other)
		}
		same[g] = r
	}
	for _, bad := range []string{"A\n", "A .# .\n", "A .x\n"} {
		if _, err := parseFont(bad); err == nil {
			t.Errorf("the face %q is taken", bad)
		}
	}
}

func TestPastedLists(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		want   []Contact
		faults int
	}{
		{"Name\tNumber\nJan Peeters\t0478 12 34 56\r\n101\tPolice\n", []Contact{{"Jan Peeters", "0478 12 34 56"}, {"Police", "101"}}, 0},
		{"\"Peeters, Jan\";0478\nPoison line; 070 245 245", []Contact{{"Peeters, Jan", "0478"}, {"Poison line", "070 245 245"}}, 0},
		{"\"Peeters, Jan\",+32 2 345\n", []Contact{{"Peeters, Jan", "+32 2 345"}}, 0},
		{"A=B = 0 12\nFire = 112", []Contact{{"A=B", "0 12"}, {"Fire", "112"}}, 0},
		{"Fire brigade 02 345 67 89\nStar *98", []Contact{{"Fire brigade", "02 345 67 89"}, {"Star", "*98"}}, 0},
		{"Jan\tPeeters\t0478\tjan@example.org", []Contact{{"Jan Peeters", "0478"}}, 0},
		{"nobody\n\n12\nNo = \n", nil, 3},
		{"Naam;Nummer\nJan;12\nnobody", []Contact{{"Jan", "12"}}, 1},
		{"\xff\xfe;12", []Contact{{"?", "12"}}, 0},
		{"", nil, 0},
	} {
		got, faults := parsePasted(tt.text)
		if diff := cmp.Diff(tt.want, got); diff != "" || len(faults) != tt.faults {
			t.Errorf("%q gives %q and %q, want %q and %d faults", tt.text, got, faults, tt.want, tt.faults)
		}
	}
	many, faults := parsePasted(strings.Repeat("x = 1\n", maxPasted+1))
	if len(many) != maxPasted || len(faults) != 1 {
		t.Errorf("a list that is too long gives %d entries and %q", len(many), faults)
	}
	if _, faults := parsePasted(strings.Repeat("nobody\n", 100)); len(faults) != maxTold+2 {
		t.Errorf("%d faults are told, want %d", len(faults), maxTold+2)
	}
}

// FuzzPasted pastes anything: what comes is bounded, has a name and a number, and comes again when it is pasted again.
func FuzzPasted(f *testing.F) {
	f.Add("Jan\t0478\n\"a\";b;1\n=1\nx = *\nFire 112")
	f.Add("\xff\x00\t\"\"\"\n,;=\t")
	f.Fuzz(func(t *testing.T, text string) {
		contacts, faults := parsePasted(text)
		if len(contacts) > maxPasted || len(faults) > maxTold+3 {
			t.Fatalf("%d entries, %d faults", len(contacts), len(faults))
		}
		for _, c := range contacts {
			if strings.TrimSpace(c.Name) == "" || !looksDialled(c.Number) {
				t.Fatalf("%q became %q", text, c)
			}
		}
		v := directoryView{Pasted: text}
		v.paste()
		if again, _ := parsePasted(v.Pasted); len(again) > 0 && len(faults) > 0 && v.Pasted != text && strings.Count(text, "\n") < maxPasted {
			t.Fatalf("what was left of %q holds entries: %q", text, again)
		}
	})
}

func BenchmarkScreen(b *testing.B) {
	list := screenList{Title: "Harbour Street office", Items: []string{"Fire brigade", "Élodie Gómez", "Night porter", "Reception", "Warehouse", "Zoo"}, Prompt: "Page 1 of 2", Keys: []string{"Dial", "EditDial", "Exit", "Next"}}
	for b.Loop() {
		_ = list.draw().SVG()
	}
}
