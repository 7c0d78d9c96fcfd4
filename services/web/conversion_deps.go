package web

import (
	"context"
	"time"

	"phonebox/services/phone"
)

// Converter is what the pages of conversions need beyond [Workshop]. Errors for people are *PublicError.
type Converter interface {
	// Preview says for each listed phone how its conversion would stand with another target ("" = leave each on what it
	// runs); nothing is changed by that.
	Preview(target string) ([]Conversion, error)
	// Places is how many phones may be in a step at once.
	Places() int
	// DirectAll gives an order as [Workshop].Direct does to many phones and keeps all of it at once; nil = every phone that is
	// listed. It returns how many took it.
	DirectAll(ctx context.Context, macs []phone.MAC, order string) (int, error)
	// Space returns how many bytes of the card are free for what people send, and how many it has.
	Space() (free, total int64, err error)
	// Handover returns what the report says of a phone beside its conversion.
	Handover(mac phone.MAC) Handover
}

// Handover is what the hand-over report says of a phone beside its conversion.
type Handover struct {
	Lines []string // the names of its lines
	Port  PhonePort
	Time  bool // it asked the box for the time and was told it
}

// PhonePort is where a phone is plugged in, as a relay told it with the phone's last request (option 82 of DHCP); zero = nobody
// did.
type PhonePort struct {
	Switch string    `json:"switch"` // what it says of itself (suboption 2)
	Port   string    `json:"port"`   // and of the port (suboption 1)
	At     time.Time `json:"at"`     // when it said so
}
