package web

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"
)

//go:embed screenfont.txt
var screenFontText string

// glyph is the drawing of a character: rows from the top, bit 0 is the leftmost pixel.
type glyph struct {
	width int
	rows  [8]uint16
}

// screenFont is the face of the drawn screen: printable ASCII and Latin-1, made when it is first needed.
var screenFont = sync.OnceValue(func() map[rune]glyph {
	font, err := parseFont(screenFontText)
	if err != nil {
		panic(err) // the face is part of the program, and its test reads it
	}
	return font
})

// parseFont reads the face and puts the accented letters together.
func parseFont(text string) (map[rune]glyph, error) {
	parts := map[string]glyph{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# ") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 || len(fields) > 9 {
			return nil, fmt.Errorf("reading the face: found %q, allowed is a character and its rows", line)
		}
		g := glyph{width: len(fields[1])}
		for y, row := range fields[1:] {
			if len(row) != g.width || strings.Trim(row, ".#") != "" {
				return nil, fmt.Errorf("reading the face: row %d of %s is %q, allowed are %d of . and #", y+1, fields[0], row, g.width)
			}
			for x := range row {
				if row[x] == '#' {
					g.rows[y] |= 1 << x
				}
			}
		}
		parts[fields[0]] = g
	}
	font := map[rune]glyph{' ': parts["sp"], '#': parts["hash"], 0xa0: parts["sp"], 0xad: parts["-"]}
	for name, g := range parts {
		if r := []rune(name); len(r) == 1 {
			font[r[0]] = g
		}
	}
	for r := rune(0xa1); r <= 0xff; r++ {
		if _, drawn := font[r]; drawn {
			continue
		}
		g, err := accented(r, parts)
		if err != nil {
			return nil, err
		}
		font[r] = g
	}
	return font, nil
}

// accents are the combining marks of Latin-1 letters by their names in the face.
var accents = map[rune]string{
	0x300: "grave", 0x301: "acute", 0x302: "circumflex", 0x303: "tilde", 0x308: "diaeresis", 0x30a: "ring", 0x327: "cedilla",
}

// accented puts a letter and its accent together.
func accented(r rune, parts map[string]glyph) (glyph, error) {
	var base, mark string
	switch r {
	case 0xa8, 0xaf, 0xb4, 0xb8: // an accent alone
		base, mark = "sp", map[rune]string{0xa8: "diaeresis", 0xaf: "macron", 0xb4: "acute", 0xb8: "cedilla"}[r]
	default:
		d := []rune(norm.NFD.String(string(r)))
		if len(d) != 2 {
			return glyph{}, fmt.Errorf("reading the face: %q has no drawing", r)
		}
		base, mark = string(d[0]), accents[d[1]]
	}
	g, ok := parts["^"+base]
	if !ok {
		if g, ok = parts[base]; !ok {
			return glyph{}, fmt.Errorf("reading the face: %q has no drawing", base)
		}
	}
	m, ok := parts[mark]
	if !ok {
		return glyph{}, fmt.Errorf("reading the face: the accent of %q has no drawing", r)
	}
	top := 0
	if mark == "cedilla" {
		top = 7
	}
	shift := max(0, (g.width-m.width+1)/2)
	for y := 0; y < 2 && top+y < len(g.rows); y++ {
		g.rows[top+y] |= m.rows[y] << shift
	}
	g.width = max(g.width, m.width)
	return g, nil
}
