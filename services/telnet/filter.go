package telnet

// Telnet commands (RFC 854) that a client must understand to refuse everything.
const (
	se   = 240
	sb   = 250
	will = 251
	wont = 252
	do   = 253
	dont = 254
	iac  = 255
)

// maxReplies bounds how many offers are answered: a phone has a handful, and who makes thousands gets no answer.
const maxReplies = 64

// state is where the filter is in the stream.
type state uint8

const (
	inText state = iota
	inCommand
	inOption // after WILL, WONT, DO or DONT
	inSub
	inSubCommand
	inEscape // after ESC
	inCSI    // after ESC [
)

// filter takes telnet's commands, terminal control sequences and control characters out of what a phone sends. Its zero
// value is ready.
type filter struct {
	state   state
	verb    byte
	replied int
}

// feed returns the text in b, in UTF-8 with "\n" at line ends, and what is to be sent back: a refusal for each option
// that the phone offers or asks for (RFC 855). A character that stands over a backspace is kept.
func (f *filter) feed(b []byte) (text, replies []byte) {
	for _, c := range b {
		switch f.state {
		case inText:
			switch {
			case c == iac:
				f.state = inCommand
			case c == 0x1b:
				f.state = inEscape
			default:
				text = appendText(text, c)
			}
		case inCommand:
			switch c {
			case iac:
				f.state = inText
				text = appendText(text, c)
			case sb:
				f.state = inSub
			case will, wont, do, dont:
				f.state, f.verb = inOption, c
			default: // NOP, GA and such
				f.state = inText
			}
		case inOption:
			f.state = inText
			replies = f.refuse(replies, c)
		case inSub:
			if c == iac {
				f.state = inSubCommand
			}
		case inSubCommand:
			f.state = inSub
			if c == se {
				f.state = inText
			}
		case inEscape:
			f.state = inText
			if c == '[' {
				f.state = inCSI
			}
		case inCSI:
			if c >= 0x40 && c <= 0x7e {
				f.state = inText
			}
		}
	}
	return text, replies
}

// refuse answers an offer (WILL) with DONT and a demand (DO) with WONT; refusals need no answer.
func (f *filter) refuse(replies []byte, option byte) []byte {
	no := map[byte]byte{will: dont, do: wont}[f.verb]
	if no == 0 || f.replied == maxReplies {
		return replies
	}
	f.replied++
	return append(replies, iac, no, option)
}

// appendText takes one byte of text in: line ends and tabs stay, other control characters go, and what is not ASCII is
// taken for ISO-8859-1 as in the phone's files (phones.md h, unconfirmed).
func appendText(text []byte, c byte) []byte {
	switch {
	case c == '\n' || c == '\t' || c >= ' ' && c < 0x7f:
		return append(text, c)
	case c >= 0xa0:
		return append(text, string(rune(c))...)
	}
	return text
}

// escape writes a line in the phone's bytes; a byte of 255 is doubled (RFC 854). What ISO-8859-1 has not becomes "?".
func escape(line string) []byte {
	var b []byte
	for _, r := range line {
		switch {
		case r == iac:
			b = append(b, iac, iac)
		case r > iac:
			b = append(b, '?')
		default:
			b = append(b, byte(r))
		}
	}
	return b
}
