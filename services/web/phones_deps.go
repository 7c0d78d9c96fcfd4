package web

import (
	"context"
	"net/http"

	"phonebox/services/phone"
)

// Fleet is what the pages of many phones need beside [Settings] and [Workshop]. Errors are *Refused, StaleError, *PublicError, or
// a failure of the box.
type Fleet interface {
	// WaitingLines returns the lines that wait for a phone, the next first; passwords are masked.
	WaitingLines() (lines []WaitingLine, etag string)
	// ChangePhones changes the settings once, with all of the change, or not at all. The key of a fault of one phone begins
	// with phones[MAC], that of a line with lines[number].
	ChangePhones(ctx context.Context, change PhonesChange, etag string) error
	// ReadRows says what would become of rows that somebody pasted, with delimiters of any kind and with headers or without.
	// Rows without a MAC are lines that wait. [Workshop.Decide] does it.
	ReadRows(ctx context.Context, text string) (ImportReport, error)
	// ExportSome is [Workshop.ExportPhones] for these phones alone.
	ExportSome(format string, secrets bool, macs []phone.MAC) (content []byte, name, contentType string, err error)
}

// WaitingLine is a line that waits for a phone. An unchanged [Mask] as Password keeps the password, also when the line goes to a
// phone or back.
type WaitingLine struct {
	Label string // of the phone that will get it
	LineEntry
}

// PhonesChange is a change of many phones, and of the lines that wait for one. A line that a phone gets waits no longer.
type PhonesChange struct {
	Put    []PhoneEntry // each replaces the phone with its MAC, or is added
	Remove []phone.MAC
	Wait   []WaitingLine // lines that wait from now on, behind the others; one of the same number takes its place
	Front  bool          // they wait before the others
	Drop   []string      // numbers of lines that wait no longer
}

// noFleet stands where a box has no [Fleet].
type noFleet struct{}

var errNoFleet = public(http.StatusNotImplemented, "This box changes one phone at a time.")

func (noFleet) WaitingLines() ([]WaitingLine, string) { return nil, "" }

func (noFleet) ChangePhones(context.Context, PhonesChange, string) error { return errNoFleet }

func (noFleet) ReadRows(context.Context, string) (ImportReport, error) {
	return ImportReport{}, errNoFleet
}

func (noFleet) ExportSome(string, bool, []phone.MAC) ([]byte, string, string, error) {
	return nil, "", "", errNoFleet
}
