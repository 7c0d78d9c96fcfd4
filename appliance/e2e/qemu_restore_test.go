package e2e_test

import (
	"bytes"
	"context"
	"html"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// restoring is a restore of the box's backup that somebody may cut short; the code is 0 where no answer came.
func (r *qemuRun) restoring() (code int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), bootPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+boxAddr+"/api/v1/restore", bytes.NewReader(r.backup))
	if err != nil {
		r.t.Error(err)
		return 0
	}
	req.SetBasicAuth("admin", password)
	resp, err := r.laptop.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// holds tells whether the box has the settings and the firmware of the backup, or those that were changed afterwards. Some of
// each is a fault.
func (r *qemuRun) holds() (backup bool) {
	r.t.Helper()
	text, _ := r.box.site()
	_, firmware := r.file(r.mac, imageTarget+".sb2")
	switch {
	case string(text) == r.inBackup && firmware == "ok":
		return true
	case string(text) == r.changed && firmware != "ok":
		return false
	}
	r.t.Fatalf("neither as before nor as in the backup: the firmware is %q, the settings are\n%s", firmware, text)
	return false
}

// backUpAndRestore makes a backup, changes what it holds, and brings it back: the settings alone on the page of those of before,
// and all of it by the restore, which is taken back again. It returns how long a restore takes.
func (r *qemuRun) backUpAndRestore() (took time.Duration) {
	r.t.Helper()
	b := r.loggedIn()
	code, saved, _ := r.call(r.laptop, http.MethodGet, "/api/v1/backup?parts=settings,files,firmware", nil)
	if code != http.StatusOK {
		r.t.Fatalf("backing up: found %d: %.300s", code, saved)
	}
	text, _ := r.box.site()
	r.backup, r.inBackup = saved, string(text)
	change := func() {
		r.t.Helper()
		changed := bytes.Replace(text, []byte(`"End to end"`), []byte(`"Changed"`), 1)
		if code, answer := r.putSite(changed); code != http.StatusNoContent || bytes.Equal(changed, text) {
			r.t.Fatalf("changing the settings: found %d: %+v", code, answer)
		}
		now, _ := r.box.site()
		r.changed = string(now)
	}
	change()
	r.bringBack(b)
	if now, _ := r.box.site(); string(now) != r.inBackup {
		r.t.Errorf("the earlier settings were brought back as\n%s\nthey were\n%s", now, r.inBackup)
	}
	change()
	if code, body := b.post("/firmware/remove", url.Values{"load": {imageTarget}, "sure": {"1"}}); code != http.StatusSeeOther {
		r.t.Fatalf("removing the firmware: found %d: %s", code, body)
	}
	if r.holds() {
		r.t.Fatal("nothing was changed")
	}
	began := time.Now()
	if code := r.restoring(); code != http.StatusOK {
		r.t.Fatalf("restoring: found %d", code)
	}
	took = time.Since(began)
	if !r.holds() {
		r.t.Error("after the restore all is as before it")
	}
	if code, body, _ := r.call(r.laptop, http.MethodPost, "/api/v1/restore/undo", nil); code != http.StatusNoContent || r.holds() {
		r.t.Fatalf("taking the restore back: found %d: %s", code, body)
	}
	return took
}

// bringBack takes the newest of the earlier settings, as a person does on the page.
func (r *qemuRun) bringBack(b *browser) {
	r.t.Helper()
	_, list := b.try(http.MethodGet, "/system/versions", "", nil)
	path := regexp.MustCompile(`/system/versions/[0-9A-Za-z_-]+`).FindString(list)
	_, page := b.try(http.MethodGet, path, "", nil)
	etag := regexp.MustCompile(`name="etag" value="([^"]+)"`).FindStringSubmatch(page)
	if path == "" || etag == nil {
		r.t.Fatalf("no earlier settings are offered:\n%s\n%s", list, page)
	}
	if code, body := b.post(path, url.Values{"etag": {html.UnescapeString(etag[1])}}); code != http.StatusSeeOther {
		r.t.Fatalf("bringing the earlier settings back: found %d: %s", code, body)
	}
}

// cutWhileRestoring cuts the power at some moment of the time that a restore takes, but for its first third, in which the backup
// only arrives.
func (r *qemuRun) cutWhileRestoring(took time.Duration) {
	r.t.Helper()
	answered := make(chan int, 1)
	go func() { answered <- r.restoring() }()
	after := took/3 + rand.N(took*2/3+time.Millisecond)
	select {
	case <-time.After(after):
	case code := <-answered:
		answered <- code
	}
	r.cut()
	if !r.wantsRepair() { // or the look after the shutdown would see nothing
		r.t.Error("after a power cut the file system looks as if it was put away")
	}
	r.t.Logf("the power was cut %s into a restore of %s, whose answer was %d", after, took, <-answered)
}

// oldOrNew looks at what the power cut in the restore left: all as before or all as in the backup, which is there afterwards.
func (r *qemuRun) oldOrNew() {
	r.t.Helper()
	restored := r.holds()
	r.t.Logf("FIGURE image: a power cut in the middle of a restore left it done: %t", restored)
	if restored {
		return
	}
	if code := r.restoring(); code != http.StatusOK || !r.holds() {
		r.t.Errorf("restoring once more: found %d", code)
	}
}
