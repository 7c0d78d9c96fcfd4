package phone

// Kind sorts the names that phones ask for by what they mean (phones.md a.1).
type Kind string

// The kinds of files; Other is every name that phonebox does not know.
const (
	KindOS79XX      Kind = "OS79XX.TXT"
	KindTrustList   Kind = "trust list"   // CTLSEP<MAC>.tlv, ITLSEP<MAC>.tlv, ITLFile.tlv: always missing
	KindSEP         Kind = "SEP xml"      // SEP<MAC>.cnf.xml
	KindSEPOld      Kind = "SEP cnf"      // SEP<MAC>.cnf, SEPDEFAULT.cnf of very old images
	KindSIP         Kind = "SIP cnf"      // SIP<MAC>.cnf
	KindMGC         Kind = "MGC cnf"      // MGC<MAC>.cnf: always missing
	KindXMLDefault  Kind = "XMLDefault"   // XMLDefault.cnf.xml
	KindSIPDefault  Kind = "SIPDefault"   // SIPDefault.cnf
	KindLoads       Kind = "loads"        // <image>.loads
	KindLoader      Kind = "loader image" // P003-*.sbn, *.bin: the universal loader or a pre-loader image
	KindApplication Kind = "application"  // P0S3-*.sb2, P003*.sb2
	KindRingList    Kind = "RINGLIST.DAT" // RINGLIST.DAT
	KindDialPlan    Kind = "dial plan"    // dialplan.xml
	KindSyncInfo    Kind = "syncinfo.xml" // syncinfo.xml
	KindRing        Kind = "ring"         // *.pcm, *.raw
	KindLocale      Kind = "locale"       // fonts, tones and dictionaries of SCCP
	KindOther       Kind = "other"
)

// FileName is a requested name, understood.
type FileName struct {
	Clean string // the name without leading "/" and "./", as asked otherwise
	Kind  Kind
	MAC   MAC    // the MAC in the name; zero where there is none
	Load  string // the base name of a firmware file (P0S3-8-12-00); "" otherwise
}

// IsFirmware reports whether the kind is an image that is written to the phone's flash (not the .loads list).
func (k Kind) IsFirmware() bool { return k == KindLoader || k == KindApplication }
