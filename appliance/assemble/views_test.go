package assemble

import (
	"strings"
	"testing"

	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// A phone is asked where its files tell it to listen; at 5060 it would seem dead.
func TestPhonesAreAskedOnTheirControlPort(t *testing.T) {
	text := strings.Replace(goodSite, "[[phones]]", "[sip.parameters]\nVoip_Control_Port = 5070\n[[phones]]", 1) + `
[[phones]]
mac = "00:06:D7:AA:2A:2F"
address = "127.77.0.9"
[phones.parameters]
voip_control_port = 5080
`
	text = strings.Replace(text, `label = "Front desk"`, `address = "127.77.0.8"`, 1)
	b := open(t, t.TempDir(), map[string]string{site.FileName: text})
	for i, want := range []string{"127.77.0.8:5070", "127.77.0.9:5080"} {
		known := &b.current().site.Phones[i]
		if got, ok := b.target(journal.Phone{MAC: known.MAC}, known); !ok || got.Address.String() != want {
			t.Errorf("%s is asked at %s, want %s", known.MAC, got.Address, want)
		}
	}
	b.journal.Add(journal.Event{MAC: phone.MAC{2}, Address: addr, Service: "tftp", Kind: journal.Request})
	if got, ok := b.target(journal.Phone{MAC: phone.MAC{2}}, nil); !ok || got.Address.Port() != 5070 {
		t.Errorf("an unlisted phone is asked at %s, want the port of the site", got.Address)
	}
}

// What answers at an address that went over to another phone says nothing of the one that had it: its release would be
// taken for the other's, and with it the step that is safe.
func TestNobodyIsAskedAtAnAddressThatAnotherPhoneHasNow(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	known := &b.current().site.Phones[0]
	b.journal.Add(journal.Event{MAC: known.MAC, Address: addr, Service: "tftp", Kind: journal.Request})
	if _, ok := b.target(journal.Phone{MAC: known.MAC}, known); !ok {
		t.Fatal("it is not asked where it was seen")
	}
	b.journal.Add(journal.Event{MAC: phone.MAC{2}, Address: addr, Service: "tftp", Kind: journal.Request})
	if got, ok := b.target(journal.Phone{MAC: known.MAC}, known); ok {
		t.Errorf("it is asked at %s, where another phone was seen since", got.Address)
	}
}
