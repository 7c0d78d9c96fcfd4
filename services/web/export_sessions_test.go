package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The bounds of what is remembered of people.
const (
	MaxEnded     = maxEnded
	MaxThrottled = maxThrottled
)

// NewSession is a login without the hash of its password.
func (s *Server) NewSession() (*http.Cookie, error) { return s.auth.session(true) }

// WrongPasswordFrom is a wrong password without its hash.
func (s *Server) WrongPasswordFrom(addr string) {
	_ = s.auth.attempt(fromAddress(netip.MustParseAddr(addr)), func() error { return errWrong })
}

// Throttled is how many addresses are remembered because of wrong passwords.
func (s *Server) Throttled() int {
	s.auth.slow.mu.Lock()
	defer s.auth.slow.mu.Unlock()
	return len(s.auth.slow.all)
}

// Paths are the paths of all pages that can be looked at, with their placeholders.
func (s *Server) Paths() []string {
	var out []string
	for _, routes := range s.routes() {
		for pattern := range routes {
			if path, ok := strings.CutPrefix(pattern, "GET "); ok {
				out = append(out, path)
			}
		}
	}
	slices.Sort(out)
	return out
}

// StartPage is a step of the wizard without the login before it.
func (s *Server) StartPage(step string) http.Handler {
	h := s.handle(s.wizard(s.startStepPage))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("step", step)
		h.ServeHTTP(w, r)
	})
}
