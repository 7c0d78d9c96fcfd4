package e2e_test

import (
	"crypto/tls"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"phonebox/services/testkit"
)

const (
	// nameServer is where the names of the world are asked for over TLS, and stranger another one there, whom an authority
	// signed that the image does not trust.
	nameServer = "tls://10.77.0.20#dns.example.net"
	stranger   = "tls://10.77.0.20:8853#dns.example.net"
	worldAddr  = "192.0.2.80" // what both say of every name
)

// encrypted is a name server that speaks TLS alone.
type encrypted struct {
	asked   atomic.Int64
	refused atomic.Int64 // connections that the other side broke off before it had asked
}

// serveEncrypted answers on a port of a host until the test ends.
func serveEncrypted(t *testing.T, n *testkit.Node, port string, cert tls.Certificate) *encrypted {
	t.Helper()
	ln := testkit.In(t, n, func() (net.Listener, error) { return net.Listen("tcp4", ":"+port) })
	e := &encrypted{}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"dot"}, MinVersion: tls.VersionTLS12}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go e.serve(tls.Server(conn, cfg))
		}
	}()
	return e
}

func (e *encrypted) serve(c *tls.Conn) {
	defer c.Close()
	conn := &dns.Conn{Conn: c}
	for first := true; ; first = false {
		q, err := conn.ReadMsg() // of the handshake, too, whose certificate the other side refuses only after ours is over
		if err != nil {
			if first {
				e.refused.Add(1)
			}
			return
		}
		e.asked.Add(1)
		answer := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			answer.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.ParseIP(worldAddr)}}
		}
		if conn.WriteMsg(answer) != nil {
			return
		}
	}
}

// askEncrypted lets the box ask for the names of the world over TLS: of a server that an authority signed which the image
// trusts, and of one whom nobody knows.
func (r *qemuRun) askEncrypted() {
	r.t.Helper()
	laptop := r.lan.Node("laptop")
	r.names = serveEncrypted(r.t, laptop, "853", imageAuthority(r.t).certificate(r.t, "dns.example.net"))
	liar := serveEncrypted(r.t, laptop, "8853", newAuthority(r.t).certificate(r.t, "dns.example.net"))
	r.upstream(stranger)
	testkit.Eventually(r.t, patience, "the box breaks off with a server that nobody knows", func() bool {
		if out, _ := laptop.Try(r.t, "dig", "@"+boxAddr, "+tries=1", "+time=5", "stranger.example.org"); strings.Contains(out, worldAddr) {
			r.t.Fatalf("the box believes a server whose certificate no authority of the image signed:\n%s", out)
		}
		return liar.refused.Load() > 0
	})
	if n := liar.asked.Load(); n > 0 {
		r.t.Errorf("a server that nobody knows was asked %d questions", n)
	}
	r.upstream(nameServer)
	r.namesOfTheWorld("first.example.org")
}

// upstream makes one name server the only one.
func (r *qemuRun) upstream(server string) {
	r.t.Helper()
	text, _ := r.box.site()
	before, rest, ok := strings.Cut(string(text), "\n[dns]\n")
	if !ok {
		r.t.Fatalf("the settings have no [dns]:\n%s", text)
	}
	rest = regexp.MustCompile(`(?m)\A((?:[a-z].*\n)*?)upstream *=.*\n`).ReplaceAllString(rest, "$1")
	if code, answer := r.putSite([]byte(before + "\n[dns]\nupstream = [\"" + server + "\"]\n" + rest)); code != 204 {
		r.t.Fatalf("asking %s: found %d: %+v", server, code, answer)
	}
}

// namesOfTheWorld asks the box for a name that it does not know, and wants that it asked encrypted.
func (r *qemuRun) namesOfTheWorld(name string) {
	r.t.Helper()
	before := r.names.asked.Load()
	testkit.Eventually(r.t, patience, name+" is found", func() bool {
		out, _ := r.lan.Node("laptop").Try(r.t, "dig", "@"+boxAddr, "+short", "+tries=1", "+time=5", name)
		return strings.TrimSpace(out) == worldAddr
	})
	if r.names.asked.Load() == before {
		r.t.Errorf("%s was found, and the server was not asked", name)
	}
}
