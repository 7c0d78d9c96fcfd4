package web_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// tooWide tells what of a page sticks out of the screen, or of the box that it stands in and that does not scroll. Words of other
// languages are longer than the English ones.
const tooWide = `(() => {
	document.querySelectorAll("main details").forEach(d => d.open = true);
	const out = [], width = document.documentElement.clientWidth, said = (e) => e.tagName.toLowerCase() + (e.className ? "." + e.className : "") + ' "' + e.textContent.trim().slice(0, 40) + '"';
	if (document.documentElement.scrollWidth > width) out.push("the page: " + document.documentElement.scrollWidth);
	for (const e of document.querySelectorAll("main button:not(.unseen), main a[role=button], main .chip, main .badge, main legend, main summary, main label, main input:not([type=hidden], .unseen), main select, main textarea, main table, main h1, main h2, main h3, main p, main dt, main dd")) {
		const r = e.getBoundingClientRect();
		if (!r.width || e.closest(".overflow-auto, pre, svg, [hidden], .sr")) continue;
		if (r.right > width + 1 || r.left < -1) out.push("beyond the screen: " + said(e));
		const card = e.parentElement.closest("article, fieldset, details, li")?.getBoundingClientRect();
		if (card && (r.right > card.right + 1 || r.left < card.left - 1)) out.push("beyond its card: " + said(e));
		if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline" && getComputedStyle(e).overflowX !== "auto") out.push("beyond its box: " + said(e));
	}
	return out.slice(0, 8);
})()`

// Every page fits a screen of 320 pixels in every language, with all that can be unfolded.
func TestEveryPageFitsANarrowScreenInEveryLanguage(t *testing.T) {
	t.Parallel()
	r := fullHouse(t, single)
	r.run()
	r.setUpOver(http.DefaultClient)
	paths := append(pagesOf(t, r), furtherPages...)
	languages := []string{"en", "de", "nl"}
	if racing { // the run without the race detector has the others: what races does so in any
		languages = []string{"de"}
	}
	for _, language := range languages {
		for part := range slices.Chunk(paths, 30) { // each with a browser of its own: its time is bounded
			t.Run(language+" from "+part[0], func(t *testing.T) {
				t.Parallel()
				b := newBrowser(t)
				url := strings.TrimSuffix(r.server.URL(), "/")
				b.loginAt(url + "/")
				b.calm()
				b.do(chromedp.EmulateViewport(320, 700), chromedp.Navigate(url+"/?lang="+language))
				for _, path := range part {
					b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS(`html[lang="`+language+`"] main`)))
					for _, what := range eval[[]string](b, tooWide) {
						t.Errorf("%s: %s", path, what)
					}
					b.keepPicture(path)
				}
				b.quiet()
			})
		}
	}
}

// keepPicture takes one picture of a page into the artefacts of the test.
func (b *browser) keepPicture(path string) {
	b.t.Helper()
	if racing {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	name := strings.Trim(strings.NewReplacer("/", "-", "?", "-", "&", "-", "=", "-").Replace(path), "-")
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), "page-"+name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
