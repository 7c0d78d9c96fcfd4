package phone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Tags of the header of a signed image (phones.md c.2): a tag byte, two bytes of length, the value.
const (
	tagVersion      = 0x01
	tagHeaderLength = 0x02
	tagSigner       = 0x03
	tagAlgorithms   = 0x07
	tagSignature    = 0x0c
	tagPad          = 0x0d // without a length
	tagName         = 0x0e
)

// MaxHeader is the most that ParseImage needs of a file to read its header and the loader id, in bytes.
const MaxHeader = 4096

// Offsets in the payload of an image (phones.md c.2).
const (
	payloadName     = 0x20
	payloadLoaderID = 0x120
	loaderIDLength  = 8
)

// Image is what the start of an image file says of itself.
type Image struct {
	Signed       bool
	Name         string // signed images: the file name that the signature covers, with suffix
	HeaderLength int    // bytes before the payload; 0 for unsigned images
	LoaderID     string // PAS30830 in a loader: what LA_VERSION of the .loads names; "" where it can't be read
	// Bears is the load that the payload names as its own (phones.md c.2); zero where no such name can be read: the place is
	// known of one release only.
	Bears LoadName
}

// errNotSigned says that a file does not begin with the header of a signed image.
var errNotSigned = errors.New("there is no signature header")

// ParseImage reads the start of an image: at least the header, better [MaxHeader] bytes. A file that does not begin
// with the header of a signed image is taken for an unsigned one (.bin), about which nothing but its id is known. The
// error says what is wrong with the header of a signed one.
func ParseImage(start []byte) (Image, error) {
	img, err := parseHeader(start)
	if errors.Is(err, errNotSigned) {
		return Image{LoaderID: loaderID(start), Bears: borne(start)}, nil
	}
	if err != nil {
		return Image{}, err
	}
	if img.HeaderLength < len(start) {
		img.LoaderID, img.Bears = loaderID(start[img.HeaderLength:]), borne(start[img.HeaderLength:])
	}
	return img, nil
}

// borne reads the name in a payload, with or without a suffix.
func borne(payload []byte) LoadName {
	if len(payload) < payloadLoaderID {
		return LoadName{}
	}
	name, _, ended := bytes.Cut(payload[payloadName:payloadLoaderID], []byte{0})
	base, _, _ := bytes.Cut(name, []byte{'.'})
	load, ok := ParseLoad(string(base))
	if !ended || !ok {
		return LoadName{}
	}
	return load
}

// loaderID reads the platform id of a payload, "" where there is none.
func loaderID(payload []byte) string {
	if len(payload) < payloadLoaderID+loaderIDLength {
		return ""
	}
	id := payload[payloadLoaderID : payloadLoaderID+loaderIDLength]
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return ""
		}
	}
	return string(id)
}

// parseHeader walks the TLV header of a signed image.
func parseHeader(b []byte) (Image, error) {
	if len(b) < 10 || !bytes.Equal(b[:5], []byte{tagVersion, 0, 2, 1, 1}) || !bytes.Equal(b[5:8], []byte{tagHeaderLength, 0, 2}) {
		return Image{}, errNotSigned
	}
	img := Image{Signed: true, HeaderLength: int(binary.BigEndian.Uint16(b[8:10]))}
	if img.HeaderLength > len(b) || img.HeaderLength > MaxHeader {
		return Image{}, fmt.Errorf("the signature header should have %d bytes, but the file ends after %d", img.HeaderLength, len(b))
	}
	signed := false
	for at := 10; at < img.HeaderLength; {
		if b[at] == tagPad {
			at++
			continue
		}
		if at+3 > img.HeaderLength {
			return Image{}, fmt.Errorf("the signature header is cut off at byte %d", at)
		}
		length := int(binary.BigEndian.Uint16(b[at+1:]))
		value := at + 3
		if value+length > img.HeaderLength {
			return Image{}, fmt.Errorf("tag %02x of the signature header runs past its end", b[at])
		}
		switch b[at] {
		case tagName:
			img.Name = string(bytes.TrimRight(b[value:value+length], "\x00"))
		case tagSignature:
			signed = length > 0
		}
		at = value + length
	}
	if !signed || !isPlainName(img.Name) {
		return Image{}, fmt.Errorf("the signature header names no file or has no signature (found name %q)", img.Name)
	}
	return img, nil
}

// isPlainName reports whether s is a file name without folder, blanks or control characters.
func isPlainName(s string) bool {
	if s == "" || len(s) > 64 || s == "." || s == ".." {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`/\:*?"<>|=`, c) >= 0 {
			return false
		}
	}
	return true
}

// LoadsFile is what a .loads list says.
type LoadsFile struct {
	Name     string   // the file name that the signature covers
	Files    []string // in the order in which the loader fetches them: loader .sbn, application .sb2
	LoaderID string   // LA_VERSION: the id of the loader that Files holds; "" where it is not said
}

// maxLoads bounds the files of a list; the 7940/7960 have two, later families up to ten.
const maxLoads = 32

// ParseLoads reads a .loads list: the signature header, then a file name a line, and LA_VERSION=<id>
// (phones.md c.2). Lines of the form KEY=value that it does not know are passed over.
func ParseLoads(content []byte) (LoadsFile, error) {
	img, err := parseHeader(content)
	if err != nil {
		return LoadsFile{}, fmt.Errorf("reading a .loads list: %w", err)
	}
	list := LoadsFile{Name: img.Name}
	for line := range strings.Lines(string(content[img.HeaderLength:])) {
		line = strings.Trim(line, "\r\n\x00 \t")
		key, value, isSetting := strings.Cut(line, "=")
		switch {
		case line == "":
		case isSetting && key == "LA_VERSION":
			list.LoaderID = value
		case isSetting:
		case !isPlainName(line) || len(list.Files) == maxLoads:
			return LoadsFile{}, fmt.Errorf("reading a .loads list: found the line %.64q, allowed are up to %d file names", line, maxLoads)
		default:
			list.Files = append(list.Files, line)
		}
	}
	if len(list.Files) == 0 {
		return LoadsFile{}, errors.New("reading a .loads list: it names no file")
	}
	return list, nil
}
