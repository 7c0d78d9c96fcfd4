package web

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
