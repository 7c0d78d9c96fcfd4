package telnet

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReport reads what a phone may print. The report is bounded and of what stands there, and a password that stands
// behind its parameter's name, or alone on the line below, or was typed, is never in it.
func FuzzReport(f *testing.F) {
	f.Add("line  APR  state  timer  expires  proxy:port\n1 111 REGISTERED 3600 2850 10.77.0.10:5060\n", "2-BU .1. NONE 0 0 undefined:0\n")
	f.Add("Line 1: Not registered\n Proxy 10.0.0.1:5060\nW350 unprovisioned proxy1_address\n", "phone_password\n\n\n")
	f.Add("line1_password=\n", "line1_name : \"UNPROVISIONED\"\nline2_password: UNPROVISIONED")
	f.Add("|1|", "99999999999999999999 REGISTERED")
	f.Fuzz(func(t *testing.T, before, after string) {
		const key, typed = "Zq7-key/of.line", "Zq8typed"
		if strings.Contains(before+after, "Zq") || len(before)+len(after) > MaxOutput {
			return
		}
		for _, planted := range []string{
			"line1_password : " + key, "phone_password=\"" + key + "\"", "LINE2_PASSWORD\n   " + key, "Password: " + key, typed,
		} {
			text := before + "\n" + planted + "\n" + after
			r := report([]answer{{"show register", text}, {"show config", text}}, typed, false)
			all := r.Output
			for _, l := range r.Lines {
				all += "\n" + l.Raw + "\n" + l.State
				if l.Line < 1 || l.Line > 99 || l.State == "" || !strings.Contains(text, l.Proxy) || l.Registered && l.State != "REGISTERED" {
					t.Errorf("%q is read as %+v", text, l)
				}
			}
			if strings.Contains(all+strings.Join(r.Unprovisioned, "\n"), key) || strings.Contains(all, typed) {
				t.Errorf("a password is in the report of %q:\n%s", text, all)
			}
			if len(r.Lines) > maxLines || len(r.Unprovisioned) > maxUnprovisioned || len(r.Output) > 3*len(text)+16*strings.Count(text, "\n")+100 {
				t.Errorf("%d lines, %d parameters, %d bytes of %d", len(r.Lines), len(r.Unprovisioned), len(r.Output), len(text))
			}
			if len(r.Sentences()) == 0 {
				t.Error("no sentence")
			}
		}
	})
}

// FuzzFilter feeds telnet's stream. What comes out does not depend on where the packets are cut, is text, and what is
// answered is bounded and refuses.
func FuzzFilter(f *testing.F) {
	f.Add([]byte("Password: \xff\xfb\x01\xff\xfd\x18\xff\xfa\x18\x00\xff\xff\xff\xf0ab\xff\xff\x1b[2J\x1bMcaf\xe9\r\n\x00"), 7)
	f.Add(bytes.Repeat([]byte{iac, will, 1}, 100), 2)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		var whole, parts filter
		text, replies := whole.feed(stream)
		cut = min(max(cut, 0), len(stream))
		t1, r1 := parts.feed(stream[:cut])
		t2, r2 := parts.feed(stream[cut:])
		if !bytes.Equal(text, append(t1, t2...)) || !bytes.Equal(replies, append(r1, r2...)) {
			t.Errorf("%q cut at %d gives something else", stream, cut)
		}
		if !utf8.Valid(text) || bytes.ContainsAny(text, "\r\x00\x1b\x7f") || len(text) > 2*len(stream) {
			t.Errorf("%q gives %q", stream, text)
		}
		if len(replies) > 3*maxReplies || len(replies)%3 != 0 {
			t.Errorf("%d bytes of answers", len(replies))
		}
		for i := 0; i+2 < len(replies); i += 3 {
			if replies[i] != iac || replies[i+1] != wont && replies[i+1] != dont {
				t.Errorf("%q is answered with %q", stream, replies)
			}
		}
	})
}

func TestEscapeWritesThePhonesBytes(t *testing.T) {
	t.Parallel()
	if got := string(escape("a\u00e9\u00ff\u20ac")); got != "a\xe9\xff\xff?" {
		t.Errorf("found %q", got)
	}
}
