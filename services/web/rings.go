package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/media"
)

// ownRings are those that every phone has (phones.md g.1); they stand first in its menu.
var ownRings = []string{"Chirp 1", "Chirp 2"}

// ringTitle is how many characters of a ring's name the menu takes.
const ringTitle = 25

// maxRingRows bounds the rows that are read.
const maxRingRows = 1000

func (s *Server) ringPost(w http.ResponseWriter, r *http.Request) error {
	name, content, err := oneFile(w, r)
	if err != nil {
		return s.taken(w, r, "", err)
	}
	said, err := s.deps.Shop.AddRing(r.Context(), name, content)
	return s.taken(w, r, said, err)
}

// ringRemove takes a ring away. One that phones fetched may be somebody's choice, so it is asked once more.
func (s *Server) ringRemove(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	ed, err := s.editors()
	if err != nil {
		return err
	}
	file := r.PostForm.Get("file")
	if users := ed.RingUsers(file); len(users) > 0 && r.PostForm.Get("sure") == "" {
		v := ringRemoveView{File: file, Name: file, Users: users}
		for _, ring := range s.deps.Shop.Rings() {
			if ring.File == file {
				v.Name = ring.Name
			}
		}
		return s.show(w, r, http.StatusOK, "media_remove", "Remove a ring", "/media", v)
	}
	return s.taken(w, r, "The ring is removed.", s.deps.Shop.RemoveRing(r.Context(), file))
}

// ringRemoveView asks once more.
type ringRemoveView struct {
	File, Name string
	Users      []string
}

// ringPlay sends a ring as a sound that browsers play, made of the bytes that phones get.
func (s *Server) ringPlay(w http.ResponseWriter, r *http.Request) error {
	ed, err := s.editors()
	if err != nil {
		return err
	}
	raw, ok := ed.RingSound(r.URL.Query().Get("file"))
	if !ok {
		return public(http.StatusNotFound, "There is no such ring.")
	}
	w.Header().Set("Content-Type", "audio/wav")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(media.RingWAV(raw)))
	return nil
}

// ringMenu are the rows of the phones' menu in the editor.
type ringMenu struct {
	ETag   string
	Rows   []ringRow
	Screen *Screen
	At     int // what the bar of the drawn phone is on
}

// ringRow is a ring of the editor.
type ringRow struct {
	Ring
	N        int
	Last     bool
	Play     string // where its sound is
	Length   string
	Fault    string
	Warnings []string
	Wave     template.HTML
}

// ringsTag changes when the menu does.
func ringsTag(rings []Ring) string {
	h := sha256.New()
	for _, r := range rings {
		fmt.Fprintf(h, "%s\t%s\n", r.File, r.Name)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// newRingMenu shows rings in an order, with their sounds.
func newRingMenu(ed Editors, rings []Ring, etag string, at int) ringMenu {
	m := ringMenu{ETag: etag, At: at}
	for i, r := range rings {
		row := ringRow{Ring: r, N: i, Last: i == len(rings)-1, Play: "/media/ring.wav?file=" + template.URLQueryEscaper(r.File), Fault: r.Fault}
		row.Length = fmt.Sprintf("%.2f s of at most %.2f s", r.Seconds, media.LongestRing)
		if raw, ok := ed.RingSound(r.File); ok {
			row.Wave = waveform(media.RingSamples(raw))
		}
		if shown := phone.ShowText(r.Name, ringTitle); shown != r.Name {
			row.Warnings = append(row.Warnings, fmt.Sprintf("The phones' menu shows it as %s.", shown))
		}
		for _, other := range rings[:i] {
			if strings.EqualFold(other.Name, r.Name) {
				row.Warnings = append(row.Warnings, "Another ring has the same name; nobody can tell them apart.")
				break
			}
		}
		m.Rows = append(m.Rows, row)
	}
	m.Screen = m.draw()
	return m
}

// draw is the menu as phones show it: their own rings, then those of RINGLIST.DAT.
func (m *ringMenu) draw() *Screen {
	list := screenList{Title: "Ring Type", Prompt: "Select a ring", Keys: []string{"Select", "Play", "Exit", ""}}
	list.Items = append(list.Items, ownRings...)
	for _, row := range m.Rows {
		if row.Ring.Fault == "" {
			list.Items = append(list.Items, phone.ShowText(row.Name, ringTitle))
		}
	}
	for i, item := range list.Items {
		list.Items[i] = strconv.Itoa(i+1) + " " + item
	}
	m.At = min(max(m.At, 0), len(list.Items)-1)
	list.Selected = m.At
	return list.draw()
}

// readRingMenu reads the rows; only rings that are there can be named and ordered.
func (s *Server) readRingMenu(r *http.Request) (rings []Ring, at int) {
	have := map[string]Ring{}
	present := s.deps.Shop.Rings()
	for _, ring := range present {
		have[ring.File] = ring
	}
	for i := range maxRingRows {
		row := "rings[" + strconv.Itoa(i) + "]."
		ring, ok := have[r.PostForm.Get(row+"file")]
		if !ok {
			continue
		}
		delete(have, ring.File)
		ring.Name = strings.TrimSpace(r.PostForm.Get(row + "name"))
		rings = append(rings, ring)
	}
	for _, ring := range present { // one that came meanwhile is not lost
		if _, left := have[ring.File]; left {
			rings = append(rings, ring)
		}
	}
	at, _ = strconv.Atoi(r.PostForm.Get("at"))
	switch r.PostForm.Get("key") {
	case "up":
		at--
	case "down":
		at++
	}
	return rings, at
}

// ringMenuPost moves rows in the editor, or saves names and order.
func (s *Server) ringMenuPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	ed, err := s.editors()
	if err != nil {
		return err
	}
	rings, at := s.readRingMenu(r)
	etag := r.PostForm.Get("etag")
	v := mediaView{}
	show := func(code int) error {
		menu := newRingMenu(ed, rings, etag, at)
		v.Menu = &menu
		return s.showMedia(w, r, code, v)
	}
	if order := r.PostForm.Get("row"); order != "" || r.PostForm.Get("key") != "" || r.PostForm.Get("do") == "check" {
		rings = rowOrder(rings, order)
		return show(http.StatusOK)
	}
	before := s.deps.Shop.Rings()
	if now := ringsTag(before); etag != now {
		etag, v.Problem = now, staleText
		return show(http.StatusPreconditionFailed)
	}
	if err := s.saveRingMenu(r, ed, before, rings); err != nil {
		a := explain(err)
		if a.status == http.StatusInternalServerError {
			return err
		}
		v.Problem = a.text
		return show(a.status)
	}
	s.changed(r, "The phones' menu of rings was changed.")
	return s.done(w, r, "/media", "The menu of rings is saved. Phones read it when they start.")
}

// saveRingMenu changes what is different.
func (s *Server) saveRingMenu(r *http.Request, ed Editors, before, rings []Ring) error {
	names := map[string]string{}
	for _, ring := range before {
		names[ring.File] = ring.Name
	}
	files := make([]string, len(rings))
	for i, ring := range rings {
		files[i] = ring.File
		if ring.Name == "" {
			return public(http.StatusUnprocessableEntity, "Every ring needs a name. Nothing was saved.")
		}
	}
	for _, ring := range rings {
		if ring.Name != names[ring.File] {
			if err := ed.NameRing(r.Context(), ring.File, ring.Name); err != nil {
				return err
			}
		}
	}
	return ed.OrderRings(r.Context(), files)
}

// ringMenuPreview answers the editor while somebody types, and the keys of the drawn phone.
func (s *Server) ringMenuPreview(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	ed, err := s.editors()
	if err != nil {
		return err
	}
	rings, at := s.readRingMenu(r)
	menu := newRingMenu(ed, rings, r.PostForm.Get("etag"), at)
	var out, b bytes.Buffer
	if err := s.pages.part(&b, "media", "ringscreen", menu); err != nil {
		return err
	}
	partial(&out, "#ringscreen", "innerMorph", b.Bytes())
	for _, row := range menu.Rows {
		b.Reset()
		if err := s.pages.part(&b, "media", "ringsaid", row); err != nil {
			return err
		}
		partial(&out, "#ring-said-"+strconv.Itoa(row.N), "innerMorph", b.Bytes())
	}
	return partials(w, &out)
}

// The size of a waveform, in units of its drawing.
const (
	waveWidth  = 240
	waveHeight = 40
)

// waveform draws a sound: for each column the lowest and the highest sample.
func waveform(samples []int16) template.HTML {
	if len(samples) == 0 {
		return ""
	}
	var d []byte
	y := func(v int16) int { return waveHeight/2 - int(v)*(waveHeight/2-1)/32768 }
	for x := range waveWidth {
		from, to := x*len(samples)/waveWidth, (x+1)*len(samples)/waveWidth
		low, high := samples[from], samples[from]
		for _, v := range samples[from:max(to, from+1)] {
			low, high = min(low, v), max(high, v)
		}
		d = append(d, 'M')
		d = strconv.AppendInt(d, int64(x), 10)
		d = append(d, ' ')
		d = strconv.AppendInt(d, int64(y(high)), 10)
		d = append(d, 'v')
		d = strconv.AppendInt(d, int64(y(low)-y(high)+1), 10)
	}
	return template.HTML(fmt.Sprintf( //nolint:gosec // numbers of ours
		`<svg class="wave" viewBox="0 0 %d %d" preserveAspectRatio="none" aria-hidden="true"><path d="%s"/></svg>`, waveWidth, waveHeight, d))
}
