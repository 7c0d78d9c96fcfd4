package web

import "fmt"

// diffLine is a line of a comparison.
type diffLine struct {
	Sign string // "+", "-", " " or "@"
	Word string // the sign in a word, for who does not see it
	Old  string // number of the line in what the phone got; "" = it is not there
	New  string
	Text string
}

// contextLines stand around each change.
const contextLines = 3

// maxDiffLines bounds what is compared line by line; files of phones have a few hundred.
const maxDiffLines = 1000

// unified compares two texts line by line, as a unified diff does. A line of which only the hidden password differs is told
// as changed, for that is what it is.
func unified(old, now []KeptLine) (lines []diffLine, added, removed int) {
	if len(old) > maxDiffLines || len(now) > maxDiffLines {
		return []diffLine{{Sign: "@", Word: "note", Text: "They are too long to be compared line by line."}}, 0, 0
	}
	all := edits(old, now)
	for _, l := range all {
		switch l.Sign {
		case "+":
			added++
		case "-":
			removed++
		}
	}
	return hunks(all), added, removed
}

// edits is every line of both texts in order, by the longest common subsequence.
func edits(old, now []KeptLine) []diffLine {
	// What is alike at both ends needs no table.
	head := 0
	for head < len(old) && head < len(now) && old[head] == now[head] {
		head++
	}
	tail := 0
	for tail < len(old)-head && tail < len(now)-head && old[len(old)-1-tail] == now[len(now)-1-tail] {
		tail++
	}
	a, b := old[head:len(old)-tail], now[head:len(now)-tail]
	table := make([][]uint16, len(a)+1)
	cells := make([]uint16, (len(a)+1)*(len(b)+1))
	for i := range table {
		table[i] = cells[i*(len(b)+1) : (i+1)*(len(b)+1)]
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	var out []diffLine
	same := func(i, j int) {
		out = append(out, diffLine{Sign: " ", Old: fmt.Sprint(i + 1), New: fmt.Sprint(j + 1), Text: now[j].Text})
	}
	for i := range head {
		same(i, i)
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			same(head+i, head+j)
			i++
			j++
		case i < len(a) && (j == len(b) || table[i+1][j] >= table[i][j+1]):
			out = append(out, diffLine{Sign: "-", Word: "removed", Old: fmt.Sprint(head + i + 1), Text: a[i].Text})
			i++
		default:
			out = append(out, diffLine{Sign: "+", Word: "added", New: fmt.Sprint(head + j + 1), Text: b[j].Text})
			j++
		}
	}
	for n := tail; n > 0; n-- {
		same(len(old)-n, len(now)-n)
	}
	tellPasswords(out)
	return out
}

// tellPasswords says of lines that look the same before and now that their passwords differ.
func tellPasswords(all []diffLine) {
	for k := range all {
		for n := k + 1; all[k].Sign == "-" && n < len(all) && all[n].Sign != " "; n++ {
			if all[n].Sign == "+" && all[n].Text == all[k].Text {
				all[k].Text += "  (the former password)"
				all[n].Text += "  (another password)"
			}
		}
	}
}

// hunks leaves out what is far from every change.
func hunks(all []diffLine) []diffLine {
	keep := make([]bool, len(all))
	for i, l := range all {
		if l.Sign == " " {
			continue
		}
		for k := max(0, i-contextLines); k <= min(len(all)-1, i+contextLines); k++ {
			keep[k] = true
		}
	}
	var out []diffLine
	left := 0
	flush := func() {
		if left > 0 {
			out = append(out, diffLine{Sign: "@", Word: "note", Text: count(left, "line") + " left out, the same in both"})
		}
		left = 0
	}
	for i, l := range all {
		if !keep[i] {
			left++
			continue
		}
		flush()
		out = append(out, l)
	}
	flush()
	return out
}
