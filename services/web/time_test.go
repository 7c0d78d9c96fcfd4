package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"phonebox/services/phone"
	"phonebox/services/web"
)

func TestWhenAPhoneAskedTheTimeIsTold(t *testing.T) {
	r := apiRig(t)
	m := mac(t, reception)
	w := r.do(call{path: "/api/v1/phones/0006d7aa2a2e/time", basic: true})
	wantCode(t, w, 200)
	if got := strings.TrimSpace(w.Body.String()); got != `{"asked":null}` {
		t.Errorf("a phone that never asked: %s", got)
	}
	wantCode(t, r.do(call{path: "/api/v1/phones/02:00:00:00:00:01/time", basic: true}), 404)
	wantCode(t, r.do(call{path: "/api/v1/phones/02:00:00:00:00:01/time"}), 401)
	cookie := r.login()
	for _, tt := range []struct {
		asked web.TimeAsked
		want  []string
	}{
		{
			web.TimeAsked{Mode: 3, Version: 3, To: "10.77.255.255", Destination: "the broadcast address of the subnet", Stratum: 3, Count: 1},
			[]string{"Asked and got the time, stratum 3", "It asked 10.77.255.255, which is the broadcast address of the subnet, as a client (mode 3) of NTP version 3."},
		},
		{
			web.TimeAsked{Mode: 1, Version: 4, To: "224.0.1.1", Destination: "224.0.1.1", Stratum: 16, Count: 7},
			[]string{"does not know the time", "It asked 224.0.1.1, as a peer (mode 1) of NTP version 4. It asks often: there were 7 questions"},
		},
		{web.TimeAsked{Mode: 3, Version: 4, To: "10.77.0.1", Destination: "the box", TooOften: true}, []string{"Asked too often, was told to wait"}},
	} {
		tt.asked.Time, tt.asked.Address = r.clock.Now().Add(-90*time.Second), "10.77.0.50"
		r.box.mu.Lock()
		r.box.times = map[phone.MAC]web.PhoneTime{m: {Asked: &tt.asked}}
		r.box.mu.Unlock()
		w := r.do(call{path: "/api/v1/phones/0006d7aa2a2e/time", basic: true})
		wantCode(t, w, 200)
		if d := cmp.Diff(web.PhoneTime{Asked: &tt.asked}, decode[web.PhoneTime](t, w.Body)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		page := r.do(call{path: "/phones/0006D7AA2A2E", cookie: cookie}).Body.String()
		for _, want := range tt.want {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
	}
}
