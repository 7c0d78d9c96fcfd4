package web

import (
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// Limits of request bodies in bytes.
const (
	maxBody   = 1 << 20
	maxUpload = 64 << 20 // one load of firmware with all its files is under 5 MB; an old TFTP root has some twenty loads
)

// policy allows our own files and nothing inline. Pico's icons are data: images.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// layers wraps a port's handler into what every request passes through.
func (s *Server) layers(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.drop(r, "cross_origin", http.StatusForbidden, "A request was refused: it came from a page of somebody else.")
		s.fail(w, r, public(http.StatusForbidden, "This request came from a page of somebody else and was refused."))
	}))
	guarded := s.translating(cross.Handler(s.limitBody(next)))
	return s.recovering(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		securityHeaders(w, r)
		if s.panicNext.CompareAndSwap(true, false) {
			panic("planted by PanicNext")
		}
		if !hostAllowed(s.cfg.Load(), r) {
			s.drop(r, "host", http.StatusMisdirectedRequest, "A request was refused: it was meant for another host.")
			s.fail(w, r, public(http.StatusMisdirectedRequest,
				"This box does not answer for that name. Use its address, or phonebox."+s.cfg.Load().Domain+"."))
			return
		}
		guarded.ServeHTTP(w, r)
	}))
}

// permissions refuses what no page of the box needs, so that nothing that gets into one can ask for it.
const permissions = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

// securityHeaders are on every answer. Strict-Transport-Security is not among them: the certificate is the box's own, and with it
// a browser would not let a person pass its warning any more.
func securityHeaders(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", permissions)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.TLS != nil {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	h.Set("Cache-Control", "no-store")
}

func (s *Server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxBody)
		switch {
		case isUpload(r):
			limit = maxUpload
		case isRestore(r):
			limit = maxRestore
		case strings.HasPrefix(r.URL.Path, gokrazyPrefix):
			limit = 0 // updates of the whole system pass through there, after the login
		}
		if limit > 0 {
			r = new(*r) // of its own request net/http wants to know whether its client waits for a word before it sends the body
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			// Who still sends a body when the connection is closed may lose the answer (RFC 9112 section 9.6): an upload that
			// was refused early would look like a box that broke off. Who asked first sends nothing more.
			if r.Header.Get("Expect") == "" {
				defer func() { _, _ = io.Copy(io.Discard, r.Body) }()
			}
		}
		next.ServeHTTP(w, r)
	})
}

func isUpload(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	switch r.URL.Path {
	case "/firmware", "/api/v1/firmware", "/import", "/api/v1/import", "/media/rings", "/media/logo":
		return true
	}
	return false
}

// recovering keeps one request's panic from the others. The stack is logged once a minute.
func (s *Server) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		rec := &statusWriter{ResponseWriter: w, gzip: acceptsGzip(r)}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
					panic(p)
				}
				s.caught(rec, r, p)
			}
			s.deps.Log.Debug("answered a request", "method", r.Method, "path", r.URL.Path, "status", rec.status,
				"peer", remoteAddr(r), "dur", time.Since(started))
		}()
		next.ServeHTTP(rec, r)
	})
}

func (s *Server) caught(w *statusWriter, r *http.Request, p any) {
	s.drop(r, "panic", http.StatusInternalServerError, "A request was not answered: a fault of the page itself.")
	s.panicMu.Lock()
	due := time.Since(s.panicSeen) >= time.Minute
	if due {
		s.panicSeen = time.Now()
	}
	s.panicMu.Unlock()
	if due {
		s.deps.Log.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	}
	if w.status == 0 {
		s.fail(w, r, public(http.StatusInternalServerError, "Something went wrong in the box; its log says what."))
	}
}

// statusWriter remembers the status; Unwrap keeps http.ResponseController working.
type statusWriter struct {
	http.ResponseWriter
	status int
	gzip   bool // who asked unpacks it
}

// Unwrap gives [http.ResponseController] the writer of the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements [http.ResponseWriter].
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// drop counts and reports a request that was refused; what is a sentence without anything that the request carried.
func (s *Server) drop(r *http.Request, reason string, code int, what string) {
	s.dropped.WithLabelValues(reason).Inc()
	s.report(r, Event{Kind: EventDropped, What: what, Code: code})
}

// report fills in who and when.
func (s *Server) report(r *http.Request, e Event) {
	e.Time = s.deps.Now()
	e.From = remoteAddr(r)
	e.By = ActorOf(r.Context())
	s.deps.Report(e)
}
