package web

import (
	"bytes"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// uploadTime is how long one upload may take.
const uploadTime = 10 * time.Minute

// The clock can be set to these years; what lies outside is a mistake.
var (
	clockFrom = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	clockTo   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (s *Server) apiStatus(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, s.status())
	return nil
}

// status is the box's, with a list instead of null and our version where it has none.
func (s *Server) status() Status {
	status := s.deps.Box.Status()
	if status.Others == nil {
		status.Others = []OtherDHCP{}
	}
	if status.NotAnswered == nil {
		status.NotAnswered = []NotAnswered{}
	}
	if status.Version == "" {
		status.Version = s.cfg.Load().Version
	}
	return status
}

func (s *Server) apiPhones(w http.ResponseWriter, _ *http.Request) error {
	phones := s.deps.Box.Phones()
	if phones == nil {
		phones = []Phone{}
	}
	writeJSON(w, http.StatusOK, phones)
	return nil
}

// pathMAC reads the {mac} of a path.
func pathMAC(r *http.Request) (phone.MAC, error) {
	mac, err := phone.ParseMAC(r.PathValue("mac"))
	if err != nil {
		return phone.MAC{}, public(http.StatusBadRequest, "That is no Ethernet address: "+err.Error()+".")
	}
	return mac, nil
}

// knownPhone reads the {mac} of a path and finds the phone.
func (s *Server) knownPhone(r *http.Request) (Phone, error) {
	mac, err := pathMAC(r)
	if err != nil {
		return Phone{}, err
	}
	p, ok := s.deps.Box.Phone(mac)
	if !ok {
		return Phone{}, unknownPhone(mac)
	}
	return p, nil
}

func unknownPhone(mac phone.MAC) error {
	return public(http.StatusNotFound, "The box does not know a phone with the address "+mac.String()+".")
}

// apiPhoneEvents gives a timeline; that of the box itself, what people did on the page, has the zero MAC.
func (s *Server) apiPhoneEvents(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	events, ok := s.deps.Box.Events(mac)
	if !ok {
		return unknownPhone(mac)
	}
	if events == nil {
		events = []PhoneEvent{}
	}
	writeJSON(w, http.StatusOK, events)
	return nil
}

// apiPhoneDHCP gives what a phone asked by DHCP last, and what it got.
func (s *Server) apiPhoneDHCP(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	d, ok := s.deps.Box.DHCP(mac)
	if !ok {
		return unknownPhone(mac)
	}
	if d.Exchanges == nil {
		d.Exchanges = []Exchange{}
	}
	writeJSON(w, http.StatusOK, d)
	return nil
}

// apiPhoneFile gives the bytes that the phone would get. A browser must not run what it finds in them.
func (s *Server) apiPhoneFile(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	answer, err := s.deps.Box.File(r.Context(), p.MAC, name)
	if err != nil {
		return err
	}
	w.Header().Set("X-Phonebox-Status", answer.Status)
	if code := fileCode(answer.Status); code != http.StatusOK {
		writeJSON(w, code, map[string]string{"status": answer.Status, "why": answer.Why})
		return nil
	}
	if strings.Contains(strings.ToUpper(name), "SIP"+p.MAC.Name()) || holdsPassword(answer.Body) {
		s.report(r, Event{Kind: EventSecrets, MAC: p.MAC, What: "A file of the phone that holds its passwords was read on the page.", Code: 200})
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("Content-Type", fileType(answer))
	w.Header().Set("Content-Length", strconv.Itoa(len(answer.Body)))
	_, _ = w.Write(answer.Body)
	return nil
}

// fileType shows text as text in a browser and offers the rest for saving.
func fileType(a FileAnswer) string {
	if bytes.IndexByte(a.Body, 0) >= 0 {
		return "application/octet-stream"
	}
	kind, parameters, err := mime.ParseMediaType(a.ContentType)
	switch {
	case err == nil && strings.HasSuffix(kind, "xml"):
		return a.ContentType
	case err == nil && parameters["charset"] != "": // .cnf files are in ISO-8859-1
		return "text/plain; charset=" + parameters["charset"]
	}
	return "text/plain; charset=utf-8"
}

func (s *Server) apiRestart(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	if err := s.restart(r, p); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) restart(r *http.Request, p Phone) error {
	if err := s.deps.Box.Restart(r.Context(), p.MAC); err != nil {
		return orElse(err, http.StatusBadGateway, "The phone did not take the request to restart. It listens only while its SIP application runs.")
	}
	s.report(r, Event{Kind: EventChanged, MAC: p.MAC, What: "The phone was asked to restart.", Code: http.StatusOK})
	return nil
}

// orElse gives an error of the box public words unless it has its own.
func orElse(err error, status int, text string) error {
	if explain(err).status != http.StatusInternalServerError {
		return err
	}
	return failed(status, text, err)
}

func (s *Server) apiSite(w http.ResponseWriter, r *http.Request) error {
	secrets := r.URL.Query().Get("secrets") == "1"
	text, etag := s.deps.Box.Settings().TOML(secrets)
	if secrets {
		s.report(r, Event{Kind: EventSecrets, What: "The settings were read with their passwords.", Code: http.StatusOK})
	}
	w.Header().Set("ETag", quoteETag(etag))
	w.Header().Set("Content-Type", "application/toml; charset=utf-8")
	_, _ = w.Write(text)
	return nil
}

func (s *Server) apiPutSite(w http.ResponseWriter, r *http.Request) error {
	settings := s.deps.Box.Settings()
	match := r.Header.Get("If-Match")
	if match == "" {
		return public(http.StatusPreconditionRequired, "Say with If-Match which settings you change: the ETag that GET /api/v1/site gave.")
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return readFailure(err)
	}
	_, current := settings.TOML(false)
	etag, ok := matchETag(match, current)
	if !ok {
		return StaleError{}
	}
	next, err := settings.Replace(r.Context(), text, etag)
	if err != nil {
		return err
	}
	s.changed(r, "The settings were replaced.")
	w.Header().Set("ETag", quoteETag(next))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func quoteETag(etag string) string { return `"` + strings.Trim(etag, `"`) + `"` }

// matchETag compares an If-Match field, a list or *, with the current tag (RFC 9110, 13.1.1: weak tags never match).
func matchETag(field, current string) (string, bool) {
	for one := range strings.SplitSeq(field, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || one == quoteETag(current) {
			return current, true
		}
	}
	return "", false
}

func (s *Server) apiFirmware(w http.ResponseWriter, r *http.Request) error {
	verdicts, err := s.takeUpload(w, r)
	if err != nil {
		return err
	}
	body := struct {
		Error    string          `json:"error,omitempty"`
		Verdicts []UploadVerdict `json:"verdicts"`
	}{Verdicts: verdicts}
	code := http.StatusOK
	if !anyTaken(verdicts) {
		code, body.Error = http.StatusUnprocessableEntity, "None of the files was taken."
	}
	writeJSON(w, code, body)
	return nil
}

func anyTaken(verdicts []UploadVerdict) bool {
	for _, v := range verdicts {
		if v.OK {
			return true
		}
	}
	return false
}

// maxFiles bounds the files of one upload.
const maxFiles = 200

// takeUpload hands the files of a multipart form to the box one by one, as they arrive; nothing is kept here.
func (s *Server) takeUpload(w http.ResponseWriter, r *http.Request) ([]UploadVerdict, error) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(uploadTime))
	_ = rc.SetWriteDeadline(time.Now().Add(uploadTime + writeTimeout))
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, public(http.StatusUnsupportedMediaType, "Send the files as a form (multipart/form-data).")
	}
	verdicts := []UploadVerdict{}
	defer func() { // however it ended: what was taken stays
		if anyTaken(verdicts) {
			s.changed(r, "Firmware was uploaded.")
		}
	}()
	for range maxFiles {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, readFailure(err)
		}
		name := part.FileName()
		if name == "" {
			continue // another field, or a file field left empty
		}
		some, err := s.deps.Box.AddFirmware(r.Context(), name, part)
		verdicts = append(verdicts, some...)
		if err != nil {
			return nil, err
		}
	}
	if len(verdicts) == 0 {
		return nil, public(http.StatusUnprocessableEntity, "There was no file in the form.")
	}
	return verdicts, nil
}

// readFailure is the error of a body that could not be read.
func readFailure(err error) error {
	if explain(err).status == http.StatusRequestEntityTooLarge {
		return err
	}
	return failed(http.StatusBadRequest, "The request broke off or could not be read.", err)
}

func (s *Server) apiClock(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Unix *float64 `json:"unix"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Unix == nil {
		return public(http.StatusUnprocessableEntity, "The key unix is missing: the seconds since 1970, UTC.")
	}
	if err := s.setClock(w, r, *in.Unix); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// setClock sets the clock and gives a person who is logged in a session of the new time: the old one may have run out.
func (s *Server) setClock(w http.ResponseWriter, r *http.Request, unix float64) error {
	if math.IsNaN(unix) || unix < float64(clockFrom.Unix()) || unix >= float64(clockTo.Unix()) {
		return public(http.StatusUnprocessableEntity, "That time is outside of the years 2020 to 2099.")
	}
	person, err := s.auth.sessionOf(r)
	if err != nil {
		return err
	}
	var left time.Duration
	if person != nil {
		left, _ = s.auth.left(person) // by the time of before
	}
	if err := s.deps.Box.SetClock(r.Context(), unix); err != nil {
		return orElse(err, http.StatusInternalServerError, "The clock could not be set.")
	}
	s.changed(r, "The clock was set from a browser or a program.")
	if person == nil {
		return nil
	}
	cookie, err := s.auth.cookie(slices.Clone(person), left, r.TLS != nil)
	if err != nil {
		return err
	}
	http.SetCookie(w, cookie)
	return nil
}
