package journal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"phonebox/services/phone"
)

// Keys of journal.db: an event is eventPrefix, its number and its MAC; a phone is phonePrefix and its MAC.
const (
	eventPrefix = "e"
	phonePrefix = "p"

	eventKeySize = 1 + 8 + len(phone.MAC{})
)

func eventKey(id uint64, mac phone.MAC) string {
	b := append([]byte(eventPrefix), make([]byte, 8)...)
	binary.BigEndian.PutUint64(b[1:], id)
	return string(append(b, mac[:]...))
}

func parseEventKey(key string) (id uint64, mac phone.MAC, ok bool) {
	if len(key) != eventKeySize {
		return 0, mac, false
	}
	copy(mac[:], key[9:])
	return binary.BigEndian.Uint64([]byte(key[1:9])), mac, true
}

func phoneKey(mac phone.MAC) string { return phonePrefix + string(mac[:]) }

// stored is an event as it is kept (appendEvent writes it): number and MAC are in the key, and short names leave room for more events.
type stored struct {
	Time     int64             `json:"t"` // ns since 1970
	Service  string            `json:"s"`
	Kind     Kind              `json:"k"`
	Text     string            `json:"x,omitempty"`
	Address  netip.Addr        `json:"a,omitzero"`
	File     string            `json:"f,omitempty"` // the name; the rest of File follows from it
	Phase    Phase             `json:"p,omitempty"`
	Transfer uint64            `json:"n,omitempty"`
	Size     int64             `json:"z,omitempty"`
	Bytes    int64             `json:"b,omitempty"`
	Harmless bool              `json:"h,omitempty"`
	Renewal  bool              `json:"r,omitempty"`
	Class    string            `json:"c,omitempty"`
	Load     string            `json:"l,omitempty"`
	Step     phone.Step        `json:"e,omitempty"`
	Details  map[string]string `json:"d,omitempty"`
	Agent    string            `json:"u,omitempty"`
	Count    int               `json:"q,omitempty"`
	Since    int64             `json:"i,omitempty"` // ns since 1970; 0 = not folded
}

// maxText bounds what one event may carry of a packet or a request.
const maxText = 500

func decodeEvent(id uint64, mac phone.MAC, content []byte) (Event, error) {
	var s stored
	if err := json.Unmarshal(content, &s); err != nil {
		return Event{}, fmt.Errorf("reading event %d: %w", id, err)
	}
	e := Event{
		ID: id, Time: time.Unix(0, s.Time).UTC(), MAC: mac, Service: s.Service, Kind: s.Kind, Text: s.Text, Address: s.Address,
		Phase: s.Phase, Transfer: s.Transfer, Size: s.Size, Bytes: s.Bytes, Harmless: s.Harmless, Renewal: s.Renewal,
		Class: s.Class, Load: s.Load, Step: s.Step, Details: s.Details, Agent: s.Agent, Count: s.Count,
	}
	if s.Since != 0 {
		e.Since = time.Unix(0, s.Since).UTC()
	}
	if s.File != "" {
		e.File = phone.ParseFileName(s.File)
	}
	return e, nil
}

// trim bounds what came from outside.
func trim(e *Event) {
	cut := func(s string) string { return s[:min(len(s), maxText)] }
	e.Text, e.Class, e.Load, e.Agent = cut(e.Text), cut(e.Class), cut(e.Load), cut(e.Agent)
	e.File.Clean, e.File.Load = cut(e.File.Clean), cut(e.File.Load)
	size := 0
	for k, v := range e.Details {
		size += len(k) + len(v)
	}
	if size > 4*maxText {
		e.Details = map[string]string{"dropped": "too long"}
	}
}

// decodeState reads a phone as it was stored.
func decodeState(mac phone.MAC, content []byte) (*state, error) {
	s := newState(mac)
	if err := json.Unmarshal(content, s); err != nil {
		return nil, fmt.Errorf("reading the phone %s: %w", mac, err)
	}
	s.MAC = mac
	s.migrate()
	return s, nil
}
