package udp

import (
	"net"
	"sync"
	"time"
)

// interfacesAge is how long a look at the interfaces of the machine is believed.
const interfacesAge = time.Second

// interfaces tells which interface indexes are served, without asking the kernel for each packet. A changed interface
// is noticed within a second, a new one (an index that is not known) at its first packet.
type interfaces struct {
	mu     sync.Mutex
	name   string // "" = all are served
	kinds  map[int]interfaceKind
	looked time.Time
	list   func() ([]net.Interface, error) // nil = net.Interfaces; a test counts the calls

	on       []wireOf // the subnets of the machine
	onLooked time.Time
}

type interfaceKind uint8

const (
	foreign interfaceKind = iota // also what a map says of an index that it does not hold
	served
	loopback // only packets of the box to itself
)

func (f *interfaces) serve(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.name, f.kinds = name, nil
}

// kind says what the interface is to the server.
func (f *interfaces) kind(index int) interfaceKind {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.name == "" {
		return served
	}
	kind, known := f.kinds[index]
	if !known || time.Since(f.looked) > interfacesAge {
		f.look()
		kind = f.kinds[index]
		// An index that is gone again must not cause a look for each of its packets that are still queued.
		f.kinds[index] = kind
	}
	return kind
}

// look asks the kernel. When it does not tell, nothing is served until the next look.
func (f *interfaces) look() {
	list := f.list
	if list == nil {
		list = net.Interfaces
	}
	all, _ := list()
	f.kinds = make(map[int]interfaceKind, len(all))
	f.looked = time.Now()
	for _, i := range all {
		switch {
		case i.Name == f.name:
			f.kinds[i.Index] = served
		case i.Flags&net.FlagLoopback != 0:
			f.kinds[i.Index] = loopback
		default:
			f.kinds[i.Index] = foreign
		}
	}
}

// ours reports whether the packet came in where the server serves, or from the box itself: a health probe comes in
// through lo, from the address that it goes to.
func (c *Conn) ours(p *Packet) bool {
	if p.Index == 0 {
		return true
	}
	switch c.ifaces.kind(p.Index) {
	case served:
		return true
	case loopback:
		return p.From.Addr() == p.To
	}
	return false
}
