package web

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// mediaView is the page of rings and the logo.
type mediaView struct {
	Rings   []Ring
	OwnLogo bool
	Problem string
}

func (s *Server) mediaPage(w http.ResponseWriter, r *http.Request) error {
	return s.showMedia(w, r, http.StatusOK, "")
}

func (s *Server) showMedia(w http.ResponseWriter, r *http.Request, code int, problem string) error {
	_, own := s.deps.Shop.Logo()
	return s.show(w, r, code, "media", "Rings and logo", "/media", mediaView{Rings: s.deps.Shop.Rings(), OwnLogo: own, Problem: problem})
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
	return s.showMedia(w, r, a.status, a.text)
}

func (s *Server) ringPost(w http.ResponseWriter, r *http.Request) error {
	name, content, err := oneFile(w, r)
	if err != nil {
		return s.taken(w, r, "", err)
	}
	said, err := s.deps.Shop.AddRing(r.Context(), name, content)
	return s.taken(w, r, said, err)
}

func (s *Server) ringRemove(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	return s.taken(w, r, "The ring is removed.", s.deps.Shop.RemoveRing(r.Context(), r.PostForm.Get("file")))
}

func (s *Server) logoPost(w http.ResponseWriter, r *http.Request) error {
	_, content, err := oneFile(w, r)
	if err != nil {
		return s.taken(w, r, "", err)
	}
	said, err := s.deps.Shop.SetLogo(r.Context(), content)
	return s.taken(w, r, said, err)
}

func (s *Server) logoRemove(w http.ResponseWriter, r *http.Request) error {
	said, err := s.deps.Shop.SetLogo(r.Context(), nil)
	return s.taken(w, r, said, err)
}

// logoImage is the logo as phones show it, as a picture that browsers know.
func (s *Server) logoImage(w http.ResponseWriter, _ *http.Request) error {
	png, _ := s.deps.Shop.Logo()
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(len(png)))
	_, _ = io.Copy(w, bytes.NewReader(png))
	return nil
}
