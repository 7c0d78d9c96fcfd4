package provision

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// HTTP answers what phones fetch by their buttons: name is the path without "/phone/" (directory.xml with ?page=N,
// search.xml with ?name=X&number=Y, services.xml, about.xml, logo.bmp), query the raw query string. The header holds what
// is besides Content-Type and Content-Length, which the Answer says. No answer holds a secret, and all but about.xml are the
// same for everybody; that one tells a phone of itself, and may block for as long as the Guard does.
func (p *Provisioner) HTTP(ctx context.Context, from netip.Addr, name, query string) (Answer, http.Header) {
	s := p.settings.Load()
	header := http.Header{}
	// What can be read of a wrong query is enough: phones are no browsers.
	values, _ := url.ParseQuery(query)
	page, _ := strconv.Atoi(values.Get("page"))
	var a Answer
	switch strings.ToLower(strings.TrimPrefix(name, "/")) {
	case "directory.xml":
		a = s.list(header, s.SiteName, s.directory.entries, page, func(next int) string {
			return fmt.Sprintf("%sdirectory.xml?page=%d", s.baseURL, next)
		})
	case "search.xml":
		a = s.search(header, values, page)
	case "services.xml":
		a = xml(phone.WriteMenu(s.SiteName, s.services()))
	case "about.xml":
		// It is about this moment: the phone must not go back to an old one (phones.md e).
		header.Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
		a = xml(p.about(ctx, s, from))
	case "logo.bmp":
		bmp, _ := p.Logo()
		a = made(bmp, "image/bmp")
	default:
		a = Answer{Status: Missing, Why: "there is no such page for phones: only directory.xml, search.xml, services.xml, about.xml and logo.bmp"}
	}
	a.File = phone.FileName{Clean: name, Kind: phone.KindOther}
	if mac, ok := p.deps.Observer.At(from); ok {
		a.MAC, a.Listed = mac, s.listed[mac] != nil
	}
	return a, header
}

// services are the items of the services menu. The search stands here because the SIP image takes nothing but a directory
// at directory_url (phones.md e).
func (s *settings) services() []phone.MenuItem {
	return []phone.MenuItem{
		{Name: "Directory", URL: s.baseURL + "directory.xml"},
		{Name: "Search", URL: s.baseURL + "search.xml"},
		{Name: "About this phone", URL: s.baseURL + "about.xml"},
	}
}

// list is one page of entries; following is the address of the page behind it.
func (s *settings) list(header http.Header, title string, entries []phone.Entry, page int, following func(next int) string) Answer {
	content, next := phone.WriteDirectory(title, entries, page)
	if next != 0 {
		// Without a time the phone goes on only when its Next key is pressed (phones.md e).
		header.Set("Refresh", "0; url="+following(next))
	}
	return xml(content)
}

// search is the form where nothing was asked yet, else a page of what was found.
func (s *settings) search(header http.Header, values url.Values, page int) Answer {
	if !values.Has("name") && !values.Has("number") {
		return xml(phone.WriteInput("Search", "Name, number or both", s.baseURL+"search.xml", []phone.InputItem{
			{Name: "Name", Parameter: "name", Flags: "A"}, {Name: "Number", Parameter: "number", Flags: "T"},
		}))
	}
	name, number := fitTerms(s.baseURL, term(values.Get("name")), term(values.Get("number")))
	found := s.directory.search(name, number)
	if len(found) == 0 {
		return xml(phone.WriteText("Search", "Press Exit to go back", "Nobody was found. A part of the name or of the number is enough."))
	}
	return s.list(header, "Search", found, page, func(next int) string { return searchURL(s.baseURL, name, number, next) })
}
