package phonesim_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// registrar is a proxy with passwords, made by hand for these tests.
type registrar struct {
	mu        sync.Mutex
	passwords map[string]string // by user
	expires   int               // that it grants
	proxy     bool              // it asks with 407
	qop       string
	requests  []string
	nonce     int
}

func sum(parts ...string) string {
	h := md5.Sum([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(h[:])
}

// serve answers until the test ends and returns where.
func (g *registrar) serve(o *office) netip.AddrPort {
	c := o.listen()
	go func() {
		buf := make([]byte, 4000)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort([]byte(g.answer(string(buf[:n]))), from)
		}
	}()
	return netip.AddrPortFrom(o.Server, portOf(c.LocalAddr()))
}

// answer wants credentials of each REGISTER, with a nonce that is good once.
func (g *registrar) answer(request string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = append(g.requests, request)
	headers := map[string]string{}
	common := ""
	for _, l := range strings.Split(request, "\r\n")[1:] {
		name, value, _ := strings.Cut(l, ": ")
		headers[name] = value
		if strings.Contains("Via From To Call-ID CSeq", name) && name != "" {
			common += l + "\r\n"
		}
	}
	status, ask, carry := "401 Unauthorized", "WWW-Authenticate", "Authorization"
	if g.proxy {
		status, ask, carry = "407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"
	}
	given := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(headers[carry], "Digest "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		given[name] = strings.Trim(value, `"`)
	}
	ha1 := sum(given["username"], "a realm", g.passwords[given["username"]])
	ha2 := sum("REGISTER", given["uri"])
	want := sum(ha1, given["nonce"], ha2)
	if g.qop != "" {
		want = sum(ha1, given["nonce"], given["nc"], given["cnonce"], "auth", ha2)
	}
	good := given["nonce"] == "n"+strconv.Itoa(g.nonce)
	g.nonce++
	switch {
	case good && given["response"] == want && given["opaque"] == "o":
		return "SIP/2.0 200 OK\r\n" + common + "Contact: <sip:else@192.0.2.1>;expires=77," + headers["Contact"] + ";expires=" + strconv.Itoa(g.expires) +
			"\r\nExpires: 99\r\nContent-Length: 0\r\n\r\n"
	case good:
		return "SIP/2.0 403 Forbidden\r\n" + common + "Content-Length: 0\r\n\r\n"
	}
	qop := ""
	if g.qop != "" {
		qop = `, qop="` + g.qop + `"`
	}
	return "SIP/2.0 " + status + "\r\n" + common + ask + `: Digest realm="a realm", nonce="n` + strconv.Itoa(g.nonce) + `", algorithm=MD5, opaque="o"` + qop +
		"\r\nContent-Length: 0\r\n\r\n"
}

func TestEveryLineRegistersWithItsPasswordAndRenews(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		proxy bool
		qop   string
	}{{"at a registrar of RFC 2069", false, ""}, {"at a proxy with qop", true, "auth-int,auth"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			g := &registrar{passwords: map[string]string{"208": "sip one", "box": "two"}, expires: 2, proxy: c.proxy, qop: c.qop}
			at := g.serve(o)
			o.stock(v8)
			o.name("", v8, v8)
			o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: unicast\nproxy_register: 1\nproxy1_address: "+at.Addr().String()+"\nproxy1_port: "+strconv.Itoa(int(at.Port()))+
				"\nline1_name: 208\nline1_authname: 208\nline1_password: \"sip one\"\nline2_name: 209\nline2_authname: box\nline2_password: two\n"+
				"line3_name: 210\nline3_authname: box\nline3_password: wrong\nuser_info: phone\n")
			p, end := start(t, o, phonesim.Config{State: phonesim.StateSIP})
			<-p.Done()
			testkit.Eventually(t, 20*time.Second, "both lines are renewed", func() bool {
				r := p.Result().Registrations
				return len(r) == 3 && r[0].Granted > 1 && r[1].Granted > 1
			})
			r := p.Result()
			for i, want := range []int{200, 200, 403} {
				if l := r.Registrations[i]; l.Code != want || l.Line != i+1 || l.Proxy != at.String() || want == 200 && l.Expires != 2 {
					t.Errorf("found %+v, wanted %d", l, want)
				}
			}
			if r.RegisterCode != 200 || r.Registrations[2].Registered() {
				t.Errorf("found %d and %+v", r.RegisterCode, r.Registrations)
			}
			wantClean(t, end(), phonesim.OutcomeReady)
			g.mu.Lock()
			defer g.mu.Unlock()
			if first := g.requests[0]; !strings.Contains(first, "User-Agent: Cisco-CP7960G/8.0\r\n") || !strings.Contains(first, ";user=phone>") ||
				!strings.Contains(first, "Expires: 3600\r\n") || strings.Contains(first, "uthorization") {
				t.Errorf("the first request is %q", first)
			}
			for _, request := range g.requests {
				if bytes.Contains([]byte(request), []byte("sip one")) {
					t.Errorf("a password went over the wire: %q", request)
				}
			}
		})
	}
}
