package adopt

import (
	"fmt"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// The words of [Verdict]; they are part of the HTTP API.
const (
	VerdictPhone    = "phone"
	VerdictLine     = "line" // it waits for a phone
	VerdictSite     = "site"
	VerdictFirmware = "firmware"
	VerdictRing     = "ring"
	VerdictRingList = "ring list"
	VerdictLogo     = "logo"
	VerdictDialPlan = "dial plan"
	VerdictContacts = "contacts"
	VerdictOwnFile  = "own file"
	VerdictIgnored  = "ignored" // it is not needed, Text says why
	VerdictRefused  = "refused" // it can't be taken, Text says why and what to do
)

// Verdict says what becomes of one file, row or card.
type Verdict struct {
	Where    string   // the file's path, "row 7", "card 2 (Anna Example)"
	Verdict  string   // one of the words above
	Text     string   // a sentence; it holds no password
	Warnings []string // "line 12: ..."
}

func (v *Verdict) set(verdict, format string, args ...any) {
	v.Verdict, v.Text = verdict, fmt.Sprintf(format, args...)
}

func (v *Verdict) warn(format string, args ...any) {
	if len(v.Warnings) == maxWarnings {
		v.Warnings = append(v.Warnings, "there are more warnings, which are not shown")
	}
	if len(v.Warnings) < maxWarnings {
		v.Warnings = append(v.Warnings, fmt.Sprintf(format, args...))
	}
}

// maxWarnings bounds the warnings of one verdict.
const maxWarnings = 100

// Options are the same for all readers.
type Options struct {
	// Site is the present site; nil stands for the default one. It is not changed.
	Site *site.Site
	// KeepPresent lets the present site win where both say something; else what is read wins.
	KeepPresent bool
	// Lines takes every row of a list that has an extension and no MAC for a line that waits for its phone; else it takes
	// one with a password as well, for lists also have rows of sums.
	Lines bool
}

// present returns the site that a plan begins with.
func (o Options) present() *site.Site {
	if o.Site == nil {
		return site.Default()
	}
	return o.Site
}

// Stored is a file that a plan would put into the folder of files.
type Stored struct {
	Where   string // its path in the source
	Name    string // relative to the TFTP root, folders with "/"; phones ask for it in this spelling
	Verdict string // VerdictFirmware, VerdictRing, VerdictLogo or VerdictOwnFile
	Title   string // of a ring: its name in the ring list; "" = none
	Size    int64  // bytes
}

// Plan is what an import would do. It is pure data; nothing has happened yet.
type Plan struct {
	Site     *site.Site  // as it would become; the present one is not changed
	Files    []Stored    // to be stored, in the order of the verdicts
	Verdicts []Verdict   // one for each file, row or card
	Added    []phone.MAC // phones that the present site does not list
	Changed  []phone.MAC // phones that it lists and that would change
	Same     []phone.MAC // phones that it lists and that stay as they are
	Waiting  int         // lines that wait for a phone, added or changed
	Contacts int         // contacts added
	LeftOut  int         // files, rows and cards that come to nothing though they may have been meant to
	// Zones are the time zones that follow the rule of SIPDefault.cnf; the box can't know which one is meant. Empty where
	// the file says nothing or the site has a zone already.
	Zones []string

	source Source
	wanted map[int]Stored // by the place of the file in the source
}

// Summary says in one line what the plan would do: "3 phones added, 1 changed, 12 files stored, 2 left out".
func (p *Plan) Summary() string {
	var parts []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(len(p.Added), "phone added", "phones added")
	if len(p.Added) > 0 {
		add(len(p.Changed), "changed", "changed")
		add(len(p.Same), "unchanged", "unchanged")
	} else {
		add(len(p.Changed), "phone changed", "phones changed")
		add(len(p.Same), "phone unchanged", "phones unchanged")
	}
	add(p.Waiting, "line waits for a phone", "lines wait for a phone")
	add(p.Contacts, "contact added", "contacts added")
	add(len(p.Files), "file stored", "files stored")
	add(p.LeftOut, "left out", "left out")
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}
