package web

import (
	"bytes"
	"mime"
	"net/http"
)

// partial wraps HTML that our own templates made into htmx's element for exchanging a part of a page.
func partial(out *bytes.Buffer, target, swap string, html []byte) {
	out.WriteString(`<hx-partial hx-target="` + target + `" hx-swap="` + swap + `">`)
	out.Write(html)
	out.WriteString("</hx-partial>\n")
}

// partials sends parts of a page.
func partials(w http.ResponseWriter, out *bytes.Buffer) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes())
	return nil
}

// attach makes a browser save what follows.
func attach(w http.ResponseWriter, name, kind string) {
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
}
