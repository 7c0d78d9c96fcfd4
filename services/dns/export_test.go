package dns

import "time"

// SetTimeout shortens the wait for an upstream server that never answers; call it before Run.
func (s *Server) SetTimeout(d time.Duration) { s.timeout = d }

// SetUnhurried keeps a busy machine from asking another server as well where a test counts the questions; call it before
// Run.
func (s *Server) SetUnhurried(d time.Duration) { s.unhurried = d }

// SetPatience shortens the wait for a new answer where there is an old one; call it before Run.
func (s *Server) SetPatience(d time.Duration) { s.patience = d }

// SetClock replaces the clock that never jumps; call it before Run.
func (s *Server) SetClock(now func() time.Duration) { s.uptime = now }

// SetClearPort replaces port 53, where a server of DNS over TLS is asked in clear; call it before Run.
func (s *Server) SetClearPort(port uint16) { s.clearPort = port }

// SetCacheLimit changes how many bytes answers may take; call it before Run.
func (s *Server) SetCacheLimit(bytes int) { s.cache.setLimit(bytes) }

// UnderWay returns how many exchanges are open, and how many questions are under way.
func (s *Server) UnderWay() (exchanges, flights int) {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	return len(s.exchanges), len(s.flights.flying)
}

// Crowd takes all places for exchanges until the returned function is called.
func (s *Server) Crowd() (release func()) {
	for range cap(s.exchanges) {
		s.exchanges <- struct{}{}
	}
	return func() {
		for range cap(s.exchanges) {
			<-s.exchanges
		}
	}
}
