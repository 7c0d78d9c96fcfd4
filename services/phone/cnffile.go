package phone

// CnfFile is a .cnf file as it was found, read as tolerantly as phones read it (phones.md h). No line is lost.
type CnfFile struct {
	Lines    []CnfLine    // every line of the file, in order
	Warnings []CnfWarning // oddities, by line
}

// CnfLine is one line of a .cnf file.
type CnfLine struct {
	Number  int    // 1-based
	Raw     string // as it stands there, without its end, in UTF-8
	Name    string // of a parameter, as it is written there; "" for comments, blank lines and what is no parameter
	Value   string // without quotes and comment, in UTF-8
	Comment string // behind # or ;
	Known   bool   // the catalogue knows the name
	Used    bool   // this line decides the value: the last of its name
}

// CnfWarning is one oddity.
type CnfWarning struct {
	Line       int    `json:"line"`
	Text       string `json:"text"`                 // a sentence; it quotes no value of a secret
	Suggestion string `json:"suggestion,omitempty"` // the name that was probably meant: nat_enable
}
