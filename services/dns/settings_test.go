package dns_test

import (
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dns"
)

// failing says to every question that it cannot answer.
func failing(w mdns.ResponseWriter, q *mdns.Msg) {
	_ = w.WriteMsg(new(mdns.Msg).SetRcode(q, mdns.RcodeServerFailure))
}

// What failed under the old settings is asked anew under the new ones: who has just set another name server waits for no
// back-off, and gets no old answer while that server has a new one.
func TestNewSettingsForgetFailures(t *testing.T) {
	t.Parallel()
	one := startCable(t, outside)
	two := records(t, map[string]string{"known.example. A": "known.example. 60 IN A 192.0.2.7", "new.example. A": "new.example. 60 IN A 192.0.2.8"})
	c := &clock{}
	b := startTuned(t, withUpstream(one.addr), dns.Deps{}, func(s *dns.Server) { s.SetClock(c.now) })
	ask := func(name string) string { return short(b.ask("udp", question(name, mdns.TypeA)).Answer) }
	if got := ask("known.example."); !strings.HasSuffix(got, "192.0.2.80") {
		t.Fatal(got)
	}
	broken := failing
	one.answer.Store(&broken)
	c.pass(2 * time.Minute)
	if got := ask("known.example."); !strings.HasSuffix(got, "192.0.2.80") {
		t.Fatalf("while the server fails: %s", got)
	}
	if got := ask("new.example."); got != "" {
		t.Fatal(got)
	}
	if err := b.Apply(withUpstream(two.addr)); err != nil {
		t.Fatal(err)
	}
	if got := ask("known.example."); !strings.HasSuffix(got, "192.0.2.7") {
		t.Errorf("a name with an old answer, from the new server: %s", got)
	}
	if got := ask("new.example."); !strings.HasSuffix(got, "192.0.2.8") {
		t.Errorf("a name that failed, from the new server: %s", got)
	}
}

// A question under the new settings does not wait for one under the old ones, which may get another answer; and what that
// one gets in the end is not kept in place of the newer answer.
func TestNewSettingsShareNoExchangeWithOldOnes(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 8), make(chan struct{})
	one := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		asked <- struct{}{}
		<-release
		outside(w, q)
	})
	two := records(t, map[string]string{"pbx.example. A": "pbx.example. 60 IN A 192.0.2.7"})
	b := startWith(t, withUpstream(one.addr), 20*time.Second)
	old := make(chan string, 1)
	go func() {
		resp, _, err := (&mdns.Client{Timeout: 20 * time.Second}).Exchange(question("pbx.example.", mdns.TypeA), b.addr)
		if err != nil {
			old <- err.Error()
			return
		}
		old <- short(resp.Answer)
	}()
	<-asked
	if err := b.Apply(withUpstream(two.addr)); err != nil {
		t.Fatal(err)
	}
	resp, _, err := (&mdns.Client{Timeout: 3 * time.Second}).Exchange(question("pbx.example.", mdns.TypeA), b.addr)
	if err != nil || !strings.HasSuffix(short(resp.Answer), "192.0.2.7") {
		t.Errorf("under the new settings: %v, %v", resp, err)
	}
	close(release)
	if got := <-old; !strings.HasSuffix(got, "192.0.2.80") {
		t.Errorf("who asked under the old settings: %s", got)
	}
	eventually(t, func() bool { exchanges, flights := b.UnderWay(); return exchanges+flights == 0 })
	before := len(two.log())
	if got := short(b.ask("udp", question("pbx.example.", mdns.TypeA)).Answer); !strings.HasSuffix(got, "192.0.2.7") || len(two.log()) != before {
		t.Errorf("afterwards: %s, with %d more questions", got, len(two.log())-before)
	}
}

// A server that the settings name no longer is not shown in the figures, also when it answers after that.
func TestAServerOfOldSettingsLeavesTheFigures(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 8), make(chan struct{})
	one := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		asked <- struct{}{}
		<-release
		outside(w, q)
	})
	two := startUpstream(t, outside)
	reg := prometheus.NewRegistry()
	b := startTuned(t, withUpstream(one.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) { s.SetTimeout(20 * time.Second) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = (&mdns.Client{Timeout: 20 * time.Second}).Exchange(question("pbx.example.", mdns.TypeA), b.addr)
	}()
	<-asked
	if err := b.Apply(withUpstream(two.addr)); err != nil {
		t.Fatal(err)
	}
	close(release)
	<-done
	b.ask("udp", question("pbx.example.", mdns.TypeA))
	eventually(t, func() bool { exchanges, flights := b.UnderWay(); return exchanges+flights == 0 })
	for addr, want := range map[string]float64{one.addr.String(): 0, two.addr.String(): 1} {
		if got := figure(t, reg, "phonebox_dns_upstream_up", addr); got != want {
			t.Errorf("the figure of %s is %v, want %v", addr, got, want)
		}
	}
	if n := figure(t, reg, "phonebox_dns_upstream_total", one.addr.String()); n != 1 {
		t.Errorf("its answer was counted %v times", n)
	}
}
