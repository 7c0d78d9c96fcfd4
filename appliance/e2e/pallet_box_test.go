package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

// conversion is how the API tells where the conversion of a phone stands; it is not the daemon's own type.
type conversion struct {
	MAC                       phone.MAC
	Label, Runs, Sure, Target string
	Phase, Text               string
	Steps                     []conversionStep
	Missing                   []string
	Done, Attempts            int
	Unplug                    bool
}

type conversionStep struct {
	From, To, Display string
	Files, Missing    []string
	Maybe             bool
}

// words are what a person reads of it.
func (c conversion) words() string {
	return fmt.Sprintf("%s (runs %s, target %s, %d tries): %s", c.Phase, c.Runs, c.Target, c.Attempts, c.Text)
}

// fetch reads a JSON body, from any goroutine and while the box may be off.
func (b *box) fetch(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+boxAddr+path, nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth("admin", password)
	resp, err := b.laptop.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: found %d: %s", path, resp.StatusCode, body)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// conversion returns where the conversion of a listed phone stands.
func (b *box) conversion(mac phone.MAC) (c conversion) {
	b.t.Helper()
	b.get("/api/v1/phones/"+mac.String()+"/conversion", &c)
	return c
}

// order tells a phone's conversion go, skip, stop or next.
func (b *box) order(mac phone.MAC, order string) {
	b.t.Helper()
	code, body, _ := b.call(b.laptop, http.MethodPost, "/api/v1/phones/"+mac.String()+"/conversion",
		[]byte(`{"order":"`+order+`"}`), "Content-Type", "application/json")
	if code/100 != 2 {
		b.t.Fatalf("the order %s to %s: found %d: %s", order, mac, code, body)
	}
}

// plan asks how a phone would get from one load to another.
func (b *box) plan(from, to string) (code int, c conversion, body string) {
	b.t.Helper()
	code, text, _ := b.call(b.laptop, http.MethodGet, "/api/v1/plan?"+url.Values{"from": {from}, "to": {to}}.Encode(), nil)
	if code == http.StatusOK {
		if err := json.Unmarshal(text, &c); err != nil {
			b.t.Fatalf("the plan from %s to %s: %v: %s", from, to, err, text)
		}
	}
	return code, c, string(text)
}

// upload sends files to the firmware shelf and returns the answer.
func (b *box) upload(files map[string][]byte) (code int, answer string) {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, content := range files {
		part, err := form.CreateFormFile("file", name)
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		b.t.Fatal(err)
	}
	code, text, _ := b.call(b.laptop, http.MethodPost, "/api/v1/firmware", body.Bytes(), "Content-Type", form.FormDataContentType())
	return code, string(text)
}

// editSite changes the settings as a person who edits the file, while others may do the same.
func (b *box) editSite(old, new string) {
	b.t.Helper()
	for range 10 {
		text, etag := b.site()
		changed := strings.Replace(string(text), old, new, 1)
		if changed == string(text) {
			b.t.Fatalf("the settings do not hold %q:\n%s", old, text)
		}
		code, answer, _ := b.call(b.laptop, http.MethodPut, "/api/v1/site", []byte(changed), "If-Match", etag)
		switch code {
		case http.StatusNoContent:
			return
		case http.StatusPreconditionFailed:
			continue
		}
		b.t.Fatalf("replacing %q by %q in the settings: %d %s", old, new, code, answer)
	}
	b.t.Fatalf("replacing %q by %q in the settings: somebody else changed them each time", old, new)
}

// timeline logs what the box knows of a phone.
func (b *box) timeline(t *testing.T, mac phone.MAC, most int) {
	t.Helper()
	var c conversion
	if err := b.fetch(t.Context(), "/api/v1/phones/"+mac.String()+"/conversion", &c); err == nil {
		t.Logf("  the box on %s: %s\n    because %s; unplug %v, %d steps done", mac, c.words(), c.Sure, c.Unplug, c.Done)
	}
	var list []event
	if err := b.fetch(t.Context(), "/api/v1/phones/"+mac.String()+"/events", &list); err != nil {
		t.Logf("  no timeline of %s: %v", mac, err)
		return
	}
	for _, e := range list[max(0, len(list)-most):] {
		t.Logf("  box %s %s %-10s %-9s %s", e.Time.Format(time.TimeOnly), mac, e.Step, e.Kind, e.Text)
	}
}

// joined joins the parts of a shelf; where two have the same file, the last one counts.
func joined(parts ...map[string][]byte) map[string][]byte {
	all := map[string][]byte{}
	for _, part := range parts {
		for name, content := range part {
			all[name] = content
		}
	}
	return all
}

// wholeLoads makes a shelf of loads, in the sizes of real ones, whose loaders differ from release to release.
func wholeLoads(loads ...string) map[string][]byte {
	all := map[string][]byte{}
	for _, load := range loads {
		for name, content := range phone.MakeBundleWithID(load, phone.SyntheticIDOf(load), 130_552, applicationSize(load)) {
			all[name] = content
		}
	}
	return all
}

// applicationSize is the size of a load's application, in bytes (phones.md c.2: 398 KB of an SCCP 5.x, 756 KB of 8.12).
func applicationSize(load string) int {
	if l, ok := phone.ParseLoad(load); ok && l.Universal() {
		return 756_120
	}
	return 398_000
}
