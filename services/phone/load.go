package phone

import (
	"regexp"
	"strconv"
	"strings"
)

// LoadName is the base name of a firmware image of the 7940/7960, understood (phones.md c.1). The zero LoadName means
// "not known".
type LoadName struct {
	Name     string   // in upper case, without suffix: P0S3-8-12-00
	Protocol Protocol // of the application; for Loader images it says nothing
	Version  [4]int   // P0S3-8-12-00: 8, 12, 0, 0; P00303020214: 3, 2, 2, 14; a service release counts in the last
	Loader   bool     // the universal loader under the name that it has in a SIP bundle: P003-8-12-00
}

var (
	dashedLoad = regexp.MustCompile(`^P0([0SM])3-([0-9]{1,2})-([0-9]{1,2})-([0-9]{2})$`)
	packedLoad = regexp.MustCompile(`^P0([0SM])3([0-9]{2})([0-9]{2})(?:([0-9]{2}|SR)([0-9]{2}))?$`)
)

// ParseLoad understands a load's name in any case: P0S30203, P00303020214, P0030801SR02, P0S3-07-4-00, P0S3-8-12-00. ok
// is false for anything else, loads of other models among it.
func ParseLoad(name string) (load LoadName, ok bool) {
	load.Name = strings.ToUpper(name)
	m := dashedLoad.FindStringSubmatch(load.Name)
	dashed := m != nil
	if !dashed {
		if m = packedLoad.FindStringSubmatch(load.Name); m == nil {
			return LoadName{}, false
		}
	}
	load.Protocol = map[string]Protocol{"0": SCCP, "S": SIP, "M": MGCP}[m[1]]
	for i, digits := range m[2:] {
		load.Version[i], _ = strconv.Atoi(digits) // "SR" and "" count as 0
	}
	load.Loader = dashed && load.Protocol == SCCP
	return load, true
}

// Universal reports whether the load is of the generation of the universal loader: SIP from 7.0 and SCCP from 6.0, of
// which a bundle has a loader image, an application and a .loads list. Earlier loads are a single image.
func (l LoadName) Universal() bool {
	switch l.Protocol {
	case SIP, MGCP:
		return l.Version[0] >= 7
	case SCCP:
		return l.Version[0] >= 6
	}
	return false
}

// Signed reports whether a phone that runs the load takes signed images (.sbn) and no others: from 5.0 on
// (phones.md c.3). Earlier ones fetch .bin.
func (l LoadName) Signed() bool { return l.Version[0] >= 5 }

// Same reports whether two names, however they are written, stand for one load: P0S30404 and P0S3-04-4-00.
func (l LoadName) Same(other LoadName) bool {
	return l.Protocol == other.Protocol && l.Version == other.Version && l.Loader == other.Loader
}

// IsZero reports whether the load is not known.
func (l LoadName) IsZero() bool { return l.Name == "" }

// atLeast compares versions: major and minor.
func (l LoadName) atLeast(major, minor int) bool {
	return l.Version[0] > major || l.Version[0] == major && l.Version[1] >= minor
}
