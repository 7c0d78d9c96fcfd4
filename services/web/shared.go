package web

import (
	"bytes"
	"reflect"
	"sync"
	"time"
)

// shared is something that is made once for all browsers that look at the same moment: a look at 500 phones and the HTML of them
// cost more than to send it.
type shared[T any] struct {
	mu   sync.Mutex
	made time.Time
	is   T
}

// get returns what was made less than maxAge ago, or makes it. Who comes while it is made waits for it.
func (s *shared[T]) get(maxAge time.Duration, make func() (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.made.IsZero() && time.Since(s.made) < maxAge {
		return s.is, nil
	}
	began := time.Now()
	is, err := make()
	if err != nil {
		return is, err
	}
	// From its beginning on: an event that came while it was made may not be in it.
	s.made, s.is = began, is
	return is, nil
}

// The bounds of what is kept of rendered parts.
const (
	maxPartBytes = 2 << 20 // the rows of 2,000 phones
	maxPartAge   = 2       // generations
)

// partCache keeps parts of pages that were made of the same data before: the row of a phone is made once for all browsers.
// What was not asked for while the cache filled up is forgotten.
type partCache struct {
	mu       sync.Mutex
	now, old map[partKey][]byte
	bytes    int
}

// partKey is a part and what it was made of, which must be comparable.
type partKey struct {
	page, part string
	data       any
}

func (c *partCache) get(k partKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	html, ok := c.now[k]
	if !ok {
		if html, ok = c.old[k]; ok {
			c.keep(k, html)
		}
	}
	return html, ok
}

func (c *partCache) put(k partKey, html []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(k, html)
}

func (c *partCache) keep(k partKey, html []byte) {
	if c.now == nil || c.bytes+len(html) > maxPartBytes/maxPartAge {
		c.old, c.now, c.bytes = c.now, map[partKey][]byte{}, 0
	}
	c.now[k] = html
	c.bytes += len(html)
}

// isPlain is plain for the type of a whole part. Every row asks it, so the answer is kept for each type.
func isPlain(t reflect.Type) bool {
	if known, ok := plainTypes.Load(t); ok {
		return known.(bool)
	}
	is := t.Kind() == reflect.Struct && plain(t)
	plainTypes.Store(t, is)
	return is
}

var plainTypes sync.Map // of [reflect.Type] to bool

// plain reports whether values of a type are equal only when all that can be reached from them is: then what was made of one can
// stand for what would be made of the other. A pointer may lead to something that changes.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return true // its pointer leads to a time zone
		}
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Bool, reflect.String:
		return true
	default:
		return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64
	}
}

// maxBuffer is how much of a page's memory is kept for the next one.
const maxBuffer = 1 << 20

// buffers are those in which pages are made. A page of 500 phones would otherwise cost as much again in memory that grows.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *bytes.Buffer {
	if one, ok := b.pool.Get().(*bytes.Buffer); ok {
		return one
	}
	return new(bytes.Buffer)
}

// put takes a buffer back, of whose bytes nobody may keep any.
func (b *buffers) put(one *bytes.Buffer) {
	if one.Cap() <= maxBuffer {
		one.Reset()
		b.pool.Put(one)
	}
}
