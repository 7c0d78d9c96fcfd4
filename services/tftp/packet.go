package tftp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The opcodes (RFC 1350 section 5, RFC 2347).
const (
	opRRQ   = 1
	opWRQ   = 2
	opDATA  = 3
	opACK   = 4
	opERROR = 5
	opOACK  = 6
)

// The error codes that this server sends (RFC 1350 appendix). Nothing else leaves it: codes 0 and 2 in answer to a read
// request stop the loader's hunt for the next name (phones.md a.8).
const (
	codeNotFound   = 1
	codeViolation  = 2 // write requests only
	codeUnknownTID = 5 // packets of strangers to a transfer only
)

const (
	maxRequest = 512 // bytes of a request (RFC 2347); what follows is not looked at, and not kept
	maxName    = 255 // bytes of a file name
	maxOptions = 16  // of a request; five are defined
)

// option is one option of a request or an OACK (RFC 2347), the name as it came.
type option struct{ name, value string }

// request is a read or write request.
type request struct {
	op      uint16
	name    string
	mode    string // modeOctet, modeNetascii, or what else was found
	options []option
}

var errMalformed = errors.New("malformed request")

// opcodeOf returns the opcode, or 0 for a packet that is too short to have one.
func opcodeOf(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// parseRequest reads a RRQ or WRQ: opcode, name, mode and pairs of option and value, each ended by a NUL. It keeps
// nothing of b. Every error is errMalformed and says what was wrong.
func parseRequest(b []byte) (request, error) {
	req := request{op: opcodeOf(b)}
	if req.op != opRRQ && req.op != opWRQ {
		return request{}, fmt.Errorf("%w: found opcode %d, allowed are 1 and 2", errMalformed, req.op)
	}
	rest := b[2:]
	var ok bool
	if req.name, rest, ok = cutString(rest); !ok {
		return request{}, fmt.Errorf("%w: the name is not ended by a NUL", errMalformed)
	}
	if req.mode, rest, ok = cutString(rest); !ok {
		return request{}, fmt.Errorf("%w: the mode is not ended by a NUL", errMalformed)
	}
	for _, mode := range []string{modeOctet, modeNetascii} {
		if len(mode) == len(req.mode) && strings.EqualFold(mode, req.mode) {
			req.mode = mode
		}
	}
	for len(rest) > 0 {
		var o option
		if o.name, rest, ok = cutString(rest); ok {
			o.value, rest, ok = cutString(rest)
		}
		// Some clients pad their request: what is no whole option is not looked at, nor what follows it.
		if !ok || o.name == "" || len(req.options) == maxOptions {
			break
		}
		req.options = append(req.options, o)
	}
	return req, nil
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	head, rest, ok := bytes.Cut(b, []byte{0})
	return string(head), rest, ok
}

// checkName refuses names that no file of ours can have, whatever Files would make of them.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > maxName:
		return fmt.Errorf("the name has %d bytes, allowed are %d", len(name), maxName)
	}
	// Some clients write Windows paths.
	for _, element := range strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		if element == ".." {
			return errors.New("the name leads out of the folder")
		}
	}
	return nil
}

const (
	plainBlock = 512  // RFC 1350
	minBlock   = 8    // RFC 2348
	maxBlock   = 1468 // fits into an Ethernet frame: larger requests are granted this, so that nothing is fragmented
	askBlock   = 65464
	maxWindow  = 64    // granted; RFC 7440 allows to ask for 65535
	askWindow  = 65535 // RFC 7440
	maxTimeout = 12    // seconds granted; a longer one would leave room for one resend before a transfer is given up
)

// terms is what server and client agreed on.
type terms struct {
	block   int
	window  int
	timeout int // seconds between resends; 0 = the server's own
}

// negotiate grants options (RFC 2347): the first of each name counts; unknown ones, ones out of range and tsize in
// netascii, where the size on the wire is not known before, are left out of the answer, as the RFCs want it. A nil
// answer means that no OACK is sent.
func negotiate(req request, size int64) (terms, []option) {
	agreed := terms{block: plainBlock, window: 1}
	var answer []option
	seen := make(map[string]bool, len(req.options))
	for _, o := range req.options {
		name := strings.ToLower(o.name)
		if seen[name] {
			continue
		}
		seen[name] = true
		value, err := strconv.ParseUint(o.value, 10, 63)
		if err != nil {
			continue
		}
		granted := int64(value)
		switch {
		case name == "blksize" && value >= minBlock && value <= askBlock:
			agreed.block = int(min(value, maxBlock))
			granted = int64(agreed.block)
		case name == "windowsize" && value >= 1 && value <= askWindow:
			agreed.window = int(min(value, maxWindow))
			granted = int64(agreed.window)
		case name == "timeout" && value >= 1 && value <= maxTimeout:
			agreed.timeout = int(value)
		case name == "tsize" && req.mode == modeOctet:
			granted = size
		default:
			continue
		}
		answer = append(answer, option{o.name, strconv.FormatInt(granted, 10)})
	}
	return agreed, answer
}

// oackPacket writes an OACK (RFC 2347).
func oackPacket(options []option) []byte {
	b := binary.BigEndian.AppendUint16(nil, opOACK)
	for _, o := range options {
		b = append(append(b, o.name...), 0)
		b = append(append(b, o.value...), 0)
	}
	return b
}

// errorPacket writes an ERROR.
func errorPacket(code uint16, text string) []byte {
	b := binary.BigEndian.AppendUint16(nil, opERROR)
	b = binary.BigEndian.AppendUint16(b, code)
	return append(append(b, text...), 0)
}

// parseError reads an ERROR that a phone sent, with a text of at most 128 bytes.
func parseError(b []byte) (code uint16, text string) {
	if len(b) < 4 {
		return 0, ""
	}
	text, _, _ = cutString(append(b[4:min(len(b), 4+128):min(len(b), 4+128)], 0))
	return binary.BigEndian.Uint16(b[2:]), text
}
