package dhcp

import (
	"bytes"
	"fmt"
)

// The layout of a packet (RFC 2131 section 2).
const (
	headerSize  = 236 // up to the cookie
	minimumSize = 300 // of a BOOTP packet (RFC 951); the smallest that we send
	snameAt     = 44
	fileAt      = 108

	optPad      = 0
	optOverload = 52
	optEnd      = 255
)

// magic is the cookie that marks the options of a DHCP packet (RFC 2131 section 3).
const magic = "\x63\x82\x53\x63"

func cookie() []byte { return []byte(magic) }

// refusal says why a packet is not answered: a code for the counter and a sentence for people.
type refusal struct{ code, text string }

func (r *refusal) Error() string { return r.text }

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// complete returns the packet as the codec wants it: a missing end option appended, the options that stand in the file
// and sname fields under option 52 moved behind the others (RFC 2131 section 4.1: first file, then sname), and at
// least the length of a BOOTP packet. It does not change raw, and returns it where it is like that already, as nearly all
// are. A packet without the cookie, or cut off within an option, is refused.
func complete(raw []byte) ([]byte, error) {
	if len(raw) < headerSize {
		return nil, refuse("too_short", "the packet has %d bytes; a DHCP header alone has %d", len(raw), headerSize)
	}
	body, found := bytes.CutPrefix(raw[headerSize:], cookie())
	if !found {
		return nil, refuse("no_cookie", "the packet has no DHCP cookie; it is plain BOOTP or no DHCP at all")
	}
	if len(raw) >= minimumSize && plain(body) {
		return raw, nil
	}
	out := make([]byte, 0, max(len(raw)+64, minimumSize))
	out = append(append(out, raw[:headerSize]...), cookie()...)
	out, overload, err := appendOptions(out, body, true)
	if err != nil {
		return nil, err
	}
	if overload&1 != 0 {
		if out, _, err = appendOptions(out, raw[fileAt:headerSize], false); err != nil {
			return nil, err
		}
		clear(out[fileAt:headerSize])
	}
	if overload&2 != 0 {
		if out, _, err = appendOptions(out, raw[snameAt:fileAt], false); err != nil {
			return nil, err
		}
		clear(out[snameAt:fileAt])
	}
	out = append(out, optEnd)
	for len(out) < minimumSize {
		out = append(out, optPad)
	}
	return out, nil
}

// plain reports whether options are whole, end as they should, have nothing but padding behind their end (the codec
// refuses anything else) and go on nowhere else.
func plain(body []byte) bool {
	for i := 0; i < len(body); {
		switch code := body[i]; {
		case code == optEnd:
			return len(bytes.TrimLeft(body[i+1:], "\x00")) == 0
		case code == optPad:
			i++
		case code == optOverload || i+2 > len(body):
			return false
		default:
			i += 2 + int(body[i+1])
		}
	}
	return false
}

// appendOptions copies options up to the end option or the end of the bytes, without padding and without option 52,
// whose value it returns; inside an overloaded field (main false) option 52 means nothing.
func appendOptions(out, body []byte, main bool) (_ []byte, overload byte, err error) {
	for i := 0; i < len(body); {
		code := body[i]
		if code == optPad {
			i++
			continue
		}
		if code == optEnd {
			break
		}
		if i+2 > len(body) || i+2+int(body[i+1]) > len(body) {
			return nil, 0, refuse("malformed", "option %d is cut off at the end of the packet", code)
		}
		next := i + 2 + int(body[i+1])
		switch {
		case code != optOverload:
			out = append(out, body[i:next]...)
		case main && next == i+3:
			overload = body[i+2]
		}
		i = next
	}
	return out, overload, nil
}
