package adopt

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// readSEPs lists the phones that have a file of SCCP and none of SIP.
func (a *adoption) readSEPs() {
	kinds := []phone.Kind{phone.KindSEP, phone.KindSEPOld}
	for _, f := range a.todo(func(f *file) bool { return slices.Contains(kinds, f.parsed.Kind) && !f.parsed.MAC.IsZero() }) {
		d := readDevice(f.content)
		load, other := d.load()
		says := "no load"
		if load != "" {
			says = "the load " + load
		}
		switch before := a.phones[f.parsed.MAC]; {
		case other != "":
			a.store(f, VerdictOwnFile, "", "for a phone of another family (%s); kept as it is", other)
		case before != nil:
			a.ignore(f, "the phone was read from %s; this file names %s, and phonebox writes it itself", before.name, says)
		default:
			a.add(site.Phone{MAC: f.parsed.MAC}, f, nil)
			runs := "it ran SCCP"
			if d.protocol == "SIP" || strings.HasPrefix(load, "P0S3") {
				runs = "it ran SIP, and its SIP" + f.parsed.MAC.Name() + ".cnf is not here"
			}
			f.verdict.Text += fmt.Sprintf("; %s, and the file names %s", runs, says)
			if d.fault != "" && f.size > 0 && f.parsed.Kind == phone.KindSEP {
				f.verdict.warn("%s", d.fault)
			}
		}
	}
}

// load returns the load that a file names for its phone; other says which other family it is for.
func (d deviceFile) load() (load, other string) {
	if len(d.loads) > 0 {
		load = d.loads[0]
	}
	model := regexp.MustCompile(`[0-9]{4,5}`).FindString(d.model)
	_, ours := phone.ParseLoad(load)
	switch {
	// Device numbers 7 and 8 are the 7960 and the 7940 (phones.md a.6); some files write the model itself.
	case model != "" && model != "7940" && model != "7960":
		return load, "model " + shown(d.model)
	case load != "" && !ours:
		return load, "load " + shown(load)
	case d.profile:
		return load, "it holds a SIP profile"
	}
	return load, ""
}

// sortOthers gives a verdict to all files that are neither of a phone nor SIPDefault.cnf; people's directories come last.
func (a *adoption) sortOthers() {
	a.readDialPlans()
	for _, f := range a.todo(func(*file) bool { return true }) {
		if f.root == "ciscoipphonedirectory" || f.root == "ciscoipphonemenu" {
			continue
		}
		a.sortOther(f)
	}
}

// sortOther goes by what phones mean by the name.
func (a *adoption) sortOther(f *file) {
	switch f.parsed.Kind {
	case phone.KindOS79XX:
		first, _, _ := strings.Cut(string(f.content), "\n")
		a.ignore(f, "it names %s; phonebox answers each phone with the load that it needs next", shown(strings.TrimSpace(first)))
	case phone.KindXMLDefault:
		loads := readDevice(f.content).loads
		slices.Sort(loads)
		loads = slices.Compact(loads)
		if len(loads) == 0 {
			loads = []string{"no load"}
		}
		a.ignore(f, "it names %s; phonebox answers each phone with the load that it needs next", words(loads))
	case phone.KindSyncInfo:
		a.ignore(f, "phonebox writes it itself, so that every restart that you ask for happens")
	case phone.KindTrustList:
		a.ignore(f, "phones are better off without it; phonebox never sends one")
	case phone.KindMGC:
		a.ignore(f, "phonebox does not speak MGCP")
	case phone.KindSEPOld:
		a.ignore(f, "phonebox answers it by itself")
	case phone.KindDialPlan:
		if !f.done() {
			a.own(f)
		}
	case phone.KindLoads, phone.KindLoader, phone.KindApplication:
		a.firmware(f)
	case phone.KindRing:
		a.ring(f)
	case phone.KindLocale:
		a.store(f, VerdictOwnFile, "", "a language file of SCCP; kept, phones get it when they ask for it")
	default:
		a.byEnding(f)
	}
}

// firmware puts an image of these phones on the shelf, which looks at what it holds.
func (a *adoption) firmware(f *file) {
	load, ok := phone.ParseLoad(f.parsed.Load)
	if !ok {
		a.store(f, VerdictOwnFile, "", "firmware of another family; kept, phones get it when they ask for it")
		return
	}
	if path.Dir(f.name) != "." { // phones ask for images in the root
		if other := a.byName[f.base()]; other != nil {
			a.ignore(f, "%s has the same name and counts, because phones ask for it in the root", other.name)
			a.plan.LeftOut++
			return
		}
		f.name = path.Base(f.name)
		a.byName[f.base()] = f
	}
	a.store(f, VerdictFirmware, "", "a part of the load %s; it goes to the firmware shelf, which looks at it", load.Name)
}

// byEnding goes by the ending of a name that phones of this family don't know.
func (a *adoption) byEnding(f *file) {
	ext := path.Ext(f.base())
	if slices.Contains(archiveNames, ext) {
		a.ignore(f, "an archive in the archive; hand it in by itself")
		a.plan.LeftOut++
		return
	}
	switch ext {
	case ".bmp":
		a.picture(f)
	case ".csv", ".xlsx", ".xls", ".ods", ".vcf":
		a.ignore(f, "a list of phones or people; hand it in by itself, then its rows are read")
		a.plan.LeftOut++
	case ".wav", ".mp3", ".au":
		a.ignore(f, "phones can't play it; add it on the page of rings, which turns a WAV into a ring")
		a.plan.LeftOut++
	case ".png", ".jpg", ".jpeg", ".gif", ".cip":
		a.ignore(f, "phones can't show it; choose it on the page of the logo, which turns it into one")
		a.plan.LeftOut++
	case ".exe", ".dll", ".lnk", ".ini", ".log", ".pid", ".sh", ".bat", ".pdf", ".doc", ".docx", ".html", ".htm", ".md":
		a.ignore(f, "no phone asks for it")
	default:
		a.own(f)
	}
}

// otherFamilies recognises the files of other phones by their names (phones.md i).
var otherFamilies = []struct {
	name   *regexp.Regexp
	family string
}{
	{regexp.MustCompile(`^gk([0-9a-f]{12}|default)`), "a 7912"},
	{regexp.MustCompile(`^ld([0-9a-f]{12}|default)`), "a 7905"},
	{regexp.MustCompile(`^ata([0-9a-f]{12}|default)`), "an ATA adapter"},
	{regexp.MustCompile(`^spa.*\.(cfg|xml)$`), "a Linksys or SPA phone"},
	{regexp.MustCompile(`^(term[0-9]{2}|sip[0-9]{2}|sccp[0-9]{2}|apps[0-9]{2}|cnu[0-9]{2}|cvm[0-9]{2}|dsp[0-9]{2}|jar[0-9]{2})`), "a 7941, 7961 or later"},
	{regexp.MustCompile(`\.(zup|sbin|sgn|sebn)$`), "another family, firmware"},
	{regexp.MustCompile(`^([0-9a-f]{12}|y0000000000[0-9]{2}|snom.*|cfg[0-9a-f]{12}|aastra)(-.*)?\.(cfg|xml|htm)$`), "another maker"},
	{regexp.MustCompile(`^(distinctive)?ringlist\.xml$`), "a 7941, 7961 or later"},
}

var passwordWord = regexp.MustCompile(`(?i)passw|secret`)

// own keeps a file as it is. A configuration with passwords under a name that belongs to no phone would go to whoever
// asks for it, so it is refused.
func (a *adoption) own(f *file) {
	base := f.base()
	ext := path.Ext(base)
	switch {
	case ext == ".cnf" && strings.HasPrefix(base, "sip"):
		a.refuse(f, "its name begins with SIP, but no MAC of 12 hexadecimal digits and .cnf follow, so no phone asks for it")
		return
	case (ext == ".cnf" || ext == ".txt") && f.parsed.MAC.IsZero() && holdsPassword(f.content):
		a.refuse(f, "it holds a phone's password, and its name is of no phone, so whoever asks would get it; the name should be SIP<MAC>.cnf")
		return
	case f.parsed.Kind == phone.KindDialPlan:
		a.ignore(f, "phonebox writes the dial plan under this name itself")
		a.plan.LeftOut++
		return
	}
	for _, o := range otherFamilies {
		if o.name.MatchString(base) {
			a.store(f, VerdictOwnFile, "", "for %s; kept as it is", o.family)
			a.warnPassword(f)
			return
		}
	}
	a.store(f, VerdictOwnFile, "", "phonebox does not know it; kept as it is, phones get it when they ask for it")
	a.warnPassword(f)
}

// warnPassword warns of what goes to whoever asks although it seems to be secret.
func (a *adoption) warnPassword(f *file) {
	if f.parsed.MAC.IsZero() && passwordWord.Match(f.content) {
		f.verdict.warn("it seems to hold a password, and it is sent to whoever asks for it")
	}
}

// holdsPassword reports whether a text sets a password of a phone that is not the factory's.
func holdsPassword(content []byte) bool {
	if !bytes.Contains(bytes.ToLower(content), []byte("passw")) {
		return false
	}
	for name, value := range phone.ReadCnf(content).Values() {
		p, _ := phone.LookUpParameter(name)
		if phone.IsSecretParameter(name) && !isEmpty(value) && value != p.Default {
			return true
		}
	}
	return false
}
