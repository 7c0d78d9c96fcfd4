package web_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"strings"
	"sync"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// fakeShop is a workshop in memory; what it was asked to do stands in done.
type fakeShop struct {
	mu        sync.Mutex
	done      []string
	plan      web.DialPlan
	contacts  []web.Contact
	waiting   []web.ImportReport
	converts  []web.Conversion
	refuse    error // of the next change
	telnetOff bool
	clocks    []web.PhoneClock
	explain   func(phone.MAC) (web.Explanation, bool) // nil = the same for all

	rings      []web.Ring
	logoPixels [][]byte // what was set as the logo
	restarts   web.RestartProgress
	looks      int                        // how often all conversions were asked for
	handovers  map[phone.MAC]web.Handover // those that are not made up from the MAC
}

func (f *fakeShop) did(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refuse; err != nil {
		f.refuse = nil
		return err
	}
	f.done = append(f.done, fmt.Sprintf(format, args...))
	return nil
}

func (f *fakeShop) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.done...)
}

func (f *fakeShop) Conversion(mac phone.MAC) (web.Conversion, bool) {
	for _, c := range f.Conversions() {
		if c.MAC == mac {
			return c, true
		}
	}
	return web.Conversion{}, false
}

func (f *fakeShop) Conversions() []web.Conversion {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	return append([]web.Conversion(nil), f.converts...)
}

func (f *fakeShop) Direct(_ context.Context, mac phone.MAC, order string) error {
	return f.did("order %s %s", mac, order)
}

func (f *fakeShop) Plan(from, to string) (web.Conversion, error) {
	if to != "P0S3-8-12-00" {
		return web.Conversion{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "No way leads to " + to + "."}
	}
	return web.Conversion{Runs: from, Target: to, Steps: []web.ConversionStep{
		{From: from, To: "P0S3-05-3-00", Files: []string{"P0S3-05-3-00.bin"}, Source: "phones.md c.4", Minutes: 1.5, Display: "lamps flash"},
		{From: "P0S3-05-3-00", To: to, Files: []string{"P0S3-8-12-00.loads"}, Missing: []string{"P0S3-8-12-00.sb2"}, Source: "phones.md c.5", Minutes: 2},
	}}, nil
}

func (f *fakeShop) Parameters(mac phone.MAC) ([]web.Parameter, bool) {
	return []web.Parameter{
		{Name: "preferred_codec", Value: "g711alaw", From: "the model 7960", Hidden: []string{"the site: g711ulaw"}, File: "SIP<MAC>.cnf", Help: "Which sound coding is tried first."},
		{Name: "line1_password", Value: web.Mask, From: "line 1", File: "SIP<MAC>.cnf"},
		{Name: "sip_retx", Value: "10", From: "default", File: "SIPDefault.cnf"},
	}, mac != phone.MAC{}
}

func (f *fakeShop) Explain(_ context.Context, mac phone.MAC) (web.Explanation, error) {
	f.mu.Lock()
	explain := f.explain
	f.mu.Unlock()
	if explain != nil {
		if e, ok := explain(mac); ok {
			return e, nil
		}
	}
	return web.Explanation{
		Waits: "its configuration", Long: "31 seconds", Next: "it registers its lines",
		Files:    []web.ExplainFile{{Name: "SIP" + mac.Name() + ".cnf", Status: "missing", Why: "add the phone to the site"}, {Name: "MGC" + mac.Name() + ".cnf", Status: "harmless", Why: "phonebox does not do MGCP"}},
		Troubles: []web.Trouble{{Symptom: "Protocol Application Invalid", Cause: "No application is in its flash.", Cure: "Put the load on the shelf."}},
		Clues:    []string{"its User-Agent says CSCO/4"},
	}, nil
}

func (f *fakeShop) RestartAll(_ context.Context, macs []phone.MAC) error {
	return f.did("restart %d", len(macs))
}

func (f *fakeShop) RestartProgress() web.RestartProgress { return f.restarts }

func (f *fakeShop) CheckLines(_ context.Context, _ phone.MAC, line int) ([]web.LineCheck, error) {
	return []web.LineCheck{{Line: max(line, 1), Name: "208", Proxy: "pbx:5060", Verdict: "wrong_password", Text: "The telephone system does not take this password."}}, nil
}

func (f *fakeShop) AskPhone(context.Context, phone.MAC) (web.PhoneReport, error) {
	if f.telnetOff {
		return web.PhoneReport{}, &web.PublicError{Status: http.StatusConflict, Text: "The site does not enable telnet on this phone: set telnet_level."}
	}
	return web.PhoneReport{Lines: []string{"Line 1 is registered at 10.77.0.10:5060."}, Lacks: []string{"line2_name"}, Output: "SIP Phone> show register"}, nil
}

func (f *fakeShop) Import(ctx context.Context, name string, content io.Reader, dry bool) (web.ImportReport, error) {
	if err := ctx.Err(); err != nil {
		return web.ImportReport{}, err
	}
	body, err := io.ReadAll(content)
	if err != nil {
		return web.ImportReport{}, err
	}
	if name == "broken.zip" {
		return web.ImportReport{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "This is no archive."}
	}
	return web.ImportReport{
		ID: "i1", Name: name, Dry: dry, Summary: fmt.Sprintf("1 phone added of %d bytes", len(body)),
		Verdicts: []web.ImportVerdict{{Where: "SIP0006D7AA2A2E.cnf", Verdict: "phone", Text: "Reception, 1 line", Warnings: []string{"line 3: nat_enabel is not known; nat_enable was probably meant"}}},
	}, f.did("import %s dry=%v", name, dry)
}

func (f *fakeShop) Waiting() []web.ImportReport { return f.waiting }

func (f *fakeShop) Decide(ctx context.Context, id string, yes bool) (web.ImportReport, error) {
	if err := ctx.Err(); err != nil {
		return web.ImportReport{}, err
	}
	return web.ImportReport{ID: id, Name: "phones.csv", Summary: "1 phone added"}, f.did("decide %s %v", id, yes)
}

func (f *fakeShop) ExportPhones(format string, secrets bool) ([]byte, string, string, error) {
	if format != "csv" {
		return nil, "", "", &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "Allowed are csv and xlsx."}
	}
	return []byte(fmt.Sprintf("mac,secrets=%v\n", secrets)), "phones.csv", "text/csv; charset=utf-8", nil
}

func (f *fakeShop) DialPlan() web.DialPlan {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.plan
	p.ETag = "plan1"
	return p
}

func (f *fakeShop) SetDialPlan(_ context.Context, plan web.DialPlan, etag string) error {
	if etag != "plan1" {
		return web.StaleError{}
	}
	if err := f.did("dial plan %s %d", plan.Country, len(plan.Rules)); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = plan
	return nil
}

func (f *fakeShop) ReadDialPlan(text string) (web.DialPlan, error) {
	if !strings.HasPrefix(text, "<DIALTEMPLATE") {
		return web.DialPlan{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "This is no dial plan."}
	}
	return web.DialPlan{Rules: []web.DialRule{{Match: "9,*"}}, Warnings: []string{"Line 2 of the file: it is odd."}}, nil
}

func (f *fakeShop) TestNumber(plan web.DialPlan, number string) (web.DialResult, error) {
	return web.DialResult{Rule: len(plan.Rules), Match: "0.", Sent: number, After: "at once", Trace: []string{"after 0: rule 1 may still fit"}}, nil
}

func (f *fakeShop) ReadyPlan(country string) (web.DialPlan, bool) {
	return web.DialPlan{Country: country, Rules: []web.DialRule{{Match: "112", Timeout: "0", Comment: "emergency"}}}, country == "BE"
}

func (f *fakeShop) Countries() []string { return []string{"BE", "NL"} }

func (f *fakeShop) Contacts() ([]web.Contact, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]web.Contact(nil), f.contacts...), "c1"
}

func (f *fakeShop) SetContacts(_ context.Context, contacts []web.Contact, etag string) error {
	if etag != "c1" {
		return web.StaleError{}
	}
	if err := f.did("contacts %d", len(contacts)); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.contacts = contacts
	return nil
}

func (f *fakeShop) Rings() []web.Ring {
	if f.rings != nil {
		return f.rings
	}
	return []web.Ring{{Name: "Old Style", File: "OldStyle.raw", Seconds: 1.02}}
}

func (f *fakeShop) AddRing(_ context.Context, name string, wav io.Reader) (string, error) {
	body, err := io.ReadAll(wav)
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(body, []byte("RIFF")) {
		return "", &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "This is no WAV file."}
	}
	return "The ring is cut to 2.01 seconds.", f.did("ring %s", name)
}

func (f *fakeShop) RemoveRing(_ context.Context, file string) error {
	return f.did("remove ring %s", file)
}

func (f *fakeShop) SetLogo(_ context.Context, picture io.Reader) (string, error) {
	if picture != nil {
		content, err := io.ReadAll(picture)
		if err != nil {
			return "", err
		}
		f.mu.Lock()
		f.logoPixels = append(f.logoPixels, content)
		f.mu.Unlock()
	}
	return "The logo is in place.", f.did("logo %v", picture != nil)
}

func (f *fakeShop) Logo() ([]byte, bool) {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 90, 56)))
	return b.Bytes(), true
}

func (f *fakeShop) Images() []web.FirmwareFile {
	return []web.FirmwareFile{{Name: "P0S3-8-12-00.sb2", Size: 756524, SHA256: "ab12", Inside: "P0S3-8-12-00.sb2", Loads: []string{"P0S3-8-12-00"}}}
}

func (f *fakeShop) RemoveFile(_ context.Context, name string) error { return f.did("remove %s", name) }

func (f *fakeShop) PhoneClock(mac phone.MAC) web.PhoneClock {
	for _, one := range f.clocks {
		if one.MAC == mac {
			return one
		}
	}
	return web.PhoneClock{MAC: mac, Zone: "Europe/Brussels", Told: "CET (UTC+01:00), no summer time"}
}

func (f *fakeShop) PhoneClocks() []web.PhoneClock { return f.clocks }

func (f *fakeShop) NextChange() string { return "28 March 2027, 02:00" }

func (f *fakeShop) Troubles() []web.Trouble {
	return []web.Trouble{{Symptom: "Protocol Application Invalid", Cause: "No application.", Cure: "Put the load on the shelf."}}
}
