package web

import (
	"bytes"
	"encoding/base64"
	"image"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/media"
)

// maxPicture bounds what is read of a picture that somebody looks at first, in bytes.
const maxPicture = 10 << 20

func (s *Server) mediaPage(w http.ResponseWriter, r *http.Request) error {
	return s.showMedia(w, r, http.StatusOK, mediaView{})
}

func (s *Server) showMedia(w http.ResponseWriter, r *http.Request, code int, v mediaView) error {
	ed, err := s.editors()
	if err != nil {
		return err
	}
	v.fill(ed, s.deps.Shop)
	return s.show(w, r, code, "media", "Rings and logo", "/media", v)
}

// taken shows what became of an upload: a sentence on the page, or the problem over the form.
func (s *Server) taken(w http.ResponseWriter, r *http.Request, said string, err error) error {
	if err == nil {
		s.changed(r, said)
		return s.done(w, r, "/media", said)
	}
	a := explain(err)
	if a.status == http.StatusInternalServerError {
		return err
	}
	return s.showMedia(w, r, a.status, mediaView{Problem: a.text})
}

// logoForm is what the form of the logo sends.
type logoForm struct {
	Do    string // preview, text or take
	Look  media.Look
	Text  string
	File  []byte      // nil = none was chosen
	Draft *image.Gray // that was looked at before; nil = none
}

// readLogoForm reads the form with its picture.
func readLogoForm(w http.ResponseWriter, r *http.Request) (logoForm, error) {
	fields := map[string]string{}
	var f logoForm
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "multipart/form-data" {
		if err := parseForm(r); err != nil {
			return f, err
		}
		for key := range r.PostForm {
			fields[key] = r.PostForm.Get(key)
		}
	} else if err := f.readParts(w, r, fields); err != nil {
		return f, err
	}
	f.Do, f.Text = fields["do"], strings.TrimSpace(fields["text"])
	f.Look.Way, f.Look.Invert = fields["way"], fields["invert"] != ""
	f.Look.Grey, _ = strconv.Atoi(fields["grey"])
	if why := f.Look.Check(); why != "" {
		return f, public(http.StatusUnprocessableEntity, why)
	}
	if pix, err := base64.StdEncoding.DecodeString(fields["draft"]); err == nil && len(pix) == phone.LogoWidth*phone.LogoHeight {
		f.Draft = &image.Gray{Pix: pix, Stride: phone.LogoWidth, Rect: image.Rect(0, 0, phone.LogoWidth, phone.LogoHeight)}
	}
	return f, nil
}

// readParts reads the parts of the form; the fields may stand before or behind the file.
func (f *logoForm) readParts(w http.ResponseWriter, r *http.Request, fields map[string]string) error {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(uploadTime))
	_ = rc.SetWriteDeadline(time.Now().Add(uploadTime + writeTimeout))
	parts, err := r.MultipartReader()
	if err != nil {
		return public(http.StatusBadRequest, "The form could not be read.")
	}
	for range maxFiles {
		part, err := parts.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return readFailure(err)
		}
		limit := int64(maxPicture)
		if part.FileName() == "" {
			limit = 16 << 10
		}
		content, err := io.ReadAll(io.LimitReader(part, limit+1))
		switch {
		case err != nil:
			return readFailure(err)
		case int64(len(content)) > limit:
			return public(http.StatusRequestEntityTooLarge, "The picture is too large: at most 10 MB are taken.")
		case part.FileName() != "" && len(content) > 0:
			f.File = content
		case part.FileName() == "":
			fields[part.FormName()] = string(content)
		}
	}
	return public(http.StatusBadRequest, "The form has too many parts.")
}

// canvas is the picture that the form is about, before its look: the file, else what was looked at before, else the logo of now.
func (f logoForm) canvas(ed Editors) (*image.Gray, []string, error) {
	switch {
	case f.Do == "text":
		if f.Text == "" {
			return nil, nil, public(http.StatusUnprocessableEntity, "Enter the text that shall be drawn.")
		}
		return greysOf(phone.WriteLogo(f.Text))
	case f.File != nil:
		return greysOf(f.File)
	case f.Draft != nil:
		return f.Draft, nil, nil
	}
	bmp, _ := ed.LogoBMP()
	return greysOf(bmp)
}

// greysOf reads a picture; the error is for people.
func greysOf(picture []byte) (*image.Gray, []string, error) {
	img, said, err := media.LogoGreys(bytes.NewReader(picture))
	if err != nil {
		return nil, nil, public(http.StatusUnprocessableEntity, capitalised(strings.TrimPrefix(err.Error(), "reading the picture: ")))
	}
	return img, said, nil
}

// logoPost shows a picture on the drawn phone, or puts it on the phones.
func (s *Server) logoPost(w http.ResponseWriter, r *http.Request) error {
	ed, err := s.editors()
	if err != nil {
		return err
	}
	f, err := readLogoForm(w, r)
	if err != nil {
		return s.taken(w, r, "", err)
	}
	plain := f.Look == (media.Look{}) || f.Look == (media.Look{Way: media.Smooth, Grey: f.Look.Grey})
	if f.Do != "preview" && f.Do != "text" && f.File != nil && plain {
		said, err := s.deps.Shop.SetLogo(r.Context(), bytes.NewReader(f.File)) // as it is: it says itself what was changed
		return s.taken(w, r, said, err)
	}
	canvas, said, err := f.canvas(ed)
	if err != nil {
		return s.taken(w, r, "", err)
	}
	if f.Do == "preview" || f.Do == "text" {
		v := mediaView{Draft: canvas, Look: f.Look, Text: f.Text, LogoSaid: said}
		return s.showMedia(w, r, http.StatusOK, v)
	}
	text, err := s.deps.Shop.SetLogo(r.Context(), bytes.NewReader(media.EncodeLogo(f.Look.Apply(canvas))))
	return s.taken(w, r, text, err)
}

// logoPreview answers the form of the logo while somebody turns its knobs.
func (s *Server) logoPreview(w http.ResponseWriter, r *http.Request) error {
	ed, err := s.editors()
	if err != nil {
		return err
	}
	f, err := readLogoForm(w, r)
	if err != nil {
		return err
	}
	f.File = nil
	canvas, _, err := f.canvas(ed)
	if err != nil {
		return err
	}
	var out, b bytes.Buffer
	if err := s.pages.part(&b, "media", "screen", logoScreen(f.Look.Apply(canvas), lineNames(ed))); err != nil {
		return err
	}
	partial(&out, "#logoscreen", "innerMorph", b.Bytes())
	return partials(w, &out)
}

func (s *Server) logoRemove(w http.ResponseWriter, r *http.Request) error {
	said, err := s.deps.Shop.SetLogo(r.Context(), nil)
	return s.taken(w, r, said, err)
}

// logoRestore takes the logo of before the last change.
func (s *Server) logoRestore(w http.ResponseWriter, r *http.Request) error {
	ed, err := s.editors()
	if err != nil {
		return err
	}
	return s.taken(w, r, "The phones show the logo of before again.", ed.RestoreLogo(r.Context()))
}

// logoImage is the logo as phones show it, as a picture that browsers know.
func (s *Server) logoImage(w http.ResponseWriter, _ *http.Request) error {
	png, _ := s.deps.Shop.Logo()
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(len(png)))
	_, _ = io.Copy(w, bytes.NewReader(png))
	return nil
}
