package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseMapSaysWhatIsWrongWithoutTheValue(t *testing.T) {
	m, faults := ParseMap("parameters", "a = 1\r\n\r\n# no\r\nb: \" x \"\rc =\nline1_password hunter2\n = hunter2\nx y = hunter2\na = hunter2\nd = a=b:c\n")
	want := map[string]string{"a": "1", "b": " x ", "c": "", "d": "a=b:c"}
	if !maps.Equal(m, want) {
		t.Errorf("got %q, want %q", m, want)
	}
	if len(faults) != 4 {
		t.Errorf("got the faults %+v, want four", faults)
	}
	for i, f := range faults {
		if f.Key != "parameters" || !strings.Contains(f.Found, fmt.Sprintf("line %d", i+6)) || strings.Contains(f.Found+f.Allowed, "hunter2") {
			t.Errorf("fault %d is %+v, want line %d and no value", i, f, i+6)
		}
	}
}

func FuzzParseMap(f *testing.F) {
	for _, seed := range []string{"a = 1\nb: \" x \"", "# x\n=\n", "a=\"\"\"\n", "a = \"\nb = #\n", "\r\r\n\u00a0x=y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, _ := ParseMap("k", text)
		again, faults := ParseMap("k", FormatMap(m))
		if len(faults) > 0 || !maps.Equal(m, again) {
			t.Errorf("%q is %q, written and read again %q with faults %v", text, m, again, faults)
		}
	})
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$AAAA$AAAA")
	f.Add("$argon2id$v=19$m=1,t=1,p=1$00000000000$00\r0000000000000000000A")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHash(text)
		if err != nil {
			return
		}
		if h.String() != text {
			t.Errorf("%q is written back as %q", text, h.String())
		}
		if h.memory > 64<<10 || h.time > 16 || h.threads > 4 {
			t.Errorf("%q may cost too much: %+v", text, h)
		}
	})
}

func TestOneHashIsComputedAndFourWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		release := make(chan struct{})
		running, most, done := 0, 0, 0
		for range 5 {
			go func() {
				err := h.do(t.Context(), func() {
					running++
					most = max(most, running)
					<-release
					running--
					done++
				})
				if err != nil {
					t.Errorf("one of the first five: %v", err)
				}
			}()
		}
		synctest.Wait()
		if err := h.do(t.Context(), func() { t.Error("the sixth ran") }); !errors.Is(err, errBusy) {
			t.Errorf("the sixth got %v, want errBusy", err)
		}
		close(release)
		synctest.Wait()
		if most != 1 || done != 5 {
			t.Errorf("%d ran at the same time and %d in all, want 1 and 5", most, done)
		}
		ctx, cancel := context.WithCancel(t.Context())
		h.turn <- struct{}{}
		go func() { time.Sleep(time.Second); cancel() }()
		if err := h.do(ctx, func() { t.Error("ran after its person left") }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
}

func TestPasswordsAreHashedAsTheDesignSays(t *testing.T) {
	h := newHasher()
	stored, err := h.hashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("stored as %q", stored)
	}
	other, err := h.hashPassword(t.Context(), "correct horse")
	if err != nil || other == stored {
		t.Error("the same password gives the same text: there is no salt")
	}
	for password, want := range map[string]bool{"correct horse": true, "correct hors": false, "": false, strings.Repeat("x", 1000): false} {
		if got, err := h.verify(t.Context(), stored, password); err != nil || got != want {
			t.Errorf("%q: got %v (%v), want %v", password, got, err, want)
		}
	}
	if _, err := h.verify(t.Context(), "nonsense", "x"); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a damaged hash gives %v, want an error that does not quote it", err)
	}
}

func TestAVerifiedProgramIsRememberedForFiveMinutes(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a, err := newAuthority(nil, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	mark := a.mark("hash", "password")
	a.remember(mark)
	for _, c := range []struct {
		move time.Duration
		want bool
	}{{299 * time.Second, true}, {time.Second, false}} {
		now = now.Add(c.move)
		if got := a.remembered(mark); got != c.want {
			t.Errorf("after %v more: %v, want %v", c.move, got, c.want)
		}
	}
	a.remember(mark)
	now = now.Add(-time.Minute)
	if a.remembered(mark) {
		t.Error("it is remembered although the clock went back")
	}
	if a.mark("other hash", "password") == mark || a.mark("hash", "other") == mark {
		t.Error("a mark does not depend on the password and its hash")
	}
	for i := range 1000 {
		a.remember(a.mark("hash", fmt.Sprint(i)))
	}
	if len(a.verified) > maxRemembered {
		t.Errorf("%d are remembered, want at most %d", len(a.verified), maxRemembered)
	}
}

func TestTheFilesOfOthersAreWhatTheirVersionsSay(t *testing.T) {
	list, err := files.ReadFile("assets/VERSIONS")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(list))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		body, err := files.ReadFile("assets/" + f[0])
		if err != nil {
			t.Fatal(err)
		}
		listed[f[0]] = true
		if got := fmt.Sprintf("%x", sha256.Sum256(body)); got != f[3] {
			t.Errorf("%s has the SHA-256 %s, VERSIONS says %s", f[0], got, f[3])
		}
		// Its own header or constant says the version too; the SSE extension has none.
		mark := map[string]string{"htmx.org/htmx.min.js": `version="%s"`, "picocss/pico.min.css": "Pico CSS ✨ v%s "}[f[0]]
		if mark != "" && !bytes.Contains(body, fmt.Appendf(nil, mark, f[2])) {
			t.Errorf("%s does not say that it is version %s", f[0], f[2])
		}
		if _, err := files.ReadFile("assets/" + f[0][:strings.IndexByte(f[0], '/')] + "/LICENSE"); err != nil {
			t.Errorf("%s: %v", f[0], err)
		}
	}
	total := 0
	err = fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		total += len(body)
		rel := strings.TrimPrefix(name, "assets/")
		if (strings.HasSuffix(rel, ".js") || strings.HasSuffix(rel, ".css")) && !strings.HasPrefix(rel, "phonebox/") && !listed[rel] {
			t.Errorf("%s is not listed in VERSIONS", rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > 200_000 {
		t.Errorf("the assets are %d bytes, allowed are 200,000", total)
	}
}

func TestTheBoxInOneSentence(t *testing.T) {
	base := func(change func(*Status)) Status {
		s := Status{Services: map[string]Service{"dhcp": {State: "running"}, "dns": {State: "running"}}, Clock: Clock{Trusted: true}}
		change(&s)
		return s
	}
	for want, s := range map[string]Status{
		"Everything runs.":              base(func(*Status) {}),
		"DHCP and DNS are not running.": base(func(s *Status) { s.Services = map[string]Service{"dhcp": {State: "failed"}, "dns": {State: "failed"}} }),
		"The box is starting.":          base(func(s *Status) { s.Services["dns"] = Service{State: "starting"} }),
		"DHCP is held back.":            base(func(s *Status) { s.Services["dhcp"] = Service{State: "held"} }),
		"Another DHCP server answers on this network, so the box hands out no addresses.": base(func(s *Status) {
			s.Services["dhcp"] = Service{State: "held"}
			s.Others = []OtherDHCP{{Address: "10.77.0.254"}}
		}),
		"Everything runs, but the box does not know the right time.": base(func(s *Status) { s.Clock.Trusted = false }),
	} {
		if got, _ := sentence(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheTableSendsOnlyWhatChanged(t *testing.T) {
	p, err := parsePages()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rows := func(phones ...Phone) phonesView {
		v := phonesView{Sentence: phonesSentence(phones)}
		for _, ph := range phones {
			v.Rows = append(v.Rows, newRow(ph, now))
		}
		return v
	}
	one, two := Phone{MAC: [6]byte{1}, Label: "one"}, Phone{MAC: [6]byte{2}, Label: "two"}
	var parts phonesParts
	changes := func(v phonesView) string {
		t.Helper()
		out, err := parts.changes(p, v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if got := changes(rows(one, two)); !strings.Contains(got, `hx-target="#phones-sentence"`) || !strings.Contains(got, `hx-target="#phones"`) {
		t.Errorf("the first message lacks a part: %s", got)
	}
	if got := changes(rows(one, two)); got != "" {
		t.Errorf("nothing changed, yet it sends %s", got)
	}
	two.WaitingFor = "<b>"
	got := changes(rows(one, two))
	if strings.Count(got, "<hx-partial") != 1 || !strings.Contains(got, `hx-target="#p-020000000000" hx-swap="outerMorph"`) || !strings.Contains(got, "&lt;b&gt;") {
		t.Errorf("one row changed, and it sends %s", got)
	}
	if got := changes(rows(two)); !strings.Contains(got, `hx-target="#p-010000000000" hx-swap="delete"`) || !strings.Contains(got, "#phones-sentence") {
		t.Errorf("a row went, and it sends %s", got)
	}
}

// The page of conversions stays small on the wire with as many phones as a box has: what changed is sent, and nothing else.
func TestTheConversionStreamSendsWhatChanged(t *testing.T) {
	p, err := parsePages()
	if err != nil {
		t.Fatal(err)
	}
	conversions := make([]Conversion, 2000)
	for i := range conversions {
		conversions[i] = Conversion{
			MAC: [6]byte{2, 0, 0, 0, byte(i >> 8), byte(i)}, Label: "Desk", Phase: "waiting", Target: "P0S3-8-12-00", Unplug: true,
			Text: "It was not seen yet. Power it up where it gets its address and files from this box.",
		}
	}
	view := func() (v conversionsView) {
		for _, c := range conversions {
			v.Rows = append(v.Rows, newConversionView(c))
		}
		v.sort()
		return v
	}
	var parts conversionParts
	changes := func() string {
		t.Helper()
		out, err := parts.changes(p, view())
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if got := changes(); strings.Count(got, "<tr ") != len(conversions) || !strings.Contains(got, `hx-target="#conversions-sum"`) {
		t.Errorf("the first message has %d rows", strings.Count(got, "<tr "))
	}
	if got := changes(); got != "" {
		t.Errorf("nothing changed, yet %d bytes are sent", len(got))
	}
	conversions[7].Phase, conversions[7].Text, conversions[7].Unplug = "going", "<b>", false // it would stand first now
	got := changes()
	if strings.Count(got, "<hx-partial") != 1 || !strings.Contains(got, `hx-target="#c-020000000007" hx-swap="outerMorph"`) || !strings.Contains(got, "&lt;b&gt;") {
		t.Errorf("one phone changed, and %d bytes are sent: %.300s", len(got), got)
	}
	conversions = conversions[1:]
	if got := changes(); strings.Count(got, "<tr ") != len(conversions) || strings.Index(got, "c-020000000007") > strings.Index(got, "c-020000000001") {
		t.Error("a phone went, and the table that is sent is not the one of a new page")
	}
}

func TestWhatAProblemSaysIsNotSaidTwice(t *testing.T) {
	p := Phone{WaitingFor: "SIP0006D7AA2A2E.cnf: add it", Problem: "It cannot start without SIP0006D7AA2A2E.cnf: add it."}
	if got := newRow(p, time.Now()); got.WaitingFor != "" || got.Problem != p.Problem {
		t.Errorf("problem %q, waiting for %q; want the problem alone", got.Problem, got.WaitingFor)
	}
	p.Problem = "The transfer breaks off."
	if got := newRow(p, time.Now()); got.WaitingFor != p.WaitingFor {
		t.Errorf("waiting for %q, want %q", got.WaitingFor, p.WaitingFor)
	}
}

// The bytes of a .cnf file are ISO-8859-1; shown as UTF-8 every accent of a label would be a question mark.
func TestAPreviewIsShownInTheFilesOwnCharacters(t *testing.T) {
	for content, want := range map[string]string{
		"text/plain; charset=iso-8859-1": "text/plain; charset=iso-8859-1",
		"text/xml":                       "text/xml",
		"text/html":                      "text/plain; charset=utf-8",
		"":                               "text/plain; charset=utf-8",
	} {
		if got := fileType(FileAnswer{Body: []byte("x"), ContentType: content}); got != want {
			t.Errorf("a file of %q is shown as %q, want %q", content, got, want)
		}
	}
	if got := fileType(FileAnswer{Body: []byte{'x', 0}, ContentType: "text/plain; charset=iso-8859-1"}); got != "application/octet-stream" {
		t.Errorf("bytes are shown as %q", got)
	}
}

// FuzzWaysBack: wherever a form says that it came from, the answer leads to a page of this box.
func FuzzWaysBack(f *testing.F) {
	for _, s := range []string{"/phones?q=a", "//evil.example", "///evil.example/conversions", "https://evil.example/", "/\\evil.example", "http:/conversions", "/conversions?show=needs", "/a\tb", "javascript:alert(1)", "/%2F/evil.example"} {
		f.Add(s)
	}
	base, err := url.Parse("https://10.77.0.1/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, back string) {
		r := &http.Request{PostForm: url.Values{"back": {back}}}
		for name, to := range map[string]string{"the login": safeNext(back), "an order": conversionBack(r, "/conversions")} {
			u, err := base.Parse(to)
			if err != nil || u.Scheme != "https" || u.Host != base.Host || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\r\n") {
				t.Errorf("from %q %s leads to %q (%v, %v)", back, name, to, u, err)
			}
		}
	})
}

// FuzzPreferences: whatever a browser asks for, the answer is one of ours, and the work is bounded.
func FuzzPreferences(f *testing.F) {
	f.Add("de-AT,de;q=0.9,en;q=NaN", "gzip;q=0, br")
	f.Add(";q=,,nl;q=Inf", "GZIP ; Q=0.0")
	f.Fuzz(func(t *testing.T, languages, encodings string) {
		tags := accepted(languages)
		if len(tags) > 16 {
			t.Errorf("%d languages", len(tags))
		}
		for _, tag := range tags {
			if tag == "" || strings.ContainsAny(tag, ",;-") {
				t.Errorf("%q asks for %q", languages, tag)
			}
		}
		r := &http.Request{Header: http.Header{"Accept-Encoding": {encodings}}}
		if acceptsGzip(r) && !strings.Contains(strings.ToLower(encodings), "gzip") {
			t.Errorf("%q takes gzip", encodings)
		}
	})
}
