package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"phonebox/services/phone"
)

// Exchange is what a phone asked by DHCP and what it got, byte for byte. Of each phone the last search for an address
// (DISCOVER) and the last of all other requests are kept.
type Exchange struct {
	Time    time.Time
	Search  bool       // a DISCOVER was asked
	Address netip.Addr // that the answer is about; not valid = none
	Asked   []byte     // the phone's packet; it is not copied and nobody's to change
	Sent    []byte     // our answer; nil = there was none
	Why     string     // why there was none
	Relay   netip.Addr // giaddr; not valid = it came without a relay
	Circuit string     // option 82, suboption 1
	Remote  string     // option 82, suboption 2
	Event   uint64     // the number of the event that told it
}

const (
	exchangePrefix  = "d"
	exchangeKeySize = 1 + len(phone.MAC{}) + 1
	// maxPacket bounds what is kept of one packet: as much as Ethernet carries without fragments.
	maxPacket = 1500
	// exchangeFixed is what an exchange takes beside its packets and texts, at most.
	exchangeFixed = 64
)

// slots are how many exchanges of a phone are kept: its search, and its request.
const slots = 2

func (x *Exchange) slot() int {
	if x.Search {
		return 0
	}
	return 1
}

// heldExchange is one that is kept. Its bytes are in memory until they are in the store.
type heldExchange struct {
	size  int       // that counts; 0 = there is none
	fresh *Exchange // nil = it is in the store
}

func exchangeKey(mac phone.MAC, slot int) string {
	return exchangePrefix + string(mac[:]) + string(rune('0'+slot))
}

func parseExchangeKey(key string) (mac phone.MAC, slot int, ok bool) {
	if len(key) != exchangeKeySize || key[:1] != exchangePrefix {
		return mac, 0, false
	}
	copy(mac[:], key[1:])
	slot = int(key[exchangeKeySize-1]) - '0'
	return mac, slot, slot >= 0 && slot < slots
}

// exchanged keeps an exchange in place of the last one of its sort.
func (j *Journal) exchanged(en *entry, e *Event) {
	x := *e.Exchange
	x.Time, x.Event = e.Time, e.ID
	cut := func(s string) string { return s[:min(len(s), maxText)] }
	x.Why, x.Circuit, x.Remote = cut(x.Why), cut(x.Circuit), cut(x.Remote)
	x.Asked, x.Sent = x.Asked[:min(len(x.Asked), maxPacket)], x.Sent[:min(len(x.Sent), maxPacket)]
	size := exchangeKeySize + exchangeFixed + len(x.Asked) + len(x.Sent) + len(x.Why) + len(x.Circuit) + len(x.Remote)
	held := &en.exchanges[x.slot()]
	before := held.size
	held.size, held.fresh = size, &x
	j.weigh(en, size-before)
	j.change(en)
}

// dropExchanges forgets what a phone asked and got.
func (j *Journal) dropExchanges(en *entry) {
	for slot := range en.exchanges {
		held := &en.exchanges[slot]
		if held.size > 0 && (held.fresh == nil || en.written) {
			j.remove[exchangeKey(en.state.MAC, slot)] = true
		}
		j.weigh(en, -held.size)
		*held = heldExchange{}
	}
}

// Exchanges returns what a phone asked by DHCP last and what it got, the newest first.
func (j *Journal) Exchanges(mac phone.MAC) []Exchange {
	j.mu.Lock()
	en := j.entries[mac]
	var out []Exchange
	var keys []string
	if en != nil {
		for slot, held := range en.exchanges {
			switch {
			case held.fresh != nil:
				out = append(out, *held.fresh)
			case held.size > 0:
				keys = append(keys, exchangeKey(mac, slot))
			}
		}
	}
	j.mu.Unlock()
	err := j.store.ReadJournal(context.Background(), keys, func(_ string, value []byte) {
		x, err := decodeExchange(value)
		if err != nil {
			j.log.Warn("exchange not readable", "mac", mac, "err", err)
			return
		}
		out = append(out, x)
	})
	if err != nil {
		j.log.Warn("exchanges not readable", "mac", mac, "err", err)
	}
	if len(out) == 2 && out[1].Event > out[0].Event {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

// Took says what a phone made of the TFTP server that it was told with its address, a sentence or two; "" = not known.
func (j *Journal) Took(mac phone.MAC) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if en := j.entries[mac]; en != nil {
		return en.state.tookWords()
	}
	return ""
}

// encodeExchange writes an exchange for the store: a version, then fields of fixed length and texts with their lengths.
func encodeExchange(x *Exchange) []byte {
	b := make([]byte, 0, exchangeFixed+len(x.Asked)+len(x.Sent)+len(x.Why)+len(x.Circuit)+len(x.Remote))
	b = append(b, 1, 0)
	if x.Search {
		b[1] = 1
	}
	b = binary.BigEndian.AppendUint64(b, uint64(x.Time.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, x.Event)
	for _, part := range [][]byte{
		x.Address.AsSlice(), x.Relay.AsSlice(), []byte(x.Circuit), []byte(x.Remote), []byte(x.Why), squeeze(x.Asked), squeeze(x.Sent),
	} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

var errExchange = errors.New("it is not what this version writes")

// decodeExchange reads what encodeExchange wrote.
func decodeExchange(b []byte) (x Exchange, err error) {
	if len(b) < 18 || b[0] != 1 {
		return x, fmt.Errorf("reading an exchange of %d bytes: %w", len(b), errExchange)
	}
	x.Search = b[1] == 1
	x.Time = time.Unix(0, int64(binary.BigEndian.Uint64(b[2:]))).UTC()
	x.Event = binary.BigEndian.Uint64(b[10:])
	b = b[18:]
	var parts [7][]byte
	for i := range parts {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return Exchange{}, fmt.Errorf("reading an exchange, part %d: %w", i, errExchange)
		}
		parts[i], b = b[used:used+int(n)], b[used+int(n):]
	}
	x.Address, _ = netip.AddrFromSlice(parts[0])
	x.Relay, _ = netip.AddrFromSlice(parts[1])
	x.Circuit, x.Remote, x.Why = string(parts[2]), string(parts[3]), string(parts[4])
	var whole [2]bool
	x.Asked, whole[0] = unsqueeze(parts[5])
	x.Sent, whole[1] = unsqueeze(parts[6])
	if !whole[0] || !whole[1] {
		return Exchange{}, fmt.Errorf("reading the packets of an exchange: %w", errExchange)
	}
	return x, nil
}

// minZeros is the shortest run of zeros that is worth its two lengths.
const minZeros = 8

// squeeze writes a packet with its long runs of zeros as their lengths alone: two thirds of most DHCP packets are the
// unused fields sname and file and padding, and each of them goes to the card. It is pairs of a literal and a number of
// zeros.
func squeeze(packet []byte) []byte {
	out := make([]byte, 0, len(packet)+8)
	for len(packet) > 0 {
		at := bytes.Index(packet, make([]byte, minZeros))
		if at < 0 {
			at = len(packet)
		}
		zeros := 0
		for at+zeros < len(packet) && packet[at+zeros] == 0 {
			zeros++
		}
		out = binary.AppendUvarint(out, uint64(at))
		out = append(out, packet[:at]...)
		out = binary.AppendUvarint(out, uint64(zeros))
		packet = packet[at+zeros:]
	}
	return out
}

// unsqueeze is the opposite of squeeze; ok is false for bytes that squeeze cannot have written.
func unsqueeze(b []byte) (packet []byte, ok bool) {
	for len(b) > 0 {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) || len(packet)+int(n) > maxPacket {
			return nil, false
		}
		packet, b = append(packet, b[used:used+int(n)]...), b[used+int(n):]
		zeros, used := binary.Uvarint(b)
		if used <= 0 || zeros > maxPacket || len(packet)+int(zeros) > maxPacket {
			return nil, false
		}
		packet, b = append(packet, make([]byte, zeros)...), b[used:]
	}
	return packet, true
}
