package web_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/phone/media"
	"phonebox/services/web"
)

// While somebody types, parts of the page come: what is said of the rows, and the drawn phone.
func TestPreviewsOfTheEditors(t *testing.T) {
	r, c := workshopRig(t)
	v := url.Values{"contacts[0].name": {"Æsop 中"}, "contacts[0].number": {"5;"}, "contacts[1].name": {"Reception"}, "contacts[1].number": {"208"}, "contacts[2].name": {"Dvořák"}, "contacts[2].number": {"7"}, "edited": {"0 1 2 99 x"}}
	w := r.form("/directory/preview", c, v)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `hx-target="#dirscreen"`, `hx-target="#contact-said-0"`, "number: found &#34;5;&#34;", "Phones have no 中", "Phones show it as Dvorák.", "It is a line of this site", "Æsop ?")
	wantNoText(t, w.Body.String(), "<html", "contact-said-99")

	v = url.Values{"country": {"BE"}, "rules[0].match": {"112"}, "rules[0].timeout": {"0"}, "rules[1].match": {"x"}, "number": {"112"}}
	w = r.form("/dialplan/preview", c, v)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `hx-target="#rule-said-1"`, "allowed are digits and", "Rule 1 (112) wins: 112 is sent at once.", "No rule catches all other numbers")

	v = url.Values{"rings[0].file": {"OldStyle.raw"}, "rings[0].name": {"A name that is far too long for the menu"}, "key": {"down"}}
	w = r.form("/media/menu/preview", c, v)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `hx-target="#ringscreen"`, `name="at" value="1"`, "The phones&#39; menu shows it as A name that is far too lo")

	draft := base64.StdEncoding.EncodeToString(make([]byte, 90*56))
	w = r.form("/media/logo/preview", c, url.Values{"draft": {draft}, "invert": {"1"}})
	wantCode(t, w, 200)
	white := w.Body.String()
	wantText(t, white, `hx-target="#logoscreen"`)
	if w = r.form("/media/logo/preview", c, url.Values{"draft": {draft}}); w.Body.String() == white {
		t.Error("an inverted picture is drawn like the other")
	}
	wantCode(t, r.form("/media/logo/preview", c, url.Values{"way": {"wild"}}), 422)
}

// Nothing that somebody entered is lost, whatever button is pressed and whatever is refused.
func TestTheRingMenuIsSavedAsAWhole(t *testing.T) {
	r, c := workshopRig(t)
	furnishEditors(r)
	page := r.do(call{path: "/media", cookie: c}).Body.String()
	_, rest, _ := strings.Cut(page, `name="etag" value="`)
	etag, _, _ := strings.Cut(rest, `"`)
	v := url.Values{
		"etag": {etag}, "rings[0].file": {"bell.raw"}, "rings[0].name": {"Church"}, "rings[1].file": {"OldStyle.raw"}, "rings[1].name": {"Old Style"},
		"rings[2].file": {"nowhere.raw"}, "rings[2].name": {"x"}, "do": {"save"},
	}
	wantCode(t, r.form("/media/menu", c, v), 303)
	if got := r.editors.list(); !slices.Equal(got, []string{"name bell.raw Church", "order bell.raw OldStyle.raw long.raw"}) {
		t.Errorf("the box was asked for %q: a ring that the form lacks must stay, one that is not there must not be named", got)
	}
	v.Set("etag", "old")
	w := r.form("/media/menu", c, v)
	wantCode(t, w, 412)
	wantText(t, w.Body.String(), `value="Church"`, `name="etag" value="`+etag+`"`)
	v.Set("etag", etag)
	v.Set("rings[0].name", " ")
	w = r.form("/media/menu", c, v)
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "Every ring needs a name.")
}

func TestARingThatPhonesFetchedIsAskedOfOnceMore(t *testing.T) {
	r, c := workshopRig(t)
	furnishEditors(r)
	w := r.form("/media/remove-ring", c, url.Values{"file": {"OldStyle.raw"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "The ring Old Style was fetched by these phones", "<li>Reception</li>", `name="sure" value="1"`)
	r.shop.must(t)
	wantCode(t, r.form("/media/remove-ring", c, url.Values{"file": {"OldStyle.raw"}, "sure": {"1"}}), 303)
	wantCode(t, r.form("/media/remove-ring", c, url.Values{"file": {"bell.raw"}}), 303)
	r.shop.must(t, "remove ring OldStyle.raw", "remove ring bell.raw")
}

// What the page plays are the samples of the phone's file; a part of it can be asked for, as some browsers do.
func TestARingIsSentAsItIs(t *testing.T) {
	r, c := workshopRig(t)
	w := r.do(call{path: "/media/ring.wav?file=OldStyle.raw", cookie: c})
	wantCode(t, w, 200)
	if !bytes.Equal(w.Body.Bytes(), media.RingWAV(r.editors.sounds["OldStyle.raw"])) || w.Header().Get("Content-Type") != "audio/wav" {
		t.Errorf("the sound has %d bytes of %s", w.Body.Len(), w.Header().Get("Content-Type"))
	}
	w = r.do(call{path: "/media/ring.wav?file=OldStyle.raw", cookie: c, header: map[string]string{"Range": "bytes=0-3"}})
	if w.Code != http.StatusPartialContent || w.Body.String() != "RIFF" {
		t.Errorf("a part was answered with %d %q", w.Code, w.Body)
	}
	wantCode(t, r.do(call{path: "/media/ring.wav?file=../site.toml", cookie: c}), 404)
	if w = r.do(call{path: "/media/ring.wav?file=OldStyle.raw"}); w.Code == 200 {
		t.Error("a ring is played without a login")
	}
	if p := r.do(call{path: "/media", cookie: c}).Header().Get("Content-Security-Policy"); !strings.Contains(p, "media-src 'self'") {
		t.Errorf("the policy %q lets no sound be played", p)
	}
}

// A picture is looked at before it is on the phones, and what is taken is what was looked at.
func TestALogoIsLookedAtFirst(t *testing.T) {
	r, c := workshopRig(t)
	body, kind := multipartBody(t, map[string]string{"logo.bmp": string(phone.WriteLogo("Quay"))})
	end := strings.LastIndex(body, "\r\n--")
	border := strings.TrimSuffix(body[end:], "--\r\n")
	body = body[:end]
	for name, value := range map[string]string{"do": "preview", "way": "dots", "invert": "1"} {
		body += border + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value
	}
	body += border + "--\r\n"
	w := r.do(call{method: "POST", path: "/media/logo", body: body, cookie: c, header: map[string]string{"Content-Type": kind}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "It is not on the phones yet.", `value="dots" checked`)
	r.shop.must(t)
	_, rest, _ := strings.Cut(w.Body.String(), `name="draft" value="`)
	draft, _, _ := strings.Cut(rest, `"`)
	draft = strings.ReplaceAll(draft, "&#43;", "+")
	wantCode(t, r.form("/media/logo", c, url.Values{"draft": {draft}, "way": {"dots"}, "invert": {"1"}, "do": {"take"}}), 303)
	img, _, err := media.LogoGreys(bytes.NewReader(phone.WriteLogo("Quay")))
	if err != nil {
		t.Fatal(err)
	}
	want := media.EncodeLogo(media.Look{Way: media.DitherTwo, Invert: true}.Apply(img))
	if len(r.shop.logoPixels) != 1 || !bytes.Equal(r.shop.logoPixels[0], want) {
		t.Error("the logo that was taken is another than that which was looked at")
	}
	w = r.form("/media/logo", c, url.Values{"text": {" "}, "do": {"text"}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "Enter the text that shall be drawn.")
}

// crowd is a site with 500 phones and many contacts, with what the editors show of it.
func crowd(r *rig) {
	furnishEditors(r)
	r.editors.lines = nil
	for i := range 500 {
		r.editors.lines = append(r.editors.lines, web.Contact{Name: fmt.Sprintf("Phone %03d", i), Number: fmt.Sprint(1000 + i)})
	}
	for i := range 200 {
		r.shop.contacts = append(r.shop.contacts, web.Contact{Name: fmt.Sprintf("Person %03d", i), Number: fmt.Sprintf("047812%04d", i)})
	}
}

func BenchmarkEditors(b *testing.B) {
	for _, path := range []string{"/directory", "/dialplan?number=0478123456", "/media"} {
		b.Run(strings.Trim(strings.Split(path, "?")[0], "/"), func(b *testing.B) {
			r := newRig(b, nil)
			crowd(r)
			r.setUp()
			c := r.login()
			for b.Loop() {
				if w := r.do(call{path: path, cookie: c}); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
