package phone

import "strings"

// Class reads what DHCP option 60 says (phones.md b). cisco tells whether it is a Cisco phone or adapter at all; model
// is its number without prefix and suffix letters ("7960", "7941", "ATA190"), or "" when the string names none;
// withModel is false for the strings of images from before the universal loader, which name no model.
//
// Trailing NUL bytes, blanks and case don't matter.
func Class(option60 string) (model string, cisco, withModel bool) {
	s := strings.ToLower(strings.Trim(option60, "\x00 "))
	var rest string
	for _, prefix := range [...]string{"cisco systems, inc. ip phone", "cisco systems inc. wireless phone", "cisco ata"} {
		var ok bool
		if rest, ok = strings.CutPrefix(s, prefix); ok {
			cisco = true
			if prefix == "cisco ata" {
				rest = "ata" + rest
			}
			break
		}
	}
	rest = strings.TrimPrefix(strings.Trim(rest, "\x00 "), "cp-")
	if !cisco || rest == "" {
		return "", cisco, false
	}
	letters := strings.HasPrefix(rest, "ata")
	end := 0
	for end < len(rest) && (rest[end] >= '0' && rest[end] <= '9' || letters && end < len("ata")) {
		end++
	}
	if end == 0 {
		return "", true, false
	}
	return strings.ToUpper(rest[:end]), true, true
}
