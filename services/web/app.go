package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// appHandler serves the page and the API behind the login.
func (s *Server) appHandler() http.Handler {
	mux := http.NewServeMux()
	for _, routes := range s.routes() {
		for pattern, h := range routes {
			mux.Handle(pattern, s.handle(h)) // panics where two are the same
		}
	}
	mux.Handle(gokrazyPrefix, s.handle(s.gokrazy))
	return s.guard(s.strict(mux))
}

// routes are the paths of the page and of the API, by subject.
func (s *Server) routes() []map[string]handlerFunc {
	return []map[string]handlerFunc{
		s.loginRoutes(),
		s.boxRoutes(),
		s.phoneRoutes(),
		s.workshopRoutes(),
		s.apiRoutes(),
		s.conversionRoutes(),
		s.editorRoutes(),
		s.formRoutes(),
		s.systemRoutes(),
		s.wizardRoutes(),
	}
}

// loginRoutes are the first password, and how to get in.
func (s *Server) loginRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET /setup":         s.setupForm,
		"POST /setup":        s.setupPost,
		"GET /login":         s.loginForm,
		"POST /login":        s.loginPost,
		"POST /logout":       s.logout,
		"POST /logout/all":   s.logoutAll,
		"GET /password":      s.passwordForm,
		"POST /password":     s.passwordPost,
		"POST /api/v1/setup": s.apiSetup,
	}
}

// boxRoutes are the pages of the box itself.
func (s *Server) boxRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET /{$}":           s.overview,
		"GET /stream":        s.overviewStream,
		"POST /clock":        s.clockPost,
		"POST /serve-anyway": s.serveAnyway,
		"POST /hold-back":    s.holdBack,
		"POST /look-again":   s.lookAgain,
		"GET /help":          s.helpPage,
	}
}

// phoneRoutes are the pages of one phone.
func (s *Server) phoneRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET /phones":                   s.phonesPage,
		"GET /phones/stream":            s.phonesStream,
		"GET /phones/new":               s.phoneNew,
		"POST /phones":                  s.phoneAdd,
		"POST /phones/many":             s.phonesMany,
		"GET /phones/many":              backTo("/phones"),
		"POST /phones/many/do":          s.phonesManyDo,
		"GET /phones/many/do":           backTo("/phones"),
		"POST /phones/many/export":      s.phonesExport,
		"GET /phones/restarts":          s.restartsPage,
		"GET /phones/restarts/stream":   s.restartsStream,
		"POST /phones/assign":           s.assignPost,
		"GET /phones/assign":            backTo("/phones"),
		"GET /phones/scan":              s.scanPage,
		"POST /phones/scan":             s.scanPost,
		"POST /phones/scan/undo":        s.scanUndo,
		"GET /phones/scan/undo":         backTo("/phones/scan"),
		"GET /phones/lines":             s.linesPage,
		"POST /phones/lines":            s.linesAdd,
		"POST /phones/lines/remove":     s.linesRemove,
		"GET /phones/lines/remove":      backTo("/phones/lines"),
		"GET /phones/paste":             s.pastePage,
		"POST /phones/paste":            s.pastePost,
		"GET /phones/adopt":             s.adoptPage,
		"GET /phones/{mac}":             s.phonePage,
		"POST /phones/{mac}":            s.phoneChange,
		"GET /phones/{mac}/stream":      s.phoneStream,
		"GET /phones/{mac}/edit":        s.phoneEdit,
		"GET /phones/{mac}/remove":      s.phoneRemoveAsk,
		"POST /phones/{mac}/remove":     s.phoneRemove,
		"POST /phones/{mac}/restart":    s.phoneRestart,
		"GET /phones/{mac}/parameters":  s.parametersPage,
		"POST /phones/{mac}/check":      s.checkPost,
		"GET /phones/{mac}/check":       s.backToPhone,
		"POST /phones/{mac}/conversion": s.conversionOrder,

		"GET /phones/{mac}/files/{name...}":  s.phoneFilePage,
		"POST /phones/{mac}/files/{name...}": s.phoneFilePost,
		"GET /phones/{mac}/load":             s.phoneLoadPage,
		"POST /phones/{mac}/load":            s.phoneLoadPost,
		"POST /phones/{mac}/recording":       s.recordingPost,
		"GET /phones/{mac}/recording":        s.backToPhone,
	}
}

// workshopRoutes are the pages of what all phones share: firmware, conversions, media, dial plan, directory, imports.
func (s *Server) workshopRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET /firmware":           s.firmwarePage,
		"POST /firmware":          s.firmwarePost,
		"GET /conversions":        s.conversionsPage,
		"GET /conversions/stream": s.conversionStream,
		"POST /restart":           s.restartAll,
		"GET /import":             s.importPage,
		"POST /import":            s.importPost,
		"POST /import/decide":     s.importDecide,
		"GET /import/decide":      backTo("/import"),
		"GET /export":             s.export,
		"GET /dialplan":           s.dialPlanPage,
		"POST /dialplan":          s.dialPlanPost,
		"GET /directory":          s.directoryPage,
		"POST /directory":         s.directoryPost,
		"GET /names":              s.namesPage,
		"POST /names":             s.namesPost,
		"GET /media":              s.mediaPage,
		"POST /media/rings":       s.ringPost,
		"GET /media/rings":        backTo("/media"),
		"GET /media/logo":         backTo("/media"),
		"POST /media/remove-ring": s.ringRemove,
		"POST /media/logo":        s.logoPost,
		"POST /media/remove-logo": s.logoRemove,
		"GET /media/logo.png":     s.logoImage,
		"POST /firmware/remove":   s.shelfRemove,
	}
}

// apiRoutes are the API, which docs/api.md describes.
func (s *Server) apiRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET /api/v1/status":                       s.apiStatus,
		"GET /api/v1/overview":                     s.apiOverview,
		"GET /api/v1/phones":                       s.apiPhones,
		"GET /api/v1/lines":                        s.apiLines,
		"POST /api/v1/phones/{mac}/assign":         s.apiAssign,
		"GET /api/v1/phones/{mac}/events":          s.apiPhoneEvents,
		"GET /api/v1/phones/{mac}/dhcp":            s.apiPhoneDHCP,
		"GET /api/v1/phones/{mac}/time":            s.apiPhoneTime,
		"GET /api/v1/phones/{mac}/files/{name...}": s.apiPhoneFile,
		"POST /api/v1/phones/{mac}/restart":        s.apiRestart,
		"GET /api/v1/events":                       s.apiEvents,
		"GET /api/v1/site":                         s.apiSite,
		"PUT /api/v1/site":                         s.apiPutSite,
		"POST /api/v1/site/check":                  s.apiSiteCheck,
		"POST /api/v1/firmware":                    s.apiFirmware,
		"POST /api/v1/clock":                       s.apiClock,
		"GET /api/v1/names":                        s.apiNames,
		"GET /api/v1/names/missing":                s.apiMissingNames,
		"POST /api/v1/names":                       s.apiMapName,
		"DELETE /api/v1/names/{name}":              s.apiUnmapName,
		"GET /api/v1/time":                         s.apiTime,
		"GET /api/v1/phones/{mac}/clock":           s.apiPhoneClock,
		"POST /api/v1/dhcp/decision":               s.apiDHCPDecision,
		"POST /api/v1/dhcp/look":                   s.apiDHCPLook,
		"POST /api/v1/import":                      s.apiImport,
		"GET /api/v1/export":                       s.export,
		"GET /api/v1/conversions":                  s.apiConversions,
		"GET /api/v1/phones/{mac}/conversion":      s.apiConversion,
		"POST /api/v1/phones/{mac}/conversion":     s.apiConversionOrder,
		"GET /api/v1/plan":                         s.apiPlan,
		"POST /api/v1/conversions/orders":          s.apiConversionOrders,
		"GET /api/v1/conversions/preview":          s.apiPreview,
		"GET /api/v1/conversions/report":           s.apiReport,
		"GET /api/v1/phones/{mac}/parameters":      s.apiParameters,
		"GET /api/v1/phones/{mac}/explain":         s.apiExplain,
		"GET /api/v1/phones/{mac}/recording":       s.apiRecording,
		"POST /api/v1/phones/{mac}/recording":      s.apiRecord,
		"DELETE /api/v1/phones/{mac}/recording":    s.apiStopRecording,
		"GET /api/v1/phones/{mac}/recording.pcap":  s.apiRecordingFile,
		"POST /api/v1/phones/{mac}/check":          s.apiCheckLines,
		"POST /api/v1/phones/{mac}/ask":            s.apiAskPhone,
		"POST /api/v1/restart":                     s.apiRestartAll,
		"GET /api/v1/restart":                      s.apiRestartProgress,
		"GET /api/v1/dialplan/test":                s.apiTestNumber,
		"GET /api/v1/neighbours":                   s.apiNeighbours,
		"POST /api/v1/provider/check":              s.apiCheckProxy,
	}
}

// strict answers what the mux has no pattern for in our own words, with the status that the mux would have chosen.
func (s *Server) strict(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &headerOnly{header: http.Header{}}
		h.ServeHTTP(probe, r)
		text := "There is no such page."
		if isAPI(r) {
			text = "There is no such path in the API."
		}
		if probe.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", probe.header.Get("Allow"))
			text = "That cannot be done here with " + r.Method + "; allowed is " + probe.header.Get("Allow") + "."
		}
		s.fail(w, r, public(max(probe.status, http.StatusNotFound), text))
	})
}

// headerOnly takes the status that a handler chooses and forgets the body.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (h *headerOnly) WriteHeader(code int)        { h.status = code }

// guard is promise 5: without a password only the setup is there, for people on the box's own network; with one,
// nothing but the login without a login. It stands before the mux, so that a stranger learns no path either.
func (s *Server) guard(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		r = acting(r)
		hash, err := s.deps.Secrets.Password()
		if err != nil {
			return err
		}
		if hash == "" {
			return s.beforePassword(w, r, next)
		}
		switch r.URL.Path {
		case "/login":
			next.ServeHTTP(w, r)
			return nil
		case "/setup":
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil
		case "/api/v1/setup":
			if r.Method == http.MethodPost {
				return public(http.StatusConflict, "A password is set already. Who forgot it resets it at the box itself.")
			}
		}
		return s.withLogin(w, r, next)
	})
}

func (s *Server) beforePassword(w http.ResponseWriter, r *http.Request, next http.Handler) error {
	if !maySetUp(s.cfg.Load(), remoteAddr(r)) {
		s.drop(r, "not_local", http.StatusForbidden, "A request was refused: no password is set yet, and it came from another network.")
		return public(http.StatusForbidden,
			"No password is set yet. The first one can only be set from the box's own network.")
	}
	if r.URL.Path == "/setup" || r.URL.Path == "/api/v1/setup" {
		next.ServeHTTP(w, r)
		return nil
	}
	if isAPI(r) {
		return public(http.StatusForbidden, "No password is set yet. Set the first one with POST /api/v1/setup or on the page.")
	}
	redirect(w, r, "/setup")
	return nil
}

// withLogin lets people with a session and programs with the password through.
func (s *Server) withLogin(w http.ResponseWriter, r *http.Request, next http.Handler) error {
	session, err := s.auth.sessionOf(r)
	if err != nil {
		return err
	}
	ok := session != nil
	if !ok {
		if ok, err = s.auth.basic(r); err != nil {
			if errors.Is(err, errWrong) {
				challenge(w)
			}
			return s.authFailure(r, err)
		}
	}
	if session != nil {
		if err := s.auth.renew(w, r, session); err != nil {
			return err
		}
		s.arrived(r)
	}
	switch {
	case ok:
		next.ServeHTTP(w, r)
	case isAPI(r):
		challenge(w)
		return public(http.StatusUnauthorized, "Log in first: HTTP Basic, user admin.")
	default:
		return s.leadToLogin(w, r)
	}
	return nil
}

// backTo answers somebody who loads the answer to a form again.
func backTo(path string) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, path, http.StatusSeeOther)
		return nil
	}
}

// backToPhone is backTo for a phone's page.
func (s *Server) backToPhone(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/phones/"+p.MAC.Name(), http.StatusSeeOther)
	return nil
}

// challenge asks a program for its password.
func challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="phonebox", charset="UTF-8"`)
}

// authFailure reports a failed login and says it in public words.
func (s *Server) authFailure(r *http.Request, err error) error {
	var slowed *slowedError
	switch {
	case errors.As(err, &slowed):
		return s.slowedDown(r, slowed)
	case errors.Is(err, errWrong):
		s.dropped.WithLabelValues("login").Inc()
		s.report(r, Event{Kind: EventLoginFailed, What: "A login failed: wrong name or password.", Code: http.StatusUnauthorized})
		return public(http.StatusUnauthorized, "That password is not right.")
	case errors.Is(err, errBusy):
		s.drop(r, "too_many_logins", http.StatusTooManyRequests, "A login was refused: too many at the same time.")
		return public(http.StatusTooManyRequests, "Too many people try to log in at the same time. Wait a moment and try again.")
	}
	return err
}

// slowedDown counts a login that was refused unseen. Only the first after each wrong password is reported: a program that guesses
// must not fill the timeline.
func (s *Server) slowedDown(r *http.Request, e *slowedError) error {
	s.dropped.WithLabelValues("login_slowed").Inc()
	if e.fresh {
		s.report(r, Event{
			Kind: EventSlowed, Code: http.StatusTooManyRequests,
			What: "Logins from this address are refused for a while: too many passwords were wrong.",
		})
	}
	seconds := int((e.wait + time.Second - 1) / time.Second)
	return &PublicError{
		Status: http.StatusTooManyRequests, Retry: e.wait,
		Text: fmt.Sprintf("Too many wrong passwords came from your address. Try again in %s.", waitWords(seconds)),
	}
}

// waitWords writes how long somebody has to wait.
func waitWords(seconds int) string {
	if seconds < 120 {
		return count(seconds, "second")
	}
	return count((seconds+59)/60, "minute")
}

// redirect sends the browser on with a GET. A stream that htmx opened must not follow it into a page of its own.
func redirect(w http.ResponseWriter, r *http.Request, target string) {
	if r.Header.Get("HX-Request") != "" && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "event-stream") &&
		strings.HasSuffix(r.URL.Path, "/stream") {
		w.Header().Set("HX-Redirect", target)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}
