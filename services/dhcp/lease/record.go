package lease

import (
	"net/netip"
	"time"
)

// State says what a record means for its address.
type State string

// The states of a record.
const (
	Bound    State = "bound"    // acknowledged; the address is the client's until End
	Released State = "released" // the client gave it back; kept so that the same phone gets the same address
	Declined State = "declined" // a client found it in use; nobody gets it until End
	Expired  State = "expired"  // End passed; kept for the same reason as Released
	// Forgotten is the state of a record that only removes the one of its address. It has no key, and no store gives it
	// back: see Erased.
	Forgotten State = "forgotten"
)

// Key is the identity that a lease belongs to: the hardware address on Ethernet, the client identifier elsewhere
// (RFC 2131 section 4.2 would take the client identifier first; phones change it between loads and keep their MAC).
type Key string

// Record is one lease as it is stored, where its address tells it apart: plain values, wall clock times with a note of whether they could be trusted.
type Record struct {
	Key         Key           `json:"key"`
	HType       uint8         `json:"htype"`
	HWAddr      []byte        `json:"hwaddr"`
	ClientID    []byte        `json:"client_id,omitempty"`
	Address     netip.Addr    `json:"address"`
	State       State         `json:"state"`
	Start       time.Time     `json:"start"`                  // wall clock of the last ACK
	End         time.Time     `json:"end"`                    // until when the address is protected: Start, Duration and [Slack]
	Duration    time.Duration `json:"duration"`               // the most that the client was told at a time (option 51)
	Trusted     bool          `json:"trusted"`                // whether the clock was trusted when Start was read
	Hostname    string        `json:"hostname,omitempty"`     // option 12
	VendorClass string        `json:"vendor_class,omitempty"` // option 60, trailing NULs removed
}

// Erased returns the record that removes the one of the address from the store.
func Erased(addr netip.Addr) Record { return Record{Address: addr, State: Forgotten} }

// Range is an inclusive range of addresses.
type Range struct{ First, Last netip.Addr }
