package adopt

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"phonebox/services/phone"
)

// Limits of a name; phones ask for far shorter ones.
const (
	longestPath   = 200
	deepestFolder = 16 // of a source, whose TFTP root may lie deep
	servedFolders = 4  // below the TFTP root; the provisioner looks no deeper
)

// cleanPath turns the path of a source into a name below its top: with "/", without "./" and leading "/". fault says why
// it is none.
func cleanPath(p string) (name, fault string) {
	if !utf8.ValidString(p) || len(p) > longestPath {
		return "", "the name is too long or not readable as text"
	}
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(p, `\`, "/"), "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			return "", "its path leads out of the folder"
		}
		parts = append(parts, part)
	}
	name = strings.Join(parts, "/")
	bad := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`:*?"<>|`, r) })
	switch {
	case name == "":
		return "", "it has no name"
	case bad >= 0:
		return "", "the name holds characters that phones don't ask for"
	case len(parts) > deepestFolder:
		return "", "it lies too deep in folders for a phone to ask for it"
	}
	return name, ""
}

// noise says why a file is what computers and archivers add by themselves; "" where it is not.
func noise(name string) string {
	base := strings.ToLower(path.Base(name))
	switch {
	case strings.HasPrefix(name, "__MACOSX/"), strings.HasPrefix(base, "._"), base == ".ds_store", base == "thumbs.db",
		base == "desktop.ini", strings.HasPrefix(name, "System Volume Information/"), strings.HasPrefix(name, "$RECYCLE.BIN/"):
		return "a computer put it there; no phone asks for it"
	case strings.HasPrefix(name, "."), strings.Contains(name, "/."):
		return "a hidden file; no phone asks for it"
	}
	for _, suffix := range []string{"~", ".bak", ".old", ".orig", ".save", ".swp", ".tmp", ".sample", ".example", ".dist"} {
		if strings.HasSuffix(base, suffix) {
			return "a copy or a sample by its name (" + suffix + "); no phone asks for it"
		}
	}
	return ""
}

// rootOf finds the TFTP root among the names: the folder with SIPDefault.cnf that lies least deep, else the folder that
// holds everything. It returns "" for the top, else the folder with a "/" at its end.
func rootOf(names []string) string {
	root, found := "", false
	for _, n := range names {
		dir, base := path.Split(n)
		if !strings.EqualFold(base, "SIPDefault.cnf") {
			continue
		}
		if !found || strings.Count(dir, "/") < strings.Count(root, "/") {
			root, found = dir, true
		}
	}
	if found || len(names) == 0 {
		return root
	}
	root, _ = path.Split(names[0])
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, root) {
			root = root[:strings.LastIndexByte(strings.TrimSuffix(root, "/"), '/')+1]
		}
	}
	return root
}

// canonical is the spelling in which phones ask for a file.
func canonical(f phone.FileName) string {
	switch f.Kind {
	case phone.KindSIP:
		return "SIP" + f.MAC.Name() + ".cnf"
	case phone.KindSEP:
		return "SEP" + f.MAC.Name() + ".cnf.xml"
	case phone.KindSIPDefault, phone.KindXMLDefault, phone.KindOS79XX, phone.KindRingList, phone.KindSyncInfo:
		return string(map[phone.Kind]string{
			phone.KindSIPDefault: "SIPDefault.cnf", phone.KindXMLDefault: "XMLDefault.cnf.xml", phone.KindOS79XX: "OS79XX.TXT",
			phone.KindRingList: "RINGLIST.DAT", phone.KindSyncInfo: "syncinfo.xml",
		}[f.Kind])
	}
	return ""
}

// findTwins gives every file its name in the TFTP root and a verdict to those that can't have it: what lies outside of
// the root, and all but one of those that differ in capital letters only.
func (a *adoption) findTwins() {
	var names []string
	for _, f := range a.files {
		if f.name != "" {
			names = append(names, f.name)
		}
	}
	root := rootOf(names)
	for _, f := range a.files {
		if f.done() {
			continue
		}
		inside, ok := strings.CutPrefix(f.name, root)
		if !ok {
			f.verdict.set(VerdictIgnored, "it lies outside of %s, which is the TFTP root because SIPDefault.cnf is there; hand its folder in by itself if it is meant", root)
			a.plan.LeftOut++
			continue
		}
		f.name = inside
		f.parsed = phone.ParseFileName(inside)
		key := strings.ToLower(inside)
		other := a.byName[key]
		if other == nil {
			a.byName[key] = f
			continue
		}
		winner, loser := other, f
		if f.name == other.name || path.Base(f.name) == canonical(f.parsed) { // of a .tar the later one is what stays
			winner, loser = f, other
		}
		a.byName[key] = winner
		if winner.name == loser.name {
			loser.verdict.set(VerdictIgnored, "the archive holds it twice; the later one counts")
		} else {
			loser.verdict.set(VerdictRefused, "its name is that of %s but for capital letters, which make no difference to phonebox; that one counts", winner.name)
		}
		a.plan.LeftOut++
	}
}

// todo returns the files without a verdict that pick takes, by their names.
func (a *adoption) todo(pick func(*file) bool) []*file {
	var list []*file
	for _, f := range a.files {
		if !f.done() && pick(f) {
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(x, y *file) int { return strings.Compare(x.name, y.name) })
	return list
}
