package phonesim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
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

// obey carries a command out and reports whether the session is over.
func (s *telnetSession) obey(words []string) bool {
	switch command, err := findCommand(words); command {
	case "show register":
		s.showRegister()
	case "show config":
		s.showConfig()
	case "show status":
		s.showStatus()
	case "register":
		s.print("Registration is requested\r\n")
	case "reset":
		s.print("Resetting\r\n")
		s.cancel(errReset)
		return true
	case "exit", "quit":
		return true
	default:
		s.print("%v\r\n", err)
	}
	return false
}

// commands are those that this phone knows, of the many of f.3. Their words may be abbreviated.
func commands() []string {
	return []string{"show register", "show config", "show status", "register", "reset", "exit", "quit"}
}

// findCommand finds the command that the words abbreviate: "sh reg" is show register. Words behind it are its arguments.
func findCommand(words []string) (string, error) {
	var found []string
	for _, command := range commands() {
		parts := strings.Fields(command)
		fits := len(words) >= len(parts)
		for i := 0; fits && i < len(parts); i++ {
			fits = strings.HasPrefix(parts[i], strings.ToLower(words[i]))
		}
		if fits {
			found = append(found, command)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("unknown command, allowed is one of: %s", strings.Join(commands(), ", "))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("ambiguous command: %s", strings.Join(found, ", "))
}

// showRegister prints the state of every line: APR stands for authenticated, provisioned, registered.
func (s *telnetSession) showRegister() {
	s.mu.Lock()
	registrations := append([]Registration(nil), s.res.Registrations...)
	s.mu.Unlock()
	enabled, state := "DISABLED", "NONE"
	if s.cnf.get("proxy_register") == "1" {
		enabled = "ENABLED"
	}
	byLine := map[int]Registration{}
	for _, r := range registrations {
		byLine[r.Line] = r
		if r.Registered() {
			state = "REGISTERED"
		}
	}
	s.print("LINE REGISTRATION TABLE\r\nProxy Registration: %s, state: %s\r\n", enabled, state)
	s.print("line  APR  state          timer       expires     proxy:port\r\n")
	s.print("----  ---  -------------  ----------  ----------  ---------------------\r\n")
	for n := 1; n <= linesOf(s.cfg.Model); n++ {
		r := byLine[n]
		s.print("%-4d  %-3s  %-13s  %-10s  %-10s  %s\r\n", n, flagsAPR(r), stateOfLine(r), r.timer(), strconv.Itoa(r.Expires), r.proxyName())
	}
	s.print("Note: APR is Authenticated, Provisioned, Registered\r\n")
}

// flagsAPR are the three flags of a line: 1 for yes, . for no, x for the last one while the line is not there at all.
func flagsAPR(r Registration) string {
	switch {
	case r.Line == 0:
		return "..x"
	case r.Registered():
		return "111"
	}
	return ".1."
}

// stateOfLine is the word for it.
func stateOfLine(r Registration) string {
	switch {
	case r.Registered():
		return "REGISTERED"
	case r.Line == 0:
		return "NONE"
	case r.Code == 0:
		return "REGISTERING"
	}
	return "FAILED"
}

// timer is how many seconds of the registration remain.
func (r Registration) timer() string {
	return strconv.Itoa(max(0, int(time.Until(r.Until)/time.Second)))
}

// showConfig prints what the phone read, without its secrets.
func (s *telnetSession) showConfig() {
	for _, name := range []string{
		"image_version", "sync", "proxy1_address", "proxy1_port", "proxy_register", "voip_control_port", "nat_enable", "sntp_server",
		"time_zone", "dial_template", "directory_url", "services_url", "logo_url", "telnet_level", "phone_prompt", "phone_label",
	} {
		s.setting(name)
	}
	for n := 1; n <= linesOf(s.cfg.Model); n++ {
		for _, suffix := range []string{"_name", "_authname", "_displayname", "_shortname", "_password"} {
			s.setting("line" + strconv.Itoa(n) + suffix)
		}
	}
}

// setting prints one parameter.
func (s *telnetSession) setting(name string) {
	value := s.cnf.get(name)
	switch {
	case value == "":
		value = "UNPROVISIONED"
	case strings.HasSuffix(name, "_password"):
		value = "**********"
	}
	s.print("%-24s: %s\r\n", name, value)
}

// showStatus prints what the phone runs and waits for.
func (s *telnetSession) showStatus() {
	r := s.Result()
	s.print("Load %s, loader %s, boots %d\r\n", r.Load, r.LoaderID, r.Boots)
	for _, name := range []string{"line1_name", "proxy1_address"} {
		if s.cnf.get(name) == "" {
			s.print("W350 unprovisioned %s\r\n", name)
		}
	}
}
