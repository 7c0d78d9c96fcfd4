package web_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"phonebox/services/web"
)

// statusWith is what the API answers somebody with that session.
func (r *rig) statusWith(c *http.Cookie) int {
	return r.do(call{path: "/api/v1/status", cookie: c}).Code
}

// renewed returns the session that an answer sets, or the one from before.
func renewed(cookies []*http.Cookie, before *http.Cookie) *http.Cookie {
	for _, c := range cookies {
		if c.Name == before.Name && c.MaxAge > 0 {
			return c
		}
	}
	return before
}

func TestASessionEndsWhenNobodyUsesIt(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	r.clock.move(2*time.Hour - time.Minute)
	if code := r.statusWith(c); code != 200 {
		t.Errorf("after almost 2 h: got %d, want 200", code)
	}
	r.clock.move(2 * time.Minute)
	if code := r.statusWith(c); code != 401 {
		t.Errorf("after 2 h without use: got %d, want 401", code)
	}
}

// A session that is used goes on, but not beyond 12 hours, however often its cookie is written anew.
func TestASessionThatIsUsedGoesOnUntilItsEnd(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	first := c
	began := r.clock.Uptime()
	for r.clock.Uptime()-began < 12*time.Hour-time.Hour {
		r.clock.move(time.Hour)
		w := r.do(call{path: "/settings", cookie: c})
		wantCode(t, w, 200)
		next := renewed(w.Result().Cookies(), c)
		if next == c {
			t.Fatal("after an hour the cookie was not written anew")
		}
		left := 12*time.Hour - (r.clock.Uptime() - began)
		if next.MaxAge != int(left/time.Second) || !next.Secure || !next.HttpOnly || next.SameSite != http.SameSiteStrictMode {
			t.Errorf("the cookie is %+v, want one that lasts %s", next, left)
		}
		c = next
	}
	if code := r.statusWith(first); code != 401 {
		t.Errorf("the first cookie after 11 h: got %d, want 401", code)
	}
	r.clock.move(time.Hour - time.Second)
	if code := r.statusWith(c); code != 200 {
		t.Errorf("a second before its end: got %d, want 200", code)
	}
	r.clock.move(2 * time.Second)
	if code := r.statusWith(c); code != 401 {
		t.Errorf("after 12 h: got %d, want 401", code)
	}
}

// A page that is only open asks for news by itself: that is nobody who works.
func TestALiveViewKeepsNoSessionAlive(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	r.clock.move(time.Hour)
	for _, path := range []string{"/stream", "/phones/stream", "/api/v1/events"} {
		w := r.do(call{path: path, cookie: c, gone: true})
		if len(w.Result().Cookies()) != 0 {
			t.Errorf("%s wrote the cookie anew", path)
		}
	}
	if got := r.do(call{path: "/api/v1/status", cookie: c}).Result().Cookies(); len(got) != 1 {
		t.Errorf("a question of a person: the answer sets %v, want the cookie anew", got)
	}
	if got := r.do(call{path: "/api/v1/status", cookie: renewed(r.do(call{path: "/settings", cookie: c}).Result().Cookies(), c)}).Result().Cookies(); len(got) != 0 {
		t.Errorf("right after that: the answer sets %v, want nothing", got)
	}
}

// Who copied a cookie must be out when its owner logs out, after a restart as well.
func TestLoggingOutEndsTheSessionAndNotOnlyTheCookie(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	stolen, other := r.login(), r.login()
	r.clock.move(time.Hour)
	mine := renewed(r.do(call{path: "/settings", cookie: stolen}).Result().Cookies(), stolen)
	if mine == stolen {
		t.Fatal("the cookie was not written anew")
	}
	w := r.form("/logout", mine, nil)
	wantCode(t, w, 303)
	if got := w.Result().Cookies(); len(got) != 1 || got[0].MaxAge >= 0 {
		t.Errorf("logging out sets %+v, want the cookie removed", got)
	}
	for name, c := range map[string]*http.Cookie{"the cookie itself": mine, "an older copy of it": stolen} {
		if code := r.statusWith(c); code != 401 {
			t.Errorf("%s: got %d, want 401", name, code)
		}
	}
	if code := r.statusWith(other); code != 200 {
		t.Errorf("another session: got %d, want 200", code)
	}
	again := newRigWith(t, r.secrets)
	again.clock.set(time.Hour)
	if code := again.statusWith(mine); code != 401 {
		t.Errorf("after a restart: got %d, want 401", code)
	}
	if code := again.statusWith(other); code != 200 {
		t.Errorf("another session after a restart: got %d, want 200", code)
	}
}

// newRigWith is a page that starts with the secrets of another.
func newRigWith(t *testing.T, secrets *fakeSecrets) *rig {
	t.Helper()
	r := newRig(t, nil)
	r.secrets.hash, r.secrets.key, r.secrets.ended = secrets.hash, bytes.Clone(secrets.key), secrets.ended
	server, err := newServer(r.cfg, web.Deps{
		Box: r.box, Shop: r.shop, Files: fakeFiles{}, Secrets: r.secrets, Now: r.clock.Now, Uptime: r.clock.Uptime, Log: slog.New(slog.DiscardHandler), Report: func(web.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	return r
}

func TestLoggingOutEverywhere(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	mine, other := r.login(), r.login()
	wantText(t, r.do(call{path: "/password", cookie: mine}).Body.String(), "Log out everywhere")
	r.secrets.fail = errors.New("the card is full")
	wantCode(t, r.form("/logout/all", mine, nil), 500)
	r.secrets.fail = nil
	if code := r.statusWith(other); code != 200 {
		t.Errorf("after it failed: got %d, want 200", code)
	}
	w := r.form("/logout/all", mine, nil)
	wantCode(t, w, 303)
	if got := w.Header().Get("Location"); got != "/login" {
		t.Errorf("it leads to %q, want /login", got)
	}
	for name, c := range map[string]*http.Cookie{"mine": mine, "another": other} {
		if code := r.statusWith(c); code != 401 {
			t.Errorf("%s: got %d, want 401", name, code)
		}
	}
	if code := r.statusWith(r.login()); code != 200 {
		t.Errorf("a new login: got %d, want 200", code)
	}
	wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200) // programs know the password
	if len(r.reported(web.EventChanged)) != 1 {
		t.Error("it was not reported")
	}
	wantCode(t, r.form("/logout/all", nil, nil), 303)
	if code := r.statusWith(r.login()); code != 200 || len(r.reported(web.EventChanged)) != 1 {
		t.Error("somebody without a login logged everybody out")
	}
}

// What is remembered of ended sessions is bounded, and being full never lets an ended one in.
func TestManyLogoutsLetNobodyBackIn(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	early := r.login()
	r.form("/logout", early, nil)
	for range 2 * web.MaxEnded {
		c, err := r.server.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		r.form("/logout", c, nil)
		if code := r.statusWith(c); code != 401 {
			t.Fatalf("a session that was ended: got %d, want 401", code)
		}
		if n := len(r.secrets.ended.list); n > 16*web.MaxEnded {
			t.Fatalf("%d bytes are stored of ended sessions", n)
		}
	}
	if code := r.statusWith(early); code != 401 {
		t.Errorf("the first that was ended: got %d, want 401", code)
	}
	if code := r.statusWith(r.login()); code != 200 {
		t.Errorf("a new login: got %d, want 200", code)
	}
}

func TestALogoutHoldsThoughItCannotBeStored(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	r.secrets.fail = errors.New("the card is full")
	wantCode(t, r.form("/logout", c, nil), 303)
	if code := r.statusWith(c); code != 401 {
		t.Errorf("got %d, want 401", code)
	}
	wantText(t, r.log.String(), "the card is full")
}

// A new password ends the sessions of others and their live views, and keeps the person who set it.
func TestANewPasswordEndsOtherSessions(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	mine, other := r.login(), r.login()
	w := r.form("/password", mine, url.Values{"current": {password}, "password": {"another password"}, "again": {"another password"}})
	wantCode(t, w, 303)
	kept := renewed(w.Result().Cookies(), mine)
	if code := r.statusWith(kept); code != 200 || kept == mine {
		t.Errorf("who changed it: got %d, want 200 with a new session", code)
	}
	for name, c := range map[string]*http.Cookie{"another": other, "the cookie of before": mine} {
		if code := r.statusWith(c); code != 401 {
			t.Errorf("%s: got %d, want 401", name, code)
		}
	}
}

func TestForgedAndOddCookies(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	for name, value := range map[string]string{
		"nothing": "", "nonsense": "%%%", "cut off": c.Value[:40], "too long": c.Value + "AAAA", "very long": strings.Repeat("A", 8000),
		"all zero": strings.Repeat("A", len(c.Value)), "of another kind": "MTIzNDU2Nzg5MA",
	} {
		odd := *c
		odd.Value = value
		if code := r.statusWith(&odd); code != 401 {
			t.Errorf("%s: got %d, want 401", name, code)
		}
	}
	plain := *c
	plain.Name = "phonebox" // the name of a plain port's cookie counts for nothing over TLS
	if code := r.statusWith(&plain); code != 401 {
		t.Errorf("under the plain name: got %d, want 401", code)
	}
}
