package sip_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/services/sip"
)

func TestCheckServerSaysWhetherItIsThere(t *testing.T) {
	t.Parallel()
	c := runWith(t, config(), nil)
	for name, p := range map[string]struct {
		code int
		more []string
		want sip.VerdictKind
		text string
	}{
		"it knows us":            {200, []string{"Server: Asterisk PBX 18"}, sip.VerdictAnswers, "calls itself Asterisk PBX 18"},
		"it knows us not":        {404, nil, sip.VerdictAnswers, "answers."},
		"it takes no OPTIONS":    {405, []string{"User-Agent: FPBX-16"}, sip.VerdictAnswers, "FPBX-16"},
		"it wants a password":    {401, []string{digest}, sip.VerdictAnswers, "answers."},
		"it has trouble":         {503, nil, sip.VerdictAnswers, "answers."},
		"it says nothing at all": {0, nil, sip.VerdictSilent, "does not answer: it is off"},
	} {
		asked := make(chan request, 100)
		to := device(t, "127.0.0.3", func(conn *net.UDPConn, r request, _ int) {
			asked <- r
			if p.code != 0 {
				_, _ = conn.WriteToUDPAddrPort(r.answer(p.code, p.more...), r.from)
			}
		})
		v := c.CheckServer(t.Context(), to.Address.Addr().String(), to.Address.Port())
		if v.Kind != p.want || !strings.Contains(v.Text, p.text) || !strings.Contains(v.Text, to.Address.Addr().String()) || v.OK() != (p.want == sip.VerdictAnswers) || v.Code != p.code {
			t.Errorf("%s: found %+v, wanted %s and %q", name, v, p.want, p.text)
		}
		got := <-asked
		if first := strings.SplitN(got.text, "\r\n", 2)[0]; p.code == 200 && (!strings.HasPrefix(first, "OPTIONS sip:"+to.Address.String()) || !strings.Contains(got.header("Via"), ";rport")) {
			t.Errorf("%s: it asked %q with Via %q", name, first, got.header("Via"))
		}
	}
}

func TestCheckServerSaysWhatIsWrongWithAName(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Timeout = 200 * time.Millisecond
	c := runWith(t, cfg, nowhere{})
	for host, want := range map[string]sip.VerdictKind{
		"": sip.VerdictNotConfigured, "pbx.example": sip.VerdictNotFound, "http://pbx.example/": sip.VerdictNotConfigured, "2001:db8::1": sip.VerdictNotConfigured,
		"two words": sip.VerdictNotConfigured, "USECALLMANAGER": sip.VerdictNotRegistrable, strings.Repeat("x", 5000): sip.VerdictNotFound,
	} {
		v := c.CheckServer(t.Context(), host, 0)
		if v.Kind != want || v.OK() || v.Text == "" || len(v.Text) > 400 || len(v.Asked) != 0 {
			t.Errorf("%.30q: found %+v, wanted %s", host, v, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v := c.CheckServer(ctx, "127.0.0.9", 5060); v.OK() {
		t.Errorf("with nobody waiting: %+v", v)
	}
}

// nowhere knows no name.
type nowhere struct{}

func (nowhere) LookupSRV(_ context.Context, _, _, name string) (string, []*net.SRV, error) {
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (nowhere) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
