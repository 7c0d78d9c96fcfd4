package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// setupView is what a box without a password shows: health, and nothing of the site.
type setupView struct {
	Services []serviceView
	Trusted  bool
	Problem  string
	Min      int
	Steps    []startStepView // of the wizard that follows; none = none does
}

func (s *Server) setupForm(w http.ResponseWriter, _ *http.Request) error {
	return s.showSetup(w, http.StatusOK, "")
}

func (s *Server) showSetup(w http.ResponseWriter, code int, problem string) error {
	status := s.deps.Box.Status()
	v := setupView{Services: servicesView(status), Trusted: status.Clock.Trusted, Problem: problem, Min: minPassword}
	if st := s.startState(); st.Wanted {
		v.Steps = startLine(StartState{}, "password")
		v.Steps[0].State, v.Steps[0].Mood = "not done yet", "open"
	}
	for i := range v.Services {
		v.Services[i].Detail = "" // it may tell of the site
	}
	return s.pages.render(w, code, "setup", view{Title: "Set the first password", Body: v})
}

func (s *Server) setupPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	password := r.PostForm.Get("password")
	if password != r.PostForm.Get("again") {
		return s.showSetup(w, http.StatusUnprocessableEntity, "The two passwords are not the same.")
	}
	if err := s.setFirst(r, password); err != nil {
		var pub *PublicError
		if errors.As(err, &pub) && pub.Status == http.StatusUnprocessableEntity {
			return s.showSetup(w, pub.Status, pub.Text)
		}
		return err
	}
	return s.openSession(w, r, s.afterSetup())
}

// setFirst sets the first password, once.
func (s *Server) setFirst(r *http.Request, password string) error {
	if err := acceptable(password); err != nil {
		return err
	}
	if !s.auth.setup.TryLock() {
		return public(http.StatusTooManyRequests, "Somebody else sets the password at this moment.")
	}
	defer s.auth.setup.Unlock()
	hash, err := s.deps.Secrets.Password()
	if err != nil {
		return err
	}
	if hash != "" {
		return public(http.StatusConflict, "A password is set already.")
	}
	if err := s.storePassword(r, password); err != nil {
		return err
	}
	s.report(r, Event{Kind: EventSetup, What: "The first password was set.", Code: http.StatusOK})
	return nil
}

func (s *Server) storePassword(r *http.Request, password string) error {
	hash, err := s.auth.hasher.hashPassword(r.Context(), password)
	if err != nil {
		return s.authFailure(r, err)
	}
	if err := s.deps.Secrets.SetPassword(hash); err != nil {
		return failed(http.StatusInternalServerError, "The password could not be stored; the old state holds.", err)
	}
	return nil
}

// acceptable says what is wrong with a new password.
func acceptable(password string) error {
	switch {
	case len(password) < minPassword:
		return public(http.StatusUnprocessableEntity, fmt.Sprintf("The password is too short: at least %d characters.", minPassword))
	case len(password) > maxPassword:
		return public(http.StatusUnprocessableEntity, fmt.Sprintf("The password is too long: at most %d bytes.", maxPassword))
	}
	return nil
}

func (s *Server) apiSetup(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Password string `json:"password"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := s.setFirst(r, in.Password); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// openSession logs the browser in and sends it on.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request, next string) error {
	if err := s.giveSession(w, r); err != nil {
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// giveSession logs the browser in.
func (s *Server) giveSession(w http.ResponseWriter, r *http.Request) error {
	cookie, err := s.auth.session(r.TLS != nil)
	if err != nil {
		return err
	}
	http.SetCookie(w, cookie)
	return s.auth.know(w, r)
}

type loginView struct {
	Next, Problem string
	Kept          *keptForm // nil = nothing was sent without a login
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) error {
	return s.pages.render(w, http.StatusOK, "login", view{Title: "Log in", Body: loginView{Next: safeNext(r.FormValue("next"))}})
}

func (s *Server) loginPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	next, kept := safeNext(r.PostForm.Get("next")), newKeptForm(r.PostForm.Get("kept-to"), r.PostForm.Get("kept-form"))
	if err := s.auth.check(r, r.PostForm.Get("password")); err != nil {
		err = s.authFailure(r, err)
		var pub *PublicError
		if !errors.As(err, &pub) {
			return err
		}
		if pub.Status == http.StatusTooManyRequests {
			retryAfter(w, err)
		}
		return s.pages.render(w, pub.Status, "login", view{Title: "Log in", Body: loginView{next, pub.Text, kept}})
	}
	s.report(r, Event{Kind: EventLogin, What: "Somebody logged in.", Code: http.StatusOK})
	if kept == nil {
		return s.openSession(w, r, next)
	}
	if err := s.giveSession(w, r); err != nil {
		return err
	}
	return s.showKept(w, kept)
}

// logout ends the session for good, not only in this browser: whoever copied its cookie is out as well.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	session, err := s.auth.sessionOf(r)
	if err != nil {
		return err
	}
	if session != nil {
		if err := s.auth.end(session); err != nil {
			s.deps.Log.Error("a session that was ended could not be stored; it comes back with a restart", "err", err)
		}
	}
	return toLogin(w, r)
}

// logoutAll ends every session, that of the person who asks as well.
func (s *Server) logoutAll(w http.ResponseWriter, r *http.Request) error {
	if err := s.auth.endAll(); err != nil {
		return failed(http.StatusInternalServerError, "The sessions could not be ended, because the box could not write to its card. Nobody was logged out.", err)
	}
	s.changed(r, "Everybody was logged out.")
	return toLogin(w, r)
}

// toLogin takes the cookie back and leads to the login. A renewal of the cookie in the same answer is overruled.
func toLogin(w http.ResponseWriter, r *http.Request) error {
	cookie := sessionCookie(r.TLS != nil)
	cookie.MaxAge = -1
	w.Header().Del("Set-Cookie")
	http.SetCookie(w, cookie)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

type passwordView struct {
	Problem string
	Min     int
}

func (s *Server) passwordForm(w http.ResponseWriter, _ *http.Request) error {
	return s.showPassword(w, http.StatusOK, "")
}

func (s *Server) showPassword(w http.ResponseWriter, code int, problem string) error {
	return s.pages.render(w, code, "password", view{Title: "Change the password", Nav: navAt("/password"), Body: passwordView{problem, minPassword}})
}

// passwordPost changes the password; every other session and every remembered program ends with the old one.
func (s *Server) passwordPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	password := r.PostForm.Get("password")
	if password != r.PostForm.Get("again") {
		return s.showPassword(w, http.StatusUnprocessableEntity, "The two new passwords are not the same.")
	}
	err := acceptable(password)
	if err == nil {
		if err = s.auth.check(r, r.PostForm.Get("current")); err != nil {
			err = s.authFailure(r, err)
		}
	}
	var pub *PublicError
	if errors.As(err, &pub) {
		if pub.Status == http.StatusTooManyRequests {
			retryAfter(w, err)
		}
		return s.showPassword(w, pub.Status, pub.Text)
	}
	if err != nil {
		return err
	}
	if err := s.storePassword(r, password); err != nil {
		return err
	}
	s.changed(r, "The password of the page was changed.")
	return s.openSession(w, r, "/settings?say="+s.says.put(flash{Text: "The password is changed. Everybody else has to log in again."}))
}

// changed reports that a person changed something.
func (s *Server) changed(r *http.Request, what string) {
	s.report(r, Event{Kind: EventChanged, What: what, Code: http.StatusOK})
}

// safeNext keeps the path to go to after the login on this box.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// nextQuery remembers where a person wanted to go.
func nextQuery(r *http.Request) string {
	if r.Method != http.MethodGet || r.URL.Path == "/" || strings.HasSuffix(r.URL.Path, "/stream") {
		return ""
	}
	return "?next=" + url.QueryEscape(r.URL.RequestURI())
}

// parseForm reads a form of either encoding; what is wrong with it is said without quoting it.
func parseForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return public(http.StatusBadRequest, "The form could not be read.")
	}
	return nil
}

// readJSON reads one JSON object with known keys only; errors don't quote it, as it may hold a password.
func readJSON(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	if err != nil {
		return public(http.StatusBadRequest, "The body is not the JSON object that is allowed here.")
	}
	return nil
}
