package e2e_test

import (
	"net/http"
	"testing"
	"time"
)

func TestImageBoots(t *testing.T) {
	m := newMachine(t, "arm64")
	c := m.node.Capture(t)
	began := time.Now()
	m.power("2020-01-01T00:00:00")
	m.waitPage()
	t.Log(time.Since(began))
	t.Log(m.systemClock())
	m.setPassword()
	_, body, _ := m.call(m.laptop, http.MethodGet, "/gokrazy/", nil)
	t.Log(string(body))
	_, body, _ = m.call(m.laptop, http.MethodGet, "/gokrazy/status?path=/user/phoneboxd", nil)
	t.Log(string(body))
	t.Logf("%+v", m.status())
	time.Sleep(5 * time.Second)
	t.Logf("%+v", m.status())
	_, body, _ = m.call(m.laptop, http.MethodGet, "/gokrazy/status?path=/user/phoneboxd", nil)
	t.Log(string(body))
	for _, p := range c.Packets() {
		t.Log(p.String())
	}
}
