package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// compressedPages are the pages that are sent compressed to browsers that take it; every other answer is not.
//
// How well a text is compressed tells who sees its length on the wire what in it repeats. Whoever can put words of his own into a
// page (a name that a device asks for is enough) could so find out a secret on the same page, a letter at a time (BREACH). That a
// page is in this list says that nothing on it is a secret, whatever a person asks for: no password, no key, no file of a phone.
// Forms whose fields may hold one, the API, event streams and downloads are sent as they are. See docs/decisions/compression.md.
var compressedPages = map[string]bool{
	"conversions": true,
	"firmware":    true,
	"help":        true,
	"lead":        true,
	"login":       true,
	"names":       true,
	"overview":    true,
	"phones":      true,
	"setup":       true,
	"time":        true,
}

// worthCompressing is the length from which on compression saves a packet.
const worthCompressing = 1200

// acceptsGzip reports whether a request says that its sender unpacks gzip (RFC 9110 section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, field := range r.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(field, ",") {
			name, weight, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			key, q, _ := strings.Cut(strings.TrimSpace(weight), "=")
			return !strings.EqualFold(strings.TrimSpace(key), "q") || strings.Trim(strings.TrimSpace(q), "0.") != ""
		}
	}
	return false
}

// takesGzip is acceptsGzip for who has the writer of an answer and not its request.
func takesGzip(w http.ResponseWriter) bool {
	s, ok := wrapped[*statusWriter](w)
	return ok && s.gzip
}

// wrapped finds the writer of a kind among those that lie around that of the connection.
func wrapped[T http.ResponseWriter](w http.ResponseWriter) (found T, ok bool) {
	for w != nil {
		if found, ok = w.(T); ok {
			return found, true
		}
		u, more := w.(interface{ Unwrap() http.ResponseWriter })
		if !more {
			break
		}
		w = u.Unwrap()
	}
	return found, false
}

// packer compresses pages, one at a time: a compressor takes a megabyte.
type packer struct {
	mu sync.Mutex
	z  *gzip.Writer
}

// pack returns the page compressed, with little effort: a table of 500 phones shrinks to a twentieth all the same.
func (p *packer) pack(body []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b bytes.Buffer
	if p.z == nil {
		p.z, _ = gzip.NewWriterLevel(&b, gzip.BestSpeed) // fails for an unknown level only
	}
	p.z.Reset(&b)
	_, _ = p.z.Write(body) // a buffer takes all
	_ = p.z.Close()
	return b.Bytes()
}

// packAsset compresses an asset once and for all; nil where that saves little.
func packAsset(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(body)
	_ = z.Close()
	if b.Len() > len(body)*9/10 {
		return nil
	}
	return b.Bytes()
}

// send writes a page that is ready. It is translated before it is compressed: afterwards there are no words in it.
func (p *pages) send(w http.ResponseWriter, status int, name string, body []byte) {
	body = translated(w, body)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if compressedPages[name] && len(body) >= worthCompressing {
		w.Header().Add("Vary", "Accept-Encoding")
		if takesGzip(w) {
			w.Header().Set("Content-Encoding", "gzip")
			body = p.packer.pack(body)
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
