package cdp

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"phonebox/services/phone"
)

// maxNeighbours bounds the devices that are kept. A switch port has one; a hub, or a switch that passes these frames on, has more.
const maxNeighbours = 8

// longestHold bounds how long an announcement is good for, whatever it says: a switch that is gone must not be shown for a day.
const longestHold = 10 * time.Minute

// Neighbour is a device that announced itself and is no phone: as a rule the switch that the box is plugged into. Parts that it
// does not tell are zero. Nothing of it is signed.
type Neighbour struct {
	Protocol string // CDP or LLDP
	From     phone.MAC
	Name     string
	Platform string // what it is
	Port     string // that the announcement left through
	Address  netip.Addr
	VLAN     uint16 // of frames without a tag, as the box sends them
	Voice    uint16 // that it tells phones to use
	Switch   bool   // it forwards for others
	Heard    time.Time
	Holds    time.Duration
}

func (a Announcement) neighbour() Neighbour {
	return Neighbour{
		Protocol: "CDP", From: a.From, Name: a.DeviceID, Platform: a.Platform, Port: a.Port, Address: a.Address, VLAN: a.VLAN,
		Voice: a.Voice, Switch: a.Switch, Holds: a.Holds,
	}
}

// neighbours keeps the devices of one wire.
type neighbours struct {
	mu   sync.Mutex
	list []Neighbour
}

// keep takes what a device said last. Where there is no room the one that was silent longest goes.
func (n *neighbours) keep(one Neighbour, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	one.Heard, one.Holds = now, min(one.Holds, longestHold)
	n.list = slices.DeleteFunc(n.list, func(old Neighbour) bool {
		return old.gone(now) || old.From == one.From && old.Protocol == one.Protocol && old.Name == one.Name
	})
	if one.Holds <= 0 { // it says goodbye
		return
	}
	if len(n.list) >= maxNeighbours {
		oldest := slices.MinFunc(n.list, func(a, b Neighbour) int { return a.Heard.Compare(b.Heard) })
		n.list = slices.DeleteFunc(n.list, func(old Neighbour) bool { return old == oldest })
	}
	n.list = append(n.list, one)
}

func (n Neighbour) gone(now time.Time) bool { return now.Sub(n.Heard) > n.Holds }

// Neighbours returns the devices whose announcements still hold, switches first.
func (l *Listener) Neighbours() []Neighbour { return l.devices.holding(time.Now()) }

func (n *neighbours) holding(now time.Time) []Neighbour {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := slices.DeleteFunc(slices.Clone(n.list), func(one Neighbour) bool { return one.gone(now) })
	slices.SortStableFunc(out, func(a, b Neighbour) int {
		if a.Switch != b.Switch {
			if a.Switch {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Protocol, b.Protocol))
	})
	return out
}
