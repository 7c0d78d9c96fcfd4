package dhcp

import (
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// staleAfter is how old a DISCOVER may get in the receive buffer: its client repeats it after 4 s (RFC 2131 section
	// 4.1), and the answer to the first one would only cost the time that the second one needs.
	staleAfter = 4 * time.Second
	// lateAfter is the age from which on packets count as piling up.
	lateAfter = time.Second
	// oddAge is an age that no packet reaches: the clock was set while it waited.
	oddAge = 5 * time.Minute
)

// ageOf returns how long a packet has waited since the kernel took it.
func ageOf(received time.Time) time.Duration {
	if received.IsZero() {
		return 0
	}
	if age := time.Since(received); age > 0 && age < oddAge {
		return age
	}
	return 0
}

// overloaded refuses what can wait when there is more than can be done: a DISCOVER that is repeated anyway, and new
// clients before those that have an address to lose and before listed phones. Who holds an offer of ours is no longer new.
func (s *Server) overloaded(r *request, age time.Duration) *refusal {
	if r.typ != dhcpv4.MessageTypeDiscover {
		return nil
	}
	if age >= staleAfter {
		return refuse("stale", "the packet waited for %s, and the client asks again", age.Round(time.Millisecond))
	}
	if (age >= lateAfter || s.queue.crowded()) && !s.familiar(r) {
		return refuse("overloaded", "more clients ask at once than can be answered, and those that are known go first; the client will ask again")
	}
	return nil
}

// familiar reports whether the client is listed or was here before.
func (s *Server) familiar(r *request) bool {
	return s.st.known[r.mac] || s.table.Known(r.client.Key)
}

// unserved is why what was begun is not finished: serving is held, or the server stops.
func (s *Server) unserved() *refusal {
	if s.phase.running() {
		return phaseOff().why()
	}
	return s.phase.why()
}

// troubles are sentences on what is not as it should be while the server runs; the caller holds the lock.
func (s *Server) troubles() string {
	m := s.moment()
	all := ""
	for _, t := range []string{s.incompleteTrouble(m), s.strangers.trouble(m.Mono)} {
		if t != "" {
			all = join2(t, all)
		}
	}
	return all
}

// storeTrouble is shown while the exception of promise 1 lasts, and with it what else is wrong.
func (s *Server) storeTrouble() string {
	if s.storeErr == nil {
		return s.troubles()
	}
	return join2(notStoredText, s.troubles())
}
