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
	// Space returns how many bytes of the card are free, and how many it has.
	Space() (free, total int64, err error)
	// Port returns where a phone is plugged in, as a relay told it with the phone's last request; zero = nobody did.
	Port(mac phone.MAC) PhonePort
}

// PhonePort is a port of a switch (option 82 of DHCP).
type PhonePort struct {
	Switch string    `json:"switch"` // what it says of itself (suboption 2)
	Port   string    `json:"port"`   // and of the port (suboption 1)
	At     time.Time `json:"at"`     // when it said so
}
