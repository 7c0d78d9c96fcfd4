package telnet

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// Report is what a phone printed, and what could be read of it.
type Report struct {
	Lines         []LineState // by line number, a backup proxy's after the line's own
	Unprovisioned []string    // parameters without a value, as the phone names them, each once
	Output        string      // everything that the phone printed, passwords masked
}

// LineState is one line of show register.
type LineState struct {
	Line       int    // from 1
	Backup     bool   // the registration at proxy_backup
	Registered bool   // the phone says so
	State      string // in the phone's word, in upper case: REGISTERED
	Proxy      string // host:port; "" = the phone named none
	Raw        string // as the phone wrote it
}

const (
	maxLines         = 32 // a 7960 has 6, each maybe with a backup
	maxUnprovisioned = 200
	// Masked stands where a password was.
	Masked = "********"
)

// Sentences says of each line whether it is registered, and where.
func (r Report) Sentences() []string {
	var out []string
	for _, l := range r.Lines {
		name := fmt.Sprintf("line %d", l.Line)
		if l.Backup {
			name += " at the backup proxy"
		}
		at := ""
		if l.Proxy != "" {
			at = " at " + l.Proxy
		}
		switch {
		case l.Registered:
			out = append(out, name+" is registered"+at)
		case l.State == phone.Unprovisioned:
			out = append(out, name+" is unprovisioned")
		default:
			out = append(out, fmt.Sprintf("%s is not registered%s: the phone says %s", name, at, l.State))
		}
	}
	if len(out) == 0 {
		out = append(out, "the phone names no line in a way that is understood; see what it printed")
	}
	return out
}

// answer is what one command printed.
type answer struct{ command, text string }

// report reads the answers; password is the one that was typed.
func report(answers []answer, password string, full bool) Report {
	var r Report
	var out strings.Builder
	for _, a := range answers {
		if strings.Contains(a.command, "reg") { // show register, sh reg
			r.Lines = append(r.Lines, readLines(a.text)...)
		}
		r.Unprovisioned = append(r.Unprovisioned, readUnprovisioned(a.text)...)
		fmt.Fprintf(&out, "> %s\n%s\n", a.command, strings.Trim(a.text, "\n"))
	}
	if full {
		fmt.Fprintf(&out, "(The phone printed more than %d KB; the rest was left out.)\n", MaxOutput>>10)
	}
	r.Lines = r.Lines[:min(len(r.Lines), maxLines)]
	slices.SortStableFunc(r.Lines, func(a, b LineState) int { return a.Line - b.Line })
	slices.Sort(r.Unprovisioned)
	r.Unprovisioned = slices.Compact(r.Unprovisioned)
	r.Unprovisioned = r.Unprovisioned[:min(len(r.Unprovisioned), maxUnprovisioned)]
	m := &masker{typed: password, known: make(map[string]bool)}
	for i := range r.Lines {
		r.Lines[i].Raw = m.mask(r.Lines[i].Raw)
	}
	r.Output = m.mask(out.String())
	return r
}

var (
	// lineStart begins a line of the table: the number, "-BU" for the backup, maybe "line" before it and a colon behind.
	lineStart = regexp.MustCompile(`(?i)^[\s|]*(?:line\s*#?\s*)?([0-9]{1,2})\s*(-\s*BU|\(backup\))?\s*[:.)|]?(?:\s+(.*))$`)
	proxyPort = regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5}\b`)
	word      = regexp.MustCompile(`[A-Za-z][A-Za-z_-]*[A-Za-z]`)
	negated   = regexp.MustCompile(`(?i)\b(not|un|non|de)[ _-]*regist`)
)

// readLines reads the table of show register: line, flags, state, timer, expires, proxy:port (phones.md f.3). A proxy may
// stand on a line of its own below.
func readLines(text string) []LineState {
	var out []LineState
	for raw := range strings.Lines(text) {
		raw = strings.TrimRight(raw, "\n ")
		m := lineStart.FindStringSubmatch(raw)
		if m == nil {
			if n := len(out); n > 0 && out[n-1].Proxy == "" && strings.Contains(strings.ToLower(raw), "proxy") {
				out[n-1].Proxy = readProxy(raw)
			}
			continue
		}
		number, _ := strconv.Atoi(m[1])
		state := readState(m[3])
		if number == 0 || state == "" {
			continue // a number alone is no line: it may be any table
		}
		out = append(out, LineState{
			Line: number, Backup: m[2] != "", State: state, Registered: state == "REGISTERED", Proxy: readProxy(m[3]), Raw: raw,
		})
		if len(out) == maxLines {
			break
		}
	}
	return out
}

// readState finds the word of state in a line of the table: one that speaks of registering, else the first word that is
// not flags.
func readState(s string) string {
	if negated.MatchString(s) {
		return "UNREGISTERED"
	}
	s = proxyPort.ReplaceAllString(s, " ")
	first := ""
	for _, w := range word.FindAllString(s, -1) {
		up := strings.ToUpper(w)
		if strings.HasPrefix(up, "REGISTER") || strings.HasPrefix(up, "REG_") || up == phone.Unprovisioned {
			return up
		}
		// Flags are single letters, up to three of them: A, P, R (unconfirmed).
		if first == "" && strings.Trim(up, "APR") != "" && up != "STATE" {
			first = up
		}
	}
	return first
}

// readProxy finds host:port; a host of "undefined", zeros or port 0 is none.
func readProxy(s string) string {
	all := proxyPort.FindAllString(s, -1)
	for i := len(all) - 1; i >= 0; i-- {
		host, port, err := net.SplitHostPort(all[i])
		n, _ := strconv.Atoi(port)
		if err != nil || n == 0 || n > 65535 || host == "0.0.0.0" || strings.EqualFold(host, "undefined") || strings.EqualFold(host, phone.Unprovisioned) ||
			strings.Trim(host, "0123456789") == "" { // a time of day
			continue
		}
		return all[i]
	}
	return ""
}

var (
	// The name before the value, as in a file (h), or the name behind the word, as in the status message "W350 unprovisioned
	// proxy1_address" (a.5).
	nameBefore = regexp.MustCompile(`(?i)([A-Za-z][A-Za-z0-9_]*)\s*[:=]?\s*"?UNPROVISIONED\b`)
	nameBehind = regexp.MustCompile(`(?i)\bUNPROVISIONED\s*[:=]?\s*"?([A-Za-z][A-Za-z0-9_]*)`)
)

// readUnprovisioned finds the parameters that a phone calls unprovisioned.
func readUnprovisioned(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if len(out) >= maxUnprovisioned {
			break
		}
		if m := nameBefore.FindStringSubmatch(line); m != nil && isParameter(m[1]) {
			out = append(out, strings.ToLower(m[1]))
		} else if m := nameBehind.FindStringSubmatch(line); m != nil && isParameter(m[1]) {
			out = append(out, strings.ToLower(m[1]))
		}
	}
	return out
}

// isParameter reports whether a word is the name of a parameter: a known one, or one that is written like them.
func isParameter(s string) bool {
	_, known := phone.LookUpParameter(s)
	return known || strings.Contains(s, "_")
}
