package web

import (
	"fmt"
	"image"
	"strings"
)

// How the screen is divided: a title, five lines, a prompt, four soft keys.
const (
	screenLines = 5
	linePitch   = 8
	titleHeight = 9
	linesTop    = titleHeight + 1
	promptTop   = linesTop + screenLines*linePitch // 50
	softKeysTop = screenHeight - 8                 // 57
)

// softKeys draws the four keys below the display. Each takes the room of its word; what is left is shared.
func (s *Screen) softKeys(keys []string) {
	const least = 14 // pixels of a key without a word
	var widths [4]int
	spare := screenWidth + 1 // no gap behind the last
	for i := range widths {
		widths[i] = least
		if i < len(keys) && keys[i] != "" {
			widths[i] = textWidth(keys[i])
		}
		spare -= widths[i] + 1
	}
	x := 0
	for i, w := range widths {
		wide := w + max(0, spare)/4
		if i < len(keys) && keys[i] != "" {
			s.fill(x, softKeysTop, wide, 8, 1)
			s.text(x+(wide-w)/2, softKeysTop, wide, 3, keys[i])
		}
		x += wide + 1
	}
}

// title draws the bar on top.
func (s *Screen) title(text string) {
	s.fill(0, 0, screenWidth, titleHeight, 3)
	s.text(2, 1, screenWidth-4, 0, text)
}

// screenList is a list that a phone shows, such as a page of the directory or its menu of rings.
type screenList struct {
	Title    string
	Items    []string
	Selected int // the bar is on this item; it is kept in sight
	Prompt   string
	Keys     []string // soft keys from the left, at most four
}

// draw makes the screen of a list.
func (l screenList) draw() *Screen {
	s := &Screen{}
	s.title(l.Title)
	first, selected := l.window()
	var shown []string
	for i := first; i < min(first+screenLines, len(l.Items)); i++ {
		y := linesTop + (i-first)*linePitch
		ink := uint8(3)
		if i == selected {
			s.fill(0, y-1, screenWidth-4, linePitch, 2)
			ink = 0
		}
		s.text(2, y-1, screenWidth-8, ink, l.Items[i])
		shown = append(shown, l.Items[i])
	}
	if n := len(l.Items); n > screenLines {
		const track = screenLines * linePitch
		s.fill(screenWidth-3, linesTop-1, 3, track, 1)
		s.fill(screenWidth-3, linesTop-1+first*track/n, 3, max(3, screenLines*track/n), 3)
	}
	s.text(2, promptTop, screenWidth-4, 2, l.Prompt)
	s.softKeys(l.Keys)
	s.Alt = fmt.Sprintf("The phone's screen. On top: %s. In the list: %s. Below: %s. Keys: %s.", l.Title, orNothing(shown), l.Prompt, orNothing(l.Keys))
	return s
}

// window says which item is the first to be seen, and which is selected.
func (l screenList) window() (first, selected int) {
	selected = min(max(l.Selected, 0), max(0, len(l.Items)-1))
	return max(0, min(selected-screenLines/2, len(l.Items)-screenLines)), selected
}

func orNothing(list []string) string {
	var out []string
	for _, one := range list {
		if one != "" {
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

// logoScreen is the display of a phone at rest: the logo, and beside it the names of its lines.
func logoScreen(logo *image.Gray, lines []string) *Screen {
	s := &Screen{Alt: "The phone's screen at rest: the logo on the left, the names of the lines on the right."}
	s.picture(0, 0, logo)
	left := logo.Bounds().Dx()
	for i, line := range lines[:min(6, len(lines))] {
		if line != "" {
			s.text(left+3, 1+i*9, screenWidth-left-4, 3, line)
		}
	}
	s.softKeys([]string{"Redial", "NewCall", "CFwdAll", "more"})
	return s
}

// dialScreen is the display while a number is dialled.
type dialScreen struct {
	Line   string // whose line it is
	Number string
	Says   []string // up to two lines below
	Keys   []string
}

func (d dialScreen) draw() *Screen {
	s := &Screen{}
	s.title(d.Line)
	s.large(4, 14, screenWidth-8, 3, d.Number)
	for i, line := range d.Says[:min(2, len(d.Says))] {
		s.text(4, 36+i*9, screenWidth-8, 3, line)
	}
	s.softKeys(d.Keys)
	s.Alt = fmt.Sprintf("The phone's screen. On top: %s. Dialled: %s. It says: %s. Keys: %s.", d.Line, orNothing([]string{d.Number}), orNothing(d.Says), orNothing(d.Keys))
	return s
}
