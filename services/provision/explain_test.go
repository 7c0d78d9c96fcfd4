package provision_test

import (
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

// For each name that the phone asks for it is said what it gets and whether that matters; no password leaves by it.
func TestExplain(t *testing.T) {
	t.Parallel()
	type row struct {
		name   string
		status provision.Status
		why    string // a part; "" = anything
	}
	m := reception.Name()
	for _, tt := range []struct {
		about   string
		mac     phone.MAC
		running provision.Running
		guide   *guide
		shelf   map[string][]byte
		want    []row
	}{
		{
			"a phone that runs what it should", reception,
			provision.Running{Load: target, Loader: true, Protocol: phone.SIP},
			nil, bundle(target),
			[]row{
				{"CTLSEP" + m + ".tlv", provision.Harmless, "at once"},
				{"SEP" + m + ".cnf.xml", provision.OK, ""},
				{"SIP" + m + ".cnf", provision.OK, ""},
				{"MGC" + m + ".cnf", provision.Harmless, ""},
				{"XMLDefault.cnf.xml", provision.OK, ""},
				{target + ".loads", provision.OK, ""},
				{"SIPDefault.cnf", provision.OK, ""},
				{"RINGLIST.DAT", provision.OK, ""},
				{"dialplan.xml", provision.OK, ""},
				{"syncinfo.xml", provision.OK, ""},
			},
		},
		{
			"a step whose firmware is not there", reception,
			provision.Running{Load: "P0S3-06-3-00", Protocol: phone.SIP},
			tell(phone.Naming{OS79XX: "P003-8-12-00", ImageVersion: target, LoadInformation: "P003-8-12-00", Needs: target + ".loads"}), nil,
			[]row{{"OS79XX.TXT", provision.OK, "not on the firmware shelf: upload it"}, {"SIPDefault.cnf", provision.OK, "upload it"}, {"SIP" + m + ".cnf", provision.OK, ""}},
		},
		{
			"a step to the loader", reception,
			provision.Running{Load: "P0S3-06-3-00", Protocol: phone.SIP},
			tell(phone.Naming{OS79XX: "P003-8-12-00", ImageVersion: target, LoadInformation: "P003-8-12-00", Needs: target + ".loads"}), bundle(target),
			[]row{{"OS79XX.TXT", provision.OK, ""}, {"SIPDefault.cnf", provision.OK, ""}, {"SIP" + m + ".cnf", provision.OK, ""}, {"P003-8-12-00.sbn", provision.OK, ""}},
		},
		{
			"a stranger", stranger,
			provision.Running{Loader: true, Protocol: phone.SIP},
			nil, nil,
			[]row{
				{"SEP000AB7010203.cnf.xml", provision.Harmless, "SIP<MAC>.cnf"},
				{"SIP000AB7010203.cnf", provision.Missing, "add it to the site"},
				{"XMLDefault.cnf.xml", provision.Missing, "add it to the site"},
			},
		},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.running[tt.mac] = tt.running
			w.guide = tt.guide
			p, _ := start(t, office(), w, tt.shelf)
			got := p.Explain(t.Context(), tt.mac)
			at := 0
			for _, e := range got {
				if e.Status != provision.OK && e.Why == "" {
					t.Errorf("%s has no reason", e.Name)
				}
				if at < len(tt.want) && e.Name == tt.want[at].name {
					if e.Status != tt.want[at].status || !strings.Contains(e.Why, tt.want[at].why) {
						t.Errorf("%+v, want %+v", e, tt.want[at])
					}
					at++
				}
			}
			if at < len(tt.want) {
				t.Errorf("%s is not explained, or not in this order: %+v", tt.want[at].name, got)
			}
			if len(w.released) != 0 {
				t.Errorf("explaining released %v", w.released)
			}
		})
	}
}
