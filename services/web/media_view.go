package web

import (
	"bytes"
	"encoding/base64"
	"image"

	"phonebox/services/phone"
	"phonebox/services/phone/media"
)

// mediaView is the page of rings and the logo.
type mediaView struct {
	Menu    *ringMenu
	Problem string

	OwnLogo  bool
	Before   bool        // there is a logo of before
	Draft    *image.Gray // a picture that somebody looks at; nil = none
	Look     media.Look
	Text     string
	LogoSaid []string // what was changed on it
	Screen   *Screen  // the phone at rest, with the draft or the logo of now
	Old      *Screen  // the logo of now beside a draft; nil = there is no draft
}

// fill makes what is not there yet.
func (v *mediaView) fill(ed Editors, shop Workshop) {
	if v.Menu == nil {
		rings := shop.Rings()
		menu := newRingMenu(ed, rings, ringsTag(rings), 0)
		v.Menu = &menu
	}
	if v.Look.Grey == 0 {
		v.Look.Grey = 128
	}
	if v.Look.Way == "" {
		v.Look.Way = media.Smooth
	}
	bmp, own := ed.LogoBMP()
	_, v.Before = ed.LogoBefore()
	v.OwnLogo = own
	now, _, err := media.LogoGreys(bytes.NewReader(bmp))
	if err != nil {
		now, _, _ = media.LogoGreys(bytes.NewReader(phone.WriteLogo(ed.SiteName())))
	}
	names := lineNames(ed)
	v.Screen = logoScreen(now, names)
	if v.Draft != nil {
		v.Old, v.Screen = v.Screen, logoScreen(v.Look.Apply(v.Draft), names)
	}
	if v.Text == "" {
		v.Text = ed.SiteName()
	}
}

// DraftText carries the draft through the form: nothing of it is kept in the box.
func (v mediaView) DraftText() string {
	if v.Draft == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(v.Draft.Pix)
}

// lookChoice is a way in which greys become those of the display.
type lookChoice struct{ Way, Words string }

// Looks are the choices of the form.
func (mediaView) Looks() []lookChoice {
	return []lookChoice{
		{media.Smooth, "As it is, in the four greys of the display"},
		{media.Dither, "Four greys, mixed in dots"},
		{media.Threshold, "Black and white, parted at the threshold"},
		{media.DitherTwo, "Black and white, mixed in dots"},
	}
}

// lineNames are names of lines, for the drawing of a phone at rest.
func lineNames(ed Editors) []string {
	var out []string
	for _, l := range ed.DirectoryLines() {
		if out = append(out, l.Number); len(out) == 2 {
			break
		}
	}
	if len(out) == 0 {
		out = []string{"Line 1"}
	}
	return out
}
