package web

import (
	"context"
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
