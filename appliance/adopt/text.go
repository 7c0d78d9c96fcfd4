package adopt

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// decodeText turns a text of unknown origin into UTF-8 without a byte order mark: UTF-16 (by its mark, or by its zero
// bytes), UTF-8 where the bytes are valid, else Windows-1252, which is what Western European Windows programs write and
// in which ISO-8859-1 is contained but for control characters.
func decodeText(content []byte) string {
	switch {
	case bytes.HasPrefix(content, []byte("\xef\xbb\xbf")):
		content = content[3:]
	case bytes.HasPrefix(content, []byte("\xff\xfe")):
		return decodeUTF16(content[2:], binary.LittleEndian)
	case bytes.HasPrefix(content, []byte("\xfe\xff")):
		return decodeUTF16(content[2:], binary.BigEndian)
	case zeros(content, 1):
		return decodeUTF16(content, binary.LittleEndian)
	case zeros(content, 0):
		return decodeUTF16(content, binary.BigEndian)
	}
	if utf8.Valid(content) {
		return string(content)
	}
	text, _ := charmap.Windows1252.NewDecoder().Bytes(content) // every byte has a character, or becomes U+FFFD
	return string(text)
}

// zeros reports whether most bytes at even (0) or odd (1) places of the start are zero, as in UTF-16 without a mark.
func zeros(content []byte, at int) bool {
	content = content[:min(len(content), 200)]
	count := 0
	for i := at; i < len(content); i += 2 {
		if content[i] == 0 {
			count++
		}
	}
	return len(content) >= 8 && count > len(content)/3
}

func decodeUTF16(content []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(content)/2)
	for i := range units {
		units[i] = order.Uint16(content[2*i:])
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}
