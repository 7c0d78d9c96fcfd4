package mdns

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/miekg/dns"
)

// The times that records may be kept (RFC 6762 section 10).
const (
	hostTTL  = 120  // what names a host
	otherTTL = 4500 // what does not
	// legacyTTL is for programs that know only DNS: they would not hear that a name changed (section 6.7).
	legacyTTL = 10
)

// flush is the top bit of a record's class: who hears the record forgets what else was known of that name and type
// (section 10.2). In a question the same bit asks for an answer to the asker alone (section 5.4).
const flush = 1 << 15

// record is one record that the box has on the wire.
type record struct {
	rr     dns.RR
	unique bool // nobody else may have records of its name and type
	probed bool // the name has to be free first
	// negative says which types a name has; it answers a question for another (RFC 6762 section 6.1), so that nobody waits
	// for an IPv6 address.
	negative bool
	sent     time.Time // when all hosts were last told
}

// services are the records' service types with their ports.
func services(cfg *Config) []struct {
	kind string
	port uint16
} {
	all := []struct {
		kind string
		port uint16
	}{{"_https._tcp.local.", cfg.HTTPS}, {"_http._tcp.local.", cfg.HTTP}}
	return slices.DeleteFunc(all, func(s struct {
		kind string
		port uint16
	},
	) bool {
		return s.port == 0
	})
}

// makeRecords writes everything that the box says with these names.
func makeRecords(cfg *Config, label, instance string) []*record {
	host := label + ".local."
	addr := cfg.Address.Addr()
	out := []*record{
		{rr: &dns.A{Hdr: header(host, dns.TypeA, hostTTL), A: net.IP(addr.AsSlice())}, unique: true, probed: true},
		{rr: &dns.PTR{Hdr: header(reverseName(addr), dns.TypePTR, hostTTL), Ptr: host}, unique: true},
	}
	for _, s := range services(cfg) {
		name := canonical(escape(instance) + "." + s.kind)
		out = append(out,
			&record{rr: &dns.SRV{Hdr: header(name, dns.TypeSRV, hostTTL), Port: s.port, Target: host}, unique: true, probed: true},
			&record{rr: &dns.TXT{Hdr: header(name, dns.TypeTXT, otherTTL), Txt: []string{"path=/"}}, unique: true, probed: true},
			&record{rr: &dns.PTR{Hdr: header(s.kind, dns.TypePTR, otherTTL), Ptr: name}},
			&record{rr: &dns.PTR{Hdr: header("_services._dns-sd._udp.local.", dns.TypePTR, otherTTL), Ptr: s.kind}},
		)
	}
	return append(out, negatives(out)...)
}

// negatives makes the record of each unique name that says which types it has.
func negatives(records []*record) (out []*record) {
	types := map[string][]uint16{}
	for _, rec := range records {
		if h := rec.rr.Header(); rec.unique {
			types[h.Name] = append(types[h.Name], h.Rrtype)
		}
	}
	for _, rec := range records {
		h := rec.rr.Header()
		if list := types[h.Name]; rec.unique && list != nil {
			delete(types, h.Name)
			slices.Sort(list)
			rr := &dns.NSEC{Hdr: header(h.Name, dns.TypeNSEC, h.Ttl), NextDomain: h.Name, TypeBitMap: list}
			out = append(out, &record{rr: rr, unique: true, negative: true})
		}
	}
	return out
}

func header(name string, typ uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: ttl}
}

func reverseName(addr netip.Addr) string {
	a := addr.As4()
	return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa.", a[3], a[2], a[1], a[0])
}

// escape writes any text as one label.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, ".", `\.`, `"`, `\"`, "(", `\(`, ")", `\)`, ";", `\;`, "@", `\@`, "$", `\$`, " ", `\ `).Replace(s)
}

// canonical writes a name as the codec writes names that it reads, so that the two can be compared.
func canonical(name string) string {
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(name, buf, 0, nil, false)
	if err != nil {
		return name
	}
	out, _, err := dns.UnpackDomainName(buf[:n], 0)
	if err != nil {
		return name
	}
	return out
}

// numbered is the nth choice of a label: phonebox, phonebox-2, ...
func numbered(label string, n int) string {
	if n < 2 {
		return label
	}
	return fmt.Sprintf("%s-%d", label, n)
}

// numberedInstance is the nth choice of a name in lists, cut to what a label holds (RFC 6763 section 4.1.1, appendix D).
func numberedInstance(name string, n int) string {
	const longest = 63
	suffix := ""
	if n >= 2 {
		suffix = fmt.Sprintf(" (%d)", n)
	}
	for len(name)+len(suffix) > longest {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name + suffix
}

// same reports whether two records say the same, apart from how long it may be kept.
func same(a, b dns.RR) bool {
	if a.Header().Class&^flush != b.Header().Class&^flush {
		return false
	}
	x, y := dns.Copy(a), dns.Copy(b)
	x.Header().Class, y.Header().Class = dns.ClassINET, dns.ClassINET
	return dns.IsDuplicate(x, y)
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// order compares records as section 8.2 does: class, type, then the bytes of what they say.
func order(a, b dns.RR) int {
	if c := int(a.Header().Class&^flush) - int(b.Header().Class&^flush); c != 0 {
		return c
	}
	if c := int(a.Header().Rrtype) - int(b.Header().Rrtype); c != 0 {
		return c
	}
	return bytes.Compare(rdata(a), rdata(b))
}

// rdata returns the bytes of what a record says, with its names in full.
func rdata(rr dns.RR) []byte {
	c := dns.Copy(rr)
	c.Header().Name = "."
	buf := make([]byte, dns.Len(c)+1)
	n, err := dns.PackRR(c, buf, 0, nil, false)
	const fixed = 1 + 2 + 2 + 4 + 2 // the root, type, class, TTL, length
	if err != nil || n < fixed {
		return nil
	}
	return buf[fixed:n]
}

// compareSets compares two sets of records in order; the longer of two that begin alike is later.
func compareSets(a, b []dns.RR) int {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	for i := range min(len(a), len(b)) {
		if c := order(a[i], b[i]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}
