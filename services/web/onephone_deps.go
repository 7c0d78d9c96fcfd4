package web

import (
	"context"
	"io"
	"time"

	"phonebox/services/phone"
)

// Desk is what the page of one phone needs beyond [Box] and [Workshop]: what the phone got last, and its recording.
type Desk interface {
	// Compare returns what a phone got last under a name beside what it would get now, both as they are kept: without passwords,
	// which are told apart by their marks. False where it is not known what it got.
	Compare(mac phone.MAC, name string, now []byte) (Comparison, bool)
	// Recording says how far the recording of a phone's frames is.
	Recording(mac phone.MAC) Recording
	// Record records them for so long from now on. Errors for people are *PublicError.
	Record(ctx context.Context, mac phone.MAC, length time.Duration) error
	StopRecording(mac phone.MAC)
	// WriteRecording writes what was recorded as a capture file (pcap).
	WriteRecording(mac phone.MAC, w io.Writer) error
}

// Comparison is what a phone got last beside what it would get now.
type Comparison struct {
	Time  time.Time // when it got it
	Size  int       // bytes of it
	Equal bool      // both are the same; Got and Now may be left out then
	Got   []KeptLine
	Now   []KeptLine
}

// KeptLine is a line of a file without its passwords.
type KeptLine struct {
	Text string
	Mark string // of what is hidden: two equal marks are the same password; "" = nothing is hidden
}

// Recording is how far the recording of a phone's frames is: GET /api/v1/phones/{mac}/recording.
type Recording struct {
	Possible bool      `json:"possible"`
	Why      string    `json:"why,omitempty"` // why there can be none, a sentence
	Running  bool      `json:"running"`
	Began    time.Time `json:"began,omitzero"` // zero = there is none
	Ends     time.Time `json:"ends,omitzero"`  // when it stops by itself, or stopped
	Frames   int       `json:"frames"`
	Bytes    int       `json:"bytes"`
	Dropped  int       `json:"dropped"` // frames that gave their place to newer ones, or came too fast
	Cut      int       `json:"cut"`     // frames of firmware images, of which the headers alone are kept
}

// EventFacts are what a [PhoneEvent] says beside its sentence. Zero fields do not apply.
type EventFacts struct {
	File     string    `json:"file,omitempty"`
	Load     string    `json:"load,omitempty"`     // that the file names
	Phase    string    `json:"phase,omitempty"`    // of a transfer: started, progress, sent or aborted
	Transfer uint64    `json:"transfer,omitempty"` // its number
	Size     int64     `json:"size,omitempty"`     // of the file
	Bytes    int64     `json:"bytes,omitempty"`    // acknowledged
	Harmless bool      `json:"harmless,omitempty"` // the phone does not need the file that is missing
	Boot     bool      `json:"boot,omitempty"`     // a search for an address: a phone that starts does that first
	Renewal  bool      `json:"renewal,omitempty"`  // of a lease
	Count    int       `json:"count,omitempty"`    // it stands for so many equal events since Since; 0 = for itself
	Since    time.Time `json:"since,omitzero"`
}

// desk is the box's, or one that knows nothing.
func (s *Server) desk() Desk {
	if s.deps.Desk == nil {
		return noDesk{}
	}
	return s.deps.Desk
}

type noDesk struct{}

func (noDesk) Compare(phone.MAC, string, []byte) (Comparison, bool) { return Comparison{}, false }

func (noDesk) Recording(phone.MAC) Recording {
	return Recording{Why: "This box cannot record."}
}

func (noDesk) Record(context.Context, phone.MAC, time.Duration) error {
	return public(409, "This box cannot record.")
}

func (noDesk) StopRecording(phone.MAC) {}

func (noDesk) WriteRecording(phone.MAC, io.Writer) error { return public(404, "Nothing was recorded.") }
