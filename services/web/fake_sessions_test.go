package web_test

import "slices"

// ended keeps what the page stores of sessions, beside fakeSecrets.
type ended struct {
	list []byte
	fail error // of the next write
}

func (s *fakeSecrets) NewSessionKey() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ended.fail; err != nil {
		return err
	}
	s.key = slices.Clone(s.key)
	s.key[0]++
	return nil
}

func (s *fakeSecrets) EndedSessions() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended.list, nil
}

func (s *fakeSecrets) SetEndedSessions(list []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ended.fail; err != nil {
		return err
	}
	s.ended.list = list
	return nil
}
