package phone

import (
	"fmt"
	"strings"
)

const parametersDocHead = `# The parameters of the phones

Every parameter of a ` + "`SIPDefault.cnf` and a `SIP<MAC>.cnf`" + ` that phonebox knows, for 7940 and 7960 phones with the SIP
firmware 2.0 to 8.12. This page is made from the catalogue in the program and tested to be up to date. To make it anew:

    go test ./services/phone -run TestParametersDoc -write-parameters

How to read it:

- **Since** is the first firmware release that is known to have the parameter; nothing there means that it is not known.
- **File** is where it may stand: ` + "`site`" + ` in SIPDefault.cnf, which all phones read; ` + "`phone`" + ` in the file of a phone;
  ` + "`both`" + ` in either, and then the phone's file wins.
- **Default** is what phonebox writes where nobody sets a value.
- The N of names such as ` + "`lineN_name`" + ` is the number of a line, a proxy or a key: 1 to 6. A 7940 has the lines and proxies 1
  and 2.
- Most parameters are written every time, because a phone keeps the old value of one that its files don't have. Those with
  "*only when set*" are left alone until you set them.
- "*phonebox decides*" means that a value of yours is not used.
- "*secret*" parameters never go into SIPDefault.cnf, the log or a message.
- A name that is not listed here is set under [sip.forced] or [phones.forced], and is written as it is.
`

// WriteParametersDoc returns docs/parameters.md: the catalogue as tables, one for each group.
func WriteParametersDoc() []byte {
	var b strings.Builder
	b.WriteString(parametersDocHead)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| Parameter | File | Since | Values | Default | What it does |\n| --- | --- | --- | --- | --- | --- |\n", s.group)
		for _, r := range s.rows {
			b.WriteString(r.doc(s.group))
		}
	}
	return []byte(b.String())
}

// doc is the row of the table.
func (r row) doc(group string) string {
	p := r.parameter(group, 1)
	def := "`" + r.def + "`"
	if r.def == "" {
		def = "empty"
	}
	if p.Default != r.def {
		def = fmt.Sprintf("`%s`, the others %s", p.Default, def)
	}
	if p.Type == TypeEnum {
		p.Allowed = "`" + strings.Join(p.Values, "` `") + "`"
	}
	help := p.Help
	for _, m := range []struct {
		is   bool
		text string
	}{{p.Reserved, "phonebox decides"}, {!p.Managed && !p.Reserved, "only when set"}, {p.Secret, "secret"}} {
		if m.is {
			help += " *" + m.text + ".*"
		}
	}
	file := string(p.Scope)
	if p.Scope == ScopeDefault {
		file = "site"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n", r.name, file, r.first, p.Allowed, def, help)
}
