package texts

import (
	"bytes"
	"html"
	"slices"
	"strings"
	"unicode"

	nethtml "golang.org/x/net/html"
)

// attributes hold texts for people.
var attributes = []string{"aria-label", "title", "placeholder", "alt", "data-label", "data-say", "data-sent", "data-check", "data-broke"}

// IsText reports whether an attribute holds a text that is translated.
func IsText(attribute string) bool { return slices.Contains(attributes, attribute) }

// verbatim are elements whose content is not for translation.
var verbatim = map[string]bool{"code": true, "pre": true, "textarea": true, "script": true, "style": true, "kbd": true, "samp": true}

// void are elements that have no end (HTML 13.1.2).
var void = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true, "input": true, "link": true,
	"meta": true, "source": true, "track": true, "wbr": true,
}

// HTML writes a page, or a part of one, with its texts in the language of the catalogue.
func (c *Catalogue) HTML(out *bytes.Buffer, page []byte) {
	walk(page, out, func(text string) string {
		t, _ := c.Text(text)
		return t
	}, c.Language)
}

// Segments returns the texts of a page that HTML would look for, in order.
func Segments(page []byte) (list []string) {
	walk(page, &bytes.Buffer{}, func(text string) string {
		list = append(list, text)
		return text
	}, "")
	return list
}

// walk copies a page and gives each of its texts to exchange.
func walk(page []byte, out *bytes.Buffer, exchange func(string) string, language string) {
	z := nethtml.NewTokenizer(bytes.NewReader(page))
	skip, depth := "", 0 // the verbatim element that we are in, and how many of its name are open
	for {
		kind := z.Next()
		raw := z.Raw()
		if kind == nethtml.ErrorToken {
			out.Write(raw) // a tag that does not end
			return
		}
		switch kind {
		case nethtml.TextToken:
			if skip != "" {
				out.Write(raw)
			} else {
				text(out, raw, exchange)
			}
			continue
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			raw = bytes.Clone(raw) // TagName changes it
			name := tagName(z)
			if skip == "" {
				raw = startTag(raw, name, exchange, language)
			}
			if skip == name || skip == "" && (verbatim[name] || bytes.Contains(raw, []byte(`translate="no"`))) {
				if kind == nethtml.StartTagToken && !void[name] {
					skip = name
					depth++
				}
			}
		case nethtml.EndTagToken:
			raw = bytes.Clone(raw)
			if tagName(z) == skip {
				if depth--; depth == 0 {
					skip = ""
				}
			}
		}
		out.Write(raw)
	}
}

func tagName(z *nethtml.Tokenizer) string {
	name, _ := z.TagName()
	return string(name)
}

// startTag exchanges the texts in a tag.
func startTag(raw []byte, name string, exchange func(string) string, language string) []byte {
	if name == "html" && language != "" {
		raw = bytes.Replace(raw, []byte(`lang="en"`), []byte(`lang="`+language+`"`), 1)
	}
	for _, a := range attributes {
		begin := bytes.Index(raw, []byte(" "+a+`="`))
		if begin < 0 {
			continue
		}
		begin += len(a) + 3
		end := bytes.IndexByte(raw[begin:], '"')
		if end < 0 {
			continue
		}
		value := html.UnescapeString(string(raw[begin : begin+end]))
		if !hasLetter(value) {
			continue
		}
		words := strings.Join(strings.Fields(value), " ")
		if t := exchange(words); t != words {
			raw = bytes.Join([][]byte{raw[:begin], []byte(html.EscapeString(t)), raw[begin+end:]}, nil)
		}
	}
	return raw
}

// text exchanges a text; the white space around it stays.
func text(out *bytes.Buffer, raw []byte, exchange func(string) string) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || !hasLetter(string(trimmed)) {
		out.Write(raw)
		return
	}
	begin := bytes.Index(raw, trimmed)
	out.Write(raw[:begin])
	words := strings.Join(strings.Fields(html.UnescapeString(string(trimmed))), " ")
	if t := exchange(words); t == words {
		out.Write(trimmed)
	} else {
		out.WriteString(html.EscapeString(t))
	}
	out.Write(raw[begin+len(trimmed):])
}

func hasLetter(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }
