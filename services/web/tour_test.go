package web_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var takeTour = flag.Bool("tour", false, "take the pictures of docs/tour.md anew")

const (
	tourDoc      = "../../docs/tour.md"
	tourPictures = "../../docs/pictures/tour"
)

// tour are the pages that docs/tour.md shows, by the names of their pictures.
var tour = []struct {
	name, path string
	width      int64
	dark       bool
}{
	{"overview", "", 1100, false},
	{"overview-narrow", "", 390, true},
	{"phones", "phones", 1100, false},
	{"scan", "phones/scan", 1100, false},
	{"phone", "phones/0006D7AA2A2E", 1100, false},
	{"stuck", "phones/00070E112233", 1100, false},
	{"conversion", "conversions", 1100, false},
	{"report", "conversions/report", 1100, false},
	{"firmware", "firmware", 1100, false},
	{"network", "settings", 1100, false},
	{"provider", "settings/phones", 1100, false},
	{"time", "time", 1100, false},
	{"names", "names", 1100, false},
	{"directory", "directory", 1100, false},
	{"media", "media", 1100, false},
	{"dialplan", "dialplan?number=112", 1100, false},
	{"system", "system", 1100, false},
	{"backup", "system/backup", 1100, false},
	{"changes", "system/changes", 1100, false},
}

// TestTour goes through the pages of docs/tour.md. Beside each picture lies the text that the page had when it was taken: when the
// page says something else by now, the picture is out of date.
func TestTour(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnishOffice(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	b.loginAt(url)
	doc, err := os.ReadFile(tourDoc)
	if err != nil {
		t.Fatal(err)
	}
	for _, stop := range tour {
		scheme := "light"
		if stop.dark {
			scheme = "dark"
		}
		command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		b.do(chromedp.EmulateViewport(stop.width, 800), chromedp.Navigate(url+stop.path), chromedp.WaitVisible(chromedp.CSS("main")))
		text := strings.Join(strings.Fields(eval[string](b, `document.querySelector("main").innerText`)), " ") + "\n"
		if !strings.Contains(string(doc), "](pictures/tour/"+stop.name+".png)") {
			t.Errorf("docs/tour.md does not show pictures/tour/%s.png", stop.name)
		}
		if *takeTour {
			b.takePicture(stop.name, text)
			continue
		}
		before, err := os.ReadFile(filepath.Join(tourPictures, stop.name+".txt"))
		if err != nil {
			t.Error(err)
		} else if string(before) != text {
			t.Errorf("the picture of %s is out of date: go test ./services/web -run TestTour -tour takes it anew\nit shows %s\nnow it is %s", stop.name, before, text)
		}
	}
	if n := strings.Count(string(doc), "](pictures/tour/"); n != len(tour) {
		t.Errorf("docs/tour.md shows %d pictures, wanted the %d of this test", n, len(tour))
	}
}

// takePicture writes the page that is shown, and what it says.
func (b *browser) takePicture(name, text string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	for ext, content := range map[string][]byte{".png": png, ".txt": []byte(text)} {
		if err := os.WriteFile(filepath.Join(tourPictures, name+ext), content, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}
