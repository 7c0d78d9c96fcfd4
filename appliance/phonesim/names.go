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

// loadMajor returns the major release of an image: 8 of P0S3-8-12-00, 3 of P00303020214; 0 where there is none.
func loadMajor(load string) int {
	if len(load) < 6 {
		return 0
	}
	rest := load[4:]
	digits := rest[:2]
	if rest[0] == '-' {
		digits, _, _ = strings.Cut(rest[1:], "-")
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// carriesLoader reports whether the .bin or .sbn of that name is the universal loader: from SCCP 6 and SIP 7 on, where the
// loader's name begins with P003 as well (phones.md c.1).
func carriesLoader(load string) bool { return loadProtocol(load) == phone.SCCP && loadMajor(load) >= 6 }

// takesSigned reports whether the running image asks for signed images: from 5.x on (phones.md c.3).
func takesSigned(load string) bool { return loadMajor(load) >= 5 }
