package provision_test

import (
	"encoding/xml"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

// listPage is what a phone reads of a directory.
type listPage struct {
	XMLName xml.Name
	Title   string
	Text    string
	URL     string
	Entries []struct{ Name, Telephone string }                           `xml:"DirectoryEntry"`
	Items   []struct{ Name, URL string }                                 `xml:"MenuItem"`
	Fields  []struct{ DisplayName, QueryStringParam, InputFlags string } `xml:"InputItem"`
}

// press fetches a page as a phone does, by its whole address.
func press(t *testing.T, p *provision.Provisioner, from netip.Addr, address string) (page listPage, next string) {
	t.Helper()
	if len(address) > 127 {
		t.Errorf("the phones have room for 127 bytes: %s", address)
	}
	rest, ok := strings.CutPrefix(address, "http://10.77.0.1/phone/")
	if !ok {
		t.Fatalf("the address %s", address)
	}
	name, query, _ := strings.Cut(rest, "?")
	a, header := p.HTTP(t.Context(), from, name, query)
	body := content(t, a)
	if err := xml.Unmarshal([]byte(body), &page); err != nil {
		t.Fatalf("%s: %v\n%s", address, err, body)
	}
	if a.ContentType != "text/xml" || len(page.Entries) > phone.DirectoryPage {
		t.Errorf("%s: %d entries, %+v", address, len(page.Entries), a)
	}
	next, _ = strings.CutPrefix(header.Get("Refresh"), "0; url=")
	return page, next
}

// all walks from page to page as the Next key does.
func all(t *testing.T, p *provision.Provisioner, address string) (names []string) {
	t.Helper()
	for pages := 0; address != ""; pages++ {
		if pages > 100 {
			t.Fatal("the pages have no end")
		}
		var page listPage
		page, address = press(t, p, receptionAt, address)
		for _, e := range page.Entries {
			names = append(names, e.Name+" "+e.Telephone)
		}
	}
	return names
}

func withContacts(cfg provision.Config, contacts ...phone.Entry) provision.Config {
	cfg.Contacts = contacts
	return cfg
}

func TestDirectoryHoldsPhonesAndContacts(t *testing.T) {
	t.Parallel()
	cfg := withContacts(office(), phone.Entry{Name: "Émile Zola", Number: "+3220001"}, phone.Entry{Name: "albert", Number: "1"},
		phone.Entry{Name: "Reception", Number: "208"}, phone.Entry{Name: "Front desk", Number: "208"}, phone.Entry{Name: "Zoë", Number: "2"})
	p, _ := start(t, cfg, newWorld(), nil)
	got := strings.Join(all(t, p, "http://10.77.0.1/phone/directory.xml"), "\n")
	want := "albert 1\nÉmile Zola +3220001\nFront desk 208\nReception 208\nRéception 209\nWorkshop 210\nZoë 2"
	if got != want {
		t.Errorf("the directory is\n%s\nwant\n%s", got, want)
	}
}

// A person at the phone gets from the services menu to the form and from there to what was found.
func TestSearchOnThePhone(t *testing.T) {
	t.Parallel()
	cfg := office()
	for i := range 70 {
		cfg.Contacts = append(cfg.Contacts, phone.Entry{Name: fmt.Sprintf("Peeters Jan %02d", i), Number: fmt.Sprintf("+32 2 555.01-%02d", i)})
	}
	p, _ := start(t, cfg, newWorld(), nil)
	menu, _ := press(t, p, receptionAt, "http://10.77.0.1/phone/services.xml")
	if len(menu.Items) != 3 || menu.Items[1].Name != "Search" {
		t.Fatalf("the menu is %+v", menu)
	}
	form, _ := press(t, p, receptionAt, menu.Items[1].URL)
	if form.XMLName.Local != "CiscoIPPhoneInput" || len(form.Fields) != 2 || form.Fields[0].QueryStringParam != "name" || form.Fields[0].InputFlags != "A" ||
		form.Fields[1].QueryStringParam != "number" || form.Fields[1].InputFlags != "T" {
		t.Fatalf("the form is %+v", form)
	}
	long := strings.Repeat("é", 60)
	for _, tt := range []struct {
		about, name, number string
		found               int
		first               string
	}{
		{"a name without its accent", "recep", "", 2, "Reception 208"},
		{"words in any order", "jan PEET", "", 70, "Peeters Jan 00 +32 2 555.01-00"},
		{"a number without what stands between", "", "5550169", 1, "Peeters Jan 69 +32 2 555.01-69"},
		{"both", "peeters", "010", 10, "Peeters Jan 00 +32 2 555.01-00"},
		{"nothing typed is everybody", "", "", 73, "Peeters Jan 00 +32 2 555.01-00"},
		{"ISO-8859-1", "R\xe9ce", "", 2, "Reception 208"},
		{"signs of the address", "a&b=c?d#e", "+", 0, ""},
		{"a term that is too long for the address", long, strings.Repeat("9", 60), 0, ""},
		{"nobody", "nobody", "", 0, ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			name, query := "search.xml", "name="+url.QueryEscape(tt.name)+"&number="+url.QueryEscape(tt.number)
			if tt.found == 0 {
				a, header := p.HTTP(t.Context(), receptionAt, name, query)
				if body := content(t, a); !strings.Contains(body, "CiscoIPPhoneText") || !strings.Contains(body, "Nobody was found") || header.Get("Refresh") != "" {
					t.Errorf("found %s", body)
				}
				return
			}
			found := all(t, p, form.URL+"?"+query)
			if len(found) != tt.found || found[0] != tt.first {
				t.Errorf("%d found, first %q", len(found), found)
			}
		})
	}
}

// However long the terms are, the address of the next page has room in the phone.
func TestSearchAddressesFit(t *testing.T) {
	t.Parallel()
	cfg := office()
	name := strings.Repeat("é ü", 20)
	for i := range 70 {
		cfg.Contacts = append(cfg.Contacts, phone.Entry{Name: name, Number: strings.Repeat("9", 60) + fmt.Sprint(i)})
	}
	p, _ := start(t, cfg, newWorld(), nil)
	_, header := p.HTTP(t.Context(), receptionAt, "search.xml", "name="+url.QueryEscape(name)+"&number="+strings.Repeat("9", 60))
	next, ok := strings.CutPrefix(header.Get("Refresh"), "0; url=")
	if !ok {
		t.Fatal("no further page")
	}
	if found := all(t, p, next); len(found) != 70-32 {
		t.Errorf("%d on the further pages, want 38", len(found))
	}
}

func TestAboutThisPhone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.running[reception] = provision.Running{Model: "7940", Load: target}
	w.facts = map[phone.MAC]provision.Facts{reception: {LastConfig: time.Date(2026, time.July, 1, 12, 5, 0, 0, time.UTC), Step: phone.Ready}}
	p, _ := start(t, office(), w, nil)
	for _, tt := range []struct {
		about string
		from  netip.Addr
		want  string
	}{
		{
			"a listed phone", receptionAt,
			"Number: 208, 209\nLabel: Réception\nModel: 7960\nFirmware: P0S3-8-12-00\nAddress: 10.77.0.50\nMAC: 00:06:D7:AA:2A:2E\n" +
				"Configuration: SIP0006D7AA2A2E.cnf, fetched 1 July 2026 14:05\nState: ready",
		},
		{"a phone of which little is known", workshopAt, "Number: 210\nLabel: Workshop\nModel: 7940\nAddress: 10.77.1.7\nMAC: 00:15:62:00:A1:B2"},
		{"a stranger", strangerAt, "This phone is not listed in Harbour Street office yet.\nAddress: 10.77.1.8\nMAC: 00:0A:B7:01:02:03"},
		{"nobody", laptopAt, "The box does not know which phone has the address 10.77.1.9. Restart the phone, and look again."},
	} {
		page, _ := press(t, p, tt.from, "http://10.77.0.1/phone/about.xml")
		if page.XMLName.Local != "CiscoIPPhoneText" || page.Text != tt.want {
			t.Errorf("%s reads\n%s\nwant\n%s", tt.about, page.Text, tt.want)
		}
	}
	w.wire[receptionAt] = stranger // the address changed hands: the phone's extension is none of the other's business
	page, _ := press(t, p, receptionAt, "http://10.77.0.1/phone/about.xml")
	if strings.Contains(page.Text, "208") || !strings.Contains(page.Text, "does not know") {
		t.Errorf("another at its address reads\n%s", page.Text)
	}
}

// Whatever comes as a query, phones get XML that they can read, without secrets and with addresses that fit.
func FuzzHTTP(f *testing.F) {
	for _, q := range []string{"", "page=2", "name=&number=", "name=%C3%A9&page=3", "name=%e9%ff&number=+", "page=-1&name=a;b", "%zz", "name=" + strings.Repeat("%00", 200)} {
		f.Add("search.xml", q)
		f.Add("directory.xml", q)
	}
	f.Add("about.xml", "")
	f.Add("../SIP0006D7AA2A2E.cnf", "")
	w := newWorld()
	cfg := office()
	for i := range 100 {
		cfg.Contacts = append(cfg.Contacts, phone.Entry{Name: fmt.Sprintf("Ünï %d <&>", i), Number: fmt.Sprint(i)})
	}
	p, err := provision.New(cfg, provision.Deps{Dir: f.TempDir(), Observer: w, Guard: w, Log: discard, Released: w.release})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, query string) {
		a, header := p.HTTP(t.Context(), receptionAt, name, query)
		body := content(t, a)
		if strings.Contains(body, "hunter2") || strings.Contains(body, "swordfish") {
			t.Errorf("%s?%s shows a password", name, query)
		}
		if a.Status == provision.OK && a.ContentType == "text/xml" {
			var page listPage
			if err := xml.Unmarshal([]byte(body), &page); err != nil {
				t.Errorf("%s?%s: %v\n%s", name, query, err, body)
			}
		}
		if next, ok := strings.CutPrefix(header.Get("Refresh"), "0; url="); ok && len(next) > 127 || strings.ContainsAny(next, " \r\n") {
			t.Errorf("%s?%s goes on at %q", name, query, next)
		}
	})
}
