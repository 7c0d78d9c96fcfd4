package phone

import (
	"fmt"
	"strings"
)

// Limits of what services show (phones.md e).
const (
	maxText   = 4000 // characters of a text; unconfirmed, so what is written stays below
	maxInputs = 5
)

// WriteText writes a page of text; its lines stay lines. What is longer than 4000 characters is cut.
func WriteText(title, prompt, text string) []byte {
	lines := strings.Split(clip(text, maxText), "\n")
	for i, line := range lines {
		lines[i] = escape(line)
	}
	return fmt.Appendf(nil, "<CiscoIPPhoneText>\n<Title>%s</Title>\n<Prompt>%s</Prompt>\n<Text>%s</Text>\n</CiscoIPPhoneText>\n",
		escape(clip(title, 32)), escape(clip(prompt, 32)), strings.Join(lines, "\n"))
}

// InputItem is a field of a form on the phone.
type InputItem struct {
	Name      string // as the phone shows it
	Parameter string // its name in the query string
	Flags     string // A letters and digits, T a telephone number, N a number (phones.md e)
}

// WriteInput writes a form of at most 5 fields. The phone sends it by asking for url with the fields in the query string.
func WriteInput(title, prompt, url string, items []InputItem) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<CiscoIPPhoneInput>\n<Title>%s</Title>\n<Prompt>%s</Prompt>\n<URL>%s</URL>\n", escape(clip(title, 32)), escape(clip(prompt, 32)), escape(url))
	for _, i := range items[:min(len(items), maxInputs)] {
		fmt.Fprintf(&b, "<InputItem><DisplayName>%s</DisplayName><QueryStringParam>%s</QueryStringParam><InputFlags>%s</InputFlags><DefaultValue></DefaultValue></InputItem>\n",
			escape(clip(i.Name, 32)), escape(i.Parameter), escape(i.Flags))
	}
	b.WriteString("</CiscoIPPhoneInput>\n")
	return []byte(b.String())
}
