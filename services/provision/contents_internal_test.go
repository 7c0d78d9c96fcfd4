package provision

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func reader(e *entry, reads *atomic.Int64) func() ([]byte, error) {
	return func() ([]byte, error) {
		reads.Add(1)
		return make([]byte, e.size), nil
	}
}

// Whoever asks at the same time gets the same bytes, read once.
func TestContentsAreReadOnce(t *testing.T) {
	t.Parallel()
	c, e := newContents(100), &entry{name: "f", size: 60}
	var reads atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[*byte]int{}
	for range 50 {
		wg.Go(func() {
			f, ok := c.of(e, time.Now(), reader(e, &reads))
			if !ok {
				t.Error("no room")
				return
			}
			defer c.release(f)
			mu.Lock()
			defer mu.Unlock()
			seen[&f.data[0]]++
		})
	}
	wg.Wait()
	if reads.Load() != 1 || len(seen) != 1 || c.bytes != 60 {
		t.Errorf("read %d times into %d places, %d bytes are counted", reads.Load(), len(seen), c.bytes)
	}
}

// What is used stays and counts, even when it is not kept any more; what is not used makes room, the longest unused first.
func TestContentsAreBounded(t *testing.T) {
	t.Parallel()
	c := newContents(100)
	var reads atomic.Int64
	now := time.Unix(1000, 0)
	use := func(e *entry, want bool) *content {
		t.Helper()
		now = now.Add(time.Second)
		f, ok := c.of(e, now, reader(e, &reads))
		if ok != want || c.bytes > 100 {
			t.Fatalf("%s: got %v, want %v; %d bytes are counted", e.name, ok, want, c.bytes)
		}
		return f
	}
	var files []*entry
	for i := range 4 {
		files = append(files, &entry{name: fmt.Sprint(i), size: 40})
	}
	a, b := use(files[0], true), use(files[1], true)
	use(files[2], false) // both are used
	c.release(b)
	c.release(use(files[2], true)) // instead of 1
	c.release(use(files[3], true)) // instead of 2
	c.release(use(files[0], true))
	if reads.Load() != 4 {
		t.Errorf("%d files were read, want 4", reads.Load())
	}
	c.sweep(&shelf{byName: map[string][]*entry{"3": {files[3]}}}, now) // 0 changed on disk
	if c.bytes != 80 || len(c.files) != 1 {
		t.Errorf("%d bytes are counted and %d files kept, want 80 with one that is only used", c.bytes, len(c.files))
	}
	if len(a.data) != 40 {
		t.Error("a file that is used went")
	}
	c.release(a)
	c.sweep(&shelf{byName: map[string][]*entry{"3": {files[3]}}}, now.Add(keptFor))
	if c.bytes != 0 || len(c.files) != 0 {
		t.Errorf("%d bytes are counted, %d files kept, although nobody had them for long", c.bytes, len(c.files))
	}
	if use(&entry{name: "large", size: maxKeptFile + 1}, false) != nil {
		t.Error("a file that is too large was kept")
	}
}

func TestContentThatCannotBeReadIsNotKept(t *testing.T) {
	t.Parallel()
	c, e := newContents(100), &entry{name: "f", size: 60}
	for range 3 {
		if _, ok := c.of(e, time.Now(), func() ([]byte, error) { return nil, errors.New("card pulled") }); ok {
			t.Error("a file that could not be read was given")
		}
	}
	if c.bytes != 0 || len(c.files) != 0 {
		t.Errorf("%d bytes are counted, %d files kept", c.bytes, len(c.files))
	}
}
