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
// services.xml, logo.bmp), query the raw query string. The header holds what is besides Content-Type and
// Content-Length, which the Answer says. It is the same for everybody, holds no secret and names no load.
func (p *Provisioner) HTTP(_ context.Context, from netip.Addr, name, query string) (Answer, http.Header) {
	s := p.settings.Load()
	header := http.Header{}
	var a Answer
	switch strings.ToLower(strings.TrimPrefix(name, "/")) {
	case "directory.xml":
		page := 1
		if values, err := url.ParseQuery(query); err == nil {
			if n, err := strconv.Atoi(values.Get("page")); err == nil {
				page = n
			}
		}
		content, next := phone.WriteDirectory(s.SiteName, s.directory, page)
		a = xml(content)
		if next != 0 {
			// Without a time the phone goes on only when its Next key is pressed (phones.md e).
			header.Set("Refresh", fmt.Sprintf("0; url=%sdirectory.xml?page=%d", s.baseURL, next))
		}
	case "services.xml":
		a = xml(phone.WriteMenu(s.SiteName, []phone.MenuItem{{Name: "Directory", URL: s.baseURL + "directory.xml"}}))
	case "logo.bmp":
		a = made(s.logo, "image/bmp")
	default:
		a = Answer{Status: Missing, Why: "there is no such page for phones: only directory.xml, services.xml and logo.bmp"}
	}
	a.File = phone.FileName{Clean: name, Kind: phone.KindOther}
	if mac, ok := p.deps.Observer.At(from); ok {
		a.MAC, a.Listed = mac, s.listed[mac] != nil
	}
	return a, header
}
