package assemble

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	"phonebox/appliance/machine"
	"phonebox/services/provision"
	"phonebox/services/web"
)

// room tells how many bytes of what people send the card may still take. A file system that does not tell says so by an
// error when it is full.
func (b *Box) room() int64 {
	n, _, err := machine.Room(b.opt.Data)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// diskWriter writes to the card what people send, while there is room. It remembers what the card said, to tell that from
// an upload that broke off.
type diskWriter struct {
	w    io.Writer
	room func() int64
	err  error
}

// Write implements [io.Writer].
func (d *diskWriter) Write(b []byte) (n int, err error) {
	if d.room() < int64(len(b)) {
		d.err = provision.ErrNoRoom
		return 0, d.err
	}
	n, d.err = d.w.Write(b)
	return n, d.err
}

// whyNotKept says in a sentence why the card did not take something; what it says itself is for the log.
func whyNotKept(err error) string {
	if errors.Is(err, provision.ErrNoRoom) {
		return fmt.Sprintf("The card of the box has no room for it: %d MB stay free for its leases and settings. Remove loads that no phone needs, under Firmware.", machine.Reserve>>20)
	}
	return "The box could not write its card, which may be full or worn out. Its log says more."
}

// notKept says in words that the box could not keep an upload.
func notKept(err error) error {
	return &web.PublicError{Status: http.StatusInsufficientStorage, Text: whyNotKept(err) + " Nothing was changed.", Cause: err}
}

// halfway says what was stored before the card took no more.
func halfway(err error, stored []string) error {
	text := whyNotKept(err) + " The settings are as they were. "
	switch n := len(stored); {
	case n == 0:
		text += "No file was stored."
	case n > maxNamed:
		text += fmt.Sprintf("Stored before that were %s and %d more.", strings.Join(stored[:maxNamed], ", "), n-maxNamed)
	default:
		text += "Stored before that: " + strings.Join(stored, ", ") + "."
	}
	return &web.PublicError{Status: http.StatusInsufficientStorage, Text: text, Cause: err}
}
