package web_test

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"phonebox/services/internal/texts"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// staysEnglish are texts of pages that read the same in every language: names, numbers with units, codes and files, and what
// phones and other programs show in English.
var staysEnglish = regexp.MustCompile(`^(` + strings.Join([]string{
	`[A-Z]{2,5}`, `dhcp|tftp|sntp|dns|sip|mdns|http`, `[A-Za-z_-]+(\.[a-z]+)+`, `[a-z]+_[a-z_]+`, `[0-9]+ °C`, // protocols, files, parameters
	`phonebox\.?`, `Asterisk \(chan_sip\)`, `Callcentric`, `FreePBX`, // products
	`[A-Z][a-z]+/[A-Z][A-Za-z_/]+`,                     // time zones
	`[a-z0-9.-]+\.[a-z]+ \([0-9.]+\)`, `SIP<MAC>\.cnf`, // hosts, files
	`avt|unicast|multicast|anycast|directedbroadcast`, // values of parameters
	`Protocol Application Invalid`,                    // what the phones' display says
}, "|") + `)$`)

// englishWords are words that neither German nor Dutch has: a text in which one is left was translated in part.
var englishWords = regexp.MustCompile(`\b(the|and|which|with|for|its|this|that|are|been|when|they|does|has|have|cannot|until|without|every|each|phone|phones|address|line|lines)\b`)

// furnishedRig is the house with all that the tests make up: phones in every state, a pallet in conversion, activity, trouble.
func furnishedRig(t *testing.T, change func(*rig)) *rig {
	t.Helper()
	r := newRig(t, nil)
	r.setUp()
	furnish(t, r)
	furnishActivity(t, r)
	furnishEditors(r)
	furnishSystem(r.system, r.clock.Now())
	r.pallet(24)
	if change != nil {
		r.box.mu.Lock()
		change(r)
		r.box.mu.Unlock()
	}
	return r
}

// inTrouble lets services fail, another DHCP server answer and the clock go wrong.
func inTrouble(r *rig) {
	r.box.status.Services = map[string]web.Service{
		"dhcp": {State: "held", Detail: "another DHCP server answers on the wire (10.77.0.254); no address is handed out until it is gone or somebody says so"},
		"tftp": {State: "running"}, "sntp": {State: "running"}, "sip": {State: "off", Detail: "switched off in the settings"}, "web": {State: "running"},
		"dns": {State: "failed", Detail: "it panicked: x; next try in 1s"},
	}
	r.box.status.Others = []web.OtherDHCP{{Address: "10.77.0.254", MAC: "52:54:00:12:34:56", Offered: "10.77.9.9", Seen: r.clock.Now()}}
	r.box.status.Clock = web.Clock{Source: "the last time that was known", Problem: "No time from upstream: no server gave a usable answer.", Servers: []web.TimeServer{
		{Name: "europe.pool.ntp.example", Address: "192.0.2.1", Verdict: "not right", Stratum: 2, OffsetS: 0.001, DelayS: 0.02, ErrorS: 0.03, Reach: 255},
		{Name: "192.0.2.9", Address: "192.0.2.9", Verdict: "disagrees", Stratum: 1, OffsetS: -10, DelayS: 0.02, ErrorS: 0.01, Reach: 255},
		{Name: "time.example", Verdict: "silent", Why: "there is no such name"},
	}}
	r.box.times = map[phone.MAC]web.PhoneTime{{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}: {Asked: &web.TimeAsked{Mode: 3, Version: 3, To: "10.77.0.1", Destination: "the box", Stratum: 16}}}
	r.box.status.Notices = []string{"the settings in site.toml were refused; the former ones go on: "}
}

// everyPage are the pages that can be looked at, with queries that show more of them.
var everyPage = []string{
	"/", "/help", "/phones", "/phones?sort=label", "/phones/new", "/phones/restarts", "/phones/scan", "/phones/lines", "/phones/paste", "/phones/adopt",
	"/phones/0006D7AA2A2E", "/phones/00070E112233", "/phones/000A41AABBCC", "/phones/0008210A0B0C", "/phones/000A41AABBCD",
	"/phones/0006D7AA2A2E/edit", "/phones/0006D7AA2A2E/remove", "/phones/0006D7AA2A2E/parameters", "/phones/0006D7AA2A2E/load",
	"/phones/0006D7AA2A2E/files/SIPDefault.cnf", "/phones/0006D7AA2A2E/files/SIP0006D7AA2A2E.cnf", "/phones/0006D7AA2A2E/files/OS79XX.TXT",
	"/firmware", "/conversions", "/conversions?from=P0S3-04-4-00&to=P0S3-8-12-00", "/conversions?show=needs", "/conversions?show=failed", "/conversions/target",
	"/conversions/target?to=P0S3-8-12-00", "/conversions/report", "/import", "/dialplan?number=112", "/directory", "/names", "/media",
	"/settings", "/settings/phones", "/settings/page", "/settings/pbx", "/settings/pbx/asterisk-pjsip", "/settings/pbx/provider", "/settings/pbx/freepbx",
	"/settings/pbx/callcentric", "/settings/phones?preset=freepbx", "/settings/file", "/time", "/password", "/nowhere",
	"/system", "/system/log", "/system/backup", "/system/restore", "/system/restore/undo", "/system/certificate", "/system/certificate/new",
	"/system/power?do=restart", "/system/power?do=reboot", "/system/power?do=off", "/system/diagnostics", "/system/changes", "/system/versions",
	"/start", "/start/wire", "/start/address", "/start/time", "/start/provider", "/start/phones",
}

// TestNothingStaysEnglish looks at every page for texts that German or Dutch lacks. What a text is that the page does not know by
// itself (the name of a phone, what somebody typed) stands in an element with translate="no".
func TestNothingStaysEnglish(t *testing.T) {
	catalogues := map[string]*texts.Catalogue{}
	for _, code := range []string{"de", "nl"} {
		po, err := os.ReadFile(filepath.Join("texts", code+".po"))
		if err != nil {
			t.Fatal(err)
		}
		if catalogues[code], err = texts.Parse(string(po)); err != nil {
			t.Fatal(err)
		}
	}
	left := map[string]string{} // the text and where
	for _, change := range []func(*rig){nil, inTrouble} {
		r := furnishedRig(t, change)
		for _, path := range everyPage {
			w := r.do(call{path: path, basic: true})
			if w.Code == http.StatusSeeOther {
				continue
			}
			if kind := w.Header().Get("Content-Type"); w.Code >= http.StatusInternalServerError || !strings.HasPrefix(kind, "text/html") {
				t.Errorf("%s: got %d, %s, wanted a page", path, w.Code, kind)
			}
			for _, text := range texts.Segments(w.Body.Bytes()) {
				if staysEnglish.MatchString(text) || madeUp.MatchString(text) {
					continue
				}
				for code, c := range catalogues {
					if got, ok := c.Text(text); !ok {
						left[text] = path + ": no " + code
					} else if w := englishWords.FindString(strings.ReplaceAll(got, "phones.md", "")); w != "" {
						left[text] = path + ": " + code + " has " + w + " in " + got
					}
				}
			}
		}
	}
	for _, text := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("%q (%s)", text, left[text])
	}
}

// A phone of this house is called Reception, which is the example of a field, too, and has a German word as such. On the pages it is a
// name: alone, within sentences and in lists.
func TestNamesAreNotTranslated(t *testing.T) {
	for _, change := range []func(*rig){nil, inTrouble} {
		r := furnishedRig(t, change)
		seen := 0
		for _, path := range everyPage {
			body := r.do(call{path: path, basic: true, header: map[string]string{"Accept-Language": "de"}}).Body.String()
			body = strings.ReplaceAll(body, `placeholder="Empfang"`, "")
			seen += strings.Count(body, "Reception")
			if at := strings.Index(body, "Empfang"); at >= 0 {
				t.Errorf("%s: %s", path, body[max(0, at-120):min(len(body), at+60)])
			}
		}
		if seen < 20 {
			t.Errorf("the phone is named %d times", seen)
		}
	}
}

// madeUp is what only the tests' house says: the box itself has other words for it, which TestCatalogues looks at.
var madeUp = regexp.MustCompile(`^(` + strings.Join([]string{
	// Fields of the settings.
	`A key of tomorrow|No page names it\.|A range a line\.|An address or a name\.|Answer phones only|Drawn on the phones' screens\.|Empty: phones get none\.`,
	`For all phones\.|For every 7940\.|Gateway|Hand out addresses|Name of the site|One for each\.|PBX or provider|Passwords cross the network readable\.`,
	`Phones register\.|Pool|Port of the proxy|Servers that know the names of the internet, one a line\.|Token|What phones are told|With the length of the subnet\.`,
	`Which sound coding is tried first\.|a duration|a range of addresses|an IPv4 address|an IPv4 address with the length of its network|name = address, one a line\.|pbx`,
	// Events and reasons.
	`It asks for firmware that is not on the shelf: .*|It has 24000 bytes; phones take at most 16080\.|It took the TFTP server that it was told: .*`,
	`Its next step (is|needs) .*|No application is in its flash\..*|No application\.|Put the load on the shelf\.|(Waiting for )?being put on the list.*`,
	`Waiting for the rest of its firmware; do not unplug it.*|add the phone to the site|answered: its SIP application runs|asked for .*|gets P0S3.*`,
	`got SIP.* to the last block|it registers its lines|its User-Agent says .*|its configuration|lamps flash|no load is to be named; .*|phonebox does not do MGCP`,
	`ringer1\.pcm and RINGER1\.pcm differ in case only|the packet has … bytes|was given .*|written down by Cisco.*`,
	`A part that cannot be made\.|The settings, masked\.|What this is\.|This version cannot be in force now\. Line 3: .*`,
}, "|") + `)$`)
