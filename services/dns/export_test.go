package dns

import "time"

// SetTimeout shortens the wait for an upstream server that never answers; call it before Run.
func (s *Server) SetTimeout(d time.Duration) { s.timeout = d }
