package phonesim_test

import (
	"bufio"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// terminal is a person at a telnet client.
type terminal struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, p *phonesim.Phone) *terminal {
	t.Helper()
	var at netip.AddrPort
	testkit.Eventually(t, 20*time.Second, "the phone has a command line", func() bool {
		at = p.Result().Telnet
		return at.IsValid()
	})
	conn, err := net.Dial("tcp4", at.String())
	if err != nil {
		t.Fatal(err)
	}
	return newTerminal(t, conn)
}

func newTerminal(t *testing.T, conn net.Conn) *terminal {
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return &terminal{t, conn, bufio.NewReader(conn)}
}

// until reads up to the text.
func (c *terminal) until(text string) string {
	c.t.Helper()
	var got []byte
	for !strings.HasSuffix(string(got), text) {
		b, err := c.in.ReadByte()
		if err != nil {
			c.t.Fatalf("waiting for %q after %q: %v", text, got, err)
		}
		got = append(got, b)
	}
	return string(got)
}

func (c *terminal) say(line string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(line)); err != nil {
		c.t.Fatal(err)
	}
}

func TestTheCommandLine(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.stock(v8)
	o.name("", v8, v8)
	o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: unicast\ntelnet_level: 1\nphone_prompt: \"Front desk\"\nphone_password: \"open sesame\"\nline1_name: 208\n"+
		"line1_password: \"very secret\"\nproxy1_address: 127.0.0.1\nproxy_register: 0\n")
	p, end := start(t, o, phonesim.Config{Model: "7940"})
	<-p.Done()
	c := dial(t, p)
	c.until("Password: ")
	c.say("cisco\r\n")
	c.until("Password: ")
	c.say("\xFF\xFD\x01open sesamee\b\r\x00") // IAC DO ECHO, a backspace, CR NUL
	c.until("Front desk> ")
	c.say("sh reg\r\n")
	out := c.until("Front desk> ")
	for _, want := range []string{"line  APR  state", "Proxy Registration: DISABLED, state: NONE", "\r\n1 ", "\r\n2 ", "undefined:0"} {
		if !strings.Contains(out, want) {
			t.Errorf("show register lacks %q: %q", want, out)
		}
	}
	if strings.Contains(out, "\r\n3 ") {
		t.Errorf("a 7940 has two lines: %q", out)
	}
	c.say("SHOW CONF\n")
	out = c.until("Front desk> ")
	if !strings.Contains(out, "line1_name              : 208\r\n") || !strings.Contains(out, "proxy1_address") || strings.Contains(out, "secret") || strings.Contains(out, "sesame") {
		t.Errorf("show config: %q", out)
	}
	c.say("sh st\r\n")
	if out = c.until("Front desk> "); !strings.Contains(out, v8) {
		t.Errorf("show status: %q", out)
	}
	c.say("re\r\n")
	if out = c.until("Front desk> "); !strings.Contains(out, "ambiguous command: register, reset") {
		t.Errorf("an ambiguous command: %q", out)
	}
	c.say("fly\r\n\r\n")
	if out = c.until("Front desk> Front desk> "); !strings.Contains(out, "unknown command, allowed is one of: show register") {
		t.Errorf("an unknown command: %q", out)
	}
	c.say("reset\r\n")
	c.until("Resetting\r\n")
	testkit.Eventually(t, 20*time.Second, "the phone booted again", func() bool { return p.Result().Boots == 2 })
	wantClean(t, end(), phonesim.OutcomeReady)
}

func TestTheCommandLineShowsWhatIsRegistered(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	g := &registrar{passwords: map[string]string{"208": "x"}, expires: 3600}
	at := g.serve(o)
	o.stock(v8)
	o.name("", v8, v8)
	o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: unicast\ntelnet_level: 2\nline1_name: 208\nline1_authname: 208\nline1_password: x\nline2_name: 209\n"+
		"proxy_register: 1\nproxy1_address: \""+at.Addr().String()+"\"\nproxy1_port: "+at.String()[strings.IndexByte(at.String(), ':')+1:]+"\n")
	p, _ := start(t, o, phonesim.Config{})
	<-p.Done()
	c := dial(t, p)
	c.until("Password: ")
	c.say("cisco\r\n")
	c.until("SIP Phone> ")
	c.say("show register\r\n")
	out := c.until("SIP Phone> ")
	lines := strings.Split(out, "\r\n")
	if !strings.Contains(out, "ENABLED, state: REGISTERED") || !strings.HasPrefix(lines[4], "1     111  REGISTERED ") || !strings.HasSuffix(lines[4], at.String()) {
		t.Errorf("found %q", out)
	}
	if got := strings.Fields(lines[5]); len(got) < 3 || got[0] != "2" || got[2] != "REGISTERED" { // the password of line 1 stands in
		t.Errorf("found %q", lines[5])
	}
	p.Cut() // it is gone at once
	if _, err := c.in.ReadByte(); err == nil {
		t.Error("the session goes on without power")
	}
}

func TestTelnetIsOffUnlessItIsSwitchedOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.stock(v8)
	o.name("", v8, v8)
	p, end := start(t, o, phonesim.Config{})
	<-p.Done()
	wantClean(t, end(), phonesim.OutcomeReady)
	if at := p.Result().Telnet; at.IsValid() {
		t.Errorf("the phone listens at %s", at)
	}
}
