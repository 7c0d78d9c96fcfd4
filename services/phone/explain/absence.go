package explain

import (
	"slices"

	"phonebox/services/phone"
)

// Kinds returns every kind of file that a phone asks for, in the order of its boot; phone.KindOther is the last.
func Kinds() []phone.Kind {
	return []phone.Kind{
		phone.KindOS79XX, phone.KindTrustList, phone.KindSEP, phone.KindSEPOld, phone.KindSIP, phone.KindMGC, phone.KindXMLDefault,
		phone.KindLoads, phone.KindLoader, phone.KindApplication, phone.KindSIPDefault, phone.KindRingList, phone.KindDialPlan,
		phone.KindSyncInfo, phone.KindRing, phone.KindLocale, phone.KindOther,
	}
}

// Names returns the names that the phone asks for, each once, in the order of its boot (phones.md a.1 to a.5); where it is not known
// what it runs, those of all that it may run. Rings and the pictures and fonts of SCCP are left out: settings name them.
func Names(mac phone.MAC, now Now) []string {
	m := mac.Name()
	var names []string
	add := func(more ...string) { names = append(names, more...) }
	sip, sccp := now.Protocol != phone.SCCP, now.Protocol != phone.SIP
	if now.Loader != Yes {
		add("OS79XX.TXT")
	}
	if now.Loader != No {
		add("CTLSEP"+m+".tlv", "SEP"+m+".cnf.xml", "SIP"+m+".cnf", "MGC"+m+".cnf", "XMLDefault.cnf.xml")
	} else if sccp {
		add("SEP"+m+".cnf.xml", "SEP"+m+".cnf", "XMLDefault.cnf.xml", "SEPDefault.cnf")
	}
	if now.Loader != No {
		add(firmware(now)...)
	}
	if sip {
		add("SIPDefault.cnf", "SIP"+m+".cnf")
	}
	if now.Loader == No {
		add(firmware(now)...)
	}
	if sip {
		add("RINGLIST.DAT", "dialplan.xml", "syncinfo.xml")
	}
	var once []string
	for _, n := range names {
		if !slices.Contains(once, n) {
			once = append(once, n)
		}
	}
	return once
}

// firmware is what a phone fetches of the load that is named to it, or that it runs.
func firmware(now Now) []string {
	named := now.Named
	if named == "" {
		named = now.Load
	}
	load, ok := phone.ParseLoad(named)
	running, known := phone.ParseLoad(now.Load)
	switch {
	case !ok:
		return nil
	case load.Universal() && !load.Loader && now.Loader != No:
		if load.Name == running.Name {
			return []string{load.Name + ".loads"} // an up-to-date phone fetches the list alone
		}
		return []string{load.Name + ".loads", load.Name + ".sb2"}
	case load.Name == running.Name:
		return nil
	case known && running.Signed():
		return []string{load.Name + ".sbn"}
	case known:
		return []string{load.Name + ".bin"}
	}
	return []string{load.Name + ".bin", load.Name + ".sbn"}
}

// Absence says whether it is harmless for the phone now that a file of the kind is not there, and in one sentence why, or
// what to do.
func Absence(kind phone.Kind, now Now) (harmless bool, sentence string) {
	switch kind {
	case phone.KindTrustList:
		return true, "It holds certificates, which phones do without as long as calls are not encrypted, and the phone goes on to its next file at once."
	case phone.KindOS79XX:
		return os79xx(now)
	case phone.KindSEP:
		return sep(now)
	case phone.KindSEPOld:
		return sepOld(now)
	case phone.KindSIP:
		return sipCnf(now)
	case phone.KindMGC:
		if now.Protocol == phone.MGCP {
			return false, "The phone runs MGCP, which phonebox does not serve: name a SIP or SCCP load for it."
		}
		return true, "It is for phones that run MGCP, and the phone goes on to its next file at once."
	case phone.KindXMLDefault:
		return xmlDefault(now)
	case phone.KindSIPDefault:
		return true, "It is optional: SIP<MAC>.cnf and what is stored in the phone hold, so that settings of the site may be missing."
	case phone.KindLoads, phone.KindLoader, phone.KindApplication:
		return image(kind, now)
	}
	return extra(kind)
}

// os79xx: that a phone keeps its protocol without it is not confirmed (phones.md a.1).
func os79xx(now Now) (bool, string) {
	switch {
	case now.Loader == Yes:
		return true, "Only firmware from before SIP 7.0 and SCCP 6.0 reads it, and this phone is newer."
	case now.Listed && now.HasTarget:
		return false, "Firmware from before SIP 7.0 and SCCP 6.0 learns from it which load to fetch: upload the firmware of the next step, then it names that."
	}
	return true, "No load is to be named to this phone, so it keeps what it runs."
}

func sep(now Now) (bool, string) {
	switch {
	case now.Loader == No && now.Protocol == phone.SIP:
		return true, "This SIP firmware takes its load from SIPDefault.cnf and does not read it."
	case now.Listed && now.HasTarget:
		return false, "It names the load that this phone shall start: upload all files of that load, then it is there."
	case now.Protocol == phone.SIP:
		return true, "The phone goes on to SIP<MAC>.cnf, which names its load."
	}
	return true, "The phone goes on to its next files, of which XMLDefault.cnf.xml may name its load."
}

func sepOld(now Now) (bool, string) {
	switch {
	case now.Protocol == phone.SIP || now.Protocol == phone.MGCP:
		return true, "Only very old SCCP firmware reads it."
	case now.Loader == Yes:
		return true, "Only SCCP firmware from before XML reads it, and this phone is newer."
	}
	return false, "A phone that asks for nothing else has SCCP firmware too old for XML: list it, and let OS79XX.TXT name a newer SCCP load."
}

func sipCnf(now Now) (bool, string) {
	switch {
	case now.Protocol == phone.SIP && now.Listed:
		return false, "The phone has no lines without it and asks every 31 s until it comes: look at why it is refused, and save the phone's settings again."
	case now.Protocol == phone.SIP:
		return false, "The phone has no lines without it and asks every 31 s until it comes: add this phone to the site."
	case now.Protocol == phone.SCCP || now.Protocol == phone.MGCP:
		return true, "It is for the SIP firmware, which this phone does not run now, and the phone goes on to its next file at once."
	}
	return true, "It matters once the phone runs SIP, and until then the phone goes on to its next file at once."
}

func xmlDefault(now Now) (bool, string) {
	switch {
	case now.Loader == No && now.Protocol == phone.SIP:
		return true, "This SIP firmware takes its load from SIPDefault.cnf and does not read it."
	case now.Protocol == phone.SIP && now.Listed:
		return true, "SEP<MAC>.cnf.xml and SIP<MAC>.cnf come first and name the load of this phone."
	case now.Listed && now.HasTarget:
		return false, "If no file before it names a load, the phone can't start one and begins again: upload all files of the load that it shall run."
	case now.Load != "":
		return true, "The phone keeps the load that it runs."
	case now.Listed:
		return false, "If no file before it names a load, the phone may show \"Protocol Application Invalid\" and begin again: set the load of this phone."
	}
	return false, "If no file before it names a load, the phone may show \"Protocol Application Invalid\" and begin again: add this phone to the site and set its load."
}

// image: a phone asks for firmware because a file named it.
func image(kind phone.Kind, now Now) (bool, string) {
	switch {
	case kind == phone.KindLoads && now.Loader == No:
		return true, "Only phones with the universal loader read it, and this one has none yet."
	case kind == phone.KindLoads:
		return false, "It is the list of a load's files, without which the phone starts its search again: upload all files of that load."
	case kind == phone.KindApplication:
		return false, "It is the firmware that the phone shall run, without which it may show \"Protocol Application Invalid\": upload all files of that load."
	case now.Loader == Yes:
		return false, "It is the loader that comes with a load, without which the phone does not go on to that load: upload all files of that load."
	}
	return false, "It is the firmware of the next step, without which the phone keeps what it runs and asks again: upload it under its own name."
}

// extra are the files that a phone can do without, and those that somebody named.
func extra(kind phone.Kind) (bool, string) {
	switch kind {
	case phone.KindRingList:
		return true, "The phone has its two built-in rings, Chirp1 and Chirp2."
	case phone.KindDialPlan:
		return true, "The phone goes by its built-in dialling rules, and may show an error on its status screen."
	case phone.KindSyncInfo:
		return true, "The phone runs on as it is; it only does not restart when it is told to."
	case phone.KindRing:
		return false, "The ring that was chosen can't be played: upload it, or choose another on the phone."
	case phone.KindLocale:
		return true, "The phone uses its built-in English and its built-in tones."
	}
	return false, "phonebox does not know this name: if a setting of the phone names the file, upload it, else the phone can do without."
}
