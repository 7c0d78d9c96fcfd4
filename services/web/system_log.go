package web

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// Lines of the log that a page and a download have at most.
const (
	logPageLines = 200
	logTextLines = 2000
)

// logView is the page of the log.
type logView struct {
	Rows           []logRow
	Level, Service string
	Phone, Text    string
	Problem        string
	TextFile       string // where the same lines are as a file
	Stream         string // and where those come that are written from now on
	Gone, More     bool   // older lines are no longer kept; there are more than are shown
	Supervisor     string
	Services       []string
	Levels         []choiceView
}

// choiceView is a choice of a form.
type choiceView struct{ Value, Name string }

// logRow is one line in words.
type logRow struct {
	Seq                        uint64
	At, Time                   string
	Level, Mood, Service, Text string
}

// logLevels are the levels in words, the least first.
var logLevels = []choiceView{{"", "everything"}, {"warn", "warnings and errors"}, {"error", "errors"}}

// logServices are the parts of the box that write, as the log names them.
var logServices = []string{"box", "dhcp", "tftp", "sntp", "dns", "sip", "web", "mdns", "netdev", "clock", "store", "journal", "provision", "cdp", "convert"}

// logFilter reads the filter of a request. What phone names is looked for as MAC in each notation, as label and as the address that
// the phone has now.
func (s *Server) logFilter(q url.Values) (LogFilter, string) {
	f := LogFilter{Level: q.Get("level"), Service: q.Get("service"), Text: strings.TrimSpace(q.Get("text"))}
	wanted := strings.TrimSpace(q.Get("phone"))
	if wanted == "" {
		return f, ""
	}
	mac, err := phone.ParseMAC(wanted)
	for _, p := range s.deps.Box.Phones() {
		if err == nil && p.MAC == mac || err != nil && (strings.EqualFold(p.Label, wanted) || p.Address == wanted) {
			f.Texts = append(f.Texts, phoneTexts(p.MAC, p.Address)...)
		}
	}
	switch {
	case len(f.Texts) > 0:
		return f, ""
	case err == nil:
		f.Texts = phoneTexts(mac, "")
		return f, ""
	}
	f.Texts = []string{wanted}
	return f, "The box knows no phone of that MAC, label or address; lines with that word are shown."
}

// phoneTexts are the ways in which the log names a phone.
func phoneTexts(mac phone.MAC, address string) []string {
	out := []string{mac.String(), mac.Name()}
	if address != "" {
		out = append(out, address)
	}
	return out
}

func (s *Server) logPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, problem := s.logFilter(q)
	lines := s.deps.System.Log(f, logPageLines)
	v := logView{
		Rows: logRows(lines.Lines, s.deps.Now()), Level: f.Level, Service: f.Service, Phone: q.Get("phone"), Text: f.Text, Problem: problem,
		Gone: lines.Gone > 0, More: len(lines.Lines) >= logPageLines, Services: logServices, Levels: logLevels,
		Supervisor: s.deps.System.Machine().Supervisor,
	}
	keep := url.Values{}
	for _, name := range []string{"level", "service", "phone", "text"} {
		if value := q.Get(name); value != "" {
			keep.Set(name, value)
		}
	}
	v.TextFile = "/system/log.txt?" + keep.Encode()
	keep.Set("after", strconv.FormatUint(lines.Last, 10))
	v.Stream = "/system/log/stream?" + keep.Encode()
	return s.show(w, r, http.StatusOK, "systemlog", "Log", "/system/log", v)
}

func logRows(lines []LogLine, now time.Time) []logRow {
	out := make([]logRow, len(lines))
	for i, l := range lines {
		out[i] = logRow{
			Seq: l.Seq, At: l.Time.UTC().Format(time.RFC3339), Time: timeWords(l.Time, now), Level: l.Level, Service: l.Service, Text: l.Text,
			Mood: map[string]string{"warn": "warn", "error": "bad"}[l.Level],
		}
	}
	return out
}

// logStream sends the lines that are new, above those that are there.
func (s *Server) logStream(w http.ResponseWriter, r *http.Request) error {
	f, _ := s.logFilter(r.URL.Query())
	// The page was made a moment before: what came since is sent, and nothing twice.
	if after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64); err == nil {
		f.After = after
	} else {
		f.After = s.deps.System.Log(LogFilter{}, 1).Last
	}
	first := true
	return s.pageStream(w, r, func(PhoneEvent) bool { return false }, func() ([]byte, error) {
		lines := s.deps.System.Log(f, logPageLines)
		f.After = lines.Last
		if len(lines.Lines) == 0 {
			return nil, nil
		}
		swap := "afterbegin"
		if first {
			// A browser that lost its connection comes with the number that its page was made with: all is sent anew.
			all := f
			all.After, swap, first = 0, "innerMorph", false
			lines = s.deps.System.Log(all, logPageLines)
			f.After = lines.Last
		}
		var out, b bytes.Buffer
		if err := s.pages.part(&b, "systemlog", "logrows", logRows(lines.Lines, s.deps.Now())); err != nil {
			return nil, err
		}
		partial(&out, "#log", swap, b.Bytes())
		return out.Bytes(), nil
	})
}

// logText sends the lines as a file, the oldest first.
func (s *Server) logText(w http.ResponseWriter, r *http.Request) error {
	f, _ := s.logFilter(r.URL.Query())
	lines := s.deps.System.Log(f, logTextLines)
	attach(w, "phonebox-log.txt", "text/plain; charset=utf-8")
	for i := len(lines.Lines) - 1; i >= 0; i-- {
		if _, err := w.Write([]byte(LogText(lines.Lines[i]))); err != nil {
			return nil //nolint:nilerr // nobody is there any more
		}
	}
	return nil
}

// LogText writes a line of the log for a file.
func LogText(l LogLine) string {
	return l.Time.UTC().Format("2006-01-02T15:04:05.000Z") + " " + strings.ToUpper(l.Level) + " " + l.Service + ": " + strings.ReplaceAll(l.Text, "\n", " ") + "\n"
}

func (s *Server) apiLog(w http.ResponseWriter, r *http.Request) error {
	f, _ := s.logFilter(r.URL.Query())
	f.After, _ = strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	writeJSON(w, http.StatusOK, s.deps.System.Log(f, logTextLines))
	return nil
}
