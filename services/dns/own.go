package dns

import (
	"sync"

	"github.com/miekg/dns"
)

// own holds answers of the zone, packed, that follow from the settings alone: the addresses of the box and of the hosts.
// They live as long as the settings, and there are no more than names in them. Names of phones come and go with leases and
// are looked up anew each time.
type own struct {
	mu      sync.RWMutex
	answers map[string]*answer
}

// recallOwn returns the packed answer to a question for an address of the settings; nil = the zone has to look.
func (st *state) recallOwn(q *question, key []byte) *answer {
	if q.qtype != dns.TypeA {
		return nil
	}
	st.own.mu.RLock()
	a := st.own.answers[string(key)]
	st.own.mu.RUnlock()
	return a
}

// keepOwn packs the answer to such a question, when it was asked for the first time.
func (st *state) keepOwn(q *question) {
	name := q.name()
	if q.qtype != dns.TypeA || q.labels < 2 || len(st.zone.fixed[name]) == 0 {
		return
	}
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	f, ok := st.zone.lookUp(m.Question[0])
	if !ok || len(f.records) == 0 {
		return
	}
	resp := f.message(m)
	resp.RecursionAvailable = len(st.upstream) > 0
	a, err := newAnswer(resp)
	if err != nil {
		return // then miekg/dns says so each time
	}
	a.local = true
	st.own.mu.Lock()
	defer st.own.mu.Unlock()
	st.own.answers[string(q.appendKey(nil))] = a
}
