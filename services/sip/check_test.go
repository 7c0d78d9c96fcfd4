package sip_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/services/sip"
	"phonebox/services/testkit"
)

const digest = `WWW-Authenticate: Digest realm="pbx", nonce="n1", qop="auth"`

// registrar answers each REGISTER with what say returns: a code and headers; code 0 = no answer.
func registrar(t *testing.T, say func(r request) (code int, headers []string)) sip.Account {
	t.Helper()
	to := device(t, "127.0.0.2", func(c *net.UDPConn, r request, _ int) {
		if code, headers := say(r); code != 0 {
			_, _ = c.WriteToUDPAddrPort(r.answer(code, headers...), r.from)
		}
	})
	return sip.Account{Name: "208", Password: secret, Proxy: to.Address.Addr().String(), Port: to.Address.Port()}
}

// asks is a registrar's first answer to whoever brings no password; then goes to answer.
func asks(answer func(r request) (int, []string)) func(r request) (int, []string) {
	return func(r request) (int, []string) {
		if r.header("Authorization") == "" {
			return 401, []string{digest}
		}
		return answer(r)
	}
}

// always answers everything so.
func always(code int, headers ...string) func(request) (int, []string) {
	return func(request) (int, []string) { return code, headers }
}

func TestCheckLineSaysWhatTheRegistrarMeans(t *testing.T) {
	t.Parallel()
	cfg := config()
	c := runWith(t, cfg, nil)
	for name, p := range map[string]struct {
		say  func(r request) (int, []string)
		want sip.VerdictKind
		text string
	}{
		"no password wanted":            {always(200), sip.VerdictRight, "without asking for a password"},
		"elsewhere":                     {always(302, "Contact: <sip:other.example:5070>"), sip.VerdictRedirected, "other.example:5070"},
		"no registrar":                  {always(405), sip.VerdictNotRegistrable, "405"},
		"a server that knows no method": {always(501), sip.VerdictNotRegistrable, "501"},
		"forbidden before the password": {always(403), sip.VerdictRefused, "403"},
		"forbidden with the password":   {asks(always(403)), sip.VerdictWrong, "authname 208"},
		"trouble":                       {always(503), sip.VerdictRefused, "trouble of its own"},
		"too long an interval":          {always(423, "Min-Expires: 86400"), sip.VerdictRefused, "423"},
		"only 100":                      {always(100), sip.VerdictSilent, "does not answer"},
		"another algorithm":             {always(401, `WWW-Authenticate: Digest realm="pbx", nonce="n1", algorithm=SHA-512-256`), sip.VerdictRefused, "SHA-512-256"},
		"another quality of protection": {always(401, `WWW-Authenticate: Digest realm="pbx", nonce="n1", qop="auth-int"`), sip.VerdictRefused, "auth-int"},
		"another scheme":                {always(401, `WWW-Authenticate: Basic realm="pbx"`), sip.VerdictRefused, "no Digest"},
		"401 without a challenge":       {always(401), sip.VerdictRefused, "no Digest"},
		"a nonce that is always stale": {
			always(401, `WWW-Authenticate: Digest realm="pbx", nonce="n1", stale=TRUE`),
			sip.VerdictRefused, "stale",
		},
	} {
		v := c.CheckLine(t.Context(), registrar(t, p.say))
		safe(t, v)
		if v.Kind != p.want || !strings.Contains(v.Text, p.text) || v.OK() != (p.want == sip.VerdictRight) {
			t.Errorf("%s: found %+v, wanted %s and %q", name, v, p.want, p.text)
		}
	}
}

func TestCheckLineAnswersEveryKindOfChallenge(t *testing.T) {
	t.Parallel()
	c := runWith(t, config(), nil)
	for name, p := range map[string]struct {
		say  func(r request) (int, []string)
		want string // in the Authorization that was accepted last
	}{
		"a nonce that is stale once": {func(r request) (int, []string) {
			switch auth := r.header("Authorization"); {
			case auth == "":
				return 401, []string{digest}
			case strings.Contains(auth, `nonce="n1"`):
				return 401, []string{`WWW-Authenticate: Digest realm="pbx", nonce="n2", stale="true"`}
			}
			return 200, nil
		}, `nonce="n2"`},
		"a proxy and a registrar": {func(r request) (int, []string) {
			switch {
			case r.header("Proxy-Authorization") == "":
				return 407, []string{`Proxy-Authenticate: Digest realm="edge", nonce="e1"`}
			case r.header("Authorization") == "":
				return 401, []string{digest}
			}
			return 200, nil
		}, `realm="pbx"`},
		"a new nonce for each request": {func() func(r request) (int, []string) {
			last := "" // a REGISTER that brings the nonce of another one is asked anew
			return func(r request) (int, []string) {
				now := r.header("Contact")
				if r.header("Authorization") != "" && now == last {
					return 200, nil
				}
				last = now
				return 401, []string{digest}
			}
		}(), `nonce="n1"`},
		"MD5 among others, in one header": {asksWith(`Basic realm="x", Digest realm="pbx", nonce="s", algorithm=SHA-256, qop="auth", Digest realm="pbx", nonce="m", algorithm=md5`), `nonce="m"`},
		"MD5-sess":                        {asksWith(`Digest realm="pbx", nonce="m", algorithm=MD5-sess, qop="auth"`), `algorithm=MD5-sess`},
		"several kinds of protection":     {asksWith(`Digest realm="pbx", nonce="m", qop="auth-int, auth"`), `qop=auth,`},
	} {
		var mu sync.Mutex
		accepted := ""
		v := c.CheckLine(t.Context(), registrar(t, func(r request) (int, []string) {
			mu.Lock()
			defer mu.Unlock()
			code, headers := p.say(r)
			if code == 200 {
				accepted = r.header("Authorization")
			}
			return code, headers
		}))
		safe(t, v)
		mu.Lock()
		if !v.OK() || !v.Challenged || !strings.Contains(accepted+",", p.want) {
			t.Errorf("%s: found %+v with %q, wanted %q in it", name, v, accepted, p.want)
		}
		mu.Unlock()
	}
}

// asksWith asks with that challenge once.
func asksWith(challenge string) func(r request) (int, []string) {
	return func(r request) (int, []string) {
		if r.header("Authorization") == "" {
			return 401, []string{"WWW-Authenticate: " + challenge}
		}
		return 200, nil
	}
}

// place is a registrar with one place for each line, which it gives to the last comer, and which lists nothing to a
// REGISTER without Contact. It writes another host into a Contact.
type place struct {
	mu    sync.Mutex
	holds string
	deaf  bool // to a REGISTER that takes back
	keeps bool // what is taken back
	came  int  // how often something was registered
}

func (p *place) say(r request) (int, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	contact := strings.Replace(r.header("Contact"), "127.0.0.1", "192.0.2.7", 1)
	switch {
	case contact == "":
		return 400, nil
	case strings.HasSuffix(contact, "expires=0"):
		if p.deaf {
			return 0, nil
		}
		if !p.keeps {
			p.holds = ""
		}
	default:
		p.holds = contact
		p.came++
	}
	if p.holds == "" {
		return 200, nil
	}
	return 200, []string{"m: " + p.holds}
}

func TestCheckLineTakesItsRegistrationBack(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Timeout = 3 * time.Second // time for a registrar on a busy machine
	c := runWith(t, cfg, nil)
	for name, p := range map[string]*place{"gone": {}, "not answered": {deaf: true}, "kept": {keeps: true}} {
		v := c.CheckLine(t.Context(), registrar(t, asks(p.say)))
		safe(t, v)
		left := p.deaf || p.keeps
		p.mu.Lock()
		if !v.OK() || v.Others != 0 || p.came != 1 || v.Left != left || (p.holds != "") != left || (v.Expires != 0) != left {
			t.Errorf("%s: found %+v, and %q is registered", name, v, p.holds)
		}
		p.mu.Unlock()
		if left && !strings.Contains(v.Text, "ends by itself within 1m0s") {
			t.Errorf("%s: the sentence does not tell of it: %s", name, v.Text)
		}
		if !strings.Contains(v.NAT, "192.0.2.7:") {
			t.Errorf("%s: the Contact was written anew, found NAT %q", name, v.NAT)
		}
	}
}

func TestCheckLineStopsWithItsContext(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Timeout = time.Hour
	c := runWith(t, cfg, nil)
	ctx, cancel := context.WithCancel(t.Context())
	back := make(chan struct{}, 100)
	v := c.CheckLine(ctx, registrar(t, asks(func(r request) (int, []string) {
		switch {
		case strings.HasSuffix(r.header("Contact"), "expires=0"):
			back <- struct{}{}
		case r.header("Contact") != "":
			cancel()
			return 0, nil
		}
		return 200, nil
	})))
	safe(t, v)
	if v.Kind != sip.VerdictFailed || v.Left || len(back) != 1 {
		t.Errorf("found %+v, taken back %d times", v, len(back))
	}
}

func TestCheckLineGoesOnToTheNextServer(t *testing.T) {
	t.Parallel()
	silent := device(t, "127.0.0.2", func(*net.UDPConn, request, int) {})
	good := registrar(t, asks(always(200)))
	c := runWith(t, config(), both{first: silent.Address, second: netip.AddrPortFrom(netip.MustParseAddr(good.Proxy), good.Port)})
	v := c.CheckLine(t.Context(), sip.Account{Name: "208", Password: secret, Proxy: "voice.test"})
	safe(t, v)
	if !v.OK() || len(v.Asked) != 2 || v.Asked[0] != silent.Address || v.Asked[1].Port() != good.Port {
		t.Errorf("found %+v", v)
	}
}

// both is a resolver with two servers for every name.
type both struct{ first, second netip.AddrPort }

func (b both) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if service != "sip" || proto != "udp" || name != "voice.test." {
		return "", nil, fmt.Errorf("asked for %s %s %s", service, proto, name)
	}
	return name, []*net.SRV{{Target: "first.", Port: b.first.Port()}, {Target: "second.", Port: b.second.Port()}}, nil
}

func (b both) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if host == "first." {
		return []netip.Addr{b.first.Addr()}, nil
	}
	return []netip.Addr{b.second.Addr()}, nil
}

func TestCheckLineSaysWhatALineLacks(t *testing.T) {
	t.Parallel()
	c := runWith(t, config(), nil)
	for name, p := range map[string]struct {
		account sip.Account
		want    sip.VerdictKind
	}{
		"no name":            {sip.Account{Name: "UNPROVISIONED", Proxy: "127.0.0.2"}, sip.VerdictNotConfigured},
		"no proxy":           {sip.Account{Name: "208", Proxy: "unprovisioned"}, sip.VerdictNotConfigured},
		"an IPv6 proxy":      {sip.Account{Name: "208", Proxy: "fd00::1"}, sip.VerdictNotConfigured},
		"a proxy with blank": {sip.Account{Name: "208", Proxy: "10.77.0.1 \r\nX: y"}, sip.VerdictNotConfigured},
		"a line end":         {sip.Account{Name: "208", Password: secret + "\r\n", Proxy: "127.0.0.2"}, sip.VerdictNotConfigured},
		"CallManager":        {sip.Account{Name: "208", Proxy: "USECALLMANAGER"}, sip.VerdictNotRegistrable},
		"an outbound port":   {sip.Account{Name: "208", Proxy: "127.0.0.2", Outbound: "127.0.0.2:zero"}, sip.VerdictNotFound},
		"no resolver":        {sip.Account{Name: "208", Proxy: "pbx.voice.test"}, sip.VerdictNotFound},
	} {
		v := c.CheckLine(t.Context(), p.account)
		safe(t, v)
		if v.Kind != p.want || len(v.Asked) != 0 || v.Others != -1 {
			t.Errorf("%s: found %+v, wanted %s", name, v, p.want)
		}
	}
	c.stop()
	if v := c.CheckLine(t.Context(), sip.Account{Name: "208", Proxy: "127.0.0.2"}); v.Kind != sip.VerdictFailed {
		t.Errorf("a stopped client: %+v", v)
	}
}

func TestSIPpVerifiesOurPassword(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "sipp")
	for password, want := range map[string]sip.VerdictKind{secret: sip.VerdictRight, "wrong": sip.VerdictWrong} {
		at := ownAddress().String()
		var out bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "sipp", "-sf", "testdata/registrar.xml", "-i", at, "-p", "5060",
			"-m", "1", "-nostdin", "-timeout", "30s", "-timeout_error")
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		c := checker(t, nil)
		var v sip.Verdict
		testkit.Eventually(t, limit, "sipp answers", func() bool {
			v = c.CheckLine(t.Context(), sip.Account{Name: "208", Password: password, Proxy: at})
			return v.Kind != sip.VerdictSilent // while sipp starts
		})
		safe(t, v)
		if v.Kind != want || want == sip.VerdictRight && v.Others != 1 {
			t.Errorf("found %+v, wanted %s", v, want)
		}
		if err := <-ended; err != nil {
			t.Errorf("sipp: %v\n%s", err, out.String())
		}
	}
}

// TestCheckLineWritesWhatRegistrarsExpect pins the whole REGISTER.
func TestCheckLineWritesWhatRegistrarsExpect(t *testing.T) {
	t.Parallel()
	c := runWith(t, config(), nil)
	got := make(chan string, 10)
	a := registrar(t, asks(func(r request) (int, []string) { got <- r.text; return 200, nil }))
	if v := c.CheckLine(t.Context(), a); !v.OK() {
		t.Fatalf("found %+v", v)
	}
	<-got // the list
	uri := fmt.Sprintf("sip:%s:%d", a.Proxy, a.Port)
	want := strings.Join([]string{
		"REGISTER " + uri + " SIP/2.0",
		"Via: SIP/2.0/UDP " + c.Addr().String() + ";branch=z9hG4bK*;rport",
		"Max-Forwards: 70",
		"From: <" + strings.Replace(uri, "sip:", "sip:208@", 1) + ">;tag=*",
		"To: <" + strings.Replace(uri, "sip:", "sip:208@", 1) + ">",
		"Call-ID: *@127.0.0.1",
		"CSeq: 3 REGISTER",
		"User-Agent: phonebox",
		"Contact: <sip:phonebox-check-*@" + c.Addr().String() + ">;expires=60",
		"Expires: 60",
		`Authorization: Digest username="208", realm="pbx", nonce="n1", uri="` + uri + `", response="*", cnonce="*", qop=auth, nc=00000002`,
		"Content-Length: 0",
		"", "",
	}, "\r\n")
	text := regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{16}|\b[0-9a-f]{12}\b`).ReplaceAllString(<-got, "*")
	if text != want {
		t.Errorf("sent\n%s\nwant\n%s", text, want)
	}
}
