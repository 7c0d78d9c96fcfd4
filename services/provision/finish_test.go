package provision_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

// A phone that left the site in the middle of a step gets the rest of it, and nothing else.
func TestAnUnlistedPhoneInTheMiddleOfAStepGetsTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld()
	n := toTarget
	n.Finish = true
	w.guide = tell(n)
	w.running[stranger] = provision.Running{Loader: true}
	p, _ := start(t, office(), w, bundle(target))
	if got, want := namedFor(t, p, stranger, strangerAt), (named{"-", target, "-", "", "-"}); got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
	if a, _ := ask(t, p, provision.Query{Name: target + ".sb2", From: strangerAt}); a.Status != provision.OK {
		t.Errorf("the application: %+v", a)
	}
	w.guide.refuse = map[phone.MAC]string{stranger: "it is no file of the step"}
	if a, _ := ask(t, p, provision.Query{Name: target + ".sb2", From: strangerAt}); a.Status != provision.Refused || a.Why != "it is no file of the step" {
		t.Errorf("what the guide refuses: %+v", a)
	}
}

// An image that is written anew in place while it is being sent must not reach a phone half old, half new: what is not
// signed would be started.
func TestAnImageThatChangesWhileItIsSentBreaksOff(t *testing.T) {
	t.Parallel()
	files := bundle("P0S3-05-3-00")
	p, dir := start(t, office(), newWorld(), files)
	a := p.Answer(t.Context(), provision.Query{Name: "P0S3-05-3-00.bin", From: laptopAt})
	if a.Status != provision.OK {
		t.Fatalf("%+v", a)
	}
	defer a.Close()
	b := make([]byte, 100)
	if _, err := a.Content.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	other := []byte(strings.Repeat("x", len(files["P0S3-05-3-00.bin"])))
	if err := os.WriteFile(filepath.Join(dir, "P0S3-05-3-00.bin"), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Content.ReadAt(b, 100); err == nil || err == io.EOF {
		t.Errorf("%d bytes of the new one follow those of the old one: %v", n, err)
	}
}

// What own_files name is the site's own doing; a refusal says where the phone got the name from.
func TestARefusedImageOfAPhoneWithOwnFilesSaysWhereToLook(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Phones[0].OwnFiles = true
	w := newWorld()
	w.guide = tell(toTarget)
	w.guide.refuse = map[phone.MAC]string{reception: "it is no file of the step"}
	p, _ := start(t, cfg, w, with(bundle(target), map[string][]byte{"SEP0006D7AA2A2E.cnf.xml": []byte("<device/>")}))
	if a, _ := ask(t, p, provision.Query{Name: target + ".sb2", From: receptionAt}); a.Status != provision.Refused || !strings.Contains(a.Why, "own_files") || !strings.Contains(a.Why, "SEP0006D7AA2A2E.cnf.xml") {
		t.Errorf("%+v", a)
	}
}
