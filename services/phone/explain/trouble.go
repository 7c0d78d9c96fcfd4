package explain

import (
	"time"

	"phonebox/services/phone"
)

// Code names a trouble; it is stable.
type Code string

// The troubles of phones.md c.6, and the two of a.8 that concern the network.
const (
	ApplicationInvalid Code = "application_invalid"
	RepeatsTrustList   Code = "repeats_ctlsep"
	RepeatsSEP         Code = "repeats_sep"
	BufferFull         Code = "buffer_full"
	ImageRefused       Code = "image_authentication"
	NoLoad             Code = "no_load"
	Unprovisioned      Code = "unprovisioned"
	StaysSCCP          Code = "stays_sccp"
	TooOld             Code = "too_old"
	Unreachable        Code = "unreachable"
	BreaksOff          Code = "breaks_off"
)

// Trouble is a known trouble, in sentences.
type Trouble struct {
	Code    Code
	Symptom string // as the phone or the page shows it
	Cause   string
	Cure    string
}

// Troubles returns all that are known. What phones.md calls unconfirmed says "probably".
func Troubles() []Trouble {
	return []Trouble{
		{
			ApplicationInvalid,
			"The display shows \"Protocol Application Invalid\".",
			"The loader is in the phone, but its application was erased or can't be fetched, and no file names a load that is there whole.",
			"Leave it connected where this box answers, list it, set its load and upload all four files of that load: it recovers by itself.",
		},
		{
			RepeatsTrustList,
			"It asks for CTLSEP<MAC>.tlv again and again.",
			"Its questions are not answered, or the answers come too late.",
			"Look whether this box is the only TFTP server in its DHCP options, and whether TFTP runs: the answer that the file is not there must come at once.",
		},
		{
			RepeatsSEP,
			"It asks for CTLSEP<MAC>.tlv and SEP<MAC>.cnf.xml about once a second.",
			"The SEP<MAC>.cnf.xml that it gets is empty, or names no load.",
			"Take away a file of that name that somebody uploaded, so that phonebox makes it, and set the load of the phone.",
		},
		{
			BufferFull,
			"The display shows \"W210 TFTP error: buffer full\".",
			"Probably a file is larger than the phone can hold, or a wrong file bears its name.",
			"Shorten the file that was sent last: take out comments and parameters that are not needed, or let phonebox make it.",
		},
		{
			ImageRefused,
			"The display shows \"Image Authentication Failed\", or it fetches the same image again and again.",
			"Firmware 5.0 and later takes only signed images under their own names; this one is unsigned, renamed or damaged.",
			"Upload the original files of the load again, unpacked from the original archive and not renamed.",
		},
		{
			NoLoad,
			"The display shows \"No load specified\".",
			"Probably the file that it read names no load, or an empty one.",
			"Set the load of the phone, and upload that load: then loadInformation and image_version name it.",
		},
		{
			Unprovisioned,
			"The display shows \"Unprovisioned\", or it asks for SIP<MAC>.cnf every 31 s.",
			"It does not get its SIP<MAC>.cnf, or that names no line or no proxy.",
			"List the phone with a line and set the proxy; if it has both, set GARP to NO in its network settings, which cured one.",
		},
		{
			StaysSCCP,
			"It still runs SCCP after a SIP load was fetched.",
			"A SEP<MAC>.cnf.xml or XMLDefault.cnf.xml that names an SCCP load is found before SIP<MAC>.cnf.",
			"Take away uploaded files of those names, so that phonebox names the SIP load (P0S3...) in them.",
		},
		{
			TooOld,
			"It asks for SEPDEFAULT.cnf again and again.",
			"Its SCCP firmware is too old to read XML.",
			"List it, set its load and upload a newer SCCP image (P00303010102) as the first step: OS79XX.TXT then names that.",
		},
		{
			Unreachable,
			"It repeats its questions although they are answered.",
			"The answers do not reach it: a firewall, a second network card, or an answer from another address than it asked.",
			"Look at the cabling and the VLAN of its port, and whether another device between them filters UDP.",
		},
		{
			BreaksOff,
			"Small files arrive, but large transfers break off.",
			"The link loses packets: a bad cable, or a duplex setting that does not fit that of the switch.",
			"Change the cable, set both ends to automatic negotiation, and try another port.",
		},
	}
}

// Asked counts how often a phone asked for a file, in one go: pauses of a minute end it.
type Asked struct {
	Times    int           // requests
	SamePort int           // most of them from one port of the phone: repeats of one question
	Answered int           // of Times, with the file or with "not found"
	Got      int           // of Times, the file arrived whole
	Span     time.Duration // from the first to the last
}

// Trace is what can be seen of a phone, from outside, since it was last switched on.
type Trace struct {
	TrustList  Asked          // CTLSEP<MAC>.tlv
	SEP        Asked          // SEP<MAC>.cnf.xml
	SEPDefault Asked          // SEPDEFAULT.cnf and SEP<MAC>.cnf
	SIPCnf     Asked          // SIP<MAC>.cnf, of the SIP application
	Other      Asked          // the other file that it asked for most
	Hunts      int            // searches for a load that it began
	NoLoad     bool           // no file that it got names a load
	Missing    string         // firmware file that it asked for and did not get; "" = none
	Stopped    string         // text file whose transfer the phone itself ended with an error; "" = none
	Aborted    int            // transfers of one file in a row that broke off
	Small      int            // files of one block that arrived whole
	SameImage  int            // times in a row that it fetched the same image whole
	NoLine     bool           // the SIP<MAC>.cnf that it got names no line or no proxy
	Fetched    phone.Protocol // of the application that it fetched whole before it started; "" = none
	Protocol   phone.Protocol // that it speaks now
}

// What counts as again and again.
const (
	sameQuestions = 5                // a loader asks five times from one port (phones.md a.7)
	quickSpan     = 20 * time.Second // SEP<MAC>.cnf.xml about once a second (a.8)
	hunts         = 3                // two searches 36 s apart are normal in a conversion (a.8)
	polls         = 2
	sameImages    = 3
	oldAsks       = 6
	aborts        = 3
)

// Recognise returns the troubles that the trace shows, in the order of [Troubles]. It goes by what was seen alone: none
// means that nothing known was recognised, not that all is well.
func Recognise(t Trace) []Trouble {
	repeated := func(a Asked) bool { return a.SamePort >= sameQuestions && a.Answered > 0 }
	unreachable := repeated(t.TrustList) || repeated(t.SEP) || repeated(t.SEPDefault) || repeated(t.SIPCnf) || repeated(t.Other)
	found := map[Code]bool{
		ApplicationInvalid: t.Missing != "" || t.Hunts >= hunts && t.NoLoad,
		RepeatsTrustList:   t.TrustList.Times >= sameQuestions && t.TrustList.Answered == 0,
		RepeatsSEP:         !unreachable && t.SEP.Answered >= sameQuestions && t.SEP.Span <= quickSpan,
		BufferFull:         t.Stopped != "",
		ImageRefused:       t.SameImage >= sameImages,
		NoLoad:             t.NoLoad && t.Hunts < hunts && t.Missing == "",
		Unprovisioned:      !unreachable && (t.NoLine || t.SIPCnf.Answered >= polls && t.SIPCnf.Got == 0),
		StaysSCCP:          t.Fetched == phone.SIP && t.Protocol == phone.SCCP,
		TooOld:             !unreachable && t.SEPDefault.Times >= oldAsks,
		Unreachable:        unreachable,
		BreaksOff:          t.Aborted >= aborts && t.Small > 0,
	}
	var out []Trouble
	for _, known := range Troubles() {
		if found[known.Code] {
			out = append(out, known)
		}
	}
	return out
}
