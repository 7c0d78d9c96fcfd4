package web

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"phonebox/services/phone"
)

// shownName is how many characters of a name a page of the directory has (phones.md e).
const shownName = 32

// directoryView is the editor of the contacts.
type directoryView struct {
	ETag        string
	Contacts    []Contact // of the rows, with empty ones where somebody left them
	Empty       int       // rows below them
	Find        string
	Pasted      string
	PasteFaults []string
	Problem     string
	Faults      []Fault  // of the last save
	Rest        []string // faults that belong to no row
	Notes       []string

	Rows   []contactRow
	Lines  []Contact // of the site, which stand there by themselves
	Count  int       // contacts
	Found  int       // rows that Find shows
	Screen *Screen
	Page   int // of directory.xml, from 1
	At     int // the entry that is selected
	Last   bool
	Bytes  int // of that page
	Total  int // entries in all
}

// contactRow is a row with what there is to say of it.
type contactRow struct {
	Contact
	N        int
	Faults   []string
	Warnings []string
	Hidden   bool // by Find
}

// fill makes the rows and the preview. What finds the faults is what reads the site file; what is drawn is what is served.
func (v *directoryView) fill(ed Editors) error {
	rows := v.Contacts
	for len(rows) > 0 && rows[len(rows)-1] == (Contact{}) {
		rows = rows[:len(rows)-1]
	}
	held := withoutEmpty(rows)
	v.Lines, v.Count = ed.DirectoryLines(), len(held)
	v.Empty = max(v.Empty, moreRows)
	v.Rows = make([]contactRow, 0, len(rows)+v.Empty)
	at := make([]int, 0, len(held)) // the row of each contact
	for i, c := range rows {
		if c != (Contact{}) {
			at = append(at, i)
		}
		v.Rows = append(v.Rows, contactRow{Contact: c, N: i})
	}
	v.place(ed.CheckContacts(held), at)
	v.place(v.Faults, at)
	v.warn()
	v.find()
	for range v.Empty {
		v.Rows = append(v.Rows, contactRow{N: len(v.Rows)})
	}
	return v.draw(ed, held)
}

// contactKey is the key of a fault that belongs to a row.
var contactKey = regexp.MustCompile(`^contacts\[(\d+)\]\.?(.*)$`)

// place puts faults beside their rows, each once.
func (v *directoryView) place(faults []Fault, at []int) {
	for _, f := range faults {
		m := contactKey.FindStringSubmatch(f.Key)
		n := -1
		if m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		if n < 0 || n >= len(at) {
			v.Rest = append(v.Rest, faultWords(f, f.Key))
			continue
		}
		row, words := &v.Rows[at[n]], faultWords(f, m[2])
		if len(row.Faults) == 0 || row.Faults[0] != words {
			row.Faults = append(row.Faults, words)
		}
	}
}

// warn says what phones make of a row that is no fault.
func (v *directoryView) warn() {
	seen := make(map[Contact]int, len(v.Rows)+len(v.Lines))
	for _, l := range v.Lines {
		seen[l] = -1
	}
	for i := range v.Rows {
		row := &v.Rows[i]
		if row.Contact == (Contact{}) {
			continue
		}
		say := func(format string, args ...any) { row.Warnings = append(row.Warnings, fmt.Sprintf(format, args...)) }
		if n := utf8.RuneCountInString(row.Name); n > shownName && n <= 64 {
			say("Phones show the first %d of its %d characters.", shownName, n)
		}
		shown := phone.NearestLatin1(row.Name)
		if i := strings.IndexFunc(row.Name, func(r rune) bool { return r > 0xff && phone.NearestLatin1(string(r)) == "?" }); i >= 0 {
			say("Phones have no %c and show a question mark in its place.", []rune(row.Name[i:])[0])
		} else if shown != norm.NFC.String(row.Name) {
			say("Phones show it as %s.", shown)
		}
		if row.Number != "" && !looksDialled(row.Number) && len(row.Faults) == 0 {
			say("It is no number: phones call it as the first part of an address.")
		}
		switch first, twice := seen[row.Contact]; {
		case !twice:
			seen[row.Contact] = i
		case first < 0:
			say("It is a line of this site and stands there by itself.")
		default:
			say("It is the same as row %d; phones show it once.", first+1)
		}
	}
}

// find hides the rows that don't hold what is looked for; those with a fault stay.
func (v *directoryView) find() {
	words := strings.Fields(folded(v.Find))
	for i := range v.Rows {
		row := &v.Rows[i]
		text := ""
		if len(words) > 0 {
			text = folded(row.Name + " " + row.Number)
		}
		for _, word := range words {
			row.Hidden = row.Hidden || !strings.Contains(text, word) && len(row.Faults) == 0 && row.Contact != (Contact{})
		}
		if !row.Hidden {
			v.Found++
		}
	}
}

// draw shows a page of directory.xml as the phones show it.
func (v *directoryView) draw(ed Editors, held []Contact) error {
	v.Page = min(max(v.Page, 1), maxContactRows)
	content, next := ed.DirectoryXML(held, v.Page)
	if next == 0 && v.Page > 1 { // a page beyond the last is the last: which that is, the number of entries says
		pages := (len(v.Lines) + len(held) + phone.DirectoryPage - 1) / phone.DirectoryPage
		v.Page = min(v.Page, max(pages, 1))
	}
	o, err := readPhoneObject(content)
	if err != nil {
		return err
	}
	v.Last, v.Bytes = next == 0, len(content)
	v.At = min(max(v.At, 0), max(len(o.Entries)-1, 0))
	list := screenList{Title: o.Title, Prompt: o.Prompt, Selected: v.At, Keys: []string{"Dial", "EditDial", "Exit", ""}}
	if !v.Last {
		list.Keys[3] = "Next"
	}
	for _, e := range o.Entries {
		list.Items = append(list.Items, e.Name)
	}
	if len(o.Entries) > 0 {
		list.Prompt = o.Entries[v.At].Number + "  " + o.Prompt
	}
	v.Screen, v.Total = list.draw(), len(o.Entries)
	return nil
}

// directoryPreview answers the editor while somebody types, and the keys of the drawn phone.
func (s *Server) directoryPreview(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	ed, err := s.editors()
	if err != nil {
		return err
	}
	v := readDirectory(r)
	if err := v.fill(ed); err != nil {
		return err
	}
	var out, b bytes.Buffer
	if err := s.pages.part(&b, "directory", "dirscreen", v); err != nil {
		return err
	}
	partial(&out, "#dirscreen", "innerMorph", b.Bytes())
	for field := range strings.FieldsSeq(r.PostForm.Get("edited")) {
		n, err := strconv.Atoi(field)
		if err != nil || n < 0 || n >= len(v.Rows) || out.Len() > maxBody {
			continue
		}
		b.Reset()
		if err := s.pages.part(&b, "directory", "contactsaid", v.Rows[n]); err != nil {
			return err
		}
		partial(&out, "#contact-said-"+strconv.Itoa(n), "innerMorph", b.Bytes())
	}
	return partials(w, &out)
}
