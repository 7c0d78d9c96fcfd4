package site

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// longestHex bounds the bytes of one option; a longer value is sent in pieces (RFC 3396), and has to fit a packet.
const longestHex = 512

// addressOptions are the options that hold IPv4 addresses (RFC 2132; 150 RFC 5859). Written as a text, such an address
// would be sent as one, which no client takes.
var addressOptions = map[uint8]bool{
	1: true, 3: true, 4: true, 5: true, 6: true, 7: true, 8: true, 9: true, 10: true, 11: true, 16: true, 21: true, 28: true,
	32: true, 33: true, 41: true, 42: true, 44: true, 45: true, 48: true, 49: true, 65: true, 68: true, 69: true, 70: true,
	71: true, 72: true, 73: true, 74: true, 75: true, 76: true, 150: true,
}

// numberOptions are the options that hold a number of so many bytes (RFC 2132).
var numberOptions = map[uint8]int{
	2: 4, 13: 2, 19: 1, 20: 1, 22: 2, 23: 1, 24: 4, 26: 2, 27: 1, 29: 1, 30: 1, 31: 1, 34: 1, 35: 4, 36: 1, 37: 1, 38: 4, 39: 1, 46: 1,
}

// options decodes the [dhcp.class.options] table of a class.
func (d *decoder) options(n *node, path string) map[uint8]Option {
	if !d.isTable(n, path) {
		return nil
	}
	d.lines[path] = n.line
	var out map[uint8]Option
	for _, name := range n.order {
		v, key := n.fields[name], join(path, name)
		d.lines[key] = v.line
		code, why := optionCode(name)
		if why != "" {
			d.fault(v.line, key, "the option "+quote(name), why)
			continue
		}
		o, found, allowed := optionOf(code, v)
		if allowed != "" {
			d.fault(v.line, key, found, allowed)
			continue
		}
		if out == nil {
			out = map[uint8]Option{}
		}
		out[code] = o
	}
	return out
}

// optionCode reads the number of an option that a class may have; why says what is allowed instead.
func optionCode(name string) (code uint8, why string) {
	n, err := strconv.Atoi(name)
	if err != nil || strconv.Itoa(n) != name {
		return 0, `the number of a DHCP option in quotes, such as "66"`
	}
	if reason := phone.ForbiddenOption(n); reason != "" {
		return 0, "1 to 254 without 50 to 55, 57 to 59, 61, 80, 82 and 118: " + reason
	}
	return uint8(n), ""
}

// optionOf reads a value; allowed is "" when it could be read.
func optionOf(code uint8, v *node) (o Option, found, allowed string) {
	switch {
	case v.kind == nodeArray && !v.many:
		for _, item := range v.items {
			a, ok := parseOptionAddress(code, item.text)
			if item.kind != nodeString || !ok {
				return o, item.found(), "a list of IPv4 addresses in quotes"
			}
			o.Addresses = append(o.Addresses, a)
		}
		if n := len(o.Addresses); n == 0 || n > 60 {
			return o, fmt.Sprintf("a list of %d addresses", n), `1 to 60 addresses, or "" to leave the option out`
		}
		return o, "", ""
	case v.kind == nodeString, v.kind == nodeInteger && numberOptions[code] > 0:
		return optionText(code, v.text)
	}
	return o, v.found(), `a text in quotes, "0x" and hex digits, or a list of addresses`
}

func optionText(code uint8, s string) (o Option, found, allowed string) {
	digits, isHex := strings.CutPrefix(s, "0x")
	width := numberOptions[code]
	switch {
	case s == "":
	case isHex:
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) == 0 || len(b) > longestHex {
			return o, quote(s), fmt.Sprintf("0x and 1 to %d pairs of hex digits", longestHex)
		}
		o.Bytes = b
	case addressOptions[code]:
		for part := range strings.SplitSeq(s, ",") {
			a, ok := parseOptionAddress(code, strings.TrimSpace(part))
			if !ok {
				return Option{}, quote(s), fmt.Sprintf(`option %d holds addresses: ["10.77.0.1"], or 0x and hex digits`, code)
			}
			o.Addresses = append(o.Addresses, a)
		}
	case width > 0:
		n, err := strconv.ParseInt(s, 10, 64)
		least, most := int64(0), int64(1)<<(8*width)-1
		if code == 2 {
			least, most = -1<<31, 1<<31-1 // the offset from UTC is signed
		}
		if err != nil || n < least || n > most {
			return o, quote(s), fmt.Sprintf("option %d holds a number from %d to %d", code, least, most)
		}
		o.Bytes = binary.BigEndian.AppendUint64(nil, uint64(n))[8-width:]
	default:
		text, ok := parseText(s)
		if !ok {
			return o, quote(s), fmt.Sprintf("a printable text of up to %d bytes, or 0x and hex digits", longestText)
		}
		o.Text = text
	}
	return o, "", ""
}

// parseOptionAddress takes an address of a host; for a mask or a broadcast address any.
func parseOptionAddress(code uint8, s string) (netip.Addr, bool) {
	if code == 1 || code == 28 || code == 33 || code == 21 {
		a, err := netip.ParseAddr(s)
		return a, err == nil && a.Is4()
	}
	return parseAddr(s)
}

// writeOptions writes the options of a class; they stand behind its other keys.
func writeOptions(w *strings.Builder, options map[uint8]Option) {
	if len(options) == 0 {
		return
	}
	w.WriteString("[dhcp.class.options]\n")
	for _, code := range slices.Sorted(maps.Keys(options)) {
		fmt.Fprintf(w, "\"%d\" = %s\n", code, options[code].write())
	}
}

// write writes the value as TOML.
func (o Option) write() string {
	switch {
	case len(o.Addresses) > 0:
		items := make([]string, len(o.Addresses))
		for i, a := range o.Addresses {
			items[i] = tomlText(a.String())
		}
		return "[" + strings.Join(items, ", ") + "]"
	case len(o.Bytes) > 0:
		return tomlText("0x" + hex.EncodeToString(o.Bytes))
	}
	return tomlText(o.Text)
}

// size is how many bytes the option takes in a packet.
func (o Option) size() int {
	return 2 + len(o.Text) + 4*len(o.Addresses) + len(o.Bytes) + len(o.Bytes)/255*2
}
