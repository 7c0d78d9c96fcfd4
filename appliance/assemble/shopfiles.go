package assemble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/phone/dialplan"
	"phonebox/services/phone/media"
	"phonebox/services/provision"
	"phonebox/services/web"
)

// DialPlan implements [web.Workshop].
func (s *shop) DialPlan() web.DialPlan {
	cur := s.b.current()
	p := web.DialPlan{Country: cur.site.DialPlan.Country, ETag: cur.etag}
	for _, r := range cur.site.DialPlan.Rules {
		p.Rules = append(p.Rules, web.DialRule(r))
	}
	return s.withText(p)
}

// withText adds the file and what is wrong with the plan.
func (s *shop) withText(p web.DialPlan) web.DialPlan {
	plan, ok := siteDialPlan(p).Plan()
	if !ok {
		return p
	}
	text, err := dialplan.Write(plan)
	if err != nil {
		p.Warnings = append(p.Warnings, sentence(err.Error()))
	}
	p.Text = string(text)
	for _, w := range dialplan.Lint(plan, dialplan.Emergency(p.Country)...) {
		p.Warnings = append(p.Warnings, sentence(w))
	}
	return p
}

// ReadDialPlan implements [web.Workshop].
func (s *shop) ReadDialPlan(text string) (web.DialPlan, error) {
	plan, warnings, err := dialplan.Read([]byte(text))
	if err != nil {
		return web.DialPlan{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: sentence(err.Error())}
	}
	if len(plan.Rules) == 0 {
		return web.DialPlan{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "There is no rule in it: a rule looks like <TEMPLATE MATCH=\"0.\" Timeout=\"2\"/>."}
	}
	p := web.DialPlan{Rules: rowsOf(plan)}
	for _, w := range warnings {
		p.Warnings = append(p.Warnings, fmt.Sprintf("Line %d of the file: %s", w.Line, w.Text))
	}
	return p, nil
}

// SetDialPlan implements [web.Workshop].
func (s *shop) SetDialPlan(ctx context.Context, plan web.DialPlan, etag string) error {
	_, err := settings{s.b}.change(ctx, etag, func(old *site.Site) (*site.Site, []site.Fault) {
		next := old.Clone()
		next.DialPlan = siteDialPlan(plan)
		return next, next.Check(site.Catalogue())
	})
	return err
}

// TestNumber implements [web.Workshop].
func (s *shop) TestNumber(plan web.DialPlan, number string) (web.DialResult, error) {
	p, ok := siteDialPlan(plan).Plan()
	if !ok {
		p = everywhere()
	}
	r := dialplan.Test(p, number)
	if r.Fault != "" {
		return web.DialResult{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: sentence(r.Fault)}
	}
	return web.DialResult{Rule: r.Rule, Match: r.Match, Sent: r.Sent, After: r.Wait(), Route: r.Route, Trace: r.Trace}, nil
}

// ReadyPlan implements [web.Workshop].
func (s *shop) ReadyPlan(country string) (web.DialPlan, bool) {
	plan, ok := dialplan.Country(country)
	if !ok {
		return web.DialPlan{}, false
	}
	return s.withText(web.DialPlan{Country: country, Rules: rowsOf(plan)}), true
}

// Countries implements [web.Workshop].
func (s *shop) Countries() []string {
	var out []string
	for _, c := range dialplan.Countries() {
		out = append(out, c.Code)
	}
	return out
}

// Contacts implements [web.Workshop].
func (s *shop) Contacts() ([]web.Contact, string) {
	cur := s.b.current()
	out := make([]web.Contact, len(cur.site.Contacts))
	for i, c := range cur.site.Contacts {
		out[i] = web.Contact(c)
	}
	return out, cur.etag
}

// SetContacts implements [web.Workshop].
func (s *shop) SetContacts(ctx context.Context, contacts []web.Contact, etag string) error {
	_, err := settings{s.b}.change(ctx, etag, func(old *site.Site) (*site.Site, []site.Fault) {
		next := old.Clone()
		next.Contacts = nil
		for _, c := range contacts {
			next.Contacts = append(next.Contacts, site.Contact(c))
		}
		return next, next.Check(site.Catalogue())
	})
	return err
}

// Rings implements [web.Workshop].
func (s *shop) Rings() []web.Ring {
	var out []web.Ring
	for _, r := range s.b.provision.Rings() {
		out = append(out, web.Ring{Name: r.Name, File: r.File, Seconds: r.Seconds, Fault: r.Fault})
	}
	return out
}

// AddRing implements [web.Workshop].
func (s *shop) AddRing(_ context.Context, name string, wav io.Reader) (string, error) {
	return said(s.b.provision.AddRing(name, wav))
}

// said makes a public error of one that is meant for people: of the disk's troubles they are told that there are some, and
// an upload that is too large has words of its own.
func said(text string, err error) (string, error) {
	var system *fs.PathError
	switch {
	case err == nil:
		return text, nil
	case errors.As(err, new(*http.MaxBytesError)):
		return "", err
	case errors.Is(err, provision.ErrStore), errors.As(err, &system):
		return "", &web.PublicError{
			Status: http.StatusInsufficientStorage, Text: whyNotKept(err), Cause: err,
		}
	}
	return "", &web.PublicError{Status: http.StatusUnprocessableEntity, Text: unlike(err)}
}

// unlike says what is wrong with a file, without what was being done with it: the person knows that.
func unlike(err error) string {
	why := err.Error()
	for _, doing := range []string{"adding the ring: ", "reading the ring: ", "reading the sound: ", "reading the picture: "} {
		why = strings.TrimPrefix(why, doing)
	}
	return sentence(why)
}

// RemoveRing implements [web.Workshop].
func (s *shop) RemoveRing(_ context.Context, file string) error {
	_, err := said("", s.b.provision.RemoveRing(file))
	return err
}

// SetLogo implements [web.Workshop].
func (s *shop) SetLogo(_ context.Context, picture io.Reader) (string, error) {
	return said(s.b.provision.SetLogo(picture))
}

// Logo implements [web.Workshop].
func (s *shop) Logo() ([]byte, bool) {
	bmp, own := s.b.provision.Logo()
	png, err := media.Preview(bmp)
	if err != nil {
		s.b.log.Warn("drawing the logo for the page", "err", err)
	}
	return png, own
}

// Images implements [web.Workshop].
func (s *shop) Images() []web.FirmwareFile {
	var out []web.FirmwareFile
	for _, i := range s.b.provision.Images() {
		out = append(out, web.FirmwareFile{
			Name: i.Name, Size: i.Size, SHA256: i.SHA256, Inside: i.Inside, Loader: i.LoaderID, Loads: i.Loads, Fault: i.Fault, Same: i.Same,
		})
	}
	return out
}

// RemoveFile implements [web.Workshop].
func (s *shop) RemoveFile(_ context.Context, name string) error {
	_, err := said("", s.b.provision.Remove(name))
	return err
}

// NextChange implements [web.Workshop].
func (s *shop) NextChange() string {
	now := s.b.clock.Now()
	zone, _, err := phone.ZoneFor(s.b.current().site.Time.Zone, now)
	if err != nil {
		return ""
	}
	return zone.NextChangeText(now)
}

// everywhere is the plan that phones get where a site has none.
func everywhere() dialplan.Plan {
	plan, _, err := dialplan.Read(phone.WriteDialPlan())
	if err != nil {
		return dialplan.Plan{}
	}
	return plan
}

// dialPlanFile is dialplan.xml of a site; nil where it has no plan of its own. A plan that cannot be written is found by
// the site's check before it comes here.
func dialPlanFile(s *site.Site) []byte {
	file, err := s.DialPlan.File()
	if err != nil {
		return nil
	}
	return file
}

// siteDialPlan is what the editor holds, as the site has it.
func siteDialPlan(p web.DialPlan) site.DialPlan {
	out := site.DialPlan{Country: p.Country}
	for _, r := range p.Rules {
		out.Rules = append(out.Rules, site.DialRule(r))
	}
	return out
}

// rowsOf are the rules of a plan as rows of the editor.
func rowsOf(plan dialplan.Plan) []web.DialRule {
	out := make([]web.DialRule, len(plan.Rules))
	for i, r := range plan.Rules {
		out[i] = web.DialRule{
			Match: r.Match, Timeout: r.Timeout, User: r.User, Rewrite: r.Rewrite, Route: r.Route, Tone: dialplan.JoinTones(r.Tones), Comment: r.Comment,
		}
	}
	return out
}
