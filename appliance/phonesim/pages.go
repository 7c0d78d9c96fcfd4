package phonesim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	pageWait = 10 * time.Second
	maxPage  = 1 << 20
	maxURL   = 127 // bytes (phones.md e)
	maxItems = 32  // entries of a directory page
)

// pages gets the logo and the directory over HTTP. A phone gets the directory when somebody presses the button; here
// somebody does, once.
func (b *boot) pages(ctx context.Context, c cnf) {
	for _, p := range []struct {
		parameter string
		check     func([]byte) error
	}{{"logo_url", checkLogo}, {"directory_url", checkDirectory}} {
		address := c.get(p.parameter)
		if address == "" || ctx.Err() != nil {
			continue
		}
		if len(address) > maxURL {
			b.fault("TFTP: %s has %d bytes, allowed is at most %d", p.parameter, len(address), maxURL)
		}
		lost := b.lostFrames()
		page, body := b.get(ctx, c, address)
		if ctx.Err() != nil {
			return
		}
		cutShort := page.Error != "" && b.lostFrames() != lost // on a bad wire it may not arrive in time
		if page.Status == http.StatusOK && !cutShort {
			if err := p.check(body); err != nil {
				b.fault("HTTP: a phone cannot use %s (%s): %v", address, p.parameter, err)
			}
		}
		b.keepPage(page)
	}
}

// keepPage notes what came of a GET.
func (b *boot) keepPage(page Page) {
	b.mu.Lock()
	i, known := b.pageIndex[page.URL]
	if !known {
		i = len(b.res.Pages)
		b.pageIndex[page.URL] = i
		b.res.Pages = append(b.res.Pages, Page{})
	}
	b.res.Pages[i] = page
	b.mu.Unlock()
	if page.Error != "" {
		b.emit(EventPage, "", "%s: %s", page.URL, page.Error)
		return
	}
	b.emit(EventPage, "", "%s: %d, %d bytes", page.URL, page.Status, page.Size)
}

// get fetches a URL from the phone's own address, one connection a page.
func (b *boot) get(ctx context.Context, c cnf, address string) (Page, []byte) {
	page := Page{URL: address}
	ctx, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		DialContext: func(ctx context.Context, _, target string) (net.Conn, error) { return b.dialPage(ctx, c, target) },
	}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err == nil && request.URL.Scheme != "http" {
		err = fmt.Errorf("found scheme %q, allowed is http", request.URL.Scheme)
	}
	if err != nil {
		page.Error = err.Error()
		return page, nil
	}
	request.Header.Set("X-CiscoIPPhoneModelName", "CP-"+b.cfg.Model+"G")
	request.Header.Set("User-Agent", b.userAgent())
	response, err := client.Do(request)
	if err != nil {
		page.Error = pageError(err)
		return page, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage))
	if err != nil {
		page.Error = pageError(err)
	}
	sum := sha256.Sum256(body)
	page.Status, page.Size, page.SHA256 = response.StatusCode, len(body), hex.EncodeToString(sum[:])
	return page, body
}

// pageError is the cause without the URL, which stands beside it already.
func pageError(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}

// dialPage connects to host and port of a URL; port 80 stands for a URL without one.
func (b *boot) dialPage(ctx context.Context, c cnf, target string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("found port %q, allowed is a number up to 65535", portText)
	}
	if port == 80 {
		port = uint64(b.cfg.Ports.HTTP)
	}
	addr, err := b.resolve(ctx, c, host)
	if err != nil {
		return nil, err
	}
	return b.nic.DialTCP(ctx, netip.AddrPortFrom(addr, uint16(port)))
}

// checkLogo demands a plain Windows bitmap of 8 bits a pixel (phones.md e).
func checkLogo(b []byte) error {
	const header = 54
	if len(b) < header || string(b[:2]) != "BM" {
		return errors.New("found no Windows bitmap")
	}
	le := func(at, size int) int {
		v := 0
		for i := size - 1; i >= 0; i-- {
			v = v<<8 | int(b[at+i])
		}
		return v
	}
	if bits, packed := le(28, 2), le(30, 4); bits != 8 || packed != 0 {
		return fmt.Errorf("found %d bits a pixel and compression %d, allowed is 8 and 0", bits, packed)
	}
	width, height, data := le(18, 4), le(22, 4), le(10, 4)
	if width <= 0 || height <= 0 || width > 1<<12 || height > 1<<12 {
		return fmt.Errorf("found %d by %d pixels, a phone shows 90 by 56", width, height)
	}
	if stride := (width + 3) &^ 3; data+stride*height > len(b) {
		return fmt.Errorf("found %d bytes, %d by %d pixels need more", len(b), width, height)
	}
	return nil
}

// checkDirectory demands an object that the SIP image can show (phones.md e).
func checkDirectory(b []byte) error {
	entries := 0
	root := ""
	err := walkXML(bytes.TrimSpace(b), "", func(path []string, _ []xml.Attr, _ string) {
		root = path[0]
		if path[len(path)-1] == "DirectoryEntry" {
			entries++
		}
	})
	switch {
	case err != nil:
		return err
	case root != "CiscoIPPhoneDirectory" && root != "CiscoIPPhoneMenu" && root != "CiscoIPPhoneText" && root != "CiscoIPPhoneInput":
		return fmt.Errorf("found the root element %q, allowed is a directory, a menu, a text or an input", root)
	case entries > maxItems:
		return fmt.Errorf("found %d entries on one page, allowed are %d", entries, maxItems)
	}
	return nil
}
