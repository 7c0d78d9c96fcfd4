package dhcp

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// OptionText is one DHCP option in words, as the page and the API show it.
type OptionText struct {
	Code  uint8  `json:"code"`
	Name  string `json:"name"`  // "" where phonebox has no name for it
	Value string `json:"value"` // text, addresses, a number, or 0x and hex digits
}

// Describe lists the options of a packet, of a client or of a server, by their codes. The error says why the packet
// cannot be read.
func Describe(packet []byte) ([]OptionText, error) {
	raw, err := complete(packet)
	if err != nil {
		return nil, err
	}
	return optionsOf(decode(raw)), nil
}

func optionsOf(msg *dhcpv4.DHCPv4) []OptionText {
	out := make([]OptionText, 0, len(msg.Options))
	for code, value := range msg.Options {
		kind := kinds[code]
		out = append(out, OptionText{Code: code, Name: kind.name, Value: kind.text(value)})
	}
	slices.SortFunc(out, func(a, b OptionText) int { return int(a.Code) - int(b.Code) })
	return out
}

// form is how the bytes of an option are to be read.
type form int

const (
	formHex form = iota
	formText
	formAddresses
	formNumber
	formSeconds
	formCodes
	formType
	formRelay
)

// optionKind is what is known of an option.
type optionKind struct {
	name string
	form form
}

// kinds are the options that phones and servers exchange (RFC 2132; 82 RFC 3046; 118 RFC 3011; 150 RFC 5859; 160 is
// used by Polycom, phones.md i).
var kinds = map[uint8]optionKind{
	1: {"subnet mask", formAddresses}, 2: {"time offset", formNumber}, 3: {"router", formAddresses},
	4: {"time server", formAddresses}, 6: {"DNS server", formAddresses}, 12: {"host name", formText},
	15: {"domain name", formText}, 28: {"broadcast address", formAddresses}, 35: {"ARP cache timeout", formSeconds},
	7: {"log server", formAddresses}, 26: {"interface MTU", formNumber}, 33: {"static routes", formAddresses},
	42: {"NTP server", formAddresses}, 43: {"vendor specific", formHex}, 50: {"requested address", formAddresses},
	51: {"lease time", formSeconds}, 53: {"message type", formType}, 54: {"DHCP server", formAddresses},
	55: {"options asked for", formCodes}, 56: {"message", formText}, 57: {"longest message", formNumber},
	58: {"renewal time", formSeconds}, 59: {"rebinding time", formSeconds}, 60: {"vendor class", formText},
	61: {"client identifier", formHex}, 66: {"TFTP server", formText}, 67: {"boot file", formText},
	77: {"user class", formText}, 80: {"rapid commit", formHex}, 81: {"full name", formHex},
	100: {"time zone", formText}, 101: {"time zone name", formText}, 114: {"default URL", formText},
	116: {"automatic address", formHex}, 159: {"provisioning URL", formText},
	82: {"relay agent information", formRelay}, 118: {"subnet selection", formAddresses},
	119: {"domain search", formHex}, 120: {"SIP server", formHex}, 121: {"static routes", formHex},
	124: {"vendor class (RFC 3925)", formHex}, 125: {"vendor options (RFC 3925)", formHex},
	132: {"VLAN", formText}, 150: {"TFTP server addresses", formAddresses}, 160: {"provisioning URL", formText},
}

func (k optionKind) text(value []byte) string {
	switch k.form {
	case formText:
		if s := strings.TrimRight(string(value), "\x00"); s != "" && printable([]byte(s), len(s)) == s {
			return s
		}
	case formAddresses:
		if len(value) > 0 && len(value)%4 == 0 {
			return addressesText(value)
		}
	case formNumber, formSeconds:
		if n, ok := numberOf(value); ok && k.form == formSeconds {
			return strconv.FormatUint(n, 10) + " s"
		} else if ok {
			return strconv.FormatUint(n, 10)
		}
	case formCodes:
		return codesText(value)
	case formType:
		if len(value) == 1 {
			return dhcpv4.MessageType(value[0]).String()
		}
	case formRelay:
		if s, ok := suboptionsText(value); ok {
			return s
		}
	case formHex:
	}
	return "0x" + hex.EncodeToString(value)
}

func addressesText(value []byte) string {
	var out []string
	for a := range slices.Chunk(value, 4) {
		out = append(out, netip.AddrFrom4([4]byte(a)).String())
	}
	return strings.Join(out, ", ")
}

func numberOf(value []byte) (uint64, bool) {
	switch len(value) {
	case 1:
		return uint64(value[0]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(value)), true
	case 4:
		return uint64(binary.BigEndian.Uint32(value)), true
	}
	return 0, false
}

func codesText(value []byte) string {
	out := make([]string, len(value))
	for i, code := range value {
		out[i] = codeText(code)
		if name := kinds[code].name; name != "" {
			out[i] += " (" + name + ")"
		}
	}
	return strings.Join(out, ", ")
}

func codeText(code byte) string { return strconv.Itoa(int(code)) }
