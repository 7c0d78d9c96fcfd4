package web

import (
	"bytes"
	"fmt"
	"net/http"
)

// liveStream sends one part of a page whenever it changed: make gives what the part is made of.
func (s *Server) liveStream(w http.ResponseWriter, r *http.Request, page, part, target string, data func() any) error {
	var last string
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		var b, out bytes.Buffer
		if err := s.pages.part(&b, page, part, data()); err != nil {
			return nil, err
		}
		if b.String() == last {
			return nil, nil
		}
		last = b.String()
		partial(&out, target, "innerMorph", b.Bytes())
		return out.Bytes(), nil
	})
}

// plural writes a number of things: 1 phone, 3 phones.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
