package phone

// Layer is one place where values are set, by parameter name in any case.
type Layer struct {
	Name   string // for people: "the site", "the model 7960", "this phone", "line 2"
	Values map[string]string
}

// Effective is what holds for one parameter of one phone, and why.
type Effective struct {
	Parameter Parameter // of a name that the catalogue does not know only Name, Type and Secret are filled
	Value     string
	From      string    // the Layer's name that decides; "default" where none sets it, "phonebox" for what phonebox decides itself
	Hidden    []Setting // what lower layers say and does not count, nearest first
	Written   string    // the file in which it is written: SIPDefault.cnf, SIP<MAC>.cnf or "" (not written)
}

// Setting is a value in a layer.
type Setting struct{ From, Value string }
