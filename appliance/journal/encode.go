package journal

import (
	"encoding/json"
	"strconv"
)

// appendEvent writes an event as encoding/json writes the struct stored, field by field: every packet of every phone
// comes through here.
func appendEvent(b []byte, e *Event) ([]byte, error) {
	b = strconv.AppendInt(append(b, `{"t":`...), e.Time.UnixNano(), 10)
	b = appendText(append(b, `,"s":`...), e.Service)
	b = appendText(append(b, `,"k":`...), string(e.Kind))
	b = appendField(b, `,"x":`, e.Text)
	if e.Address.IsValid() {
		b = append(e.Address.AppendTo(append(b, `,"a":"`...)), '"')
	}
	b = appendField(b, `,"f":`, e.File.Clean)
	b = appendField(b, `,"p":`, string(e.Phase))
	if e.Transfer != 0 {
		b = strconv.AppendUint(append(b, `,"n":`...), e.Transfer, 10)
	}
	b = appendNumber(b, `,"z":`, e.Size)
	b = appendNumber(b, `,"b":`, e.Bytes)
	b = appendTrue(b, `,"h":true`, e.Harmless)
	b = appendTrue(b, `,"r":true`, e.Renewal)
	b = appendField(b, `,"c":`, e.Class)
	b = appendField(b, `,"l":`, e.Load)
	b = appendField(b, `,"e":`, string(e.Step))
	if len(e.Details) > 0 {
		details, err := json.Marshal(e.Details)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"d":`...), details...)
	}
	b = appendField(b, `,"u":`, e.Agent)
	b = appendNumber(b, `,"q":`, int64(e.Count))
	if !e.Since.IsZero() {
		b = appendNumber(b, `,"i":`, e.Since.UnixNano())
	}
	return append(b, '}'), nil
}

func appendField(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(append(b, name...), text)
}

func appendNumber(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), n, 10)
}

func appendTrue(b []byte, field string, set bool) []byte {
	if !set {
		return b
	}
	return append(b, field...)
}

// appendText writes a string of JSON. Most of ours need no escapes.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // a string can always be written
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
