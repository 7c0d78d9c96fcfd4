package phone

import "strings"

// vendorClass is how option 60 of a 7940 and 7960 begins; old images send no more, newer ones the model behind it
// (phones.md b).
const vendorClass = "Cisco Systems, Inc. IP Phone"

// IsVendorClass reports whether option 60 is that of a 7940 or 7960, with or without the model.
func IsVendorClass(class string) bool {
	if !hasPrefixFold(class, vendorClass) {
		return false
	}
	model := strings.Trim(class[len(vendorClass):], " \x00")
	return model == "" || hasPrefixFold(model, "CP-7940") || hasPrefixFold(model, "CP-7960")
}

// MayBeVendorClass reports whether option 60 of a 7940 or 7960 may begin with that text, in any case of letters.
func MayBeVendorClass(prefix string) bool {
	for _, model := range []string{"CP-7940G", "CP-7960G"} {
		if full := vendorClass + " " + model; hasPrefixFold(full, prefix) || hasPrefixFold(prefix, full) {
			return true
		}
	}
	return false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// ForbiddenOption says why no class of DHCP clients can have an option of its own; "" when it can. Forbidden are the
// options that make the protocol work, which the server fills in by itself (RFC 2132 section 9, RFC 3046, RFC 3011).
func ForbiddenOption(code int) string {
	switch {
	case code < 1 || code > 254:
		return "there is no such option"
	case code >= 50 && code <= 55, code >= 57 && code <= 59, code == 61, code == 82, code == 118:
		return "the server itself decides about it"
	case code == 80:
		return "rapid commit (RFC 4039) is not offered"
	}
	return ""
}
