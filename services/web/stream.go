package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Event streams (server-sent events).
const (
	maxStreams  = 32
	heartbeat   = 15 * time.Second       // a comment, so that a dead browser is noticed
	streamWrite = 10 * time.Second       // what one message may take
	batchTime   = 500 * time.Millisecond // a page is brought up to date at most twice a second
	refreshTime = 2 * time.Second        // and looked at this often without an event: a phone gets stuck by silence
	restTime    = 10                     // a look at thousands of phones takes a while: it rests ten times as long
	mostRest    = 2 * time.Second        // but no longer: on a busy box a look waits more than it works, and the page must not stand still
)

// eventStream is one open stream.
type eventStream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	r    *http.Request
	stop <-chan struct{}
}

// openStream begins a stream; close must be called.
func (s *Server) openStream(w http.ResponseWriter, r *http.Request) (st *eventStream, closeStream func(), err error) {
	select {
	case s.streams <- struct{}{}:
	default:
		s.drop(r, "too_many_streams", http.StatusServiceUnavailable, "A live view was refused: too many are open.")
		return nil, nil, public(http.StatusServiceUnavailable, "Too many live views are open. Close one and try again.")
	}
	st = &eventStream{w: w, rc: http.NewResponseController(w), r: r, stop: stopping(r)}
	w.Header().Set("Content-Type", "text/event-stream")
	if err := st.write(": phonebox\n\n"); err != nil {
		<-s.streams
		return nil, nil, err
	}
	return st, func() { <-s.streams }, nil
}

func (st *eventStream) write(text string) error {
	_ = st.rc.SetWriteDeadline(time.Now().Add(streamWrite))
	if _, err := st.w.Write([]byte(text)); err != nil {
		return err
	}
	return st.rc.Flush()
}

// message writes one message; event names must not have line ends, data may.
func message(b *strings.Builder, id string, data []byte) {
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	data = bytes.ReplaceAll(data, []byte{'\r'}, []byte{' '})
	for line := range bytes.SplitSeq(data, []byte{'\n'}) {
		b.WriteString("data: ")
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
}

// stillAllowed returns a check whether who opened a stream may go on: the session runs, the password is the same.
func (s *Server) stillAllowed(r *http.Request) func() bool {
	person, _ := s.auth.loggedIn(r)
	before, _ := s.deps.Secrets.Password()
	return func() bool {
		if person {
			ok, err := s.auth.loggedIn(r)
			return ok && err == nil
		}
		now, err := s.deps.Secrets.Password()
		return err == nil && now == before
	}
}

// apiEvents streams all events as JSON.
func (s *Server) apiEvents(w http.ResponseWriter, r *http.Request) error {
	events, cancel := s.deps.Box.Subscribe()
	defer cancel()
	allowed := s.stillAllowed(r)
	st, closeStream, err := s.openStream(w, r)
	if err != nil {
		return err
	}
	defer closeStream()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var out strings.Builder
		select {
		case <-r.Context().Done():
			return nil
		case <-st.stop:
			return nil
		case <-beat.C:
			if !allowed() {
				return nil
			}
			out.WriteString(":\n\n")
		case e, ok := <-events:
			if !ok {
				return nil
			}
			if !appendEvents(&out, e, events) {
				return nil
			}
		}
		if st.write(out.String()) != nil {
			return nil // the reader is gone
		}
	}
}

// appendEvents writes e and what else is there already, so that a boot storm costs few packets. It reports whether the
// channel is still open.
func appendEvents(out *strings.Builder, e PhoneEvent, more <-chan PhoneEvent) bool {
	for range 100 {
		if data, err := json.Marshal(e); err == nil {
			message(out, fmt.Sprint(e.ID), data)
		}
		var ok bool
		select {
		case e, ok = <-more:
			if !ok {
				return false
			}
		default:
			return true
		}
	}
	if data, err := json.Marshal(e); err == nil {
		message(out, fmt.Sprint(e.ID), data)
	}
	return true
}

// pageStream keeps a page up to date: after events that concern it, and every refreshTime, changes returns the parts to
// exchange, or nothing.
func (s *Server) pageStream(w http.ResponseWriter, r *http.Request, concerns func(PhoneEvent) bool, changes func() ([]byte, error)) error {
	events, cancel := s.deps.Box.Subscribe()
	defer cancel()
	allowed := s.stillAllowed(r)
	st, closeStream, err := s.openStream(w, r)
	if err != nil {
		return err
	}
	defer closeStream()
	tick := time.NewTicker(batchTime)
	defer tick.Stop()
	lastLook, lastBeat, notBefore, dirty := time.Time{}, time.Now(), time.Time{}, true
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-st.stop:
			return nil
		case e, ok := <-events:
			if !ok {
				return nil
			}
			dirty = dirty || concerns(e)
			continue
		case now := <-tick.C:
			var out strings.Builder
			if (dirty || now.Sub(lastLook) >= refreshTime) && !now.Before(notBefore) {
				lastLook, dirty = now, false
				began := time.Now()
				html, err := changes()
				notBefore = time.Now().Add(min(restTime*time.Since(began), mostRest))
				if err != nil {
					s.deps.Log.Warn("bringing a page up to date failed", "path", r.URL.Path, "err", err)
					return nil
				}
				if len(html) > 0 {
					message(&out, "", html)
				}
			}
			if now.Sub(lastBeat) >= heartbeat {
				if !allowed() {
					return nil
				}
				lastBeat = now
				out.WriteString(":\n\n")
			}
			if out.Len() > 0 && st.write(out.String()) != nil {
				return nil
			}
		}
	}
}
