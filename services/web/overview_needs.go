package web

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// The bounds of the list.
const (
	maxStuckNeeds = 5               // groups of stuck phones
	maxMore       = 6               // lines of details of one need
	cureTime      = 2 * time.Second // in which the cures of stuck phones have to be found
	cureAge       = 10 * time.Second
)

// needSources are all that know of something that needs a person. Each is asked whenever the overview is made, which is up to
// twice a second: it must answer from memory. A subject with needs of its own adds a line.
func (s *Server) needSources() []func(*look) []Need {
	return []func(*look) []Need{
		needOfServices,
		needOfOthers,
		s.needsOfBox,
		s.needsOfStuck,
		needsOfConversions,
		needOfClock,
		needOfUnlisted,
		s.needOfImports,
		s.needOfNames,
	}
}

// needs returns what needs a person, the worst first; those of one level in the order of their sources.
func (s *Server) needs(l *look) []Need {
	out := []Need{}
	for _, of := range s.needSources() {
		out = append(out, of(l)...)
	}
	slices.SortStableFunc(out, func(a, b Need) int { return int(a.Level) - int(b.Level) })
	return out
}

// needsView is the list as the page shows it.
type needsView struct {
	List  []needView
	Empty bool // there is no phone: nothing is wrong, and nothing works yet
}

type needView struct {
	Need
	Mood, Word string
}

func (s *Server) needsView(l *look) needsView {
	t := Count(l.phones)
	v := needsView{Empty: t.Listed+t.Unlisted == 0}
	for _, n := range s.needs(l) {
		one := needView{Need: n, Mood: "quiet", Word: "when you have time"}
		switch n.Level {
		case Pressing:
			one.Mood, one.Word = "bad", "now"
		case Due:
			one.Mood, one.Word = "warn", "soon"
		default:
		}
		v.List = append(v.List, one)
	}
	return v
}

// withoutService says what it means for the phones that a service does not run.
var withoutService = map[string]string{
	"DHCP": "Phones get no addresses from the box.",
	"TFTP": "Phones get no files, and those that start now do not come up.",
	"SNTP": "Phones get no time from the box.",
	"DNS":  "Phones find nobody by a name.",
	"SIP":  "The box cannot see which phones run, and can restart none.",
	"HTTP": "Phones get no directory and no logo.",
}

func needOfServices(l *look) []Need {
	var out []Need
	for _, svc := range servicesView(l.status) {
		if svc.Mood != "bad" {
			continue
		}
		name := svc.Short
		if name == "" {
			name = svc.Name
		}
		n := Need{
			Key: "service-" + keyOf(name), Level: Pressing, What: fmt.Sprintf("%s is not running.", name), Why: withoutService[name],
			Do: []Deed{{Text: "What the box logged", Path: "/system"}, {Text: "Settings", Path: "/settings"}},
		}
		if n.Why == "" {
			n.Why = endWithStop(svc.Detail)
		} else if svc.Detail != "" {
			n.More = []string{endWithStop(svc.Detail)}
		}
		out = append(out, n)
	}
	return out
}

func endWithStop(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?") {
		return text
	}
	return text + "."
}

// needOfOthers is about DHCP servers beside which nobody decided to serve.
func needOfOthers(l *look) []Need {
	var servers, more []string
	for _, o := range othersView(l.status.Others, l.now) {
		if o.Accepted {
			continue
		}
		servers = append(servers, o.Address)
		more = append(more, otherWords(o)...)
	}
	svc := l.status.Services["dhcp"]
	again := Deed{Text: "Look again", Path: "/look-again", Form: true}
	switch {
	case len(servers) > 0 && svc.State == "held":
		return []Need{{
			Key: "other-dhcp", Level: Pressing, What: "Another DHCP server answers on this network.",
			Why:  "Two servers give phones two answers, so the box hands out no addresses. Switch the other one off and look again, or let the box answer beside it.",
			More: more, Do: []Deed{again, {Text: "Hand out addresses anyway", Path: "/serve-anyway", Form: true, Values: servers}},
		}}
	case len(servers) > 0:
		return []Need{{
			Key: "other-dhcp", Level: Due, What: "Another DHCP server answers on this network.",
			Why: "A phone that asks it may get an address and no files. Switch it off, or let it leave the phones to this box.", More: more, Do: []Deed{again},
		}}
	case svc.State == "held":
		return []Need{{
			Key: "dhcp-held", Level: Pressing, What: "The box hands out no addresses.", Why: endWithStop(svc.Detail),
			Do: []Deed{again, {Text: "Hand out addresses anyway", Path: "/serve-anyway", Form: true}},
		}}
	}
	return nil
}

// otherWords tell what is known of another DHCP server, a sentence each.
func otherWords(o otherView) []string {
	text := fmt.Sprintf("A device asked the DHCP server at %s for its address.", o.Address)
	if o.MAC != "" {
		text = fmt.Sprintf("The DHCP server at %s (%s) answers.", o.Address, o.MAC)
		if o.Offered != "" {
			text = fmt.Sprintf("The DHCP server at %s (%s) answers; it offered %s.", o.Address, o.MAC, o.Offered)
		}
	}
	out := []string{text}
	if o.Times != "" {
		out = append(out, o.Times)
	}
	if o.Told != "" {
		out = append(out, fmt.Sprintf("It tells its clients: %s.", o.Told))
	}
	return out
}

// needsOfBox are those that the box noticed itself, and without them what its status has to say.
func (s *Server) needsOfBox(l *look) []Need {
	if s.deps.Activity != nil {
		return s.deps.Activity.Needs()
	}
	var out []Need
	for i, text := range l.status.Notices {
		out = append(out, Need{Key: fmt.Sprintf("notice-%d", i), Level: Due, What: "The box has something to tell.", Why: endWithStop(text), Do: []Deed{{Text: "Settings", Path: "/settings"}}})
	}
	return out
}

// loadName is a firmware file in what a phone's problem says.
var loadName = regexp.MustCompile(`\bP[0-9A-Z]{2,}[0-9A-Z-]*\.(bin|sbn|sb2|loads)\b`)

// needsOfStuck groups the phones that are stuck on the same.
func (s *Server) needsOfStuck(l *look) []Need {
	var groups [][]*Phone
	at := map[string]int{}
	for i := range l.phones {
		p := &l.phones[i]
		if !p.Known || p.Step != phone.Stuck {
			continue
		}
		why := stuckWords(p)
		g, ok := at[why]
		if !ok {
			g = len(groups)
			at[why] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], p)
	}
	slices.SortStableFunc(groups, func(a, b []*Phone) int { return len(b) - len(a) })
	var out []Need
	left := 0
	for i, g := range groups {
		if i >= maxStuckNeeds {
			left += len(g)
			continue
		}
		out = append(out, s.stuckNeed(g))
	}
	if left > 0 {
		out = append(out, Need{
			Key: "stuck-others", Level: Pressing, What: countOf(left, "%d more phone is stuck.", "%d more phones are stuck."), Why: "The list of phones says what each waits for.",
			Do: []Deed{{Text: "All phones", Path: "/phones"}},
		})
	}
	return out
}

func stuckWords(p *Phone) string {
	if p.Problem != "" {
		return endWithStop(p.Problem)
	}
	if p.WaitingFor != "" {
		return fmt.Sprintf("It waits for %s.", p.WaitingFor)
	}
	return "It has made no step for longer than that takes."
}

func (s *Server) stuckNeed(group []*Phone) Need {
	p := group[0]
	one := linkTo(p)
	n := Need{Key: "stuck-" + strings.ToLower(p.MAC.Name()), Level: Pressing, What: fmt.Sprintf("%s is stuck.", one.Name), Why: stuckWords(p)}
	if len(group) > 1 {
		n.What = fmt.Sprintf("%s and %s are stuck.", one.Name, linkTo(group[1]).Name)
		if len(group) > 2 {
			n.What = fmt.Sprintf("%s and %d other phones are stuck.", one.Name, len(group)-1)
		}
	}
	for _, t := range s.cures(p) {
		n.More = append(n.More, t.Cause, t.Cure)
	}
	n.More = slices.DeleteFunc(n.More, func(text string) bool { return text == "" || text == n.Why })
	n.More = n.More[:min(len(n.More), maxMore)]
	n.Do = []Deed{{Text: "See what it did", Path: one.Path}}
	if loadName.MatchString(n.Why) {
		n.Do = append([]Deed{{Text: "Put firmware on the shelf", Path: "/firmware"}}, n.Do...)
	}
	if len(group) > 1 {
		n.Do = append(n.Do, Deed{Text: "All phones", Path: "/phones"})
	}
	return n
}

// oldCure is what was found out of a stuck phone, as it was then.
type oldCure struct {
	of       Phone
	found    time.Duration // by the time that nobody sets
	troubles []Trouble
}

// cures returns the known troubles that a stuck phone shows. To find them out takes a look at all of its files, so that it is
// done once for each state of a phone.
func (s *Server) cures(p *Phone) []Trouble {
	now := s.auth.uptime()
	s.cureMu.Lock()
	c, ok := s.cured[p.MAC]
	s.cureMu.Unlock()
	if ok && c.of == *p && now-c.found < cureAge {
		return c.troubles
	}
	ctx, cancel := context.WithTimeout(context.Background(), cureTime)
	defer cancel()
	e, err := s.deps.Shop.Explain(ctx, p.MAC)
	if err != nil {
		return nil // the phone's own page says why
	}
	s.cureMu.Lock()
	defer s.cureMu.Unlock()
	if s.cured == nil || len(s.cured) > 4*maxStuckNeeds {
		s.cured = map[phone.MAC]oldCure{}
	}
	s.cured[p.MAC] = oldCure{of: *p, found: now, troubles: e.Troubles}
	return e.Troubles
}

// needsOfConversions are about phones that do not get on their way to their firmware.
func needsOfConversions(l *look) []Need {
	var failed, blocked, lacking []string
	var broke Conversion // one that failed
	stuck := l.stuckForFirmware()
	var missing, more []string
	for _, c := range l.conversions {
		name := c.Label
		if name == "" {
			name = c.MAC.String()
		}
		switch {
		case c.Phase == "failed":
			failed, broke = append(failed, name), c
		case c.Phase == "blocked" && len(c.Missing) > 0 && stuck[c.MAC]:
			// That it is stuck says the same, more pressingly and with the same button.
		case c.Phase == "blocked" && len(c.Missing) > 0:
			lacking = append(lacking, name)
			for _, m := range c.Missing {
				if file := loadName.FindString(m); file != "" && strings.HasPrefix(m, file) {
					missing = appendNew(missing, file)
				} else {
					more = appendNew(more, endWithStop(m))
				}
			}
		case c.Phase == "blocked":
			blocked = append(blocked, name)
		}
	}
	look := []Deed{{Text: "See the conversions", Path: "/conversions"}}
	var out []Need
	if len(failed) > 0 {
		out = append(out, failedNeed(failed, broke, look))
	}
	if n := len(lacking); n > 0 {
		why := "The box goes on by itself once it is on the shelf."
		if len(missing) > 0 {
			why = fmt.Sprintf("The box goes on by itself once these files are on the shelf: %s.", strings.Join(missing, ", "))
		}
		out = append(out, Need{
			Key: "firmware-missing", Level: Due, What: countOf(n, "Firmware is missing for %d phone.", "Firmware is missing for %d phones."),
			Why: why, More: more, Do: append([]Deed{{Text: "Put firmware on the shelf", Path: "/firmware"}}, look...),
		}.named(lacking))
	}
	if n := len(blocked); n > 0 {
		out = append(out, Need{
			Key: "conversion-blocked", Level: Due, What: countOf(n, "%d phone has no way to its firmware.", "%d phones have no way to their firmware."),
			Why: "Each says what is in the way.", Do: look,
		}.named(blocked))
	}
	return out
}

// failedNeed is about conversions that failed; of a single one it says why.
func failedNeed(names []string, one Conversion, look []Deed) Need {
	n := Need{Key: "conversion-failed", Level: Pressing, Do: look}
	if len(names) == 1 {
		n.What, n.Why = fmt.Sprintf("The conversion of %s failed.", names[0]), endWithStop(one.Text)
		n.Do = append(slices.Clone(look), Deed{Text: "See what it did", Path: "/phones/" + one.MAC.Name()})
		return n
	}
	n.What, n.Why = fmt.Sprintf("The conversion of %d phones failed.", len(names)), "Each says what failed and what helps."
	return n.named(names)
}

// stuckForFirmware are the phones that are stuck, and whose problem names the firmware that they lack.
func (l *look) stuckForFirmware() map[phone.MAC]bool {
	out := map[phone.MAC]bool{}
	for i := range l.phones {
		if p := &l.phones[i]; p.Known && p.Step == phone.Stuck && loadName.MatchString(stuckWords(p)) {
			out[p.MAC] = true
		}
	}
	return out
}

// appendNew adds a text that is not in the list yet, up to a number that people read.
func appendNew(list []string, text string) []string {
	if slices.Contains(list, text) || len(list) >= 2*maxMore {
		return list
	}
	return append(list, text)
}

// named lists who a need is about: a few by name, the others by number.
func (n Need) named(names []string) Need {
	const most = 8
	n.Who = names[:min(len(names), most)]
	if left := len(names) - most; left > 0 {
		n.More = append(n.More, fmt.Sprintf("and %d more", left))
	}
	return n
}

func needOfClock(l *look) []Need {
	if l.status.Clock.Trusted {
		return nil
	}
	return []Need{{
		Key: "clock", Level: Due, What: "The box does not know the right time.",
		Why: "The phones are told so, and may show a wrong time or none. Take the time of this browser, or name a time server that the box can reach.",
		Do:  []Deed{{Path: "/clock", Form: true, Clock: true}, {Text: "Time servers", Path: "/time"}},
	}}
}

func needOfUnlisted(l *look) []Need {
	var fresh []*Phone
	for i := range l.phones {
		if p := &l.phones[i]; !p.Known && looksLikePhone(p) {
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	n := Need{
		Key: "unlisted", Level: Due, What: countOf(len(fresh), "%d phone showed up that nobody listed.", "%d phones showed up that nobody listed."),
		Why: "A phone gets its lines only once the box knows whose they are. Give it a name and a line.",
	}
	var who []string
	for _, p := range fresh {
		who = append(who, unlistedWords(p))
	}
	n.Do = []Deed{{Text: "Give it a line", Path: "/phones/new?mac=" + fresh[0].MAC.String()}}
	if len(fresh) > 1 {
		n.Do = []Deed{{Text: "Give the first one a line", Path: "/phones/new?mac=" + fresh[0].MAC.String()}, {Text: "All phones", Path: "/phones"}}
	}
	return []Need{n.named(who)}
}

func unlistedWords(p *Phone) string {
	text := p.MAC.String()
	if p.Model != "" {
		text += ", " + p.Model
	}
	if p.Address != "" {
		text += ", " + p.Address
	}
	return text
}

func (s *Server) needOfImports(*look) []Need {
	var out []Need
	for _, w := range s.deps.Shop.Waiting() {
		n := Need{
			Key: "import-" + keyOf(w.ID), Level: Due, What: "An import from a USB stick waits for your yes.", Why: endWithStop(w.Summary),
			Do: []Deed{{Text: "Look at it", Path: "/import"}},
		}
		if n.Why == "" {
			n.Why = "Nothing of it is taken over before you have seen what it would change."
		}
		out = append(out, n)
	}
	return out
}

func (s *Server) needOfNames(*look) []Need {
	missing := s.deps.Box.Names().Missing
	if len(missing) == 0 {
		return nil
	}
	var names []string
	for _, m := range missing {
		names = append(names, m.Name)
	}
	return []Need{Need{
		Key: "names", Level: Someday, What: countOf(len(names), "%d name was asked for that nobody answers.", "%d names were asked for that nobody answers."),
		Why: "Phones that were set up elsewhere ask for servers of the old site. Lead such a name to this box or to a host.",
		Do:  []Deed{{Text: "See the names", Path: "/names"}},
	}.named(shortened(names))}
}

// shortened cuts what would not fit a line.
func shortened(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		if len(n) > 60 {
			n = n[:57] + "..."
		}
		out[i] = n
	}
	return out
}

// keyOf makes a key of a number or name of somebody else.
func keyOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text))
}
