package phonesim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// loadInformation finds the load that SEP<MAC>.cnf.xml (root device, loadInformation) or XMLDefault.cnf.xml (root Default,
// loadInformation7 for a 7960 and 8 for a 7940) names; "" where it names none (phones.md a.6). The error tells that a
// phone cannot use the file.
func loadInformation(b []byte, root, model string) (string, error) {
	element := "loadInformation"
	if root == "Default" {
		element = map[string]string{"7960": "loadInformation7", "7940": "loadInformation8"}[model]
	}
	load := ""
	err := walkXML(b, root, func(path []string, _ []xml.Attr, text string) {
		if path[len(path)-1] == element {
			load = strings.TrimSpace(text)
		}
	})
	return load, err
}

// syncImage is an IMAGE of syncinfo.xml.
type syncImage struct{ version, sync string }

// parseSyncInfo reads syncinfo.xml: IMAGE elements, alone or within SYNCINFO (phones.md f.1).
func parseSyncInfo(b []byte) ([]syncImage, error) {
	var images []syncImage
	err := walkXML(b, "", func(path []string, attrs []xml.Attr, _ string) {
		if path[len(path)-1] != "IMAGE" {
			return
		}
		var i syncImage
		for _, a := range attrs {
			switch a.Name.Local {
			case "VERSION":
				i.version = a.Value
			case "SYNC":
				i.sync = a.Value
			}
		}
		images = append(images, i)
	})
	return images, err
}

// maxDepth bounds how deep the elements of a file may nest.
const maxDepth = 32

// walkXML calls visit at the end of each element, with the path to it, its attributes and the text in it. The root must have
// that name unless root is "".
func walkXML(b []byte, root string, visit func(path []string, attrs []xml.Attr, text string)) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // ISO-8859-1: names are ASCII
	var path []string
	var attrs [][]xml.Attr
	var text strings.Builder
	seen := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if !seen {
				return errors.New("found no XML element")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("found no well-formed XML: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(path) == 0 && root != "" && t.Name.Local != root {
				return fmt.Errorf("found the root element %q, allowed is %q", t.Name.Local, root)
			}
			if len(path) == maxDepth {
				return fmt.Errorf("found more than %d elements within each other", maxDepth)
			}
			seen = true
			path, attrs = append(path, t.Name.Local), append(attrs, t.Copy().Attr)
			text.Reset()
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			visit(path, attrs[len(attrs)-1], text.String())
			path, attrs = path[:len(path)-1], attrs[:len(attrs)-1]
			text.Reset()
		}
	}
}
