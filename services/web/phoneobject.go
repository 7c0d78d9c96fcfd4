package web

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// phoneObject is what a phone makes of a page of XML: a menu or a directory (phones.md e).
type phoneObject struct {
	Title   string
	Prompt  string
	Entries []Contact // of a directory: name and number; of a menu: name and address
}

// readPhoneObject reads what a phone would be sent, so that it can be drawn from the bytes themselves.
func readPhoneObject(content []byte) (phoneObject, error) {
	var x struct {
		XMLName xml.Name
		Title   string
		Prompt  string
		Entries []struct{ Name, Telephone string } `xml:"DirectoryEntry"`
		Items   []struct{ Name, URL string }       `xml:"MenuItem"`
	}
	if err := xml.NewDecoder(bytes.NewReader(content)).Decode(&x); err != nil {
		return phoneObject{}, fmt.Errorf("reading a page of a phone: %w", err)
	}
	o := phoneObject{Title: x.Title, Prompt: x.Prompt}
	for _, e := range x.Entries {
		o.Entries = append(o.Entries, Contact{Name: e.Name, Number: e.Telephone})
	}
	for _, i := range x.Items {
		o.Entries = append(o.Entries, Contact{Name: i.Name, Number: i.URL})
	}
	return o, nil
}
