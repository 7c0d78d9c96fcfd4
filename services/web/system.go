package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// systemView is the page of the box as a machine.
type systemView struct {
	Sentence, Mood string
	Health         []healthView
	Facts          []factView
	Links          []linkView
	Powers         []powerView
	Gokrazy        bool // the operating system has a page of its own
	Full           bool // there is a machine to show
}

// healthView is a service with what it answered when it was asked for a sign of life.
type healthView struct {
	serviceView
	Probe   string
	Answers bool
}

// factView is one fact; a Trouble is a sentence that says what to do.
type factView struct{ Name, Text, Mood, Trouble string }

// linkView is a network interface in words.
type linkView struct {
	Name, State, Mood, MAC, Addresses string
	Ours                              bool
}

// powerView is one thing that can be done to the box, or why it cannot.
type powerView struct{ Do, Label, Why string }

// systemRoutes are the pages of the box as a machine.
func (s *Server) systemRoutes() map[string]handlerFunc {
	routes := map[string]handlerFunc{"GET /system": s.systemPage}
	if s.deps.System == nil {
		return routes
	}
	for pattern, h := range map[string]handlerFunc{
		"GET /system/stream":               s.systemStream,
		"GET /system/log":                  s.logPage,
		"GET /system/log/stream":           s.logStream,
		"GET /system/log.txt":              s.logText,
		"GET /system/backup":               s.backupPage,
		"POST /system/backup":              s.backupPost,
		"GET /system/restore":              s.restorePage,
		"POST /system/restore":             s.restoreUpload,
		"POST /system/restore/decide":      s.restoreDecide,
		"GET /system/restore/decide":       backTo("/system/restore"),
		"GET /system/restore/undo":         s.undoAsk,
		"POST /system/restore/undo":        s.undoPost,
		"GET /system/certificate":          s.certPage,
		"POST /system/certificate":         s.certUpload,
		"GET /system/certificate/new":      s.certNewAsk,
		"POST /system/certificate/new":     s.certNewPost,
		"GET /system/certificate/download": s.certDownload,
		"GET /system/power":                s.powerAsk,
		"POST /system/power":               s.powerPost,
		"GET /system/diagnostics":          s.diagnosticsPage,
		"GET /system/diagnostics/{name}":   s.diagnosticsPart,
		"GET /system/diagnostics.zip":      s.diagnosticsBundle,
		"GET /system/changes":              s.changesPage,
		"GET /system/changes.csv":          s.changesCSV,
		"GET /system/versions":             s.versionsPage,
		"GET /system/versions/{id}":        s.versionPage,
		"POST /system/versions/{id}":       s.versionPost,
		"GET /api/v1/system":               s.apiSystem,
		"GET /api/v1/log":                  s.apiLog,
		"GET /api/v1/changes":              s.apiChanges,
		"GET /api/v1/backup":               s.apiBackup,
		"POST /api/v1/restore":             s.apiRestore,
		"POST /api/v1/restore/undo":        s.apiUndo,
		"POST /api/v1/power":               s.apiPower,
		"GET /api/v1/diagnostics":          s.diagnosticsBundle,
	} {
		routes[pattern] = h
	}
	return routes
}

func (s *Server) systemPage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.systemNow(r.Context())
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "system", "System", "/system", v)
}

// systemNow asks every service for a sign of life and reads what the computer tells.
func (s *Server) systemNow(ctx context.Context) (systemView, error) {
	health, err := s.health.get(ctx, s.deps.Box)
	if err != nil {
		return systemView{}, err
	}
	status := s.status()
	v := systemView{Gokrazy: s.deps.Box.Gokrazy() != nil}
	for _, svc := range servicesView(status) {
		v.Health = append(v.Health, healthView{serviceView: svc})
	}
	for key, h := range health.Services {
		for i := range v.Health {
			if v.Health[i].Name == serviceName(key) {
				v.Health[i].setProbe(h)
			}
		}
	}
	if s.deps.System == nil {
		v.Facts = []factView{{Name: "Version", Text: status.Version}, {Name: "Runs for", Text: uptimeWords(status.UptimeS)}}
		v.Sentence, v.Mood = sentence(status)
		return v, nil
	}
	m := s.deps.System.Machine()
	v.Full = true
	v.Facts = machineFacts(m, status)
	for _, l := range m.Links {
		v.Links = append(v.Links, newLink(l))
	}
	v.Powers = powersView(s.deps.System.Powers())
	v.Sentence, v.Mood = systemSentence(v)
	return v, nil
}

// serviceName is a service's name for people.
func serviceName(key string) string {
	for _, n := range serviceNames {
		if n.key == key {
			return n.name
		}
	}
	return key
}

// setProbe says what a service answered.
func (h *healthView) setProbe(got ServiceHealth) {
	switch {
	case got.State == "off":
		h.Probe = "switched off, so it was not asked"
	case got.Why != "":
		h.Probe, h.Mood = got.Why, "bad"
	default:
		h.Answers = true
	}
}

// systemSentence sums up: what is worst comes first.
func systemSentence(v systemView) (text, mood string) {
	var bad []string
	for _, h := range v.Health {
		if h.Mood == "bad" {
			bad = append(bad, h.Name)
		}
	}
	if len(bad) > 0 {
		return "Something is wrong with " + and(bad) + ".", "bad"
	}
	for _, mood := range []string{"bad", "warn"} {
		for _, f := range v.Facts {
			if f.Mood == mood {
				return f.Trouble, mood
			}
		}
	}
	return "The box is well.", "good"
}

// What is too little, too much or too slow.
const (
	lowDisk   = 64 << 20 // bytes
	lowMemory = 32 << 20
	warmCPU   = 75.0 // degrees; a Raspberry Pi slows down at 80
	hotCPU    = 80.0
	slowCard  = 0.05 // the part of commits that took longer than a quarter of a second
)

// machineFacts puts the computer into words; what is not well has a sentence.
func machineFacts(m Machine, status Status) []factView {
	version := m.Version
	if version == "" {
		version = status.Version
	}
	if m.Changed {
		version += ", with changes that are in no commit"
	}
	facts := []factView{
		{Name: "Version", Text: version},
		{Name: "Built with", Text: m.Go},
		{Name: "Board", Text: cmp.Or(m.Board, "not known") + ", " + m.Arch + ", " + count(m.CPUs, "core")},
		{Name: "Kernel", Text: m.Kernel},
		{Name: "The daemon runs for", Text: uptimeWords(status.UptimeS)},
		{Name: "The computer runs for", Text: uptimeWords(m.UptimeS)},
		memoryFact(m), heatFact(m),
	}
	if m.Supply != nil {
		facts = append(facts, supplyFact(*m.Supply))
	}
	facts = append(facts, diskFact(m), storeFact(m.Store))
	clock := factView{Name: "Clock", Text: clockSentence(status.Clock)}
	if !status.Clock.Trusted {
		clock.Mood, clock.Trouble = "warn", "The box does not know the right time: set it on the page of the time, or let it reach a time server."
	}
	return append(facts, clock, factView{Name: "Real-time clock", Text: cmp.Or(status.Clock.RTC, "nothing is known of one")})
}

func memoryFact(m Machine) factView {
	f := factView{Name: "Memory", Text: fmt.Sprintf("%s of %s are free; phonebox takes %s.", storageWords(m.MemFree), storageWords(m.MemTotal), storageWords(m.Resident))}
	if m.MemTotal > 0 && m.MemFree < lowMemory {
		f.Mood, f.Trouble = "warn", "Little memory is left. Restart the box; when it comes back, ask for help with a diagnostics bundle."
	}
	return f
}

func heatFact(m Machine) factView {
	f := factView{Name: "Heat", Text: "not known"}
	if m.HeatC <= 0 {
		return f
	}
	f.Text = fmt.Sprintf("%.0f °C", m.HeatC)
	switch {
	case m.HeatC >= hotCPU:
		f.Mood, f.Trouble = "bad", "The CPU is so hot that it slows down. Give the box air."
	case m.HeatC >= warmCPU:
		f.Mood, f.Trouble = "warn", "The CPU is nearly so hot that it slows down. Give the box air."
	}
	return f
}

func supplyFact(p Supply) factView {
	f := factView{Name: "Power supply", Text: "It is enough."}
	switch {
	case p.UnderVoltage:
		f.Text, f.Mood, f.Trouble = "Too little voltage now.", "bad", "The power supply gives too little voltage. Take one that is made for this Raspberry Pi, and a short cable: else the card will be damaged one day."
	case p.Throttled || p.Hot:
		f.Text, f.Mood, f.Trouble = "The CPU is slowed down now.", "warn", "The CPU is slowed down because it is too hot. Give the box air."
	case p.WasUnderVoltage:
		f.Text, f.Mood, f.Trouble = "It was too little once since the computer started.", "warn", "The power supply gave too little voltage at some moment since the computer started. Take a better one."
	case p.WasThrottled || p.WasHot:
		f.Text = "It is enough. The CPU was slowed down by heat at some moment since the computer started."
	}
	return f
}

func diskFact(m Machine) factView {
	f := factView{Name: "Disk", Text: fmt.Sprintf("%s of %s are free in %s.", storageWords(m.DiskFree), storageWords(m.DiskTotal), m.Data)}
	switch {
	case m.Store.InMem != "":
		f.Mood, f.Trouble = "bad", capital(m.Store.InMem)
	case m.ReadOnly:
		f.Mood, f.Trouble = "bad", "The card can only be read: nothing that you change lasts. It is probably worn out. Make a backup now and write a new card."
	case m.DiskTotal == 0:
		f.Text = "not known"
	case m.DiskFree < lowDisk:
		f.Mood, f.Trouble = "warn", "The card is nearly full. Remove firmware that no phone needs."
	}
	return f
}

func storeFact(st StoreFacts) factView {
	f := factView{Name: "Storing of leases", Text: "Nothing was stored since the start."}
	switch {
	case st.Commits == 1:
		f.Text = fmt.Sprintf("Stored once since the start, in %s.", millis(st.MeanS))
	case st.Commits > 1:
		f.Text = fmt.Sprintf("Stored %d times since the start, in %s each.", st.Commits, millis(st.MeanS))
	}
	switch {
	case st.Failing != "":
		f.Mood, f.Trouble = "bad", "Leases cannot be written to the card: known phones are served, new ones for ten minutes only. Make a backup and write a new card."
	case len(st.Faults) > 0:
		f.Mood, f.Trouble = "warn", capital(st.Faults[0])
	case st.Commits >= 20 && st.Slow > slowCard:
		f.Mood, f.Trouble = "warn", "The card is slow: phones wait for their addresses. It may be worn out."
	}
	return f
}

func millis(s float64) string {
	if s < 0.001 {
		return "less than 1 ms"
	}
	return fmt.Sprintf("%.0f ms", s*1000)
}

// capital makes a sentence of a text.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.TrimSuffix(strings.ToUpper(s[:1])+s[1:], ".") + "."
}

// storageWords writes a size so that it can be compared.
func storageWords(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return count(int(n), "byte")
}

func newLink(l Link) linkView {
	v := linkView{Name: l.Name, MAC: l.MAC, Addresses: strings.Join(l.Addresses, ", "), Ours: l.Ours, State: "connected", Mood: "good"}
	switch {
	case !l.Up:
		v.State, v.Mood = "switched off", "quiet"
	case !l.Running:
		v.State, v.Mood = "no cable, or nobody at its other end", "warn"
		if !l.Ours {
			v.Mood = "quiet"
		}
	}
	return v
}

func powersView(p Powers) []powerView {
	return []powerView{{"restart", "Restart phonebox", p.Restart}, {"reboot", "Restart the computer", p.Reboot}, {"off", "Shut the computer down", p.Off}}
}

// lookAtSystem is how often a page that is open asks the services and reads the computer.
const lookAtSystem = 5 * time.Second

// systemStream keeps the page up to date.
func (s *Server) systemStream(w http.ResponseWriter, r *http.Request) error {
	sent := map[string]string{}
	var last time.Time
	return s.pageStream(w, r, func(PhoneEvent) bool { return false }, func() ([]byte, error) {
		if time.Since(last) < lookAtSystem {
			return nil, nil
		}
		last = time.Now()
		v, err := s.systemNow(r.Context())
		if err != nil {
			return nil, err
		}
		var out, b bytes.Buffer
		for _, part := range []struct{ name, target string }{{"systemsum", "#system-sum"}, {"systemhealth", "#system-health"}, {"systemfacts", "#system-facts"}} {
			b.Reset()
			if err := s.pages.part(&b, "system", part.name, v); err != nil {
				return nil, err
			}
			if b.String() != sent[part.name] {
				sent[part.name] = b.String()
				partial(&out, part.target, "innerMorph", b.Bytes())
			}
		}
		return out.Bytes(), nil
	})
}

func (s *Server) apiSystem(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, struct {
		Machine
		Powers Powers `json:"powers"`
	}{s.deps.System.Machine(), s.deps.System.Powers()})
	return nil
}

// busyPhones names the phones whose power, and whose box, must not go now.
func (s *Server) busyPhones() []string {
	var out []string
	if s.deps.Shop == nil {
		return nil
	}
	for _, c := range s.deps.Shop.Conversions() {
		if !c.Unplug {
			out = append(out, cmp.Or(c.Label, c.MAC.String()))
		}
	}
	slices.Sort(out)
	return out
}
