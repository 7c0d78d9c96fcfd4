package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// TestDigestOfTheRFCs holds the examples of RFC 2617 section 3.5 (which RFC 7616 section 3.9.1 has with new values).
func TestDigestOfTheRFCs(t *testing.T) {
	t.Parallel()
	old := credentials{
		challenge: challenge{realm: "testrealm@host.com", nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque: "5ccc069c403ebaf9f0171e9517f40e41", qop: "auth"},
		user:      "Mufasa", password: "Circle Of Life", cnonce: "0a4f113b",
	}
	if got := old.answer("GET", "/dir/index.html"); !strings.Contains(got, `response="6629fae49393a05397450978507c4ef1"`) {
		t.Errorf("RFC 2617: %s", got)
	}
	for algorithm, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		c := credentials{
			challenge: challenge{
				realm: "http-auth@example.org", nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
				opaque: "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", qop: "auth", algorithm: algorithm,
			},
			user: "Mufasa", password: "Circle of Life", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
		}
		if got := c.answer("GET", "/dir/index.html"); !strings.Contains(got, `response="`+want+`"`) {
			t.Errorf("RFC 7616, %s: %s", algorithm, got)
		}
		if got := c.answer("GET", "/dir/index.html"); !strings.Contains(got, "nc=00000002") || strings.Contains(got, want) {
			t.Errorf("the second use of a nonce: %s", got)
		}
	}
}

func TestAPasswordIsHashedInThePhonesBytes(t *testing.T) {
	t.Parallel()
	if got := latin1("caf\u00e9"); got != "caf\xe9" {
		t.Errorf("found %q", got)
	}
	if got := latin1("\u20ac"); got != "\u20ac" {
		t.Errorf("found %q", got)
	}
}

// FuzzChallenge reads what a proxy may ask with. Whatever is answered can be answered: the algorithm is known, there is a
// nonce, and the answer repeats realm and nonce in one line that reads back.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{
		`Digest realm="pbx", nonce="n1", qop="auth"`, `Digest realm = "a\"b" ,nonce= n2, stale=true,algorithm=MD5-sess,qop="auth-int,auth"`,
		`Basic realm="x", Digest realm="a,b", nonce="c=d", opaque="", algorithm=sha-256`, `Digest`, `Digest realm="`, `,,,=,="`, "Digest nonce=\"\\",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n\x00") {
			return // no header has them
		}
		ch, err := readChallenges([]string{s, s})
		if err != nil {
			if ch != (challenge{}) || len(err.Error()) > 300 {
				t.Errorf("%q: %+v beside %v", s, ch, err)
			}
			return
		}
		if ch.nonce == "" || ch.qop != "" && ch.qop != "auth" {
			t.Errorf("%q is read as %+v", s, ch)
		}
		key := credentials{challenge: ch, user: `2"08`, password: "secret", cnonce: "c"}
		answer := key.answer("REGISTER", "sip:pbx")
		back := splitChallenges(answer)
		if len(back) != 1 || back[0]["nonce"] != ch.nonce || back[0]["realm"] != ch.realm || back[0]["uri"] != "sip:pbx" || strings.Contains(answer, "secret\"") {
			t.Errorf("%q is answered with %q", s, answer)
		}
	})
}

// FuzzBindings reads Contact headers: bounded, of what stands there, and a list that we write reads back.
func FuzzBindings(f *testing.F) {
	f.Add(`"A, \"b\"" <sip:208@10.0.0.1;x=1,2>;q=0.1;expires=60, sip:209@h;expires="5"`, "208", uint32(60))
	f.Add(`*`, "a", uint32(0))
	f.Add(`<<<,>,";`, "x.y", uint32(1<<31))
	f.Fuzz(func(t *testing.T, header, user string, expires uint32) {
		res := sip.NewResponse(200, "OK")
		res.AppendHeader(sip.NewHeader("m", header))
		for _, b := range bindings(res) {
			if b.uri == "" || !strings.Contains(header, b.uri) || b.expires > time.Duration(1<<32)*time.Second {
				t.Errorf("%q holds %+v", header, b)
			}
			_, _ = userOf(b.uri), hostOf(b.uri)
		}
		if n := len(bindings(res)); n > maxBindings {
			t.Errorf("%q holds %d", header, n)
		}
		user = escapeUser(user)
		res = sip.NewResponse(200, "OK")
		for range 2 {
			res.AppendHeader(sip.NewHeader("Contact", fmt.Sprintf(`"x;,<" <sip:%s@192.0.2.1:5060;ob>;expires=%d, <sip:h>`, user, expires)))
		}
		got := bindings(res)
		if len(got) != 4 || got[2].expires != time.Duration(expires)*time.Second || got[3].expires >= 0 || hostOf(got[0].uri) != "192.0.2.1:5060" ||
			userOf(got[0].uri) != user || userOf(got[1].uri) != "" {
			t.Errorf("%q and %d are read as %+v", user, expires, got)
		}
	})
}
