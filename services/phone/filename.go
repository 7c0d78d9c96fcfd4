package phone

import (
	"encoding/hex"
	"regexp"
	"strings"
)

// ParseFileName understands a name that a phone asked for. Case does not matter, and leading "/" and "./" are stripped
// (phones.md a.7 and rule 1): nothing else of the name is changed. A name with a MAC is understood in any folder,
// because tftp_cfg_dir may stand before it; the other names only in the root. A name with ".." is always KindOther. It
// never fails: what it does not know is KindOther.
func ParseFileName(name string) FileName {
	f := FileName{Clean: cleanName(name), Kind: KindOther}
	lower := lowerASCII(f.Clean)
	base := lower[strings.LastIndexByte(lower, '/')+1:]
	if hasDotDot(lower) {
		f.MAC = anyMAC(lower)
		return f
	}
	if kind, mac, ok := perPhone(base); ok {
		f.Kind, f.MAC = kind, mac
		return f
	}
	if kind, ok := siteWide(lower); ok {
		f.Kind = kind
		return f
	}
	if kind, suffix, ok := firmware(base); ok {
		f.Kind = kind
		f.Load = f.Clean[len(f.Clean)-len(base) : len(f.Clean)-len(suffix)]
	} else if strings.HasSuffix(base, ".pcm") || strings.HasSuffix(base, ".raw") {
		f.Kind = KindRing
	} else if isLocale(base) {
		f.Kind = KindLocale
	}
	f.MAC = anyMAC(lower)
	return f
}

// lowerASCII is strings.ToLower for ASCII letters alone, so that offsets stay what they are.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}

// cleanName strips every leading "/" and "./".
func cleanName(name string) string {
	for {
		switch {
		case strings.HasPrefix(name, "/"):
			name = name[1:]
		case strings.HasPrefix(name, "./"):
			name = name[2:]
		default:
			return name
		}
	}
}

// hasDotDot reports whether a component of the name is "..".
func hasDotDot(name string) bool {
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == ".." {
			return true
		}
	}
	return false
}

// perPhone recognises the names that are made of a prefix, the MAC and a suffix; base is in lower case.
func perPhone(base string) (Kind, MAC, bool) {
	for _, p := range [...]struct {
		prefix, suffix string
		kind           Kind
	}{
		{"sep", ".cnf.xml", KindSEP},
		{"sep", ".cnf", KindSEPOld},
		{"sip", ".cnf", KindSIP},
		{"mgc", ".cnf", KindMGC},
		{"ctlsep", ".tlv", KindTrustList},
		{"itlsep", ".tlv", KindTrustList},
	} {
		if len(base) != len(p.prefix)+12+len(p.suffix) || !strings.HasPrefix(base, p.prefix) || !strings.HasSuffix(base, p.suffix) {
			continue
		}
		if mac, ok := hexMAC(base[len(p.prefix) : len(p.prefix)+12]); ok {
			return p.kind, mac, true
		}
	}
	return "", MAC{}, false
}

// siteWide recognises the names that are the same for all phones; name is in lower case.
func siteWide(name string) (Kind, bool) {
	switch name {
	case "os79xx.txt":
		return KindOS79XX, true
	case "itlfile.tlv", "ctlfile.tlv":
		return KindTrustList, true
	case "sepdefault.cnf":
		return KindSEPOld, true
	case "xmldefault.cnf.xml":
		return KindXMLDefault, true
	case "sipdefault.cnf":
		return KindSIPDefault, true
	case "ringlist.dat":
		return KindRingList, true
	case "dialplan.xml":
		return KindDialPlan, true
	case "syncinfo.xml":
		return KindSyncInfo, true
	}
	return "", false
}

// firmware recognises images and their lists by their suffix (phones.md c.1); base is in lower case.
func firmware(base string) (kind Kind, suffix string, ok bool) {
	for _, s := range [...]struct {
		suffix string
		kind   Kind
	}{{".loads", KindLoads}, {".sbn", KindLoader}, {".bin", KindLoader}, {".sb2", KindApplication}} {
		if len(base) > len(s.suffix) && strings.HasSuffix(base, s.suffix) {
			return s.kind, s.suffix, true
		}
	}
	return "", "", false
}

// isLocale recognises the fonts, tones and dictionaries of SCCP images (phones.md a.1); base is in lower case.
func isLocale(base string) bool {
	for _, suffix := range [...]string{"-font.xml", "-tones.xml", "-dictionary.xml", "-kate.xml"} {
		if strings.HasSuffix(base, suffix) {
			return true
		}
	}
	return false
}

// macPattern finds a MAC in a name that is not one of the 7940/7960 (gk<mac>, ata<mac>, <mac>.cfg, spa<mac>.xml). Up to
// three hex digits may stand before it, because prefixes such as "ata" and "ld" end in a hex digit; a longer run of
// digits is a hash, not a MAC.
var macPattern = regexp.MustCompile(`(?:^|[^0-9a-f])[0-9a-f]{0,3}?([0-9a-f]{12}|[0-9a-f]{2}(?:[-:][0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})(?:[^0-9a-f]|$)`)

// anyMAC returns the last MAC that stands anywhere in a name; name is in lower case.
func anyMAC(name string) MAC {
	if len(name) < 12 {
		return MAC{}
	}
	all := macPattern.FindAllStringSubmatch(name, -1)
	if len(all) == 0 {
		return MAC{}
	}
	mac, _ := hexMAC(strings.NewReplacer(":", "", "-", "", ".", "").Replace(all[len(all)-1][1]))
	return mac
}

// hexMAC reads twelve hex digits.
func hexMAC(digits string) (MAC, bool) {
	var m MAC
	if len(digits) != 2*len(m) {
		return MAC{}, false
	}
	_, err := hex.Decode(m[:], []byte(digits))
	return m, err == nil
}
