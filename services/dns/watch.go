package dns

import (
	"fmt"
	"sync"
	"time"
)

// watcher notices when the servers upstream fail and when they are back, to tell it once.
type watcher struct {
	mu    sync.Mutex
	down  bool
	since time.Time
	quiet time.Duration            // nothing is told of the servers' comings and goings before
	told  map[string]time.Duration // sentences of the last minutes, so that none is repeated all the time
}

// repeatAfter is how long a sentence about the servers upstream is not repeated.
const repeatAfter = 10 * time.Minute

// restAfter is how long nothing is told of servers that come and go, after they went.
const restAfter = time.Minute

// maxTold bounds the sentences that are remembered.
const maxTold = 64

// watch tells that all servers upstream are silent, or that one answers again.
func (s *Server) watch() {
	ups := s.state.Load().upstream
	dead := len(ups) > 0 && allDead(ups)
	w := &s.watcher
	w.mu.Lock()
	changed := dead != w.down
	since, resting := w.since, changed && dead && s.uptime() < w.quiet
	if changed && !resting {
		w.down, w.since = dead, s.date()
		w.quiet = s.uptime() + restAfter
	}
	w.mu.Unlock()
	switch {
	case resting:
	case changed && dead:
		s.note(fmt.Sprintf("No name server upstream answers (%s). Names that were asked before are answered as they were.", s.troubles(ups)))
	case changed:
		s.note(fmt.Sprintf("A name server upstream answers again, after %s.", s.date().Sub(since).Round(time.Second)))
	}
}

// date is the box's time, for people.
func (s *Server) date() time.Time {
	now, _ := s.time()
	return now
}

// troubles lists what is wrong with the servers.
func (s *Server) troubles(ups []*upstream) string {
	text := ""
	for _, u := range ups {
		if h := u.health(); h.silent >= deadAfter {
			if text != "" {
				text += "; "
			}
			text += h.trouble
		}
	}
	return text
}

func (s *Server) note(text string) {
	s.log.Warn("names of the world", "what", text)
	s.report(Event{Kind: EventUpstream, Time: time.Now(), Reason: text})
}

// tellUpstream notes a sentence, unless it was noted a short while ago.
func (s *Server) tellUpstream(text string) {
	w, now := &s.watcher, s.uptime()
	w.mu.Lock()
	for old, at := range w.told {
		if now-at > repeatAfter {
			delete(w.told, old)
		}
	}
	_, repeated := w.told[text]
	room := len(w.told) < maxTold
	if !repeated && room {
		if w.told == nil {
			w.told = map[string]time.Duration{}
		}
		w.told[text] = now
	}
	w.mu.Unlock()
	if !repeated && room {
		s.note(text)
	}
}

func (s *Server) tellClear(up *upstream, name string) {
	s.tellUpstream(fmt.Sprintf("The name of the time server %s was asked in clear at %s: %s", name, up.Addr.Addr(), clearText))
}

const clearText = "the certificate of the name server does not fit the time of the box, which is not trusted yet."

// Status says in words what is wrong with the servers upstream; "" when nothing is.
func (s *Server) Status() string {
	ups := s.state.Load().upstream
	var silent, alive, clear string
	for _, u := range ups {
		h := u.health()
		switch {
		case h.inClear:
			clear = u.String()
		case h.silent >= deadAfter:
			silent = list(silent, u.String())
		default:
			alive = list(alive, u.String())
		}
	}
	switch {
	case clear != "" && alive == "":
		return fmt.Sprintf("The certificate of %s does not fit the time of the box, which is not trusted yet. Until it is, only the names of time servers are asked, in clear.", clear)
	case silent != "" && alive == "":
		s.watcher.mu.Lock()
		since := s.watcher.since
		s.watcher.mu.Unlock()
		return fmt.Sprintf("No name server upstream answers since %s (%s). Names that were asked before are answered as they were; others cannot be found.", since.Format("15:04 MST"), silent)
	case silent != "":
		return fmt.Sprintf("%s does not answer; %s is asked instead.", silent, alive)
	}
	return ""
}

func list(text, more string) string {
	if text == "" {
		return more
	}
	return text + ", " + more
}
