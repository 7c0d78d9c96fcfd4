package site_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

const waitingSite = `[network]
address = "10.77.0.1/16"
[dhcp]
pool = ["10.77.1.1-10.77.3.250"]
[time]
upstream = []
[[lines]]
label = "Meeting room"
name = "230"
password = "secret-230"
[[lines]]
name = "231"
password = "secret-231"
[[phones]]
mac = "00:06:D7:AA:2A:2E"
label = "Reception"
[[phones.lines]]
name = "208"
password = "secret-208"
[[phones]]
mac = "00:06:D7:AA:2A:2F"
label = "Stores"
`

func waiting(s *site.Site) string {
	var names []string
	for _, l := range s.Lines {
		names = append(names, l.Name+"/"+l.Password)
	}
	return strings.Join(names, " ")
}

// A line goes to a phone with its password, which nobody sent along, and comes back with it.
func TestALineGoesToAPhoneAndBack(t *testing.T) {
	t.Parallel()
	s, faults := parseWith(t, waitingSite, site.Catalogue())
	if s == nil || len(faults) > 0 {
		t.Fatalf("refused or warned of: %q", faults)
	}
	if text := string(s.TOML(false)); strings.Contains(text, "secret-") || !strings.Contains(text, "[[lines]]") {
		t.Errorf("masked it is:\n%s", text)
	}
	next := s.WaitingTexts()[0]
	if next.Password != site.Mask || next.Label != "Meeting room" {
		t.Fatalf("the next line is %+v", next)
	}
	given, order, wrong := s.Change(site.PhoneChange{Put: []site.PhoneText{{MAC: "0006d7aa2a30", Label: next.Label, Lines: []site.LineText{next.LineText}}}}, site.Catalogue())
	if given == nil || len(wrong) > 0 {
		t.Fatalf("refused: %v", wrong)
	}
	added := given.Phones[2]
	if added.Label != "Meeting room" || added.Lines[0].Password != "secret-230" || waiting(given) != "231/secret-231" {
		t.Errorf("the phone is %+v, and there wait %q", added, waiting(given))
	}
	if len(order) != 3 || order[2] != added.MAC {
		t.Errorf("the order is %v", order)
	}
	back, _, wrong := given.Change(site.PhoneChange{Remove: []phone.MAC{added.MAC}, Wait: []site.WaitingText{next}, Front: true}, site.Catalogue())
	if back == nil || len(wrong) > 0 {
		t.Fatalf("refused: %v", wrong)
	}
	if diff := cmp.Diff(s, back, compareAddresses); diff != "" {
		t.Errorf("given and taken back, the site differs:\n%s", diff)
	}
	// The form of one phone does the same.
	text, _ := s.PhoneText(s.Phones[1].MAC)
	text.Lines = []site.LineText{{Name: "231", Password: site.Mask}}
	put, wrong := s.PutPhone(s.Phones[1].MAC, text, site.Catalogue())
	if put == nil || put.Phones[1].Lines[0].Password != "secret-231" || waiting(put) != "230/secret-230" {
		t.Errorf("by the form of a phone: %v, %v", put, wrong)
	}
}

func TestManyPhonesChangeAtOnceOrNotAtAll(t *testing.T) {
	t.Parallel()
	s, _ := parseWith(t, waitingSite, site.Catalogue())
	first, _ := s.PhoneText(s.Phones[0].MAC)
	second, _ := s.PhoneText(s.Phones[1].MAC)
	first.Label, second.Label = "One", "Two"
	next, _, faults := s.Change(site.PhoneChange{Put: []site.PhoneText{first, second}, Drop: []string{"231", "nobody"}}, site.Catalogue())
	if next == nil || next.Phones[0].Label != "One" || next.Phones[0].Lines[0].Password != "secret-208" || next.Phones[1].Label != "Two" || waiting(next) != "230/secret-230" {
		t.Fatalf("got %+v, %v", next, faults)
	}
	second.Load = "no such load"
	next, order, faults := s.Change(site.PhoneChange{Put: []site.PhoneText{first, second}}, site.Catalogue())
	if next != nil || len(faults) != 1 || faults[0].Key != "phones[1].load" || order[1].String() != second.MAC {
		t.Errorf("got %v, %v, %v", next, order, faults)
	}
	if s.Phones[0].Label != "Reception" {
		t.Error("the site itself was changed")
	}
	none, _, _ := s.Change(site.PhoneChange{Remove: []phone.MAC{s.Phones[0].MAC, s.Phones[1].MAC}, Drop: []string{"230", "231"}}, site.Catalogue())
	if none == nil || none.Phones != nil || none.Lines != nil {
		t.Errorf("all removed: %+v", none)
	}
	again, _, _ := s.Change(site.PhoneChange{Wait: []site.WaitingText{{Label: "Attic", LineText: site.LineText{Name: "231", Password: site.Mask}}, {LineText: site.LineText{Name: "232"}}}}, site.Catalogue())
	if again == nil || waiting(again) != "230/secret-230 231/secret-231 232/" || again.Lines[1].Label != "Attic" {
		t.Errorf("one more that waits: %+v", again)
	}
}

func TestLinesThatWaitAreChecked(t *testing.T) {
	t.Parallel()
	text := strings.Replace(waitingSite, `name = "231"`, `name = "230"`, 1)
	if s, faults := parseWith(t, text, site.Catalogue()); s != nil || len(faults) != 1 || !strings.Contains(faults[0], "lines[1].name") {
		t.Errorf("twice the same line: %q", faults)
	}
	text = strings.Replace(waitingSite, `name = "231"`, `name = "208"`, 1)
	if s, faults := parseWith(t, text, site.Catalogue()); s == nil || len(faults) != 1 || !strings.Contains(faults[0], "also in phones[0]") {
		t.Errorf("a line that a phone has: %q", faults)
	}
	text = strings.Replace(waitingSite, "name = \"231\"\n", "", 1)
	if s, faults := parseWith(t, text, site.Catalogue()); s != nil || len(faults) != 1 || !strings.Contains(faults[0], "lines[1].name: found nothing") {
		t.Errorf("a line without a number: %q", faults)
	}
	if _, _, faults := (&site.Site{}).Change(site.PhoneChange{Wait: []site.WaitingText{{Label: `a "quoted" one`, LineText: site.LineText{Name: "1"}}}}, site.Options{}); len(faults) == 0 || faults[0].Key != "lines[0].label" {
		t.Errorf("a wrong label: %v", faults)
	}
}
