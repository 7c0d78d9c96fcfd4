package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// serviceView is a service in words.
type serviceView struct{ Name, Short, State, Mood, Detail string }

// serviceNames are the services in the order in which a phone meets them.
var serviceNames = []struct{ key, name, short string }{
	{"dhcp", "Addresses", "DHCP"},
	{"tftp", "Files", "TFTP"},
	{"sntp", "Time", "SNTP"},
	{"dns", "Names", "DNS"},
	{"sip", "Restarts", "SIP"},
	{"web", "This page", "HTTP"},
}

func servicesView(status Status) []serviceView {
	var out []serviceView
	seen := map[string]bool{}
	for _, n := range serviceNames {
		if svc, ok := status.Services[n.key]; ok {
			out = append(out, serviceInWords(n.name, n.short, svc))
			seen[n.key] = true
		}
	}
	var rest []string
	for key := range status.Services {
		if !seen[key] {
			rest = append(rest, key)
		}
	}
	slices.Sort(rest)
	for _, key := range rest {
		out = append(out, serviceInWords(key, "", status.Services[key]))
	}
	return out
}

func serviceInWords(name, short string, svc Service) serviceView {
	v := serviceView{Name: name, Short: short, State: svc.State, Mood: "quiet", Detail: svc.Detail}
	switch svc.State {
	case "running":
		v.Mood = "good"
	case "held":
		v.State, v.Mood = "held back", "warn"
	case "failed":
		v.Mood = "bad"
	}
	return v
}

// sentence sums the box up: the worst first.
func sentence(status Status) (text, mood string) {
	var broken, held, waiting []string
	for _, v := range servicesView(status) {
		name := v.Name
		if v.Short != "" {
			name = v.Short
		}
		switch {
		case v.Mood == "bad":
			broken = append(broken, name)
		case v.Mood == "warn":
			held = append(held, name)
		case v.Mood == "quiet" && v.State != "off":
			waiting = append(waiting, name)
		}
	}
	switch {
	case len(broken) > 0:
		return and(broken) + isAre(broken) + " not running.", "bad"
	case len(held) > 0 && heldByOthers(status):
		return "Another DHCP server answers on this network, so the box hands out no addresses.", "warn"
	case len(held) > 0:
		return and(held) + isAre(held) + " held back.", "warn"
	case len(waiting) > 0:
		return "The box is starting.", "warn"
	case !status.Clock.Trusted:
		return "Everything runs, but the box does not know the right time.", "warn"
	case len(status.Notices) > 0:
		return "Everything runs. There is something to read below.", "warn"
	}
	return "Everything runs.", "good"
}

func and(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func isAre(names []string) string {
	if len(names) == 1 {
		return " is"
	}
	return " are"
}

// clockSentence says what the box knows of the time.
func clockSentence(c Clock) string {
	source := c.Source
	if source == "" {
		source = "nowhere"
	}
	if !c.Trusted {
		return "Not known for sure (from: " + source + "). Phones are told so."
	}
	text := "Known from " + source
	if c.Stratum > 0 {
		text += fmt.Sprintf(", stratum %d", c.Stratum)
	}
	if c.HeldS > silentAfter.Seconds() {
		return text + ". It has not answered for " + shortDuration(c.HeldS) + "; the time goes on and may be wrong by " + shortDuration(c.ErrorS) + " by now."
	}
	return text + "; it may be wrong by " + shortDuration(c.ErrorS) + "."
}

// silentAfter is longer than the box waits between two questions.
const silentAfter = 20 * time.Minute

// stepWords are the steps as the table shows them.
var stepWords = map[phone.Step]struct{ words, mood string }{
	"":               {"never seen", "quiet"},
	phone.Seen:       {"seen", "busy"},
	phone.Addressed:  {"has an address", "busy"},
	phone.Loading:    {"fetching files", "busy"},
	phone.Upgrading:  {"writing firmware", "warn"},
	phone.Configured: {"configured", "busy"},
	phone.Ready:      {"ready", "good"},
	phone.Stuck:      {"stuck", "bad"},
}

func stepInWords(step phone.Step) (words, mood string) {
	w, ok := stepWords[step]
	if !ok {
		return string(step), "quiet"
	}
	return w.words, w.mood
}

// waitingWords is what a phone waits for, unless its problem says that already.
func waitingWords(p Phone) string {
	if strings.Contains(p.Problem, p.WaitingFor) {
		return ""
	}
	return p.WaitingFor
}

// phonesSentence counts the phones by what matters.
func phonesSentence(phones []Phone) string {
	if len(phones) == 0 {
		return "No phones yet"
	}
	var ready, stuck, unlisted, never int
	for _, p := range phones {
		switch p.Step {
		case phone.Ready:
			ready++
		case phone.Stuck:
			stuck++
		case "":
			never++
		}
		if !p.Known {
			unlisted++
		}
	}
	parts := []string{count(len(phones), "phone"), fmt.Sprintf("%d ready", ready)}
	for _, c := range []struct {
		n    int
		word string
	}{{stuck, "stuck"}, {len(phones) - ready - stuck - never, "on the way"}, {never, "never seen"}, {unlisted, "not listed"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	return parts[0] + ": " + strings.Join(parts[1:], ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// timeWords writes a time as short as it can be understood, in the box's zone.
func timeWords(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(now.Location())
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04:05")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006 15:04")
}

// uptimeWords writes how long the box runs.
func uptimeWords(s int64) string {
	d := time.Duration(s) * time.Second
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour")
	}
	return count(int(d/(24*time.Hour)), "day")
}
