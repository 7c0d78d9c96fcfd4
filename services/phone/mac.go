package phone

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// MAC is the Ethernet address of a phone; the zero MAC means "not known".
type MAC [6]byte

// ParseMAC reads an Ethernet address in any usual notation: 00:06:D7:AA:2A:2E, 00-06-d7-aa-2a-2e, 0006.d7aa.2a2e or
// 0006D7AA2A2E, in either case. The error quotes what was found and says what is allowed.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	digits := strings.Map(func(r rune) rune {
		switch r {
		case ':', '-', '.', ' ':
			return -1
		}
		return r
	}, s)
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != len(m) || !separatorsRegular(s) {
		return MAC{}, fmt.Errorf("found %q, allowed is an Ethernet address such as 00:06:D7:AA:2A:2E", s)
	}
	copy(m[:], raw)
	return m, nil
}

// separatorsRegular reports whether s has no separator, or one kind of it after every second or every fourth digit.
func separatorsRegular(s string) bool {
	switch len(s) {
	case 12:
		return !strings.ContainsAny(s, ":-. ")
	case 14:
		return s[4] == s[9] && strings.ContainsRune(".:-", rune(s[4]))
	case 17:
		sep := s[2]
		return strings.ContainsRune(":-. ", rune(sep)) && s[5] == sep && s[8] == sep && s[11] == sep && s[14] == sep
	}
	return false
}

// String writes the address as it stands in JSON and TOML: 00:06:D7:AA:2A:2E.
func (m MAC) String() string {
	b := make([]byte, 0, 3*len(m))
	for i, x := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, upperHex[x>>4], upperHex[x&15])
	}
	return string(b)
}

// Name writes the address as it stands in file names: 0006D7AA2A2E (phones.md a.1).
func (m MAC) Name() string {
	b := make([]byte, 0, 2*len(m))
	for _, x := range m {
		b = append(b, upperHex[x>>4], upperHex[x&15])
	}
	return string(b)
}

// upperHex are the digits. Pages write a thousand addresses; package fmt takes its time with each.
const upperHex = "0123456789ABCDEF"

// IsZero reports whether the address is not known.
func (m MAC) IsZero() bool { return m == MAC{} }

// MarshalText implements [encoding.TextMarshaler] with String.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] with ParseMAC.
func (m *MAC) UnmarshalText(text []byte) error {
	v, err := ParseMAC(string(text))
	if err != nil {
		return err
	}
	*m = v
	return nil
}
