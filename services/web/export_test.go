package web

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"
)

// FillHashQueue makes every further hash find too many waiting, until release is called.
func (s *Server) FillHashQueue() (release func()) {
	for range cap(s.auth.hasher.queue) {
		s.auth.hasher.queue <- struct{}{}
	}
	return func() {
		for range cap(s.auth.hasher.queue) {
			<-s.auth.hasher.queue
		}
	}
}

// CheckCertForTest checks an uploaded certificate and key as the page does.
func CheckCertForTest(cert, key string) {
	cfg := &Config{Domain: "voice.home.arpa"}
	_, _, _ = checkCert([]byte(cert), []byte(key), cfg, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), true)
}

// SetPasswordForTest stores the hash of a password.
func (s *Server) SetPasswordForTest(ctx context.Context, secrets Secrets, password string) error {
	hash, err := s.auth.hasher.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	return secrets.SetPassword(hash)
}

// Around puts something around what both ports answer.
func (s *Server) Around(wrap func(http.Handler) http.Handler) {
	s.plain, s.secure = wrap(s.plain), wrap(s.secure)
}

// Patterns are all routes behind the login, with their methods and placeholders.
func (s *Server) Patterns() []string {
	var out []string
	for _, routes := range s.routes() {
		out = slices.AppendSeq(out, maps.Keys(routes))
	}
	return out
}
