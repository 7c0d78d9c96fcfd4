package phone_test

import (
	"strings"
	"testing"

	"phonebox/services/phone"
)

func TestParseFileName(t *testing.T) {
	t.Parallel()
	mac, err := phone.ParseMAC("00:06:D7:AA:2A:2E")
	if err != nil {
		t.Fatal(err)
	}
	none := phone.MAC{}
	for _, tt := range []struct {
		name  string
		clean string
		kind  phone.Kind
		mac   phone.MAC
		load  string
	}{
		{"OS79XX.TXT", "OS79XX.TXT", phone.KindOS79XX, none, ""},
		{"os79xx.txt", "os79xx.txt", phone.KindOS79XX, none, ""},
		{"CTLSEP0006D7AA2A2E.tlv", "CTLSEP0006D7AA2A2E.tlv", phone.KindTrustList, mac, ""},
		{"ITLSEP0006d7aa2a2e.tlv", "ITLSEP0006d7aa2a2e.tlv", phone.KindTrustList, mac, ""},
		{"ITLFile.tlv", "ITLFile.tlv", phone.KindTrustList, none, ""},
		{"SEP0006D7AA2A2E.cnf.xml", "SEP0006D7AA2A2E.cnf.xml", phone.KindSEP, mac, ""},
		{"SEP0006D7AA2A2E.cnf", "SEP0006D7AA2A2E.cnf", phone.KindSEPOld, mac, ""},
		{"SEPDEFAULT.cnf", "SEPDEFAULT.cnf", phone.KindSEPOld, none, ""},
		{"SEPDefault.cnf", "SEPDefault.cnf", phone.KindSEPOld, none, ""},
		{"./SIP0006D7AA2A2E.cnf", "SIP0006D7AA2A2E.cnf", phone.KindSIP, mac, ""},
		{"/././SIP0006d7aa2a2e.CNF", "SIP0006d7aa2a2e.CNF", phone.KindSIP, mac, ""},
		{"phones/SIP0006D7AA2A2E.cnf", "phones/SIP0006D7AA2A2E.cnf", phone.KindSIP, mac, ""},
		{"MGC0006D7AA2A2E.cnf", "MGC0006D7AA2A2E.cnf", phone.KindMGC, mac, ""},
		{"XMLDefault.cnf.xml", "XMLDefault.cnf.xml", phone.KindXMLDefault, none, ""},
		{"xmlDefault.CNF.XML", "xmlDefault.CNF.XML", phone.KindXMLDefault, none, ""},
		{"SIPDefault.cnf", "SIPDefault.cnf", phone.KindSIPDefault, none, ""},
		{"phones/SIPDefault.cnf", "phones/SIPDefault.cnf", phone.KindOther, none, ""},
		{"P0S3-8-12-00.loads", "P0S3-8-12-00.loads", phone.KindLoads, none, "P0S3-8-12-00"},
		{"P003-8-12-00.sbn", "P003-8-12-00.sbn", phone.KindLoader, none, "P003-8-12-00"},
		{"/P0S30203.bin", "P0S30203.bin", phone.KindLoader, none, "P0S30203"},
		{"p0s3-8-12-00.SB2", "p0s3-8-12-00.SB2", phone.KindApplication, none, "p0s3-8-12-00"},
		{"P00308010200.sbn", "P00308010200.sbn", phone.KindLoader, none, "P00308010200"},
		{".sbn", ".sbn", phone.KindOther, none, ""},
		{"RINGLIST.DAT", "RINGLIST.DAT", phone.KindRingList, none, ""},
		{"dialplan.xml", "dialplan.xml", phone.KindDialPlan, none, ""},
		{"syncinfo.xml", "syncinfo.xml", phone.KindSyncInfo, none, ""},
		{"rings/Old Style.raw", "rings/Old Style.raw", phone.KindRing, none, ""},
		{"/7960-font.xml", "7960-font.xml", phone.KindLocale, none, ""},
		{"US/7960-tones.xml", "US/7960-tones.xml", phone.KindLocale, none, ""},
		{"gk0006d7aa2a2e", "gk0006d7aa2a2e", phone.KindOther, mac, ""},
		{"ata0006d7aa2a2e", "ata0006d7aa2a2e", phone.KindOther, mac, ""},
		{"cfg0006d7aa2a2e.xml", "cfg0006d7aa2a2e.xml", phone.KindOther, mac, ""},
		{"00-06-D7-AA-2A-2E.cfg", "00-06-D7-AA-2A-2E.cfg", phone.KindOther, mac, ""},
		{"old/0006.d7aa.2a2e/config.txt", "old/0006.d7aa.2a2e/config.txt", phone.KindOther, mac, ""},
		{"d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e", phone.KindOther, none, ""},
		{"../SIP0006D7AA2A2E.cnf", "../SIP0006D7AA2A2E.cnf", phone.KindOther, mac, ""},
		{"..", "..", phone.KindOther, none, ""},
		{"/./", "", phone.KindOther, none, ""},
		{"", "", phone.KindOther, none, ""},
		{"SIP0006D7AA2A2G.cnf", "SIP0006D7AA2A2G.cnf", phone.KindOther, none, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := phone.FileName{Clean: tt.clean, Kind: tt.kind, MAC: tt.mac, Load: tt.load}
			if got := phone.ParseFileName(tt.name); got != want {
				t.Errorf("ParseFileName(%q)\n got %+v\nwant %+v", tt.name, got, want)
			}
		})
	}
}

// FuzzParseFileName: parsing is idempotent, does not depend on case, and a SIP<MAC>.cnf in any spelling is known as its
// phone's (promise 4 hangs on it).
func FuzzParseFileName(f *testing.F) {
	for _, seed := range []string{"SIPDefault.cnf", "./SIP0006D7AA2A2E.cnf", "P0S3-8-12-00.loads", "../..", "ata0006d7aa2a2e", "\x00\xff", "////./x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := phone.ParseFileName(name)
		if again := phone.ParseFileName(got.Clean); again != got {
			t.Errorf("parsing %q again: %+v, then %+v", name, got, again)
		}
		if strings.HasPrefix(got.Clean, "/") || strings.HasPrefix(got.Clean, "./") {
			t.Errorf("%q is not clean: %q", name, got.Clean)
		}
		upper := phone.ParseFileName(asciiUpper(name))
		if upper.Kind != got.Kind || upper.MAC != got.MAC {
			t.Errorf("%q and its upper case differ: %+v, %+v", name, got, upper)
		}
		if got.Kind.IsFirmware() && got.Load == "" {
			t.Errorf("%q is firmware without a load", name)
		}
		if named := phone.ParseFileName(name + "/sip00156200a1b2.cnf"); named.MAC.Name() != "00156200A1B2" {
			t.Errorf("the MAC of %q was not found: %+v", name+"/sip00156200a1b2.cnf", named)
		}
	})
}

// asciiUpper is strings.ToUpper without the letters whose case folds into ASCII (U+017F, U+212A).
func asciiUpper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
