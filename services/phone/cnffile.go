package phone

import "strings"

// CnfFile is a .cnf file as it was found, read as tolerantly as phones read it (phones.md h). No line is lost.
type CnfFile struct {
	Lines    []CnfLine    // every line of the file, in order
	Warnings []CnfWarning // oddities, by line
	Encoding string       // as it was read: "ISO-8859-1", "UTF-8" or "UTF-16"; ISO-8859-1 for pure ASCII
	BOM      bool         // a byte order mark stood before the first line
}

// CnfLine is one line of a .cnf file.
type CnfLine struct {
	Number  int    // 1-based
	Raw     string // as it stands there, without its end, in UTF-8
	End     string // what ended it: "\n", "\r\n", "\r", or "" at the end of the file
	Name    string // of a parameter, as it is written there; "" for comments, blank lines and what is no parameter
	Value   string // without quotes and comment, in UTF-8
	Comment string // behind # or ;
	Known   bool   // the catalogue knows the name
	Used    bool   // this line decides the value: the last of its name
}

// CnfWarning is one oddity.
type CnfWarning struct {
	Line       int    `json:"line"`                 // 0 for the file as a whole
	Text       string `json:"text"`                 // a sentence; it quotes no value of a secret
	Suggestion string `json:"suggestion,omitempty"` // the name that was probably meant: nat_enable
}

// Values returns the value of every name in the file, names in lower case. Of duplicates the last counts.
func (f CnfFile) Values() map[string]string {
	values := make(map[string]string)
	for _, l := range f.Lines {
		if l.Used {
			values[strings.ToLower(l.Name)] = l.Value
		}
	}
	return values
}

// Value returns the value of a name; case does not matter. ok is false where the file does not have it.
func (f CnfFile) Value(name string) (value string, ok bool) {
	for _, l := range f.Lines {
		if l.Used && strings.EqualFold(l.Name, name) {
			return l.Value, true
		}
	}
	return "", false
}

// Text returns the whole file as it was, comments and ends of lines included, in UTF-8.
func (f CnfFile) Text() string {
	var b strings.Builder
	for _, l := range f.Lines {
		b.WriteString(l.Raw)
		b.WriteString(l.End)
	}
	return b.String()
}
