package viewers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"phonebox/appliance/e2e/capacity/viewers"
)

func TestAViewerCountsWhatComes(t *testing.T) {
	next, end := make(chan string), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /phones", func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "p" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "0123456789")
	})
	mux.HandleFunc("GET /phones/stream", func(w http.ResponseWriter, _ *http.Request) {
		for {
			select {
			case text := <-next:
				fmt.Fprintf(w, "data: %s\n\n", text)
				w.(http.Flusher).Flush()
			case <-end:
				return
			}
		}
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	if _, err := viewers.Open(t.Context(), srv.Client(), srv.URL, "wrong", viewers.Phones); err == nil {
		t.Error("with a wrong password the page was opened")
	}
	opened := make(chan *viewers.Viewer)
	go func() {
		v, err := viewers.Open(t.Context(), srv.Client(), srv.URL, "p", viewers.Phones)
		if err != nil {
			t.Error(err)
		}
		opened <- v
	}()
	next <- "one"
	v := <-opened
	v.Await("three")
	next <- "two"
	next <- "three"
	deadline := time.After(10 * time.Second)
	for {
		s, err := v.State()
		if err != nil {
			t.Fatal(err)
		}
		if !s.Seen.IsZero() && s.Messages == 3 {
			if want := len("data: one\n\ndata: two\n\ndata: three\n\n"); s.Page != 10 || s.Stream != want {
				t.Errorf("got %+v, want 10 bytes of the page and %d of the stream", s, want)
			}
			break
		}
		select {
		case <-deadline:
			t.Fatalf("waited 10 s in vain: %+v", s)
		case <-time.After(time.Millisecond):
		}
	}
	close(end)
	v.Close()
}
