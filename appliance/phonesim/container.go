package phonesim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Tags of the signed container (phones.md c.2).
const (
	tagVersion = 0x01
	tagLength  = 0x02
	tagPad     = 0x0D
	tagName    = 0x0E
)

const (
	nameOffset = 0x20  // of an image's name in it
	idOffset   = 0x120 // of the platform or loader id in an image
	idLength   = 8
)

// container is a signed file: the name that it was signed under, and what it holds.
type container struct {
	name    string
	payload []byte
}

// parseContainer reads the header of a .sbn, .sb2 or .loads file. The signature itself is not checked.
func parseContainer(b []byte) (container, error) {
	var c container
	length := -1
	for at := 0; length < 0 || at < length; {
		tag, value, next, err := readTag(b, at)
		if err != nil {
			return container{}, err
		}
		if at == 0 && (tag != tagVersion || !bytes.Equal(value, []byte{1, 1})) {
			return container{}, errors.New("found no signed header, allowed is one that begins with its version")
		}
		switch tag {
		case tagLength:
			if len(value) != 2 {
				return container{}, fmt.Errorf("found a header length of %d bytes, allowed is 2", len(value))
			}
			length = int(binary.BigEndian.Uint16(value))
		case tagName:
			name, rest, ended := cutNUL(value)
			if !ended || len(rest) > 0 {
				return container{}, fmt.Errorf("found the name %q, allowed is one with a NUL at its end", value)
			}
			c.name = name
		}
		at = next
		if length >= 0 && at > length {
			return container{}, fmt.Errorf("found a tag that ends at byte %d, allowed is at most the header's length %d", at, length)
		}
	}
	if c.name == "" {
		return container{}, errors.New("found no file name in the header (tag 0E)")
	}
	c.payload = b[length:]
	return c, nil
}

// readTag reads the tag at byte at: its value and where the next one begins. A pad byte has no length.
func readTag(b []byte, at int) (tag byte, value []byte, next int, err error) {
	if at >= len(b) {
		return 0, nil, 0, fmt.Errorf("found an end at byte %d, allowed is one after the whole header", len(b))
	}
	if b[at] == tagPad {
		return tagPad, nil, at + 1, nil
	}
	if at+3 > len(b) {
		return 0, nil, 0, fmt.Errorf("found an end within a tag at byte %d", at)
	}
	end := at + 3 + int(binary.BigEndian.Uint16(b[at+1:]))
	if end > len(b) {
		return 0, nil, 0, fmt.Errorf("found tag %02X at byte %d that ends at %d, the file ends at %d", b[at], at, end, len(b))
	}
	return b[at], b[at+3 : end], end, nil
}

// openSigned opens a file that was got as name; a phone refuses what was signed under another name.
func openSigned(name string, b []byte) ([]byte, error) {
	c, err := parseContainer(b)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if c.name != name {
		return nil, fmt.Errorf("reading %s: it was signed as %q", name, c.name)
	}
	if len(c.payload) == 0 {
		return nil, fmt.Errorf("reading %s: found a header alone, allowed is one with something behind it", name)
	}
	return c.payload, nil
}

// openImage opens a signed image; one that ends before its id is truncated.
func openImage(name string, b []byte) ([]byte, error) {
	payload, err := openSigned(name, b)
	if err != nil {
		return nil, err
	}
	return payload, wholeImage(name, payload)
}

// openUnsigned opens an image that must not be signed, for a phone that runs one from before 5.x (phones.md c.3).
func openUnsigned(name string, b []byte) ([]byte, error) {
	if _, err := parseContainer(b); err == nil || bytes.HasPrefix(b, []byte{tagVersion, 0, 2, 1, 1}) {
		return nil, fmt.Errorf("reading %s: found a signed file, an image before 5.x takes only unsigned ones", name)
	}
	return b, wholeImage(name, b)
}

// wholeImage refuses an image that is shorter than every real one. More of a truncated image cannot be known: neither the
// header nor the payload says how long it is, and signatures are not checked here.
func wholeImage(name string, payload []byte) error {
	if len(payload) <= idOffset+idLength {
		return fmt.Errorf("reading %s: found %d bytes behind the header, allowed is more than %d: it is truncated", name, len(payload), idOffset+idLength)
	}
	return nil
}

// imageName returns the name in an image (phones.md c.2), without suffix; "" where there is none that can be read.
func imageName(payload []byte) string {
	if len(payload) < idOffset {
		return ""
	}
	name, _, ended := cutNUL(payload[nameOffset:idOffset])
	name, _, _ = strings.Cut(strings.ToUpper(name), ".")
	if !ended || parseRelease(name) == (release{}) {
		return ""
	}
	return name
}

// imageID returns the platform or loader id in an image, such as PAS30830; "" where the image is too short for one.
func imageID(payload []byte) string {
	if len(payload) < idOffset+idLength {
		return ""
	}
	return strings.TrimRight(string(payload[idOffset:idOffset+idLength]), "\x00 ")
}

// loads is what a .loads file lists.
type loads struct {
	loader      string // P003-8-12-00.sbn
	application string // P0S3-8-12-00.sb2
	loaderID    string // LA_VERSION
}

// parseLoads reads the payload of a .loads file; all three lines must be there.
func parseLoads(payload []byte) (loads, error) {
	var l loads
	if !bytes.HasSuffix(bytes.TrimRight(payload, "\x00"), []byte("\n")) {
		return loads{}, errors.New("found a last line without its end, allowed is one with a line feed: the list is truncated")
	}
	for line := range strings.Lines(string(payload)) {
		line = strings.TrimRight(line, "\r\n\x00")
		switch version, isVersion := strings.CutPrefix(line, "LA_VERSION="); {
		case isVersion:
			l.loaderID = version
		case strings.HasSuffix(line, ".sbn"):
			l.loader = line
		case strings.HasSuffix(line, ".sb2"):
			l.application = line
		case line != "":
			return loads{}, fmt.Errorf("found the line %q, allowed is a .sbn, a .sb2 and LA_VERSION=", line)
		}
	}
	if l.loader == "" || l.application == "" || l.loaderID == "" {
		return loads{}, fmt.Errorf("found loader %q, application %q and LA_VERSION %q, allowed is a list with all three",
			l.loader, l.application, l.loaderID)
	}
	return l, nil
}

// cutNUL splits at the first NUL.
func cutNUL(b []byte) (string, []byte, bool) {
	for i, c := range b {
		if c == 0 {
			return string(b[:i]), b[i+1:], true
		}
	}
	return string(b), nil, false
}
