package tftp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// The modes of RFC 1350; mail is refused.
const (
	modeOctet    = "octet"
	modeNetascii = "netascii"
)

// inMemory reports whether reading a file never waits for a disk.
func (f File) inMemory() bool {
	switch f.Content.(type) {
	case *bytes.Reader, *strings.Reader:
		return true
	}
	return f.Bytes != nil
}

var errShortened = errors.New("the file became shorter while it was sent")

// source gives the blocks of a file, counted from 1. A block may be asked again until a later one was acknowledged.
type source interface {
	// read fills dst, which has the size of a block, with block n and returns its length: shorter than dst is the last.
	read(dst []byte, n int64) (int, error)
}

// newSource makes the source of a file in a mode. last is the number of the last block where that is known before, else
// the largest number.
func newSource(f File, mode string, agreed terms) (src source, last int64) {
	if f.Bytes != nil {
		f.Content = bytes.NewReader(f.Bytes)
	}
	if mode == modeNetascii {
		return &netascii{content: f.Content, size: f.Size, starts: make([]cursor, agreed.window+1)}, math.MaxInt64
	}
	return octet{f.Content, f.Size}, f.Size/int64(agreed.block) + 1
}

// octet is a file as it is.
type octet struct {
	content io.ReaderAt
	size    int64
}

func (o octet) read(dst []byte, n int64) (int, error) {
	off := (n - 1) * int64(len(dst))
	want := int(min(int64(len(dst)), o.size-off))
	return want, readFull(o.content, dst[:want], off)
}

// readFull fills b from off; a file that ends before is an error.
func readFull(content io.ReaderAt, b []byte, off int64) error {
	if len(b) == 0 {
		return nil
	}
	n, err := content.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return errShortened
	}
	return fmt.Errorf("reading the file: %w", err)
}

// netascii is a file with LF as CR LF and CR as CR NUL (RFC 764, RFC 1350 section 1). The place of a block in the file
// is known only once the block before was translated, so the starts of all blocks of the window are kept.
type netascii struct {
	content io.ReaderAt
	size    int64
	starts  []cursor // of block n at n modulo the length
}

// cursor is a place in the translated file.
type cursor struct {
	off     int64
	pending byte // the second byte of a pair that was cut at the end of a block
	cut     bool
}

func (a *netascii) read(dst []byte, n int64) (int, error) {
	at := a.starts[(n-1)%int64(len(a.starts))]
	filled := 0
	if at.cut && len(dst) > 0 {
		dst[0], filled, at.cut = at.pending, 1, false
	}
	// A piece of the file is read into the end of dst and translated towards its start; every byte makes one or two, so
	// that the piece is at most half of what is free, or a single byte.
	for filled < len(dst) && at.off < a.size {
		free := len(dst) - filled
		size := int(min(int64(max(free/2, 1)), a.size-at.off))
		piece := dst[len(dst)-size:]
		if err := readFull(a.content, piece, at.off); err != nil {
			return 0, err
		}
		at.off += int64(size)
		filled = translate(dst, filled, piece, &at)
	}
	a.starts[n%int64(len(a.starts))] = at
	return filled, nil
}

// translate appends piece, the end of dst, to dst[:filled]. Only the pair of a single last byte can be cut.
func translate(dst []byte, filled int, piece []byte, at *cursor) int {
	for _, c := range piece {
		second, pair := byte(0), true
		switch c {
		case '\n':
			c, second = '\r', '\n'
		case '\r':
		default:
			pair = false
		}
		dst[filled] = c
		filled++
		switch {
		case !pair:
		case filled == len(dst):
			at.pending, at.cut = second, true
		default:
			dst[filled] = second
			filled++
		}
	}
	return filled
}
