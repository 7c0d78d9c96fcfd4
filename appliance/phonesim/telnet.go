package phonesim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// The command line of phones.md f.3: it asks a password alone, and its output is in the style of that section. What a real
// phone prints to the letter is not known.
const (
	telnetPort     = 23
	telnetSessions = 2 // at once; not known of the real phones
	telnetTries    = 3
	telnetIdle     = 5 * time.Minute
	maxTelnetLine  = 256
)

// commandLine serves telnet until ctx ends, where telnet_level switches it on.
func (b *boot) commandLine(ctx context.Context, c cnf) {
	if level := c.get("telnet_level"); level != "1" && level != "2" {
		return
	}
	port := b.cfg.Ports.Telnet
	if _, loopback := b.cfg.Link.(*Loopback); port == 0 && !loopback {
		port = telnetPort
	}
	listener, err := b.nic.ListenTCP(port)
	if err != nil {
		b.emit(EventTelnet, "", "no telnet: %v", err)
		return
	}
	defer listener.Close()
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	at := addrPortOfTCP(listener.Addr())
	b.mu.Lock()
	b.res.Telnet = at
	b.mu.Unlock()
	b.emit(EventTelnet, "", "telnet at %s", at)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	free := make(chan struct{}, telnetSessions)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		select {
		case free <- struct{}{}:
			sessions.Go(func() {
				defer func() { <-free }()
				b.session(ctx, conn, c)
			})
		default:
			_, _ = io.WriteString(conn, "All sessions are in use\r\n")
			_ = conn.Close()
		}
	}
}

// session talks to one person.
func (b *boot) session(ctx context.Context, conn net.Conn, c cnf) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	b.emit(EventTelnet, "", "telnet from %s", conn.RemoteAddr())
	s := &telnetSession{boot: b, cnf: c, conn: conn, in: bufio.NewReader(conn)}
	if err := s.run(); err != nil && ctx.Err() == nil {
		b.emit(EventTelnet, "", "telnet from %s ended: %v", conn.RemoteAddr(), err)
	}
}

// telnetSession is one connection.
type telnetSession struct {
	*boot
	cnf  cnf
	conn net.Conn
	in   *bufio.Reader
}

// Bytes of the telnet protocol (RFC 854, RFC 857).
const (
	telnetIAC  = 0xFF
	telnetDont = 0xFE
	telnetWont = 0xFC
	telnetWill = 0xFB
	telnetSB   = 0xFA
	telnetSE   = 0xF0
	telnetEcho = 1
)

// run asks the password, then obeys commands until the person leaves.
func (s *telnetSession) run() error {
	s.print("Cisco IP Phone %s  MAC %s  Load %s\r\n", s.cfg.Model, s.cfg.MAC.Name(), s.Flash().Application)
	if err := s.login(); err != nil {
		return err
	}
	prompt := s.cnf.get("phone_prompt")
	if prompt == "" {
		prompt = "SIP Phone"
	}
	for {
		s.print("%s> ", prompt)
		line, err := s.line()
		if err != nil {
			return err
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if s.obey(words) {
			return nil
		}
	}
}

var (
	errWrongPassword = errors.New("the password was wrong too often")
	errLongLine      = fmt.Errorf("a line of more than %d bytes", maxTelnetLine)
)

// login asks for phone_password, without an echo, as often as telnetTries.
func (s *telnetSession) login() error {
	password := s.cnf.get("phone_password")
	if password == "" {
		password = "cisco"
	}
	for range telnetTries {
		s.print("\xFF\xFB\x01Password: ") // IAC WILL ECHO: nobody shows what is typed
		line, err := s.line()
		if err != nil {
			return err
		}
		s.print("\xFF\xFC\x01\r\n")
		if line == password {
			return nil
		}
	}
	return errWrongPassword
}

// print writes to the person; a connection that broke shows when reading.
func (s *telnetSession) print(format string, args ...any) {
	_ = s.conn.SetWriteDeadline(time.Now().Add(telnetIdle))
	_, _ = fmt.Fprintf(s.conn, format, args...)
}

// line reads a line.
func (s *telnetSession) line() (string, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(telnetIdle))
	return readTelnetLine(s.in)
}

// readTelnetLine reads a line without its end (CR LF, CR NUL, LF or CR), leaves the commands of the protocol out and obeys
// backspaces.
func readTelnetLine(in *bufio.Reader) (string, error) {
	var line []byte
	for read := 0; read < 4*maxTelnetLine; read++ {
		c, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		switch {
		case c == telnetIAC:
			if err := skipTelnetCommand(in); err != nil {
				return "", err
			}
		case c == '\r':
			if next, err := in.Peek(min(1, in.Buffered())); err == nil && len(next) == 1 && (next[0] == '\n' || next[0] == 0) {
				_, _ = in.ReadByte()
			}
			return string(line), nil
		case c == '\n':
			return string(line), nil
		case c == '\b' || c == 0x7F:
			line = line[:max(0, len(line)-1)]
		case len(line) == maxTelnetLine:
			return "", errLongLine
		case c >= ' ':
			line = append(line, c)
		}
	}
	return "", errLongLine
}

// skipTelnetCommand reads what follows IAC.
func skipTelnetCommand(in *bufio.Reader) error {
	c, err := in.ReadByte()
	switch {
	case err != nil:
		return err
	case c >= telnetWill && c <= telnetDont:
		_, err = in.ReadByte() // the option
		return err
	case c != telnetSB:
		return nil
	}
	for read, last := 0, byte(0); read < maxTelnetLine; read++ {
		c, err := in.ReadByte()
		if err != nil {
			return err
		}
		if last == telnetIAC && c == telnetSE {
			return nil
		}
		last = c
	}
	return errLongLine
}
