package phonesim

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// sipMessage is a SIP request or answer, as much of it as a phone that only answers needs.
type sipMessage struct {
	method  string // "" in an answer
	code    int    // of an answer
	headers []sipHeader
}

type sipHeader struct{ name, value string } // name in lower case, the short forms written out

// all returns the values of a header, in order.
func (m sipMessage) all(name string) []string {
	var values []string
	for _, h := range m.headers {
		if h.name == name {
			values = append(values, h.value)
		}
	}
	return values
}

// get returns the first value of a header, or "".
func (m sipMessage) get(name string) string {
	for _, h := range m.headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// maxHeaders bounds a message.
const maxHeaders = 100

// parseSIP reads the start line and the headers of a message (RFC 3261, 7) and demands those that every message has.
func parseSIP(b []byte) (sipMessage, error) {
	var m sipMessage
	head, _, _ := strings.Cut(string(b), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	first := strings.SplitN(lines[0], " ", 3)
	switch {
	case len(first) == 3 && first[0] == "SIP/2.0":
		code, err := strconv.Atoi(first[1])
		if err != nil || code < 100 || code > 699 {
			return sipMessage{}, fmt.Errorf("found the status %q, allowed is 100 to 699", first[1])
		}
		m.code = code
	case len(first) == 3 && first[2] == "SIP/2.0" && first[0] != "":
		m.method = first[0]
	default:
		return sipMessage{}, errors.New("found no start line of SIP/2.0")
	}
	if len(lines)-1 > maxHeaders {
		return sipMessage{}, fmt.Errorf("found %d headers, allowed are %d", len(lines)-1, maxHeaders)
	}
	for _, line := range lines[1:] {
		if line == "" {
			continue
		}
		if (line[0] == ' ' || line[0] == '\t') && len(m.headers) > 0 {
			m.headers[len(m.headers)-1].value += " " + strings.TrimSpace(line)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return sipMessage{}, fmt.Errorf("found the header line %q without a colon", line)
		}
		m.headers = append(m.headers, sipHeader{longHeader(strings.ToLower(strings.TrimSpace(name))), strings.TrimSpace(value)})
	}
	for _, name := range []string{"via", "from", "to", "call-id", "cseq"} {
		if m.get(name) == "" {
			return sipMessage{}, fmt.Errorf("found no %s header", name)
		}
	}
	return m, nil
}

// longHeader writes out the short forms of RFC 3261, 20 and RFC 3265.
func longHeader(name string) string {
	switch name {
	case "v":
		return "via"
	case "f":
		return "from"
	case "t":
		return "to"
	case "i":
		return "call-id"
	case "o":
		return "event"
	case "m":
		return "contact"
	case "l":
		return "content-length"
	}
	return name
}

// viaTarget says where an answer goes, and the Via with received and rport filled in.
func viaTarget(via string, from netip.AddrPort) (netip.AddrPort, string) {
	parts := strings.Split(via, ";")
	to := netip.AddrPortFrom(from.Addr(), 5060)
	if _, sentBy, ok := strings.Cut(strings.TrimSpace(parts[0]), " "); ok {
		if i := strings.LastIndexByte(sentBy, ':'); i >= 0 {
			if port, err := strconv.ParseUint(strings.TrimSpace(sentBy[i+1:]), 10, 16); err == nil {
				to = netip.AddrPortFrom(from.Addr(), uint16(port))
			}
		}
	}
	for i, p := range parts[1:] {
		if strings.TrimSpace(p) == "rport" {
			parts[i+1] = "received=" + from.Addr().String() + ";rport=" + strconv.Itoa(int(from.Port()))
			to = from
		}
	}
	return to, strings.Join(parts, ";")
}
