package assemble

import (
	"fmt"
	"strings"
	"testing"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// manySecrets is a site with 500 phones.
func manySecrets() *site.Site {
	s := site.Default()
	for i := range 500 {
		s.Phones = append(s.Phones, site.Phone{MAC: phone.MAC{0, 6, 0, 0, byte(i >> 8), byte(i)}, Lines: []site.Line{{Name: fmt.Sprint(200 + i), Password: fmt.Sprintf("pw-%d-%x", i, i*7919)}}})
	}
	return s
}

func BenchmarkRedactorMade(b *testing.B) {
	s := manySecrets()
	b.ReportAllocs()
	for b.Loop() {
		newRedactor([]*site.Site{s}).text("x")
	}
}

func BenchmarkRedactedLine(b *testing.B) {
	r := newRedactor([]*site.Site{manySecrets()})
	line := strings.Repeat("lease mac=00:06:D7:AA:2A:2E address=10.77.0.50 ", 3)
	b.ReportAllocs()
	for b.Loop() {
		r.text(line)
	}
}

// Of two secrets of which one begins the other, the longer one goes as a whole; a short one stays, for it is a word.
func TestRedactorTakesTheLongestAndLeavesWords(t *testing.T) {
	s := site.Default()
	s.Phones = []site.Phone{{Lines: []site.Line{{Name: "1", Password: "abcd"}, {Name: "2", Password: "abcdefgh"}, {Name: "3", Password: "sip"}, {Name: "208", AuthName: "208"}, {Name: "4", AuthName: "login-4"}}}}
	if got := newRedactor([]*site.Site{s}).text("abcdefgh abcd sip 208 login-4"); got != "******** ******** sip 208 ********" {
		t.Errorf("got %q", got)
	}
}
