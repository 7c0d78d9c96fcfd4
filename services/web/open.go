package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// probeTime is how long a probe of /healthz may take.
const probeTime = time.Second

// openHandler serves what needs no login and leaves the rest to next.
func (s *Server) openHandler(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /alive", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.Handle("GET /phone/{name...}", http.HandlerFunc(s.phoneFile))
	mux.Handle("GET /healthz", s.handle(s.healthz))
	mux.Handle("GET /metrics", s.handle(s.metrics))
	mux.Handle("GET /assets/{name...}", http.HandlerFunc(s.pages.asset))
	mux.HandleFunc("GET /favicon.ico", s.pages.favicon)
	mux.Handle("/", next)
	return mux
}

// phoneFile answers a phone. The connection is closed after each answer: phones open a new one for every page
// (phones.md e), and a thousand idle ones would be held for nothing.
func (s *Server) phoneFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	answer, header := s.deps.Files.PhoneFile(r.Context(), remoteAddr(r), name, r.URL.RawQuery)
	for key, values := range header {
		w.Header()[http.CanonicalHeaderKey(key)] = slices.Clone(values)
	}
	w.Header().Set("Connection", "close")
	code := fileCode(answer.Status)
	body, contentType := answer.Body, answer.ContentType
	if code != http.StatusOK {
		body, contentType = []byte(answer.Why+"\n"), "text/plain; charset=utf-8"
	}
	s.report(r, Event{Kind: EventPhoneFile, What: "/phone/" + name, Code: code})
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// fileCode is the HTTP status of a FileAnswer.
func fileCode(status string) int {
	switch status {
	case "ok":
		return http.StatusOK
	case "refused":
		return http.StatusForbidden
	}
	return http.StatusNotFound
}

// Health is the body of GET /healthz.
type Health struct {
	Status   string                   `json:"status"` // ok or failed
	Services map[string]ServiceHealth `json:"services"`
}

// ServiceHealth is the state of one service in GET /healthz. It has no detail: anybody may read it.
type ServiceHealth struct {
	State string `json:"state"`
	Why   string `json:"why,omitempty"` // why it counts as failed
}

// healthCheck lets requests that come at the same time share one round of probes: each probe is a packet to ourselves,
// and nobody needs a login to ask.
type healthCheck struct {
	mu      sync.Mutex
	running chan struct{} // closed when the round is over; nil = none runs
	result  Health
}

func (h *healthCheck) get(ctx context.Context, box Box) (Health, error) {
	h.mu.Lock()
	running := h.running
	if running == nil {
		running = make(chan struct{})
		h.running = running
		go h.round(context.WithoutCancel(ctx), box, running)
	}
	h.mu.Unlock()
	select {
	case <-running:
	case <-ctx.Done():
		return Health{}, ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.result, nil
}

func (h *healthCheck) round(ctx context.Context, box Box, done chan struct{}) {
	result := Health{Status: "failed"}
	defer func() {
		_ = recover() // a probe that panics is one that got no answer
		h.mu.Lock()
		h.result, h.running = result, nil
		h.mu.Unlock()
		close(done)
	}()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	status, failed := box.Health(ctx)
	result = healthOf(status, failed)
}

// healthOf judges: only a service that is enabled and failed, or whose probe got no answer, makes the box ill. One that
// is held waits for a person and does what it should.
func healthOf(status Status, failed map[string]string) Health {
	h := Health{Status: "ok", Services: map[string]ServiceHealth{}}
	for name, svc := range status.Services {
		one := ServiceHealth{State: svc.State}
		if why, bad := failed[name]; bad && svc.State != "off" {
			one.State, one.Why = "failed", why
		}
		if one.State == "failed" {
			h.Status = "failed"
		}
		h.Services[name] = one
	}
	return h
}

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) error {
	h, err := s.health.get(r.Context(), s.deps.Box)
	if err != nil {
		return err
	}
	code := http.StatusOK
	if h.Status != "ok" {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, h)
	return nil
}

// metrics is free from the box itself and needs the password elsewhere.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	if !fromBox(r) {
		ok, err := s.auth.basic(r)
		if err != nil {
			return s.authFailure(r, err)
		}
		if !ok {
			text := "Log in as admin with the page's password."
			if r.TLS == nil {
				text += " Better ask on the encrypted port: here the password crosses the wire in the clear."
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="phonebox", charset="UTF-8"`)
			return public(http.StatusUnauthorized, text)
		}
	}
	gatherer := s.deps.Metrics
	if gatherer == nil {
		gatherer = prometheus.NewRegistry()
	}
	promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4}).ServeHTTP(w, r)
	return nil
}

// plainRest is what port 80 does with all that is not open: it leads people to the encrypted port, or has everything
// where the site says so.
func (s *Server) plainRest(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cfg := s.cfg.Load()
		if cfg.PlainHTTP || cfg.Single {
			app.ServeHTTP(w, r)
			return
		}
		s.handle(s.lead).ServeHTTP(w, r)
	})
}

// lead tells where the page is. It does not redirect: the browser's warning of the certificate would be the first
// thing that a technician sees, without a word of why.
func (s *Server) lead(w http.ResponseWriter, r *http.Request) error {
	target := s.secureURL(r)
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		return public(http.StatusForbidden, "Passwords and /api are on the encrypted port only: "+target)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return public(http.StatusForbidden, "Nothing can be changed over this port. The page is at "+target)
	}
	return s.pages.render(w, http.StatusOK, "lead", view{
		Title: "This way",
		Body:  map[string]string{"URL": target, "Fingerprint": s.cert.fingerprint()},
	})
}

// secureURL is the page's address under the name that the person used.
func (s *Server) secureURL(r *http.Request) string {
	port := s.cfg.Load().HTTPS.Port()
	if bound := s.Addr(); bound.IsValid() {
		port = bound.Port()
	}
	host := hostOnly(r.Host)
	if host == "" {
		host = s.cfg.Load().Server.Addr().String()
	}
	return "https://" + hostPort(host, port, 443) + "/"
}
