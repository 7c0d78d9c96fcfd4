package dns_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"phonebox/services/dns"
)

// A client that asks over TCP and does not read what it gets loses its connection: otherwise a few of them would hold all
// that may be open, for as long as they like.
func TestAClientThatDoesNotReadLosesItsConnection(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		resp := new(mdns.Msg).SetReply(q)
		if w.RemoteAddr().Network() == "udp" {
			resp.Truncated = true
		} else {
			for i := range 230 {
				resp.Answer = append(resp.Answer, &mdns.TXT{
					Hdr: mdns.RR_Header{Name: q.Question[0].Name, Rrtype: mdns.TypeTXT, Class: mdns.ClassINET, Ttl: 60},
					Txt: []string{strings.Repeat(string(rune('a'+i%26)), 250)},
				})
			}
		}
		_ = w.WriteMsg(resp)
	})
	b := start(t, withUpstream(up.addr))
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// More than what the kernels of both ends take.
	if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	conn := &mdns.Conn{Conn: c}
	for range 127 {
		if err := conn.WriteMsg(question("large.example.", mdns.TypeTXT)); err != nil {
			t.Fatal(err)
		}
	}
	b.event(func(e dns.Event) bool {
		return e.Kind == dns.EventDropped && strings.Contains(e.Reason, "could not be sent")
	})
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if _, err := io.Copy(io.Discard, c); errors.As(err, &ne) && ne.Timeout() {
		t.Errorf("the connection is still open: %v", err)
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	dropped := 0
	for _, e := range b.events {
		if e.Kind == dns.EventDropped {
			dropped++
		}
	}
	if dropped != 1 {
		t.Errorf("%d answers were tried in vain, want one", dropped)
	}
}
