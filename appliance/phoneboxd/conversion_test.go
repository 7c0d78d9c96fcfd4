//go:build linux

package main_test

import (
	"archive/zip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// bundleZip is the archive of a load as it comes, in the sizes of a real one.
func bundleZip(t *testing.T, load string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), load+".zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for file, content := range phone.MakeBundle(load, 130_552, 756_120) {
		part, err := w.Create(file)
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// watch keeps all that the page shows of one phone while it is live: state, progress and sign, and the tab's title.
const watch = `(() => {
	window.seen = [];
	const note = () => {
		const row = document.getElementById("c-0007EB102030");
		const now = [document.title.split(" ")[0], row?.querySelector(".step")?.innerText.replace(/\s+/g, " "), row?.querySelector(".now small")?.innerText,
			row?.querySelector("progress")?.value ?? "", document.querySelector(".hot")?.innerText.replace(/\s+/g, " ") ?? ""].join(" | ");
		if (now !== window.seen.at(-1)) window.seen.push(now);
	};
	new MutationObserver(note).observe(document.documentElement, { childList: true, subtree: true, attributes: true, characterData: true });
	note();
	return "";
})()`

// TestAPhoneIsConvertedWhileAPersonWatches is a conversion from SCCP to SIP in a real browser on the real daemon: what is
// missing, the upload, the plan, start later and start, the step on the page as it happens, and the report.
func TestAPhoneIsConvertedWhileAPersonWatches(t *testing.T) {
	const load = "P0S3-8-12-00"
	p := newPerson(t, startTry(t))
	p.do(chromedp.EmulateViewport(1280, 900))
	p.setUp()

	// The workshop's phone lacks files: the page says which files it needs, and the shelf for whom.
	p.open("conversions")
	p.see("Workshop", "files missing", "Needs you: 1")
	p.shoot("blocked")
	p.open("firmware")
	p.see("Missing, and needed", load+".loads", "1 phone runs")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#firmware-files"), []string{bundleZip(t, load)}))
	// Nothing may begin before the plan was looked at: both phones are left out first.
	p.open("conversions/target?to=" + load)
	p.see("What " + load + " means")
	p.shoot("plan-without-files")
	p.click("button[value=later]")
	p.see("Nothing begins until you press Start all")
	p.open("firmware")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#firmware-files"), []string{bundleZip(t, load)}))
	p.click(".drop button")
	p.see("The files are on the shelf.", "whole")
	if text := p.text(); strings.Contains(text, "Missing, and needed") {
		t.Errorf("all is there, and the page says that something is missing:\n%s", text)
	}
	p.open("conversions/target?to=" + load)
	p.see("What "+load+" means", "Workshop", load+".sb2", "The screen says Upgrading Software", "has a load of its own")
	p.shoot("plan")

	p.open("conversions")
	p.see("Workshop", "left out")
	if text := p.text(); strings.Contains(text, "don't unplug") {
		t.Fatalf("a phone gets firmware before anybody pressed Start:\n%s", text)
	}
	p.eval(watch)
	p.click("form.everyone button[value=go]")
	p.see("goes on")
	p.eval(watch) // htmx exchanged the body; what is watched is the document
	shot := false
	testkit.Eventually(t, patience, "the phone has arrived", func() bool {
		text := p.text()
		if !shot && strings.Contains(text, "don't unplug") {
			shot = true
			p.shoot("going")
		}
		row := p.eval(`document.getElementById("c-0007EB102030")?.innerText ?? ""`)
		return strings.Contains(row, "arrived")
	})
	var seen []string
	if err := json.Unmarshal([]byte(p.eval(`JSON.stringify(window.seen)`)), &seen); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(seen, "\n")
	t.Logf("what the page showed:\n%s", all)
	for _, want := range []string{"don't unplug", "Step 1 of", "it writes " + load + ".sb2.", "Don't unplug these phones", "Workshop", "arrived"} {
		if !strings.Contains(all, want) {
			t.Errorf("while the phone was converted the page never said %q", want)
		}
	}
	p.see("2 of 2 have arrived.")
	if title := p.eval("document.title"); !strings.HasPrefix(title, "2/2 – Conversion") {
		t.Errorf("the tab says %q", title)
	}
	p.shoot("arrived")
	p.open("phones/0007EB102030")
	p.see("has arrived: it runs " + load)
	p.open("conversions/report")
	p.see("Harbour Street office", "Workshop", "00:07:EB:10:20:30", "209", load, "arrived", "runs the load that it should", "Handed over by")
	p.shoot("report")
	p.open("firmware")
	p.click(".shelf form button")
	p.see("Remove it although it is needed?", "2 phones should run it, and 2 do.")
}
