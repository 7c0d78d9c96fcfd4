package web_test

import (
	"os"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axeSource is axe-core (Deque, MPL 2.0), which knows the rules of WCAG.
var axeSource = sync.OnceValues(func() ([]byte, error) { return os.ReadFile("testdata/axe-core/axe.min.js") })

// violation is a rule that a page breaks.
type violation struct {
	ID, Impact, Help string
	Nodes            []string
}

// axe fails the test for what a person with a screen reader, a keyboard or weak eyes would stumble over on the page that is
// shown. Nothing is excused.
func (b *browser) axe(name string) {
	b.t.Helper()
	src, err := axeSource()
	if err != nil {
		b.t.Fatal(err)
	}
	if !eval[bool](b, `typeof axe === "object"`) {
		eval[chromedp.Void](b, string(src))
	}
	const run = `axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
		r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.target.join(" ") + ": " + n.html.slice(0, 160) + " " + (n.failureSummary || ""))})))`
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]violation](run, func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
	if err != nil {
		b.t.Fatalf("axe-core on %s: %v", name, err)
	}
	for _, v := range found {
		b.t.Errorf("%s: axe-core finds %s (%s): %s\n\t%s", name, v.ID, v.Impact, v.Help, strings.Join(v.Nodes, "\n\t"))
	}
}
