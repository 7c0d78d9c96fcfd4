package journal

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

const (
	// maxSays bounds the clues of one source. Of what a phone asks for each statement is kept once, the newest: one that
	// contradicts a load must not be pushed out by the next name (a phone that failed to write an image asks for that
	// image, and later for its configuration).
	maxSays = 16
	// maxWanted bounds the images that are remembered of one boot.
	maxWanted = 8
	// provedAfter is how long after its configuration a phone that answers OPTIONS has decided against another load.
	provedAfter = 10 * time.Second
	// decidedAfter is how long after the file that names its load an SCCP image that begins its search again has decided
	// against that load: it would have asked for it at once. One that cannot use the file asks again about once a second
	// (phones.md a.8).
	decidedAfter = 2 * time.Second
)

// learn takes a clue in, and with it what all clues say together.
func (s *state) learn(c ladder.Clue) {
	// The clues are ordered by their time, and the box's clock may be set back.
	for _, old := range s.Clues {
		if !c.At.After(old.At) {
			c.At = old.At.Add(1)
		}
	}
	s.Clues = slices.DeleteFunc(s.Clues, func(old ladder.Clue) bool {
		return old.Source == c.Source && (c.Source != ladder.FromNames || sameStatement(old, c))
	})
	s.Clues = append(s.Clues, c)
	says, oldest := 0, -1
	for i, old := range s.Clues {
		if old.Source == ladder.FromNames {
			says++
			if oldest < 0 || old.At.Before(s.Clues[oldest].At) {
				oldest = i
			}
		}
	}
	if says > maxSays {
		s.Clues = slices.Delete(s.Clues, oldest, oldest+1)
	}
	s.conclude()
}

// sameStatement reports whether two clues differ in when and how they came alone.
func sameStatement(a, b ladder.Clue) bool {
	a.At, a.Text = b.At, b.Text
	return a == b
}

// conclude makes the belief, and what follows it.
func (s *state) conclude() {
	b := ladder.Conclude(s.Clues)
	s.Belief = b
	if b.Model != "" {
		s.Model = b.Model
	}
	s.Protocol, s.Loader = b.Protocol, b.Loader == ladder.Yes
	s.Load = ""
	l, ours := phone.ParseLoad(b.Load)
	if seen := b.Confidence == ladder.Sure || b.Confidence == ladder.Likely && (s.shows(b.Protocol) || b.Beside != nil); seen && !(ours && l.Loader) {
		s.Load = b.Load
	}
}

// shows reports whether an application of the protocol was seen in this boot.
func (s *state) shows(p phone.Protocol) bool {
	return s.App && p == phone.SIP || s.Quiet && p == phone.SCCP
}

// learnClass reads option 60 (phones.md b).
func (s *state) learnClass(class string, at time.Time) {
	if _, cisco, _ := phone.Class(class); !cisco {
		return
	}
	s.IsPhone = true
	if c, ok := ladder.Class(class, at); ok {
		s.learn(c)
	}
}

// learnFile learns from the name that is asked for (phones.md a.1 and a.8).
func (s *state) learnFile(e *Event, m moment) {
	f := e.File
	first := !s.Asked
	s.Asked = true
	if f.Kind.IsFirmware() && !s.wanted(f.Load) && len(s.Wanted) < maxWanted {
		s.Wanted = append(s.Wanted, f.Load)
	}
	if c, ok := ladder.Asked(f, first, e.Time); ok {
		s.learn(c)
	}
	switch f.Kind {
	case phone.KindSIPDefault, phone.KindSyncInfo:
		s.runs(phone.SIP, e.Time, m)
	case phone.KindRingList, phone.KindDialPlan:
		s.runs(phone.SIP, e.Time, m)
		s.proved(s.ToldSIP, e.Time)
	case phone.KindLocale, phone.KindSEPOld:
		s.runs(phone.SCCP, e.Time, m)
	case phone.KindOS79XX, phone.KindSEP:
		s.searchesAgain(e.Time, m)
	case phone.KindTrustList, phone.KindLoads, phone.KindLoader, phone.KindApplication, phone.KindSIP, phone.KindMGC, phone.KindXMLDefault,
		phone.KindRing, phone.KindOther:
	}
	if searches(f.Kind) {
		s.hunt = m.now
	}
}

// searchesAgain notes that an SCCP image from before the loader, which was told a load, begins its search anew in the same
// boot, because no call agent answers it. It did not ask for that load, so it runs it. How often such a phone searches is
// not known, so that a minute of quiet need never come. OS79XX.TXT proves nothing: of it the image compares the first four
// characters alone (phones.md a.1).
func (s *state) searchesAgain(at time.Time, m moment) {
	if s.xml == "" || s.App || s.Belief.Loader != ladder.No || m.now.Sub(s.xmlAt) < decidedAfter {
		return
	}
	load := s.xml
	s.xml = ""
	s.proved(load, at)
}

// hint takes in what was heard beside the phone's own requests: CDP, a person.
func (s *state) hint(e *Event) {
	if e.Clue == nil {
		return
	}
	c := *e.Clue
	c.Text = c.Text[:min(len(c.Text), maxText)]
	if c.At.IsZero() && c.Source != ladder.FromPerson {
		c.At = e.Time
	}
	s.learn(c)
}

// heard reports whether a hint says what is known already: phones announce themselves over CDP each minute.
func (s *state) heard(e *Event) bool {
	return e.Clue != nil && slices.ContainsFunc(s.Clues, func(old ladder.Clue) bool { return old.Source == e.Clue.Source && sameStatement(old, *e.Clue) })
}

// learnAgent reads the answer to OPTIONS (phones.md f.2). An answer without a name that is known is one of a SIP
// application all the same.
func (s *state) learnAgent(e *Event) {
	c, ok := ladder.Agent(e.Agent, e.Time)
	switch {
	case ok:
		s.learn(c)
	case s.Belief.Protocol != phone.SIP:
		s.learn(ladder.Clue{
			Source: ladder.FromNames, Confidence: ladder.Sure, At: e.Time, Protocol: phone.SIP,
			Text: "it answers SIP, so its SIP application runs",
		})
	}
}

// restarted notes that the phone starts again: of what it fetched whole it has written the load by now, if nothing went
// wrong. The load from before is what runs if something did.
func (s *state) restarted(at time.Time) {
	if s.Pending == "" {
		return
	}
	name := s.Pending
	s.Pending = ""
	if l, ok := phone.ParseLoad(name); ok && !l.Loader {
		s.Fetched = l.Protocol
	}
	s.learn(ladder.Fetched(name, s.Belief.Load, at))
}

// pends notes that an image was fetched whole. The loader of a phone that has one already changes nothing of its
// application; over an older image it leaves no application at all. In an SCCP bundle it bears the name of the load
// itself (phones.md c.1), so only what the phone asks for next tells that it is there.
func (s *state) pends(f phone.FileName) {
	l, ok := phone.ParseLoad(f.Load)
	switch {
	case !ok:
	case f.Kind == phone.KindApplication, !l.Universal() && !l.Loader:
		s.Pending = f.Load
	case l.Loader && s.Belief.Loader != ladder.Yes:
		s.Pending = f.Load
	}
}

// runs notes that an application shows itself, and with it that the one whose .loads list made the loader start it is the
// one that runs.
func (s *state) runs(p phone.Protocol, at time.Time, m moment) {
	s.IsPhone = true
	if p == phone.SIP && !s.App {
		s.App = true
		s.entered = m.now // the application polls faster than the loader hunts
	}
	s.restarted(at)
	if application(s.Loads, p) {
		s.proved(s.Loads, at)
	}
	s.changed(p, at)
	s.conclude()
	if l, ok := phone.ParseLoad(s.Load); ok && application(s.Load, p) && strings.EqualFold(phone.ParseFileName(s.Flashed).Load, l.Name) {
		s.Flashed, s.Times = "", 0
	}
}

// changed notes that the application which shows itself is not the one from before: of a phone that fetched a load of that
// protocol whole and ran another protocol until then, nothing but that load can be running. A loader that just wrote an
// SCCP application starts it without a search (phones.md a.4), so that no file tells it what it runs.
func (s *state) changed(p phone.Protocol, at time.Time) {
	b := &s.Belief
	before, ok := phone.ParseLoad(b.Before)
	if b.Confidence != ladder.Likely || !ok || before.Loader || before.Protocol == p || !application(b.Load, p) || s.wanted(b.Load) {
		return
	}
	c := ladder.ToldNot(b.Load, at)
	c.Text = "it fetched " + b.Load + " whole in place of " + b.Before + ", and runs " + strings.ToUpper(string(p)) + " since"
	s.learn(c)
}

// wanted reports whether the phone asked for an image of the load in this boot.
func (s *state) wanted(load string) bool {
	return slices.ContainsFunc(s.Wanted, func(w string) bool { return strings.EqualFold(w, load) })
}

// proved takes the load that the files named for the one that runs: a phone that was told another one would have asked
// for it in this boot (phones.md a, common first steps).
func (s *state) proved(load string, at time.Time) {
	protocol := phone.SCCP
	if s.App {
		protocol = phone.SIP
	}
	if !application(load, protocol) || s.NoImage || s.wanted(load) {
		return
	}
	if s.Belief.Confidence == ladder.Sure && strings.EqualFold(s.Belief.Load, load) {
		return
	}
	s.learn(ladder.ToldNot(load, at))
}

// quietly notes that the phone is on SCCP: it got what it needs, asks for nothing more, and shows no SIP application.
func (s *state) quietly(m moment) {
	s.Quiet = true
	s.runs(phone.SCCP, m.at, m)
	s.proved(cmp.Or(s.Told, s.Loads), m.at)
	if s.Belief.Protocol != phone.SCCP {
		s.learn(ladder.Clue{
			Source: ladder.FromNames, Confidence: ladder.Guess, At: m.at, Protocol: phone.SCCP,
			Text: "it asks for nothing more and shows no SIP application, so it is likely on SCCP",
		})
	}
}

// stated takes in what the site says that the phone runs; "" takes that back.
func (s *state) stated(load string, at time.Time) (changed bool) {
	i := slices.IndexFunc(s.Clues, func(c ladder.Clue) bool { return c.Source == ladder.FromPerson })
	if i >= 0 && strings.EqualFold(s.Clues[i].Load, load) {
		return false
	}
	c, ok := ladder.Stated(load, at)
	switch {
	case ok:
		s.learn(c)
	case i < 0:
		return false
	default:
		s.Clues = slices.Delete(s.Clues, i, i+1)
		s.conclude()
	}
	return true
}

// application reports whether the load is an application of the protocol, rather than the universal loader.
func application(name string, p phone.Protocol) bool {
	l, ok := phone.ParseLoad(name)
	return ok && !l.Loader && l.Protocol == p
}
