//go:build linux

package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fleetPerson uses the page of a daemon.
type fleetPerson struct {
	t   *testing.T
	url string
}

// ask sends a form, or loads a page for nil, and returns the page that it leads to.
func (p fleetPerson) ask(path string, form url.Values) string {
	p.t.Helper()
	if form == nil {
		_, text := ask(p.t, http.MethodGet, p.url+path, nil)
		return text
	}
	_, text := ask(p.t, http.MethodPost, p.url+path, []byte(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
	return text
}

func (p fleetPerson) sees(page string, texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			p.t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
}

// hidden is the value of a hidden field.
func hidden(page, name string) string {
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return strings.NewReplacer("&#34;", `"`, "&amp;", "&").Replace(m[1])
}

// The ways to add phones, on the daemon that a newcomer runs: the phone that showed up gets the line that waits, and starts with it.
func TestPhonesAreAddedWhileTheDaemonRuns(t *testing.T) {
	const stranger = "00:0D:29:55:66:77"
	page := startTry(t)
	firstPassword(t, page)
	p := fleetPerson{t: t, url: strings.TrimSuffix(page, "/")}

	page = p.ask("/phones/paste", url.Values{"rows": {"MAC\tName\tExtension\tPassword\n\tPorter\t300\tsecret-300\n\tRoof\t301\tsecret-301\n000b.0000.0009\tDoor\t302\tsecret-302\n"}})
	p.sees(page, "Not done yet:", "1 phone added, 2 lines wait for a phone.", "the line 300 waits for a phone (Porter)")
	p.sees(p.ask("/import/decide", url.Values{"id": {hidden(page, "id")}, "yes": {"1"}}), "Done:")

	p.eventually("the unknown phone shows up", func() bool { return strings.Contains(p.ask("/phones", nil), "s-p-000D29556677") })
	page = p.ask("/phones", nil)
	p.sees(page, "The next line that waits for a phone: <strong>300</strong> · Porter")
	p.sees(p.ask("/phones/assign", url.Values{"mac": {stranger}, "line": {hidden(page, "line")}}), "is on the list now, with the line 300.")
	p.sees(p.ask("/api/v1/phones/000D29556677/files/SIP000D29556677.cnf", nil), `line1_name`, `300`, `secret-300`)

	p.sees(p.ask("/phones/scan", url.Values{"code": {"SEP000B00000001"}}), "got the line 301.")
	page = p.ask("/phones/scan", url.Values{"code": {"000B-0000-0002"}})
	p.sees(page, "What is the name of the phone 00:0B:00:00:00:02?")
	page = p.ask("/phones/scan", url.Values{"code": {"Cellar"}, "mac": {"00:0B:00:00:00:02"}})
	p.sees(page, "is on the list.", "Cellar")
	p.sees(p.ask("/phones/scan/undo", url.Values{"id": {hidden(page, "id")}}), "is off the list again.")

	page = p.ask("/phones/many", url.Values{"do": {"name"}, "mac": {stranger, "00:0B:00:00:00:01", "00:0B:00:00:00:09"}})
	p.sees(page, "Chosen: 3")
	many := url.Values{"do": {"name"}, "mac": {stranger, "00:0B:00:00:00:01", "00:0B:00:00:00:09"}, "etag": {hidden(page, "etag")}, "pattern": {"Room {line}"}, "from": {"1"}}
	p.sees(p.ask("/phones/many/do", many), "The names of 3 phones were set.")
	p.sees(p.ask("/phones/many/do", many), "somebody else changed the settings meanwhile")
	p.sees(p.ask("/phones?q=room&sort=line", nil), "Room 300", "Room 301", "Room 302")

	// The stranger goes on by itself: it has fetched its configuration with the line that it was given.
	p.eventually("the phone is configured", func() bool {
		var phones []struct{ MAC, Label, Lines, Step string }
		if err := json.Unmarshal([]byte(p.ask("/api/v1/phones", nil)), &phones); err != nil {
			t.Fatal(err)
		}
		for _, one := range phones {
			if one.MAC == stranger {
				return one.Label == "Room 300" && one.Lines == "300" && (one.Step == "configured" || one.Step == "ready")
			}
		}
		return false
	})
}

// eventually polls; the deadline is generous as machines are slow.
func (p fleetPerson) eventually(what string, ok func() bool) {
	p.t.Helper()
	deadline := time.After(90 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			p.t.Fatalf("waited in vain: %s\n%s", what, p.ask("/api/v1/phones", nil))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
