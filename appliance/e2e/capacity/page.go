package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"phonebox/appliance/e2e/capacity/viewers"
)

const (
	pagePhones = 500
	// pageLag is how much later than the box knows that all phones are ready the pages may say so, in seconds.
	pageLag = 2.0
	// settleAfter is how long the browsers stay open once all is quiet.
	settleAfter = 10 * time.Second
)

// pageNames are who is compared.
const (
	nobodyLooks  = "nobody looks"
	browsersLook = "five pages and Chromium"
)

// pageRun boots five hundred phones at once, with nobody looking and with five pages and a Chromium open, and compares what the
// daemon spends.
func pageRun(ctx context.Context, x *run, r *result) error {
	n := pagePhones
	if x.quick {
		n = 100
	}
	args := []string{"-n", strconv.Itoa(n), "-window", "2s", "-mac", stormBase.String()}
	cfg := boxConfig{ping: true, listed: n, files: shelf()}
	r.ran(x.boxLine(cfg), commandLine{Who: "phonesim", Line: "phonesim -interface eth0 " + strings.Join(args, " ")})
	for round := range x.rounds {
		for _, who := range []string{nobodyLooks, browsersLook} {
			if err := x.pageRound(ctx, r, who, n, x.boxContender(who, cfg), append(args, "-seed", strconv.Itoa(round+1))); err != nil {
				return fmt.Errorf("%s: %w", who, err)
			}
		}
	}
	r.note("Three of the five have the overview open, two the table of phones; they take the pages compressed and their streams as they are. Chromium has the overview open and draws it.")
	for _, who := range []string{nobodyLooks, browsersLook} {
		r.limit("phones that are not ready", who, 0)
		r.limit("peak memory, MB", who, 80)
	}
	r.limit("pages say so after the box, s", browsersLook, pageLag)
	r.limit("Chromium says so after the box, s", browsersLook, pageLag)
	return nil
}

func (x *run) pageRound(ctx context.Context, r *result, who string, n int, c *contender, args []string) error {
	s, err := c.start(ctx, poolSize)
	if err != nil {
		return err
	}
	defer s.stop()
	ready := fmt.Sprintf("All %d phones are ready", n)
	var list []*viewers.Viewer
	var chrome *watcher
	if who == browsersLook {
		if list, chrome, err = x.openPages(ctx, s.box, ready); err != nil {
			return err
		}
		defer closePages(list)
		defer chrome.close()
	}
	s.mark()
	got, err := x.phonesim(ctx, stormPatience, args...)
	if err != nil {
		return err
	}
	r.add(who, "server CPU, s", s.spent().Seconds())
	r.add(who, "peak memory, MB", s.peak())
	r.add(who, "100 % ready after, s", got.All.Seconds())
	r.add(who, "phones that are not ready", float64(got.Phones-got.Ready))
	x.logf("page: %s: all of %d phones ready after %.2f s (%d ready), CPU %.2f s, %.1f MB", who, n, got.All.Seconds(), got.Ready, s.spent().Seconds(), s.peak())
	if who == browsersLook && got.Ready == n {
		at, err := s.box.whenReady(ctx, n)
		if err != nil {
			return err
		}
		if err := x.recordPages(ctx, r, list, chrome, at); err != nil {
			return err
		}
	}
	before := s.spent()
	select {
	case <-time.After(settleAfter):
	case <-ctx.Done():
	}
	r.add(who, "server CPU while all is quiet, ms per s", (s.spent()-before).Seconds()*1000/settleAfter.Seconds())
	return s.alive()
}

// recordPages takes what the browsers saw; at is when the box said that the last phone is ready.
func (x *run) recordPages(ctx context.Context, r *result, list []*viewers.Viewer, chrome *watcher, at time.Time) error {
	late, bytes, messages := 0.0, 0, 0
	for i, v := range list {
		var is viewers.State
		err := waitFor(ctx, time.Minute, "a page says that all phones are ready", func() (bool, error) {
			var err error
			is, err = v.State()
			return i >= overviews || !is.Seen.IsZero(), err
		})
		if err != nil {
			return err
		}
		if i < overviews {
			late = max(late, is.Seen.Sub(at).Seconds())
		}
		bytes, messages = bytes+is.Page+is.Stream, messages+is.Messages
	}
	shown, busy, err := chrome.seen(ctx)
	if err != nil {
		return err
	}
	r.add(browsersLook, "pages say so after the box, s", max(late, 0))
	r.add(browsersLook, "Chromium says so after the box, s", max(shown.Sub(at).Seconds(), 0))
	r.add(browsersLook, "Chromium's page busy, s", busy)
	r.add(browsersLook, "sent to the five pages, KB", float64(bytes)/1000)
	r.add(browsersLook, "messages to the five pages", float64(messages))
	x.logf("page: the pages said so %.2f s after the box, Chromium %.2f s; %d KB in %d messages", late, shown.Sub(at).Seconds(), bytes/1000, messages)
	return nil
}

// overviews is how many of the five have the overview open.
const overviews = 3

func (x *run) openPages(ctx context.Context, b *box, ready string) (list []*viewers.Viewer, chrome *watcher, err error) {
	client := &http.Client{Transport: b.client.Transport}
	for i := range 5 {
		p := viewers.Overview
		if i >= overviews {
			p = viewers.Phones
		}
		v, err := viewers.Open(ctx, client, "http://"+serverIP, password, p)
		if err != nil {
			closePages(list)
			return nil, nil, err
		}
		v.Await(ready)
		list = append(list, v)
	}
	if chrome, err = x.openChromium(ctx, ready); err != nil {
		closePages(list)
		return nil, nil, err
	}
	return list, chrome, nil
}

func closePages(list []*viewers.Viewer) {
	for _, v := range list {
		v.Close()
	}
}

// whenReady asks the API five times a second until all phones are ready, and returns when that was. It is for when the storm is
// over and its cost is known: the box asks the last phones whether their SIP application runs some time after they are ready.
func (b *box) whenReady(ctx context.Context, n int) (at time.Time, err error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	err = waitFor(ctx, stormPatience, "the box says that all phones are ready", func() (bool, error) {
		<-tick.C
		var o struct {
			Phones struct{ Ready int }
		}
		_, body := b.call(ctx, http.MethodGet, "/api/v1/overview", "")
		at = time.Now()
		return json.Unmarshal(body, &o) == nil && o.Phones.Ready >= n, nil
	})
	return at, err
}

// watcher is a Chromium with the overview open. It runs outside of the namespaces and reaches the box through a proxy of this
// program, which knows the way.
type watcher struct {
	ctx   context.Context
	proxy *httptest.Server
	dir   string
	stop  []context.CancelFunc
}

func (x *run) openChromium(ctx context.Context, ready string) (w *watcher, err error) {
	w = &watcher{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	box := &httputil.ReverseProxy{
		Rewrite: func(*httputil.ProxyRequest) {}, FlushInterval: -1,
		Transport: &http.Transport{DialContext: func(_ context.Context, proto, addr string) (net.Conn, error) { return x.lab.dial(proto, addr) }},
	}
	w.proxy = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Host != serverIP { // Chromium asks its maker for things as well
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		box.ServeHTTP(rw, req)
	}))
	if w.dir, err = os.MkdirTemp("", "phonebox-capacity-chromium-"); err != nil {
		return w, err
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.UserDataDir(w.dir), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.ProxyServer(w.proxy.URL))
	allocator, cancel := chromedp.NewExecAllocator(ctx, opts...)
	w.stop = append(w.stop, cancel)
	w.ctx, cancel = chromedp.NewContext(allocator)
	w.stop = append(w.stop, func() { _ = chromedp.Cancel(w.ctx); cancel() })
	if _, err = chromedp.Call(w.ctx, performance.Enable, performance.EnableParams{}); err != nil {
		return w, fmt.Errorf("starting Chromium: %w", err)
	}
	err = chromedp.Do(w.ctx, chromedp.Navigate("http://"+serverIP+"/"), chromedp.WaitVisible(chromedp.CSS("[name=password]")),
		chromedp.SendKeys(chromedp.CSS("[name=password]"), password), chromedp.Click(chromedp.CSS("main button[type=submit]")),
		chromedp.WaitVisible(chromedp.CSS("#state")))
	if err != nil {
		return w, fmt.Errorf("opening the overview in Chromium: %w", err)
	}
	// The page itself notes when it shows the text, so that asking it does not disturb it.
	js := fmt.Sprintf(`new MutationObserver(() => { if (!window.shown && document.body.textContent.includes(%q)) window.shown = Date.now() }).observe(document.body, {subtree: true, childList: true, characterData: true}); undefined`, ready)
	if _, err = chromedp.Run(w.ctx, chromedp.Evaluate[chromedp.Void](js)); err != nil {
		return w, fmt.Errorf("watching the page in Chromium: %w", err)
	}
	return w, nil
}

// seen returns when the page showed the text, and how long its scripts and its drawing took altogether, in seconds.
func (w *watcher) seen(ctx context.Context) (at time.Time, busy float64, err error) {
	err = waitFor(ctx, time.Minute, "Chromium shows that all phones are ready", func() (bool, error) {
		ms, err := chromedp.Run(w.ctx, chromedp.Evaluate[float64]("window.shown || 0"))
		if err != nil || ms == 0 {
			return false, err
		}
		at = time.UnixMilli(int64(ms))
		return true, nil
	})
	if err != nil {
		return at, 0, err
	}
	metrics, err := chromedp.Call(w.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		return at, 0, fmt.Errorf("asking Chromium: %w", err)
	}
	for _, m := range metrics.Metrics {
		if m.Name == "TaskDuration" {
			busy = m.Value
		}
	}
	return at, busy, nil
}

func (w *watcher) close() {
	for i := len(w.stop) - 1; i >= 0; i-- {
		w.stop[i]()
	}
	if w.proxy != nil {
		w.proxy.CloseClientConnections()
		w.proxy.Close()
	}
	_ = os.RemoveAll(w.dir)
}
