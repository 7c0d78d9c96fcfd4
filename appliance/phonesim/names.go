package phonesim

import (
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// parseName sorts a name that this phone asks for. It knows only those and is kept apart from the servers' own
// reading of names on purpose.
func parseName(name string) phone.FileName {
	clean := strings.TrimPrefix(name, "./")
	if i := strings.LastIndexByte(clean, '/'); i >= 0 && strings.HasPrefix(clean[i+1:], "SIP") {
		clean = clean[i+1:] // behind tftp_cfg_dir
	}
	f := phone.FileName{Clean: clean, Kind: phone.KindOther}
	base, suffix, _ := strings.Cut(clean, ".")
	switch {
	case clean == "RINGLIST.DAT":
		f.Kind = phone.KindRingList
	case clean == "SIPDefault.cnf":
		f.Kind = phone.KindSIPDefault
	case strings.HasPrefix(clean, "SIP") && suffix == "cnf":
		f.Kind = phone.KindSIP
	case suffix == "loads":
		f.Kind, f.Load = phone.KindLoads, base
	case suffix == "sb2":
		f.Kind, f.Load = phone.KindApplication, base
	case suffix == "sbn" || suffix == "bin":
		f.Kind, f.Load = phone.KindLoader, base
	case clean == "syncinfo.xml":
		f.Kind = phone.KindSyncInfo
	case suffix == "xml" && !strings.Contains(clean, "/"):
		f.Kind = phone.KindDialPlan
	}
	return f
}

// loadProtocol returns what an image speaks, by the third letter of its name (phones.md c.1).
func loadProtocol(load string) phone.Protocol {
	switch {
	case strings.HasPrefix(load, "P003"):
		return phone.SCCP
	case strings.HasPrefix(load, "P0S3"):
		return phone.SIP
	case strings.HasPrefix(load, "P0M3"):
		return phone.MGCP
	}
	return phone.ProtocolUnknown
}

// release is what the name of an image says of it (phones.md c.1).
type release struct {
	protocol phone.Protocol
	version  [4]int // P0S3-8-12-00: 8, 12, 0; P00303020214: 3, 2, 2, 14
	dashed   bool
}

// parseRelease reads the name of an image without suffix; the zero release stands for a name that is none. It is kept apart
// from the servers' reading of such names on purpose.
func parseRelease(load string) release {
	r := release{protocol: loadProtocol(load)}
	if r.protocol == phone.ProtocolUnknown || len(load) < len("P0S30203") {
		return release{}
	}
	parts := []string{}
	if load[4] == '-' {
		r.dashed = true
		parts = strings.Split(load[5:], "-")
	} else {
		for rest := load[4:]; rest != ""; rest = rest[min(2, len(rest)):] {
			parts = append(parts, rest[:min(2, len(rest))])
		}
	}
	if len(parts) < 2 || len(parts) > len(r.version) {
		return release{}
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if part == "SR" && i == 2 { // a service release: P0030801SR02
			n, err = 0, nil
		}
		if err != nil || n < 0 {
			return release{}
		}
		r.version[i] = n
	}
	return r
}

// before reports whether the release is older than that of the numbers.
func (r release) before(major, minor int) bool {
	return r.version[0] < major || r.version[0] == major && r.version[1] < minor
}

// isUniversal reports whether the image belongs to the generation of the universal loader: from SCCP 6 and SIP 7 on.
func (r release) isUniversal() bool {
	return r.protocol == phone.SCCP && r.version[0] >= 6 || r.protocol == phone.SIP && r.version[0] >= 7
}

// loadMajor returns the major release of an image: 8 of P0S3-8-12-00, 3 of P00303020214; 0 where there is none.
func loadMajor(load string) int { return parseRelease(load).version[0] }

// carriesLoader reports whether the .bin or .sbn of that name is the universal loader: from SCCP 6 and SIP 7 on, where the
// loader's name begins with P003 as well (phones.md c.1).
func carriesLoader(load string) bool { return loadProtocol(load) == phone.SCCP && loadMajor(load) >= 6 }

// takesSigned reports whether the running image asks for signed images: from 5.x on (phones.md c.3).
func takesSigned(load string) bool { return loadMajor(load) >= 5 }

// knowsLongNames reports whether the running image can ask for a name of more than eight characters: SIP before 2.3 stores
// names of 8.3 (phones.md c.1, an inference). Of SCCP nothing is known; P00303010102 must be told to the oldest ones (c.4).
func knowsLongNames(load string) bool {
	r := parseRelease(load)
	return r.protocol != phone.SIP || !r.before(2, 3)
}

// readsXML reports whether an SCCP image reads SEP<MAC>.cnf.xml and XMLDefault.cnf.xml: from 3.1 on, the release to which
// c.4 wants the older ones to go first.
func readsXML(load string) bool { return !parseRelease(load).before(3, 1) }
