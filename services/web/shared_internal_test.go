package web

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsSharedIsMadeOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[int]
		made := 0
		ask := func() int {
			n, err := s.get(time.Second, func() (int, error) {
				made++
				return made, nil
			})
			if err != nil {
				t.Error(err)
			}
			return n
		}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if got := ask(); got != 1 {
					t.Errorf("one of five at once got number %d", got)
				}
			})
		}
		wg.Wait()
		time.Sleep(999 * time.Millisecond)
		if got := ask(); got != 1 {
			t.Errorf("before its time is over number %d is made", got)
		}
		time.Sleep(time.Millisecond)
		if got := ask(); got != 2 {
			t.Errorf("a second after it was made it is still number %d", got)
		}
		time.Sleep(time.Second)
		if _, err := s.get(time.Second, func() (int, error) { return 0, errors.New("no") }); err == nil {
			t.Error("the error is lost")
		}
		if got := ask(); got != 3 {
			t.Errorf("after an error it is number %d, want a new one", got)
		}
	})
}

func TestPartsOfPlainDataAreMadeOnce(t *testing.T) {
	p, err := parsePages()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	row := func(label string) rowView { return newRow(Phone{MAC: [6]byte{1}, Label: label, Updated: now}, now) }
	html := func(r rowView) string {
		var b bytes.Buffer
		b.WriteString("before ")
		if err := p.part(&b, "phones", "row", r); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	one := html(row("one"))
	if again := html(row("one")); again != one || !strings.Contains(one, ">one<") {
		t.Errorf("made again it is %q, before %q", again, one)
	}
	if other := html(row("two")); !strings.Contains(other, ">two<") || strings.Contains(other, ">one<") {
		t.Errorf("another row is %q", other)
	}
	if len(p.cache.now) != 2 {
		t.Errorf("%d parts are kept, want 2", len(p.cache.now))
	}
	for i := range 20_000 {
		html(row(fmt.Sprint(i, strings.Repeat("x", 200))))
		if p.cache.bytes > maxPartBytes/maxPartAge {
			t.Fatalf("%d bytes are kept in one generation", p.cache.bytes)
		}
	}
	if html(row("one")) != one {
		t.Error("a part that was forgotten is made otherwise")
	}
}

// A pointer may lead to something else than it did when the part was made.
func TestPartsOfDataWithPointersAreMadeAnew(t *testing.T) {
	for _, c := range []struct {
		data any
		want bool
	}{{rowView{}, true}, {Phone{}, true}, {struct{ p *int }{}, false}, {struct{ l []string }{}, false}, {struct{ a any }{}, false}, {struct{ f float64 }{}, false}, {struct{ m map[string]int }{}, false}} {
		if got := plain(reflect.TypeOf(c.data)); got != c.want {
			t.Errorf("%T is plain: %v, want %v", c.data, got, c.want)
		}
	}
}
