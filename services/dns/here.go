package dns

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// keepHere answers what is never asked upstream although it is outside of the zone; nil = it may be asked.
func (st *state) keepHere(q *dns.Msg) *dns.Msg {
	question := q.Question[0]
	name := dns.CanonicalName(question.Name)
	switch {
	case question.Qtype == dns.TypeANY:
		return anyAnswer(q)
	case onlyHere(name), st.reverseOfServed(name):
		return known(failure(q, dns.RcodeNameError))
	}
	return nil
}

func known(m *dns.Msg) *dns.Msg {
	m.RecursionAvailable = true
	return m
}

// anyAnswer answers a question for all that there is of a name with one small record (RFC 8482 section 4.2): phones do not
// ask that, and those who do want a large answer for a small question.
func anyAnswer(q *dns.Msg) *dns.Msg {
	resp := known(failure(q, dns.RcodeSuccess))
	resp.Answer = []dns.RR{&dns.HINFO{Hdr: header(q.Question[0].Name, dns.TypeHINFO, siteTTL), Cpu: "RFC8482"}}
	return resp
}

// onlyHere reports whether a name means nothing to a server out there (RFC 6761 sections 6.3 and 6.4, RFC 7686). The domain
// local is not one of them: many companies have given it to their own names, which their server knows.
func onlyHere(name string) bool {
	return slices.ContainsFunc([]string{"localhost.", "invalid.", "onion."}, func(domain string) bool {
		return dns.IsSubDomain(domain, name)
	})
}

// reverseOfServed reports whether a name is an address of a served network, backwards: who has it is known here or nowhere.
func (st *state) reverseOfServed(name string) bool {
	if !strings.HasSuffix(name, "."+reverseRoot) {
		return false
	}
	octets, _, ok := reverseOctets(name)
	if !ok || len(octets) == 0 {
		return false
	}
	asked := octetPrefix(octets)
	for _, served := range st.cleaner.served {
		if asked.Bits() >= served.Bits() && served.Contains(asked.Addr()) {
			return true
		}
	}
	return false
}
