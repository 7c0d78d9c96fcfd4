package assemble

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/phone/media"
	"phonebox/services/web"
)

// What the editors show is what a phone gets once it is saved: the same bytes of every page of the directory.
func TestThePreviewOfTheDirectoryIsWhatPhonesGet(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	e := editors{b}
	contacts := []web.Contact{{Name: "Élodie & Co", Number: "+32 (0)2 345-67.89"}, {Name: "porter", Number: "night.porter"}}
	for i := range 70 {
		contacts = append(contacts, web.Contact{Name: fmt.Sprintf("Supplier %02d", i), Number: fmt.Sprintf("0478 12 34 %02d", i)})
	}
	if faults := e.CheckContacts(contacts); len(faults) != 0 {
		t.Fatalf("the contacts have faults: %+v", faults)
	}
	var previews [][]byte
	for page := 1; page != 0; {
		content, next := e.DirectoryXML(contacts, page)
		previews = append(previews, content)
		page = next
	}
	if len(previews) != 3 || !bytes.Contains(bytes.Join(previews, nil), []byte("<Telephone>+3223456789</Telephone>")) {
		t.Fatalf("%d pages are shown, want 3 with the number as it is dialled:\n%s", len(previews), previews)
	}
	_, etag := b.shop.Contacts()
	if err := b.shop.SetContacts(t.Context(), contacts, etag); err != nil {
		t.Fatal(err)
	}
	for i, want := range previews {
		got, _ := phoneFiles{b}.PhoneFile(t.Context(), b.current().site.Network.Address.Addr(), "directory.xml", fmt.Sprintf("page=%d", i+1))
		if !bytes.Equal(got.Body, want) {
			t.Errorf("page %d is\n%s\nbut was shown as\n%s", i+1, got.Body, want)
		}
	}
}

// What is said beside a row is what saving says.
func TestContactsAreCheckedByTheCodeThatReadsThem(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	contacts := []web.Contact{{Name: "good", Number: "1"}, {Name: "", Number: "2"}, {Name: "bad", Number: "5;6"}, {Name: strings.Repeat("x", 65), Number: ""}}
	faults := editors{b}.CheckContacts(contacts)
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	if got := strings.Join(keys, " "); got != "contacts[1].name contacts[2].number contacts[3].name contacts[3].number" {
		t.Errorf("the faults are of %s: %+v", got, faults)
	}
	_, etag := b.shop.Contacts()
	for i := 1; i < len(contacts); i++ {
		var refused *web.Refused
		if err := b.shop.SetContacts(t.Context(), contacts[i:i+1], etag); !errors.As(err, &refused) {
			t.Errorf("%+v was saved (%v), though a fault is told", contacts[i], err)
		}
	}
	if err := b.shop.SetContacts(t.Context(), contacts[:1], etag); err != nil {
		t.Errorf("a good contact is refused: %v", err)
	}
}

// Rings are named, put in order and heard; the list that phones get follows.
func TestTheEditorOfRings(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	e := editors{b}
	raw := bytes.Repeat([]byte{0xff, 0x90, 0x10}, 800)
	for _, name := range []string{"a.raw", "b.raw", "c.raw"} {
		if _, err := b.shop.AddRing(t.Context(), name, bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(e.NameRing(t.Context(), "c.raw", "Church bell"), e.OrderRings(t.Context(), []string{"c.raw", "nowhere.raw", "a.raw", "site.toml"})); err != nil {
		t.Fatal(err)
	}
	const want = "Church bell\tc.raw\na\ta.raw\nb\tb.raw\n"
	if got := string(e.RingList()); got != want {
		t.Errorf("the list is %q, want %q", got, want)
	}
	if got, ok := e.RingSound("C.RAW"); !ok || !bytes.Equal(got, raw) {
		t.Errorf("the ring has %d bytes (%v), want those that were stored", len(got), ok)
	}
	for _, name := range []string{"nowhere.raw", ".ringorder", "../site.toml"} {
		if _, ok := e.RingSound(name); ok {
			t.Errorf("%s is taken for a ring", name)
		}
	}
	var public *web.PublicError
	if err := e.NameRing(t.Context(), "nowhere.raw", "x"); !errors.As(err, &public) || public.Status != 422 {
		t.Errorf("a ring that is not there is named: %v", err)
	}
	if users := e.RingUsers("c.raw"); len(users) != 0 {
		t.Errorf("a ring that nobody fetched is used by %q", users)
	}
	if err := b.shop.RemoveRing(t.Context(), "c.raw"); err != nil || string(e.RingList()) != "a\ta.raw\nb\tb.raw\n" {
		t.Errorf("after the removal the list is %q, %v", e.RingList(), err)
	}
}

// The logo of before comes back, whether it was a picture or the drawn name; twice is where one began.
func TestTheLogoOfBefore(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	e := editors{b}
	drawn, _ := e.LogoBMP()
	var public *web.PublicError
	if _, ok := e.LogoBefore(); ok || !errors.As(e.RestoreLogo(t.Context()), &public) {
		t.Fatal("there is a logo of before although none was changed")
	}
	first, second := phone.WriteLogo("first"), phone.WriteLogo("second")
	for _, logo := range [][]byte{first, second} {
		if _, err := b.shop.SetLogo(t.Context(), bytes.NewReader(logo)); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want []byte, what string) {
		t.Helper()
		got, _ := e.LogoBMP()
		answer, _ := phoneFiles{b}.PhoneFile(t.Context(), b.current().site.Network.Address.Addr(), "logo.bmp", "")
		if !bytes.Equal(got, want) || !bytes.Equal(answer.Body, want) {
			t.Errorf("the logo is not %s", what)
		}
	}
	is(second, "the second")
	for _, step := range []struct {
		want []byte
		what string
	}{{first, "the first"}, {second, "the second again"}} {
		if err := e.RestoreLogo(t.Context()); err != nil {
			t.Fatal(err)
		}
		is(step.want, step.what)
	}
	if _, err := b.shop.SetLogo(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	is(drawn, "the drawn name")
	if err := e.RestoreLogo(t.Context()); err != nil {
		t.Fatal(err)
	}
	is(second, "the picture before the drawn name")
	if before, ok := e.LogoBefore(); !ok || !bytes.Equal(before, drawn) {
		t.Error("the drawn name is not what comes back next")
	}
	if _, _, err := media.LogoGreys(bytes.NewReader(drawn)); err != nil {
		t.Errorf("the drawn name is no picture: %v", err)
	}
}
