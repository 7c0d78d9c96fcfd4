// Package logbook keeps the last lines of the daemon's log in memory, so that a person can read them on the page. It stands
// between the loggers and whatever they write to, and changes nothing of that.
package logbook

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept.
const (
	maxLines = 2000
	maxBytes = 512 << 10 // of all texts
	maxText  = 2000      // of one; a stack is cut
)

// Line is one line of the log.
type Line struct {
	Seq     uint64 // counts from 1 at the start of the daemon
	Time    time.Time
	Level   slog.Level
	Service string // the part of the box that wrote it; "" = the box itself
	Text    string // the message and its attributes
}

// Book is the last lines. Its methods are safe for concurrent use.
type Book struct {
	mu    sync.Mutex
	lines []Line // a ring
	first int    // the oldest of it
	count int
	bytes int
	seq   uint64
	gone  uint64 // lines that were dropped
}

// New returns an empty book.
func New() *Book { return &Book{} }

// Handler returns a handler that writes to next, and puts every line from level on into the book, whatever next takes.
func (b *Book) Handler(next slog.Handler, level slog.Level) slog.Handler {
	return &handler{book: b, next: next, level: level}
}

// Lines returns the lines after a number that keep wants, the newest first, at most that many; 0 = from the first on.
func (b *Book) Lines(after uint64, most int, keep func(*Line) bool) []Line {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Line
	for i := b.count - 1; i >= 0 && len(out) < most; i-- {
		l := &b.lines[(b.first+i)%maxLines]
		if l.Seq <= after {
			break
		}
		if keep == nil || keep(l) {
			out = append(out, *l)
		}
	}
	return out
}

// Counts returns the number of the last line, and how many are no longer there.
func (b *Book) Counts() (last, gone uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seq, b.gone
}

func (b *Book) add(l Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	l.Seq = b.seq
	for b.count > 0 && (b.count == maxLines || b.bytes+len(l.Text) > maxBytes) {
		b.bytes -= len(b.lines[b.first].Text)
		b.lines[b.first] = Line{}
		b.first = (b.first + 1) % maxLines
		b.count--
		b.gone++
	}
	if b.lines == nil {
		b.lines = make([]Line, maxLines)
	}
	b.lines[(b.first+b.count)%maxLines] = l
	b.count++
	b.bytes += len(l.Text)
}

// handler is a slog.Handler in front of another.
type handler struct {
	book    *Book
	next    slog.Handler
	level   slog.Level
	service string
	prefix  string // of the keys: the open groups
	attrs   string // written already
}

// Enabled implements [slog.Handler].
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level || h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= h.level {
		l := Line{Time: r.Time, Level: r.Level, Service: h.service}
		var w strings.Builder
		w.WriteString(r.Message)
		w.WriteString(h.attrs)
		r.Attrs(func(a slog.Attr) bool {
			if h.prefix == "" && a.Key == "svc" {
				l.Service = a.Value.String()
				return true
			}
			writeAttr(&w, h.prefix, a)
			return true
		})
		l.Text = w.String()
		if len(l.Text) > maxText {
			l.Text = strings.ToValidUTF8(l.Text[:maxText], "") + "..."
		}
		h.book.add(l)
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := *h
	out.next = h.next.WithAttrs(attrs)
	var w strings.Builder
	for _, a := range attrs {
		if h.prefix == "" && a.Key == "svc" {
			out.service = a.Value.String()
			continue
		}
		writeAttr(&w, h.prefix, a)
	}
	out.attrs += w.String()
	return &out
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	out := *h
	out.next = h.next.WithGroup(name)
	if name != "" {
		out.prefix += name + "."
	}
	return &out
}

// writeAttr writes " key=value", values with blanks in quotes.
func writeAttr(w *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			writeAttr(w, prefix, inner)
		}
		return
	}
	if a.Key == "" {
		return
	}
	text := v.String()
	if v.Kind() == slog.KindAny {
		text = fmt.Sprint(v.Any())
	}
	if len(text) > maxText {
		text = text[:maxText]
	}
	if text == "" || strings.ContainsAny(text, " \"=\n\t") {
		text = strconv.Quote(text)
	}
	w.WriteString(" " + prefix + a.Key + "=" + text)
}
