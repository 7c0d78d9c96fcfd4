package telnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"
)

const (
	// settle is how long nothing may come before a line without an end counts as a prompt.
	settle = 250 * time.Millisecond
	// quiet is how long nothing may come before a phone counts as silent, or an answer without a prompt as whole.
	quiet = 4 * time.Second
	// maxPages bounds how often a phone is told to go on with a long answer.
	maxPages = 1000
)

var (
	passwordPrompt = regexp.MustCompile(`(?i)pass(word|wd|code)? *: *$`)
	passwordLike   = regexp.MustCompile(`(?i)pass(word|wd|code)[^>#$]{0,20}$`)
	namePrompt     = regexp.MustCompile(`(?i)(login|user ?name|user) *: *$`)
	prompt         = regexp.MustCompile(`[>#$%] *$`)
	more           = regexp.MustCompile(`(?i)(-+ *more *-+|<-* *more *-*>|press .{1,20} to continue.{0,5}) *$`)
)

// session is the connection to one phone.
type session struct {
	ctx    context.Context
	conn   net.Conn
	filter filter
	text   []byte // that came since the last command was sent
	total  int    // bytes that came in all
	prompt string // the phone's, without blanks at its end; "" = not known
}

// errClosed says that the phone closed the connection.
var errClosed = errors.New("the phone closed the connection")

// full reports whether the phone said as much as is read.
func (s *session) full() bool { return s.total >= MaxOutput }

// logIn waits for a password or a command prompt, gives the password and learns the command prompt.
func (s *session) logIn(password string) error {
	last, err := s.wait(passwordPrompt.MatchString, func(last string) bool {
		return passwordLike.MatchString(last) || prompt.MatchString(last) || namePrompt.MatchString(last)
	})
	switch {
	case err != nil && !errors.Is(err, ErrSilent):
		return err
	case namePrompt.MatchString(last):
		return errors.New("it asks for a user name, as no 7940 or 7960 does")
	case last == "":
		return ErrSilent
	case !passwordLike.MatchString(last):
		s.prompt = strings.TrimRight(last, " ")
		return nil // it wants no password, or its prompt ends as none that we know
	}
	if err := s.send(password); err != nil {
		return err
	}
	last, err = s.wait(passwordPrompt.MatchString,
		func(last string) bool { return passwordLike.MatchString(last) || prompt.MatchString(last) })
	switch {
	case passwordLike.MatchString(last):
		return ErrPassword
	case errors.Is(err, errClosed):
		return fmt.Errorf("%w: it closed the connection", ErrPassword)
	case err != nil && (last == "" || !errors.Is(err, ErrSilent)):
		return err
	}
	s.prompt = strings.TrimRight(last, " ")
	return nil
}

// run gives a command and returns what it prints, without the echo and the prompt. An error comes with what was printed
// until then.
func (s *session) run(command string) (string, error) {
	if err := s.send(command); err != nil {
		return "", err
	}
	var err error
	for range maxPages {
		var last string
		last, err = s.wait(func(last string) bool { return more.MatchString(last) || s.answered(last) },
			func(last string) bool { return s.prompt == "" && prompt.MatchString(last) || s.isPrompt(last) })
		if !more.MatchString(last) || err != nil {
			break
		}
		s.text = s.text[:len(s.text)-len(lastLine(s.text))]
		if _, err = s.conn.Write([]byte(" ")); err != nil {
			break
		}
	}
	text := strings.TrimSuffix(strings.TrimRight(string(s.text), " "), s.prompt)
	if first, rest, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n"); strings.HasSuffix(strings.TrimSpace(first), command) {
		text = rest // the echo
	}
	if errors.Is(err, ErrSilent) && strings.TrimSpace(text) != "" {
		err = nil // a prompt that changes; what it printed is there
	}
	return text, err
}

// isPrompt reports whether a line without an end is the phone's prompt.
func (s *session) isPrompt(last string) bool {
	return s.prompt != "" && strings.TrimRight(last, " ") == s.prompt
}

// answered reports whether the phone is at its prompt again. A prompt with nothing before it may be one that was under
// way when the command was sent.
func (s *session) answered(last string) bool {
	return s.isPrompt(last) && strings.TrimSpace(strings.TrimSuffix(strings.TrimRight(string(s.text), " "), s.prompt)) != ""
}

// send types a line.
func (s *session) send(line string) error {
	s.text = s.text[:0]
	b := append(escape(line), '\r', '\n')
	if _, err := s.conn.Write(b); err != nil {
		return s.fault(err)
	}
	return nil
}

// wait reads until now holds for the line that has no end yet, or settled does and nothing more came for a moment. It
// returns that line; ErrSilent says that nothing came for long, and full output is no error.
func (s *session) wait(now, settled func(last string) bool) (last string, err error) {
	buf := make([]byte, 4096)
	began := time.Now()
	for {
		last = string(lastLine(s.text))
		if now(last) || s.full() {
			return last, nil
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(settle))
		if s.ctx.Err() != nil { // the deadline above may have undone that of the context
			return last, s.fault(s.ctx.Err())
		}
		n, err := s.conn.Read(buf[:min(len(buf), MaxOutput-s.total)])
		s.total += n
		text, replies := s.filter.feed(buf[:n])
		s.text = append(s.text, text...)
		if len(replies) > 0 {
			if _, err := s.conn.Write(replies); err != nil {
				return last, s.fault(err)
			}
		}
		var timeout net.Error
		switch {
		case n > 0:
			began = time.Now()
		case errors.As(err, &timeout) && timeout.Timeout() && s.ctx.Err() == nil:
			if settled(last) {
				return last, nil
			}
			if time.Since(began) >= quiet {
				return last, ErrSilent
			}
		case err != nil:
			return last, s.fault(err)
		}
	}
}

// fault says in our words why the connection ended.
func (s *session) fault(err error) error {
	switch {
	case errors.Is(s.ctx.Err(), context.Canceled):
		return s.ctx.Err()
	case s.ctx.Err() != nil:
		return ErrSilent
	}
	return fmt.Errorf("%w: %w", errClosed, err)
}

// lastLine returns what follows the last line end.
func lastLine(text []byte) []byte {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == '\n' {
			return text[i+1:]
		}
	}
	return text
}
