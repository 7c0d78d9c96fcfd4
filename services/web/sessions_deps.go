package web

// SessionStore keeps over restarts which sessions hold.
type SessionStore interface {
	SessionKey() ([]byte, error) // 32 random bytes, made once
	// NewSessionKey replaces the session key, with which every session ends.
	NewSessionKey() error
	// EndedSessions returns what SetEndedSessions was given last; nil = nothing.
	EndedSessions() ([]byte, error)
	SetEndedSessions(list []byte) error
}
