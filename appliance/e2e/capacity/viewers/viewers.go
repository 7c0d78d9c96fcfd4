// Package viewers is browsers without eyes: each loads a page of phonebox as a browser does and keeps its event stream open, and
// counts what comes. What they cost the box is what real browsers cost it; what they cost this machine is next to nothing.
package viewers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Viewer is one browser with one page open.
type Viewer struct {
	path string
	stop context.CancelFunc
	done chan struct{}

	mu    sync.Mutex
	state State
	want  string
	err   error
}

// State is what a viewer saw so far.
type State struct {
	Page     int       // bytes of the page, as they crossed the wire
	Stream   int       // bytes of the stream
	Messages int       // of the stream
	Seen     time.Time // when a message first had the text that was waited for; zero = none had
}

// Page is a page and its stream.
type Page struct{ Path, Stream string }

// The pages that people keep open while phones start.
var (
	Overview = Page{"/", "/stream"}
	Phones   = Page{"/phones", "/phones/stream"}
)

// Open loads a page and opens its stream. base is "http://10.77.0.1", client must have no timeout, as a stream goes on until
// Close, and password is that of the page.
func Open(ctx context.Context, client *http.Client, base, password string, p Page) (*Viewer, error) {
	v := &Viewer{path: p.Path, done: make(chan struct{})}
	ctx, v.stop = context.WithCancel(ctx)
	page, err := get(ctx, client, base+p.Path, password)
	if err == nil {
		var n int64
		n, err = io.Copy(io.Discard, page.Body)
		page.Body.Close()
		v.state.Page = int(n)
	}
	var stream *http.Response
	if err == nil {
		stream, err = get(ctx, client, base+p.Stream, password)
	}
	if err != nil {
		v.stop()
		return nil, fmt.Errorf("opening %s: %w", p.Path, err)
	}
	go v.read(ctx, stream.Body)
	return v, nil
}

func get(ctx context.Context, client *http.Client, url, password string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("admin", password)
	req.Header.Set("Accept-Encoding", "gzip") // asked for by hand it is not unpacked, and counted as it came
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("GET %s: %s", req.URL.Path, resp.Status)
	}
	return resp, nil
}

func (v *Viewer) read(ctx context.Context, body io.ReadCloser) {
	defer close(v.done)
	defer body.Close()
	lines := bufio.NewReaderSize(body, 1<<16)
	for {
		line, err := lines.ReadString('\n')
		v.mu.Lock()
		v.state.Stream += len(line)
		if line == "\n" {
			v.state.Messages++
		}
		if v.want != "" && v.state.Seen.IsZero() && strings.Contains(line, v.want) {
			v.state.Seen = time.Now()
		}
		if err != nil && ctx.Err() == nil {
			v.err = err
		}
		v.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Await has the viewer note when a message first has a text; it may be read meanwhile with [Viewer.State].
func (v *Viewer) Await(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.want, v.state.Seen = text, time.Time{}
}

// State returns what was seen so far; the error says why the stream ended although nobody closed it.
func (v *Viewer) State() (State, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return v.state, fmt.Errorf("the stream of %s: %w", v.path, errors.Join(errEnded, v.err))
	}
	return v.state, nil
}

var errEnded = errors.New("it ended")

// Close closes the browser.
func (v *Viewer) Close() {
	v.stop()
	<-v.done
}
