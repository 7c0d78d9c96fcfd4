package dialplan

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Write writes dialplan.xml: ISO-8859-1, without an XML declaration, attributes in the order of the guides. It refuses
// what a phone can't take, with every fault: the error names the rule (from 1), what was found and what is allowed. The
// same plan gives the same bytes.
//
// There is no escaping: related code reads what stands between the quotation marks as it is, "&" and "<" too.
func Write(plan Plan) ([]byte, error) {
	var faults []error
	var b bytes.Buffer
	b.WriteString("<DIALTEMPLATE>\n")
	for i, r := range plan.Rules {
		for _, fault := range Check(r) {
			faults = append(faults, fmt.Errorf("rule %d: %s", i+1, fault))
		}
		writeRule(&b, r)
	}
	b.WriteString("</DIALTEMPLATE>\n")
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	content := latin1(b.String())
	if len(content) >= MaxFile {
		return nil, fmt.Errorf("the file would have %d bytes, allowed are %d: leave rules out or shorten comments", len(content), MaxFile-1)
	}
	if len(content) != b.Len() && utf8.Valid(content) {
		return nil, errors.New("the accented letters of the comments would be read back as others: write them without accents")
	}
	return content, nil
}

func writeRule(b *bytes.Buffer, r Rule) {
	if r.Comment != "" {
		for line := range strings.SplitSeq(r.Comment, "\n") {
			fmt.Fprintf(b, "<!-- %s -->\n", line)
		}
	}
	b.WriteString("<TEMPLATE")
	attribute := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, ` %s="%s"`, name, value)
		}
	}
	attribute("MATCH", r.Match)
	if r.Line != 0 {
		attribute("Line", fmt.Sprint(r.Line))
	}
	attribute("Timeout", r.Timeout)
	attribute("User", r.User)
	attribute("Rewrite", r.Rewrite)
	attribute("Route", r.Route)
	for _, tone := range r.Tones { // one attribute each, in the order of the commas
		fmt.Fprintf(b, ` Tone="%s"`, tone)
	}
	b.WriteString("/>\n")
}

// latin1 encodes text whose characters are all of Latin-1.
func latin1(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, c := range s {
		out = append(out, byte(c))
	}
	return out
}
