package web

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// gokrazyPrefix is where the operating system's own page is.
const gokrazyPrefix = "/gokrazy/"

// maxRewrite bounds a page of the operating system that we hold in memory to change its links.
const maxRewrite = 4 << 20

// gokrazy serves the operating system's page. It was written to be alone on its host: its links begin with a slash, and
// it has styles inside of its pages. The links are changed on the way, and our policy is loosened to its own files.
func (s *Server) gokrazy(w http.ResponseWriter, r *http.Request) error {
	next := s.deps.Box.Gokrazy()
	if next == nil {
		return public(http.StatusNotFound, "This box has no page of the operating system.")
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // it streams logs and takes updates of the whole system
	_ = rc.SetWriteDeadline(time.Time{})
	r2 := r.Clone(r.Context())
	r2.URL.Path = "/" + strings.TrimPrefix(r.URL.Path, gokrazyPrefix)
	r2.URL.RawPath = ""
	r2.RequestURI = r2.URL.RequestURI()
	r2.Header.Del("Authorization")
	r2.Header.Del("Accept-Encoding") // or its links could not be changed
	r2.Header.Del("Cookie")
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, "gokrazy") {
			r2.AddCookie(c)
		}
	}
	w.Header().Set("Content-Security-Policy",
		"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "+
			"base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	rw := &rewriter{ResponseWriter: w}
	next.ServeHTTP(rw, r2)
	rw.finish()
	return nil
}

// rewriter changes the links of HTML and scripts; everything else passes through as it comes.
type rewriter struct {
	http.ResponseWriter
	began, hold bool
	status      int
	body        bytes.Buffer
}

// Unwrap gives [http.ResponseController] the writer below.
func (w *rewriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *rewriter) WriteHeader(code int) {
	if w.began {
		return
	}
	w.began, w.status = true, code
	h := w.Header()
	if loc := h.Get("Location"); strings.HasPrefix(loc, "/") && !strings.HasPrefix(loc, "//") {
		h.Set("Location", gokrazyPrefix+loc[1:])
	}
	kind := h.Get("Content-Type")
	w.hold = strings.HasPrefix(kind, "text/html") || strings.Contains(kind, "javascript")
	if w.hold {
		h.Del("Content-Length")
		return
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements [http.ResponseWriter].
func (w *rewriter) Write(b []byte) (int, error) {
	if !w.began {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", http.DetectContentType(b))
		}
		w.WriteHeader(http.StatusOK)
	}
	if !w.hold {
		return w.ResponseWriter.Write(b)
	}
	if w.body.Len()+len(b) > maxRewrite {
		return 0, http.ErrContentLength
	}
	return w.body.Write(b)
}

// Flush implements [http.Flusher], which a proxy wants for streams.
func (w *rewriter) Flush() {
	if w.began && !w.hold {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
}

func (w *rewriter) finish() {
	if !w.hold {
		return
	}
	body := w.body.Bytes()
	for _, before := range []string{`href="`, `src="`, `action="`, `EventSource("`} {
		body = bytes.ReplaceAll(body, []byte(before+"/"), []byte(before+gokrazyPrefix))
		body = bytes.ReplaceAll(body, []byte(before+gokrazyPrefix+"/"), []byte(before+"//")) // another host
	}
	w.ResponseWriter.WriteHeader(w.status)
	_, _ = w.ResponseWriter.Write(body)
}
