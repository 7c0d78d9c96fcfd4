package web_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"phonebox/services/web"
)

func TestPhonesGetTheirFilesWithoutALogin(t *testing.T) {
	r := newRig(t, nil) // even before a password is set
	w := r.do(call{plain: true, path: "/phone/directory.xml?page=1", from: "10.78.0.9:1"})
	wantCode(t, w, 200)
	if w.Body.String() != "<CiscoIPPhoneDirectory/>10.78.0.9?page=1" || w.Header().Get("Content-Type") != "text/xml" ||
		!strings.HasPrefix(w.Header().Get("Refresh"), "0; url=") || w.Header().Get("Connection") != "close" {
		t.Errorf("got %q with %v", w.Body, w.Header())
	}
	wantCode(t, r.do(call{plain: true, path: "/phone/nothing.xml"}), 404)
	w = r.do(call{plain: true, path: "/phone/secret.xml"})
	wantCode(t, w, 403)
	wantText(t, w.Body.String(), "not for you")
	events := r.reported(web.EventPhoneFile)
	if len(events) != 3 || events[0].What != "/phone/directory.xml" || events[0].From != netip.MustParseAddr("10.78.0.9") || events[0].Code != 200 || events[2].Code != 403 {
		t.Errorf("reported %+v", events)
	}
}

func TestOldPhonesWithoutAHostAreAnswered(t *testing.T) {
	r := newRig(t, nil)
	stop := r.run()
	conn, err := new(netDialer).dial(t, r.server.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /phone/directory.xml HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	wantText(t, readConn(t, conn), "200 OK", "<CiscoIPPhoneDirectory/>")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	r := newRig(t, nil)
	get := func() (int, web.Health) {
		t.Helper()
		w := r.do(call{plain: true, path: "/healthz", from: "192.168.1.1:1"})
		return w.Code, decode[web.Health](t, w.Body)
	}
	if code, h := get(); code != 200 || h.Status != "ok" || h.Services["dhcp"].State != "running" || h.Services["sip"].State != "off" {
		t.Errorf("all well: got %d %+v", code, h)
	}
	set := func(state string, failed map[string]string) {
		r.box.mu.Lock()
		defer r.box.mu.Unlock()
		r.box.status.Services["dhcp"] = web.Service{State: state, Detail: "the detail is not for everybody"}
		r.box.health = func(context.Context) map[string]string { return failed }
	}
	set("held", nil)
	if code, _ := get(); code != 200 {
		t.Errorf("held: got %d, want 200: it waits for a person", code)
	}
	set("failed", nil)
	if code, h := get(); code != 503 || h.Status != "failed" {
		t.Errorf("failed: got %d %+v, want 503", code, h)
	}
	set("running", map[string]string{"dhcp": "no answer in 1 s", "sip": "is off"})
	code, h := get()
	if code != 503 || h.Services["dhcp"] != (web.ServiceHealth{State: "failed", Why: "no answer in 1 s"}) || h.Services["sip"].State != "off" {
		t.Errorf("a probe without an answer: got %d %+v, want 503", code, h)
	}
	wantNoText(t, r.do(call{plain: true, path: "/healthz"}).Body.String(), "not for everybody")
	r.box.mu.Lock()
	r.box.health = func(context.Context) map[string]string { panic("a probe") }
	r.box.mu.Unlock()
	if code, _ := get(); code != 503 {
		t.Errorf("a probe that panics: got %d, want 503", code)
	}
}

func TestHealthChecksAtTheSameTimeShareTheirProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		rounds := 0
		leave := make(chan struct{})
		r.box.health = func(ctx context.Context) map[string]string {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the probes have no deadline")
			}
			rounds++
			<-leave
			return nil
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if w := r.do(call{plain: true, path: "/healthz"}); w.Code != 200 {
					t.Errorf("got %d %s, want 200", w.Code, w.Body)
				}
			})
		}
		synctest.Wait() // all of them wait for the probes
		close(leave)
		wg.Wait()
		if rounds != 1 {
			t.Errorf("%d rounds of probes ran, want one for all", rounds)
		}
	})
}

func TestMetricsAreFreeFromTheBoxItself(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.do(call{path: "/", host: "evil.example"})
	w := r.do(call{plain: true, path: "/metrics", from: "127.0.0.1:1"})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `phonebox_web_dropped_total{reason="host"} 1`)
	w = r.do(call{plain: true, path: "/metrics"})
	wantCode(t, w, 401)
	if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
		t.Error("there is no challenge")
	}
	wantCode(t, r.do(call{path: "/metrics", basic: true}), 200)
	w = r.do(call{path: "/metrics", header: map[string]string{"Authorization": "Basic YWRtaW46d3Jvbmc="}})
	wantCode(t, w, 401)
}

func TestAssetsAreServedWithTheirFingerprint(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	page := r.do(call{path: "/", cookie: r.login()}).Body.String()
	for part := range strings.SplitSeq(page, `"`) {
		if !strings.HasPrefix(part, "/assets/") {
			continue
		}
		w := r.do(call{path: part})
		wantCode(t, w, 200)
		if !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control is %q", part, w.Header().Get("Cache-Control"))
		}
		w = r.do(call{path: part, header: map[string]string{"If-None-Match": w.Header().Get("ETag")}})
		wantCode(t, w, http.StatusNotModified)
	}
	wantCode(t, r.do(call{path: "/assets/nothing.js"}), 404)
	wantCode(t, r.do(call{path: "/favicon.ico"}), 200)
	wantText(t, page, "/assets/htmx.org/htmx.min.js?v=", "/assets/picocss/pico.min.css?v=")
}
