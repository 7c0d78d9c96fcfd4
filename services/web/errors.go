package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// PublicError is an error with a status and a sentence for people. [Box] and [Settings] may return it, wrapped or not,
// where their own words help the person; the text of any other error goes to the log only.
type PublicError struct {
	Status int    // an HTTP status from 400 on
	Text   string // a sentence without secrets
	Cause  error  // for the log; nil = nothing to log
	// Retry is when to try again, for the status 429; 0 = in two seconds.
	Retry time.Duration
}

// Error implements error; the cause is for logs, never for people.
func (e *PublicError) Error() string {
	if e.Cause == nil {
		return e.Text
	}
	return fmt.Sprintf("%s (%v)", e.Text, e.Cause)
}

// Unwrap returns the cause.
func (e *PublicError) Unwrap() error { return e.Cause }

// public makes an error for people that needs no line in the log.
func public(status int, text string) error { return &PublicError{Status: status, Text: text} }

// failed makes an error for people of a cause that the log should have.
func failed(status int, text string, cause error) error {
	return &PublicError{Status: status, Text: text, Cause: cause}
}

// handlerFunc answers a request or returns why it could not; it returns an error only while nothing was written.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// answer is what people are told of an error.
type answer struct {
	status int
	text   string
	faults []Fault
}

// explain is the one place that turns errors into a status and a sentence.
func explain(err error) answer {
	var pub *PublicError
	var refused *Refused
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &pub):
		return answer{status: pub.Status, text: pub.Text}
	case errors.As(err, &refused):
		return answer{http.StatusUnprocessableEntity, "The settings were refused as a whole; nothing was changed.", refused.Faults}
	case errors.As(err, new(StaleError)):
		return answer{status: http.StatusPreconditionFailed, text: "The settings changed since you loaded them. Load them again."}
	case errors.As(err, &tooLarge):
		return answer{
			status: http.StatusRequestEntityTooLarge,
			text:   fmt.Sprintf("That is too large: at most %s are taken.", sizeWords(tooLarge.Limit)),
		}
	case errors.Is(err, context.DeadlineExceeded):
		return answer{status: http.StatusGatewayTimeout, text: "That took too long and was given up."}
	}
	return answer{status: http.StatusInternalServerError, text: "Something went wrong in the box; its log says what."}
}

// handle makes a handler of h. Errors become JSON under /api and a page elsewhere.
func (s *Server) handle(h handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// fail logs an error where the log should have it and tells the person.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to read it
	}
	a := explain(err)
	var pub *PublicError
	if !errors.As(err, &pub) && a.status >= http.StatusInternalServerError || pub != nil && pub.Cause != nil {
		s.deps.Log.Warn("answering a request failed", "method", r.Method, "path", r.URL.Path, "status", a.status, "err", err)
	}
	if a.status == http.StatusRequestEntityTooLarge {
		s.drop(r, "too_large", a.status, "A request was refused: its body was too large.")
	}
	if a.status == http.StatusTooManyRequests {
		retryAfter(w, err)
	}
	if isAPI(r) {
		writeJSON(w, a.status, apiError{Error: a.text, Faults: a.faults})
		return
	}
	s.errorPage(w, r, a)
}

// retryAfter says when to try again.
func retryAfter(w http.ResponseWriter, err error) {
	wait := 2 * time.Second
	var pub *PublicError
	if errors.As(err, &pub) && pub.Retry > 0 {
		wait = pub.Retry
	}
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
}

// apiError is the JSON body of every error.
type apiError struct {
	Error  string  `json:"error"`
	Faults []Fault `json:"faults,omitempty"`
}

// isAPI reports whether a program asks, which wants JSON and not a page.
func isAPI(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/metrics" || r.URL.Path == "/healthz"
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only NaN in a float can do that
		status, body = http.StatusInternalServerError, []byte(`{"error":"The answer cannot be written as JSON."}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

func sizeWords(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d KB", n>>10)
}
