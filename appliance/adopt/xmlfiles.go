package adopt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// rootElement returns the name of the first element of an XML text in lower case, without its namespace; "" where there
// is none.
func rootElement(content []byte) string {
	d := decoder(content)
	for range 50 {
		t, err := d.Token()
		if err != nil {
			return ""
		}
		if start, ok := t.(xml.StartElement); ok {
			return strings.ToLower(start.Name.Local)
		}
	}
	return ""
}

// decoder reads XML as tolerantly as phones do: unknown entities, and Latin-1 whatever the declaration says.
func decoder(content []byte) *xml.Decoder {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(content) {
		content, _ = charmap.Windows1252.NewDecoder().Bytes(content) // every byte has a character, or becomes U+FFFD
	}
	d := xml.NewDecoder(bytes.NewReader(content))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	return d
}

// maxDepth bounds how deep elements may stand in each other.
const maxDepth = 100

// walkXML calls visit with the text of each element that has no children, and with its parent's name and its attributes.
// Names are in lower case.
func walkXML(content []byte, visit func(parent, name, text string, attr func(string) string) error) error {
	d := decoder(content)
	var stack []xml.StartElement
	var text strings.Builder
	leaf := false
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("it is not well-formed XML")
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(stack) == maxDepth {
				return errors.New("its elements stand too deep in each other")
			}
			stack, leaf = append(stack, t.Copy()), true
			text.Reset()
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			if len(stack) == 0 {
				continue
			}
			e := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if !leaf {
				continue
			}
			leaf = false
			parent := ""
			if len(stack) > 0 {
				parent = strings.ToLower(stack[len(stack)-1].Name.Local)
			}
			attr := func(name string) string {
				for _, a := range e.Attr {
					if strings.EqualFold(a.Name.Local, name) {
						return a.Value
					}
				}
				return ""
			}
			if err := visit(parent, strings.ToLower(e.Name.Local), strings.TrimSpace(text.String()), attr); err != nil {
				return err
			}
		}
	}
}

// deviceFile is what a SEP<MAC>.cnf.xml or an XMLDefault.cnf.xml says of loads.
type deviceFile struct {
	loads    []string // without ending
	model    string   // of the attribute, "" = none
	protocol string
	profile  bool // it holds a SIP profile, which only the 7941 and later read
	fault    string
}

func readDevice(content []byte) deviceFile {
	var d deviceFile
	profile := regexp.MustCompile(`(?i)<sipProfile[\s/>]`)
	d.profile = profile.Match(content)
	err := walkXML(content, func(_, name, text string, attr func(string) string) error {
		switch {
		case strings.HasPrefix(name, "loadinformation"):
			if text != "" && len(d.loads) < 50 {
				d.loads = append(d.loads, text)
			}
			if m := attr("model"); m != "" {
				d.model = m
			}
		case name == "deviceprotocol":
			d.protocol = strings.ToUpper(text)
		}
		return nil
	})
	if err != nil {
		d.fault = err.Error()
	}
	return d
}

// entryOf is a person in a directory or menu of a phone.
type entryOf struct{ name, number string }

// maxEntries bounds the people of one file.
const maxEntries = 5000

// readEntries reads a CiscoIPPhoneDirectory, or the items of a CiscoIPPhoneMenu that dial. others counts the items that
// do something else.
func readEntries(content []byte) (list []entryOf, others int, err error) {
	name := ""
	err = walkXML(content, func(parent, element, text string, _ func(string) string) error {
		number := ""
		switch {
		case element == "name" && (parent == "directoryentry" || parent == "menuitem"):
			name = text
			return nil
		case element == "telephone" && parent == "directoryentry":
			number = text
		case element == "url" && parent == "menuitem":
			scheme, rest, ok := strings.Cut(text, ":")
			if !ok || !strings.EqualFold(scheme, "Dial") {
				others++
				return nil
			}
			number = rest
		default:
			return nil
		}
		if len(list) == maxEntries {
			return errors.New("it has too many entries")
		}
		list = append(list, entryOf{name, number})
		name = ""
		return nil
	})
	return list, others, err
}
