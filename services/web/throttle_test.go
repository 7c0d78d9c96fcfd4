package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/services/web"
)

// loginFrom tries a password from an address.
func (r *rig) loginFrom(from, password string) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.do(call{
		method: "POST", path: "/login", body: url.Values{"password": {password}}.Encode(), from: from + ":4000",
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
}

// wrongUntilRefused tries wrong passwords until one is refused unseen, and returns that answer.
func (r *rig) wrongUntilRefused(from string) *httptest.ResponseRecorder {
	r.t.Helper()
	for range 20 {
		if w := r.loginFrom(from, "wrong guess"); w.Code == 429 {
			return w
		}
	}
	r.t.Fatal("twenty wrong passwords were looked at")
	return nil
}

func retryAfter(t *testing.T, w *httptest.ResponseRecorder) time.Duration {
	t.Helper()
	s, err := strconv.Atoi(w.Header().Get("Retry-After"))
	if err != nil || s < 1 {
		t.Fatalf("Retry-After is %q, want seconds", w.Header().Get("Retry-After"))
	}
	return time.Duration(s) * time.Second
}

func TestGuessingGetsSlowerAndSlower(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	const guesser = "10.77.9.9"
	for i := range 5 {
		if w := r.loginFrom(guesser, "wrong guess"); w.Code != 401 {
			t.Fatalf("wrong password %d: got %d, want 401", i+1, w.Code)
		}
	}
	waits := []time.Duration{}
	for range 12 {
		w := r.loginFrom(guesser, password) // even the right one is not looked at
		wantCode(t, w, 429)
		wantText(t, w.Body.String(), "Too many wrong passwords came from your address. Try again in ")
		wait := retryAfter(t, w)
		waits = append(waits, wait)
		r.clock.move(wait)
		wantCode(t, r.loginFrom(guesser, "wrong guess"), 401)
	}
	t.Logf("FIGURE waits after the fifth wrong password: %v", waits)
	for i := 1; i < len(waits); i++ {
		if want := min(2*waits[i-1], 15*time.Minute); waits[i] != want {
			t.Errorf("wait %d is %s, want %s", i+1, waits[i], want)
		}
	}
	if counter(t, r, "login_slowed") != 12 || len(r.reported(web.EventSlowed)) != 12 {
		t.Errorf("counted %v and reported %d, want 12 each", counter(t, r, "login_slowed"), len(r.reported(web.EventSlowed)))
	}
	for range 50 {
		wantCode(t, r.loginFrom(guesser, password), 429)
	}
	if n := len(r.reported(web.EventSlowed)); n != 13 {
		t.Errorf("reported %d times, want once for each wait", n)
	}
}

func TestAnHonestPersonElsewhereIsNotLockedOut(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.wrongUntilRefused("10.77.9.9")
	if w := r.loginFrom("10.77.9.10", password); w.Code != 303 {
		t.Errorf("at another address: got %d, want 303", w.Code)
	}
	c := r.login()
	w := r.do(call{path: "/api/v1/status", cookie: c, from: "10.77.9.9:1"})
	if w.Code != 200 {
		t.Errorf("with a session, at the guesser's address: got %d, want 200", w.Code)
	}
	// The queue for hashes stays free of what is refused anyway.
	for range 20 {
		wantCode(t, r.loginFrom("10.77.9.9", "x"), 429)
	}
	if counter(t, r, "too_many_logins") != 0 {
		t.Error("a guesser who has to wait took a place in the queue")
	}
}

func TestTheRightPasswordForgivesTheWrongOnes(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	for range 3 {
		for range 4 {
			wantCode(t, r.loginFrom("10.77.1.9", "mistyped"), 401)
		}
		wantCode(t, r.loginFrom("10.77.1.9", password), 303)
	}
	for range 4 {
		wantCode(t, r.loginFrom("10.77.1.9", "mistyped"), 401)
	}
	r.clock.move(2 * time.Hour) // and so does time
	for range 4 {
		wantCode(t, r.loginFrom("10.77.1.9", "mistyped"), 401)
	}
	wantCode(t, r.loginFrom("10.77.1.9", password), 303)
}

func TestEveryWayToGuessCounts(t *testing.T) {
	basic := map[string]string{"Authorization": "Basic YWRtaW46d3Jvbmc="}
	for name, guess := range map[string]func(r *rig) int{
		"the form": func(r *rig) int { return r.loginFrom("10.77.1.9", "wrong").Code },
		"the API":  func(r *rig) int { return r.do(call{path: "/api/v1/status", header: basic}).Code },
		"another name": func(r *rig) int {
			return r.do(call{path: "/api/v1/status", header: map[string]string{"Authorization": "Basic cm9vdDp3cm9uZw=="}}).Code
		},
		"the metrics": func(r *rig) int { return r.do(call{path: "/metrics", header: basic, plain: true}).Code },
	} {
		r := newRig(t, nil)
		r.setUp()
		wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200)
		for i := range 5 {
			if code := guess(r); code != 401 {
				t.Errorf("%s, guess %d: got %d, want 401", name, i+1, code)
			}
		}
		if code := guess(r); code != 429 {
			t.Errorf("%s, after five wrong ones: got %d, want 429", name, code)
		}
		// The right one is remembered from before: a guesser must not learn that here either.
		w := r.do(call{path: "/api/v1/status", basic: true})
		if w.Code != 429 || retryAfter(t, w) < 4*time.Second {
			t.Errorf("%s: the right password while it has to wait: got %d, want 429", name, w.Code)
		}
		wantCode(t, r.do(call{path: "/api/v1/status", basic: true, from: "10.77.1.10:1"}), 200)
	}
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	change := func() int {
		return r.form("/password", c, url.Values{"current": {"wrong"}, "password": {"another password"}, "again": {"another password"}}).Code
	}
	for range 5 {
		if code := change(); code != 401 {
			t.Errorf("a wrong password of before: got %d, want 401", code)
		}
	}
	if code := change(); code != 429 {
		t.Errorf("a stolen session that guesses the password: got %d, want 429", code)
	}
}

// Fifty guesses at once must not be fifty guesses.
func TestGuessingInParallelIsNoWayRound(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	var wg sync.WaitGroup
	var mu sync.Mutex
	looked := 0
	for range 50 {
		wg.Go(func() {
			if code := r.loginFrom("10.77.9.9", "wrong guess").Code; code == 401 {
				mu.Lock()
				looked++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if looked > 5 {
		t.Errorf("%d of 50 guesses were looked at, want 5 at most", looked)
	}
}

func TestWhatIsRememberedOfGuessersIsBounded(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.wrongUntilRefused("10.78.9.9")
	for i := range 3 * web.MaxThrottled {
		r.clock.move(time.Millisecond)
		r.server.WrongPasswordFrom(fmt.Sprintf("10.77.%d.%d", 10+i/250, 1+i%250))
		if n := r.server.Throttled(); n > web.MaxThrottled {
			t.Fatalf("%d addresses are remembered, want %d at most", n, web.MaxThrottled)
		}
	}
	// One that guesses hard is not forgotten because many others mistyped once.
	wantCode(t, r.loginFrom("10.78.9.9", password), 429)
	wantCode(t, r.loginFrom("10.77.250.250", password), 303)
}

// Of IPv6 a host has a whole subnet to guess from.
func TestAWholeIPv6SubnetIsOneGuesser(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	last := 0
	for i := range 6 {
		last = r.loginFrom(fmt.Sprintf("[2001:db8::%x]", i+1), "wrong").Code
	}
	if last != 429 {
		t.Errorf("the sixth guess from one subnet: got %d, want 429", last)
	}
	wantCode(t, r.loginFrom("[2001:db8:0:1::1]", password), 303)
}

// Whoever is behind the same address cannot keep out the person who logged in with this browser before, be it a program with an old
// password on his own computer. A browser that is known guesses no more than any other.
func TestAKnownBrowserIsNotLockedOutByOthersAtItsAddress(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	const office = "10.77.9.9"
	try := func(password string, known *http.Cookie) *httptest.ResponseRecorder {
		t.Helper()
		return r.do(call{
			method: "POST", path: "/login", body: url.Values{"password": {password}}.Encode(), from: office + ":4000", cookie: known,
			header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		})
	}
	var known *http.Cookie
	for _, c := range try(password, nil).Result().Cookies() {
		if strings.HasSuffix(c.Name, "_known") {
			known = c
		}
	}
	if known == nil || !known.HttpOnly || !known.Secure || known.SameSite != http.SameSiteStrictMode || !strings.HasPrefix(known.Name, "__Host-") {
		t.Fatalf("the browser is told %v, want a cookie by which it is known again", known)
	}
	if code := r.statusWith(known); code != 401 {
		t.Errorf("that cookie alone: got %d, want 401", code)
	}
	session := *known
	session.Name = strings.TrimSuffix(known.Name, "_known")
	if code := r.statusWith(&session); code != 401 {
		t.Errorf("that cookie as a session: got %d, want 401", code)
	}
	for range 3 {
		r.wrongUntilRefused(office)
		r.clock.move(20 * time.Minute)
	}
	r.wrongUntilRefused(office)
	wantCode(t, try(password, nil), 429)
	w := try(password, known)
	wantCode(t, w, 303)
	if n := len(w.Result().Cookies()); n != 1 {
		t.Errorf("a browser that is known gets %d cookies, want the session alone", n)
	}
	forged := *known
	forged.Value = strings.Repeat("A", len(known.Value))
	wantCode(t, try(password, &forged), 429)
	for range 5 {
		wantCode(t, try("wrong guess", known), 401)
	}
	wantCode(t, try(password, known), 429)
	// It is known no longer once the password is another.
	r.clock.move(20 * time.Minute)
	if err := r.server.SetPasswordForTest(t.Context(), r.secrets, "another password"); err != nil {
		t.Fatal(err)
	}
	r.wrongUntilRefused(office)
	wantCode(t, try("another password", known), 429)
}
