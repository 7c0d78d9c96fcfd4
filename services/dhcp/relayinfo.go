package dhcp

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The suboptions of option 82 that mean something here.
const (
	subCircuit    = 1  // agent circuit id (RFC 3046 section 3.1)
	subRemote     = 2  // agent remote id (RFC 3046 section 3.2)
	subLink       = 5  // link selection (RFC 3527)
	subSubscriber = 6  // subscriber id (RFC 3993)
	subSourcePort = 19 // relay source port (RFC 8357)
)

// relayInfo is what a relay says in option 82 (RFC 3046). Its slices are those of the option.
type relayInfo struct {
	circuit, remote []byte
	link            netip.Addr // the network that the client is in, where giaddr is not of it
	ownPort         bool       // answers go to the port that the packet came from
}

// parseRelayInfo reads option 82; what is cut off or of a wrong length means nothing, and comes back all the same.
func parseRelayInfo(b []byte) relayInfo {
	var info relayInfo
	eachSuboption(b, func(code byte, value []byte) {
		switch code {
		case subCircuit:
			info.circuit = value
		case subRemote:
			info.remote = value
		case subLink:
			info.link = addrOf(value)
		case subSourcePort:
			info.ownPort = true
		}
	})
	return info
}

// eachSuboption calls f for each whole suboption and reports whether nothing else was there.
func eachSuboption(b []byte, f func(code byte, value []byte)) (whole bool) {
	for len(b) >= 2 {
		n := 2 + int(b[1])
		if n > len(b) {
			return false
		}
		f(b[0], b[2:n:n])
		b = b[n:]
	}
	return len(b) == 0
}

// idText writes the id of a circuit or of a relay as text, or as 0x and hex digits where it is none.
func idText(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s := string(b); printable(b, len(b)) == s && !strings.HasPrefix(s, "0x") {
		return s
	}
	return "0x" + hex.EncodeToString(b)
}

// idBytes is the opposite of idText: what a person wrote of a circuit. False: 0x is not followed by hex digits, or
// there is nothing.
func idBytes(s string) ([]byte, bool) {
	digits, isHex := strings.CutPrefix(s, "0x")
	if !isHex {
		return []byte(s), s != "" && len(s) <= longestOption
	}
	b, err := hex.DecodeString(digits)
	return b, err == nil && len(b) > 0 && len(b) <= longestOption
}

// suboptionsText writes option 82 for people.
func suboptionsText(value []byte) (string, bool) {
	var out []string
	whole := eachSuboption(value, func(code byte, value []byte) {
		switch code {
		case subCircuit:
			out = append(out, "circuit "+idText(value)+portText(value))
		case subRemote:
			out = append(out, "remote "+idText(value)+switchText(value))
		case subSubscriber:
			out = append(out, "subscriber "+idText(value))
		case subLink:
			out = append(out, "link "+kinds[optSubnetSelection].text(value))
		case subSourcePort:
			out = append(out, "answers go to the relay's own port")
		default:
			out = append(out, strings.TrimSpace("suboption "+codeText(code)+" "+idText(value)))
		}
	})
	return strings.Join(out, ", "), whole && len(out) > 0
}

// portText reads the circuit id that Cisco's switches send unless they are told another: type 0 of four bytes, the VLAN, the
// module and the port. "" = it is something else.
func portText(b []byte) string {
	if len(b) != 6 || b[0] != 0 || b[1] != 4 {
		return ""
	}
	return " (VLAN " + strconv.Itoa(int(b[2])<<8|int(b[3])) + ", module " + strconv.Itoa(int(b[4])) + ", port " + strconv.Itoa(int(b[5])) + ")"
}

// switchText reads the remote id that Cisco's switches send unless they are told another: type 0 of six bytes, their hardware
// address. "" = it is something else.
func switchText(b []byte) string {
	if len(b) != 8 || b[0] != 0 || b[1] != 6 {
		return ""
	}
	return " (the switch " + strings.ToUpper(net.HardwareAddr(b[2:]).String()) + ")"
}
