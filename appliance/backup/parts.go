package backup

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"phonebox/services/phone"
)

// Part is what can be backed up and restored by itself.
type Part string

// The parts of a backup.
const (
	Settings    Part = "settings"    // site.toml
	Files       Part = "files"       // rings, logo and own files of tftp/
	Firmware    Part = "firmware"    // loads of tftp/
	Certificate Part = "certificate" // the page's key and certificate
	Password    Part = "password"    // the hash of the page's password
)

// Parts are all of them, in the order in which they are shown.
func Parts() []Part { return []Part{Settings, Files, Firmware, Certificate, Password} }

// The names of entries that are no file of tftp/.
const (
	SiteEntry     = "site.toml"
	PasswordEntry = "password"
	tftpFolder    = "tftp/"
	headerEntry   = "backup.json"
	manifestEntry = "manifest.json"
)

// certEntries are the files of certs/.
var certEntries = []string{"certs/page.pem", "certs/own.pem"}

// dotFiles are the files of tftp/ that begin with a dot and last: the names of rings, and their order in the phones' menu.
var dotFiles = []string{".ringnames", ".ringorder"}

const (
	maxName  = 255 // bytes of an entry's name
	maxDepth = 8   // folders
)

// PartOf says which part an entry belongs to; false for a name that no backup may have.
func PartOf(name string) (Part, bool) {
	switch {
	case name == SiteEntry:
		return Settings, true
	case name == PasswordEntry:
		return Password, true
	case slices.Contains(certEntries, name):
		return Certificate, true
	case !strings.HasPrefix(name, tftpFolder) || !acceptable(name):
		return "", false
	}
	base := path.Base(name)
	if k := phone.ParseFileName(base).Kind; k == phone.KindLoads || k.IsFirmware() {
		return Firmware, true
	}
	return Files, true
}

// acceptable refuses names that lead elsewhere, or that the box would never have written.
func acceptable(name string) bool {
	if len(name) > maxName || !utf8.ValidString(name) || path.Clean(name) != name || strings.Count(name, "/") > maxDepth {
		return false
	}
	for _, r := range name {
		if r < 0x20 || r == 0x7f || r == '\\' {
			return false
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") && !slices.Contains(dotFiles, part) {
			return false
		}
	}
	return true
}

// limit is how large an entry may be, in bytes.
func limit(name string) int64 {
	switch part, _ := PartOf(name); part {
	case Settings:
		return maxSite
	case Password:
		return 1 << 10
	case Certificate:
		return 256 << 10
	}
	return maxFile
}
