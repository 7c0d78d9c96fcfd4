package dns

import (
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// maxOwn bounds the packed answers of the zone; beyond it they are made anew.
const maxOwn = 8192

// own holds packed answers of the zone to questions for addresses, as long as the settings live. A name of the settings
// has its address until then. That of a phone comes and goes with its lease, so it is asked for each time and compared.
type own struct {
	mu      sync.RWMutex
	answers map[string]ownAnswer
}

type ownAnswer struct {
	answer *answer
	label  string // of a phone; "" = the name is of the settings
	addr   netip.Addr
}

// recallOwn returns the packed answer to a question for an address; nil = the zone has to look.
func (st *state) recallOwn(q *question, key []byte) *answer {
	if q.qtype != dns.TypeA {
		return nil
	}
	st.own.mu.RLock()
	kept := st.own.answers[string(key)]
	st.own.mu.RUnlock()
	if kept.label != "" {
		if addr, ok := st.zone.names.Lookup(kept.label); !ok || addr != kept.addr {
			return nil
		}
	}
	return kept.answer
}

// keepOwn packs the zone's answer to such a question.
func (st *state) keepOwn(q *question) {
	name := q.name()
	if q.qtype != dns.TypeA || q.labels < 2 {
		return
	}
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	f, ok := st.zone.lookUp(m.Question[0])
	if !ok || len(f.records) == 0 {
		return
	}
	kept := ownAnswer{}
	if len(st.zone.fixed[name]) == 0 {
		a, isA := f.records[0].(*dns.A)
		if kept.label, ok = strings.CutSuffix(name, "."+st.zone.domain); !ok || !isA || len(f.records) > 1 {
			return // it is neither of the settings nor of a phone
		}
		kept.addr, _ = netip.AddrFromSlice(a.A.To4())
	}
	resp := f.message(m)
	resp.RecursionAvailable = len(st.upstream) > 0
	var err error
	if kept.answer, err = newAnswer(resp); err != nil {
		return // then miekg/dns says so each time
	}
	kept.answer.local = true
	st.own.mu.Lock()
	defer st.own.mu.Unlock()
	if len(st.own.answers) >= maxOwn {
		clear(st.own.answers)
	}
	st.own.answers[string(q.appendKey(nil))] = kept
}
