package phone

import (
	"path"
	"slices"
	"strings"
)

// ringNameLimit is the longest display name or file name that all lists take, in characters (phones.md g.1).
const ringNameLimit = 25

// WriteRingList writes RINGLIST.DAT for ring files (names relative to the TFTP root): a display name, a TAB, the file
// name. The built-in rings need no entry. Files whose names a phone can't take, for
// their length or because they are not ASCII, are left out and returned.
func WriteRingList(files []string) (content []byte, leftOut []string) {
	files = slices.Clone(files)
	slices.Sort(files)
	for _, f := range files {
		show := ShowText(strings.TrimSuffix(path.Base(f), path.Ext(f)), ringNameLimit)
		if show == "" || len(f) > ringNameLimit || !isASCII(f) || checkText(f) != nil {
			leftOut = append(leftOut, f)
			continue
		}
		content = append(content, latin1(strings.ReplaceAll(show, "_", " ")+"\t"+f+"\n")...)
	}
	return content, leftOut
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0
}
