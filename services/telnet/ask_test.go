package telnet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"phonebox/services/telnet"
)

const secret = "pw-1234"

// table is show register as its columns are known: line, APR flags, state, timer, expires, proxy:port (phones.md f.3).
const table = `LINE REGISTRATION TABLE
Proxy Registration: ENABLED, state: REGISTERED
line  APR  state          timer       expires     proxy:port
----  ---  -------------  ----------  ----------  ----------------------------
1     111  REGISTERED     3600        2850        10.77.0.10:5060
2     .1.  UNPROVISIONED  0           0           undefined:0
3     11.  TRYING         32          0           pbx.voice.home.arpa:5060
1-BU  111  REGISTERED     3600        1200        10.77.0.11:5062

`

const settings = `line1_name          : 208
line1_password      : pw-1234-of-the-line
line2_name          : UNPROVISIONED
proxy1_address      : "UNPROVISIONED"
phone_password      : pw-1234
time_zone           : CET
`

// style is how a phone of the test talks.
type style struct {
	greeting string // before the password is asked for
	ask      string // for the password; "" = not at all
	prompt   string
	eol      string
	echo     bool
	bytes    bool // each byte in a packet of its own
	answers  map[string]string
}

func plain() style {
	return style{ask: "Password :", prompt: "SIP Phone> ", eol: "\r\n", echo: true, answers: map[string]string{"show register": table, "show config": settings}}
}

// serve is a phone of that style; talk, where it is not nil, is the whole conversation instead.
func serve(t *testing.T, s style, talk func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if talk == nil {
		talk = s.talk
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		talk(conn)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func (s style) say(w io.Writer, text string) {
	b := []byte(strings.ReplaceAll(text, "\n", s.eol))
	if !s.bytes {
		_, _ = w.Write(b)
		return
	}
	for i := range b {
		_, _ = w.Write(b[i : i+1])
	}
}

// talk is the command line of a phone.
func (s style) talk(conn net.Conn) {
	in := bufio.NewScanner(conn)
	in.Split(typed)
	s.say(conn, s.greeting)
	if s.ask != "" {
		s.say(conn, s.ask)
		if !in.Scan() {
			return
		}
		if in.Text() != secret {
			s.say(conn, "\nIncorrect\n"+s.ask)
			in.Scan()
			return
		}
	}
	s.say(conn, "\n\n"+s.prompt)
	for in.Scan() {
		if s.echo {
			s.say(conn, in.Text()+"\n")
		}
		answer, ok := s.answers[in.Text()]
		if !ok {
			answer = "Unknown command: " + in.Text() + "\n"
		}
		s.say(conn, answer+s.prompt)
	}
}

// typed splits what a client types into lines, without telnet's three-byte commands.
func typed(data []byte, eof bool) (int, []byte, error) {
	var line []byte
	for i := 0; i < len(data); i++ {
		switch {
		case data[i] == 255 && i+2 < len(data):
			i += 2
		case data[i] == '\n':
			return i + 1, []byte(strings.TrimSuffix(string(line), "\r")), nil
		default:
			line = append(line, data[i])
		}
	}
	if eof {
		return 0, nil, io.EOF
	}
	return 0, nil, nil
}

// TestAskUnderstandsPhones holds that the report does not depend on how a phone talks: no real one is known word for word.
func TestAskUnderstandsPhones(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*style){
		"as the columns are known":             func(*style) {},
		"another phone_prompt":                 func(s *style) { s.prompt = "Front desk 2> " },
		"a prompt without a blank":             func(s *style) { s.prompt = "7960>" },
		"a prompt for privileged people":       func(s *style) { s.prompt = "SIP Phone# " },
		"no password":                          func(s *style) { s.ask = "" },
		"no echo":                              func(s *style) { s.echo = false },
		"line ends of a terminal":              func(s *style) { s.eol = "\n\r" },
		"line ends of a file":                  func(s *style) { s.eol = "\n" },
		"one byte in a packet":                 func(s *style) { s.bytes = true },
		"a greeting with odd signs":            func(s *style) { s.greeting = "Welcome > to\nCisco # Systems\n" },
		"options that it offers and asks for":  func(s *style) { s.greeting = "\xff\xfb\x01\xff\xfb\x03\xff\xfd\x18\xff\xfa\x18\x01\xff\xf0\xff\xf9" },
		"a terminal's colours":                 func(s *style) { s.prompt = "\x1b[1mSIP Phone> \x1b[0m" },
		"other words for the password":         func(s *style) { s.ask = "Enter password : " },
		"a password asked for without a colon": func(s *style) { s.ask = "Password " },
		"a prompt that never ends like one":    func(s *style) { s.prompt = "SIP Phone) " },
		"small letters and other columns": func(s *style) {
			s.answers["show register"] = "Line 1: Registered, proxy 10.77.0.10:5060, expires 2850 s\nLine 2: unprovisioned\n" +
				"Line 3: trying\n   proxy: pbx.voice.home.arpa:5060\nLine 1 (backup): registered 10.77.0.11:5062\n12:30:00 up\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := plain()
			change(&s)
			r, err := telnet.Ask(t.Context(), serve(t, s, nil), secret)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{
				"line 1 is registered at 10.77.0.10:5060", "line 1 at the backup proxy is registered at 10.77.0.11:5062",
				"line 2 is unprovisioned", "line 3 is not registered at pbx.voice.home.arpa:5060: the phone says TRYING",
			}
			if got := r.Sentences(); !slices.Equal(got, want) {
				t.Errorf("found %q, wanted %q", got, want)
			}
			if want := []string{"line2_name", "proxy1_address"}; !slices.Equal(r.Unprovisioned, want) {
				t.Errorf("found %q unprovisioned, wanted %q", r.Unprovisioned, want)
			}
			for _, want := range []string{"> show register\n", "> show config\n", "time_zone           : CET\n", "phone_password      : " + telnet.Masked + "\n"} {
				if !strings.Contains(r.Output, want) {
					t.Errorf("%q is not in the output:\n%s", want, r.Output)
				}
			}
			if strings.Contains(r.Output, secret) || strings.Contains(r.Output, strings.TrimSpace(s.prompt)) {
				t.Errorf("a password or the prompt is in the output:\n%s", r.Output)
			}
		})
	}
}

func TestAskGoesOnWithPages(t *testing.T) {
	t.Parallel()
	r, err := telnet.Ask(t.Context(), serve(t, style{}, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		fmt.Fprint(conn, "SIP Phone> ")
		_, _ = in.ReadString('\n')
		fmt.Fprint(conn, "1 111 REGISTERED 10.77.0.10:5060\r\n--More--")
		if c, err := in.ReadByte(); c != ' ' || err != nil {
			return
		}
		fmt.Fprint(conn, "\r\n2 111 REGISTERED 10.77.0.10:5060\r\nSIP Phone> ")
		_, _ = in.ReadByte() // until the other side closes
	}), secret, "show register")
	if err != nil || len(r.Lines) != 2 || !r.Lines[0].Registered || !r.Lines[1].Registered || strings.Contains(r.Output, "More") {
		t.Errorf("found %+v, %v", r, err)
	}
}

func TestAskTakesAnErrorForAnAnswer(t *testing.T) {
	t.Parallel()
	s := plain()
	delete(s.answers, "show config")
	r, err := telnet.Ask(t.Context(), serve(t, s, nil), secret)
	if err != nil || len(r.Lines) != 4 || !strings.Contains(r.Output, "Unknown command: show config") {
		t.Errorf("found %+v, %v", r, err)
	}
	s.answers = nil
	r, err = telnet.Ask(t.Context(), serve(t, s, nil), secret)
	if err != nil || len(r.Lines) != 0 || len(r.Sentences()) != 1 || !strings.Contains(r.Sentences()[0], "no line") {
		t.Errorf("found %+v, %v", r, err)
	}
}

func TestAskKeepsWhatCameBeforeThePhoneHungUp(t *testing.T) {
	t.Parallel()
	r, err := telnet.Ask(t.Context(), serve(t, style{}, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		fmt.Fprint(conn, "SIP Phone> ")
		_, _ = in.ReadString('\n')
		fmt.Fprint(conn, "1 111 REGISTERED 10.77.0.10:5060\r\n")
	}), secret)
	if err != nil || len(r.Lines) != 1 {
		t.Errorf("found %+v, %v", r, err)
	}
}

func TestAskSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	off, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := off.Addr().(*net.TCPAddr).AddrPort()
	off.Close()
	wait := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	for name, p := range map[string]struct {
		to   netip.AddrPort
		want error
		text string
	}{
		"no telnet":                        {closed, telnet.ErrOff, "telnet_level"},
		"nothing said":                     {serve(t, style{}, wait), telnet.ErrSilent, "does not answer"},
		"the password is asked for again":  {serve(t, plain(), nil), telnet.ErrPassword, "phone_password"},
		"hung up at the password":          {serve(t, style{}, func(c net.Conn) { fmt.Fprint(c, "Password: "); _, _ = bufio.NewReader(c).ReadString('\n') }), telnet.ErrPassword, "closed"},
		"hung up at once":                  {serve(t, style{}, func(net.Conn) {}), nil, "closed"},
		"a computer":                       {serve(t, style{}, func(c net.Conn) { fmt.Fprint(c, "debian login: "); wait(c) }), nil, "user name"},
		"a prompt and then nothing at all": {serve(t, style{}, func(c net.Conn) { fmt.Fprint(c, "SIP Phone> "); wait(c) }), telnet.ErrSilent, "show register"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := telnet.Ask(t.Context(), p.to, "other-password")
			if err == nil || p.want != nil && !errors.Is(err, p.want) || !strings.Contains(err.Error(), p.text) {
				t.Fatalf("found %+v, %v, wanted %v and %q", r, err, p.want, p.text)
			}
			if strings.Contains(err.Error(), "other-password") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
	for _, bad := range []string{"show\r\nreset", "\x00"} {
		if _, err := telnet.Ask(t.Context(), closed, secret, bad); err == nil || errors.Is(err, telnet.ErrOff) {
			t.Errorf("%q is accepted: %v", bad, err)
		}
		if _, err := telnet.Ask(t.Context(), closed, bad); err == nil || errors.Is(err, telnet.ErrOff) {
			t.Errorf("the password %q is accepted: %v", bad, err)
		}
	}
}

func TestAskBoundsWhatItReads(t *testing.T) {
	t.Parallel()
	r, err := telnet.Ask(t.Context(), serve(t, style{}, func(conn net.Conn) {
		fmt.Fprint(conn, "SIP Phone> ")
		line := strings.Repeat("9 REGISTERED 10.77.0.10:5060 \xff\xfb\x01", 100) + "\r\n"
		for {
			if _, err := io.WriteString(conn, line); err != nil {
				return
			}
		}
	}), secret)
	if err != nil || len(r.Output) > telnet.MaxOutput+1000 || len(r.Lines) > 32 || !strings.Contains(r.Output, "more than 256 KB") {
		t.Errorf("found %d bytes and %d lines, %v", len(r.Output), len(r.Lines), err)
	}
}

func TestAskStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := telnet.Ask(ctx, serve(t, style{}, func(conn net.Conn) {
		fmt.Fprint(conn, "SIP Phone> ")
		_, _ = bufio.NewReader(conn).ReadString('\n')
		cancel()
		_, _ = io.Copy(io.Discard, conn)
	}), secret)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
