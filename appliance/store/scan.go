package store

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"phonebox/services/dhcp/lease"
)

// logged is one record in a log: the lengths of key and value, the key, and the sealed value.
type logged struct {
	raw   []byte // all of it
	key   []byte
	value []byte // sealed
	seq   uint64
	epoch uint32
	addr  netip.Addr

	forgotten bool // it removes the record of its address
}

// logLease makes the record of a lease, yet without its sequence number, at the end of b.
func logLease(b []byte, r *lease.Record) ([]byte, logged, error) {
	clean := *r
	clean.Address = r.Address.Unmap().WithZone("")
	start := len(b)
	b = append(b, 0, 0, 0)
	b = append(b, leasePrefix)
	if clean.Address.Is4() {
		a := clean.Address.As4()
		b = append(b, a[:]...)
	} else {
		a := clean.Address.As16()
		b = append(b, a[:]...)
	}
	value := len(b)
	b = append(b, make([]byte, sealSize)...)
	b, err := appendLease(b, &clean)
	if err != nil {
		return b[:start], logged{}, err
	}
	b[start] = byte(value - start - 3)
	binary.LittleEndian.PutUint16(b[start+1:], uint16(len(b)-value))
	return b, logged{addr: clean.Address, forgotten: clean.State == lease.Forgotten}, nil
}

// locate sets the slices of the record that begins at b and ends at its end.
func (l *logged) locate(b []byte) {
	n := 3 + int(b[0])
	l.raw, l.key, l.value = b, b[3:n:n], b[n:len(b):len(b)]
}

// cutLogged takes the first record off a stream. It reports false when the stream ends within it, or holds none.
func cutLogged(b []byte) (l logged, rest []byte, ok bool) {
	if len(b) < 3 {
		return l, nil, false
	}
	n := 3 + int(b[0]) + int(binary.LittleEndian.Uint16(b[1:]))
	if n > len(b) {
		return l, nil, false
	}
	l.locate(b[:n:n])
	return l, b[n:], true
}

// scan is what a log holds.
type scan struct {
	records []logged // of every epoch, each with a good checksum
	epoch   uint32   // the newest
	present bool     // the file is there
	damage  string   // what is wrong with the file; "" = nothing
	hurt    bool     // the damage can have hit a record of the newest epoch
	first   bool     // the first page is whole: its epoch is the newest that was acknowledged
}

// scanLog reads the bytes of log file number; what lies behind its end counts as damaged.
func scanLog(file []byte, number int) scan {
	out := scan{present: true}
	if len(file) != logSize {
		out.damage = fmt.Sprintf("it has %d bytes instead of %d", len(file), logSize)
		whole := make([]byte, logSize)
		copy(whole, file)
		file = whole
	}
	const count = logSize / sectorSize
	heads, valid := make([]sector, count), make([]bool, count)
	for i := range count {
		if heads[i], valid[i] = getSector(file[i*sectorSize:][:sectorSize], number, i); valid[i] {
			out.epoch = max(out.epoch, heads[i].epoch)
		} else if out.damage == "" {
			out.damage = fmt.Sprintf("the checksum of sector %d is wrong", i)
		}
	}
	end := filled(heads, valid, out.epoch)
	for i := range end * perPage {
		out.hurt = out.hurt || !valid[i]
	}
	out.first = true
	for i := range perPage {
		out.first = out.first && valid[i]
	}
	if why := lostGroup(heads, valid, out.epoch); why != "" && out.epoch > 0 {
		out.hurt = true
		if out.damage == "" {
			out.damage = why
		}
	}
	out.read(file, heads, valid)
	return out
}

// filled returns how many pages the newest epoch may have filled: up to the first whole page that has nothing of it.
func filled(heads []sector, valid []bool, epoch uint32) int {
	for page := range len(heads) / perPage {
		old := true
		for i := page * perPage; i < (page+1)*perPage; i++ {
			old = old && valid[i] && heads[i].epoch < epoch
		}
		if old {
			return page
		}
	}
	return len(heads) / perPage
}

// lostGroup looks for a group of the epoch that was synced, for a later one names it, and is not whole.
func lostGroup(heads []sector, valid []bool, epoch uint32) string {
	have, want := map[uint32]int{}, map[uint32]int{}
	for i, h := range heads {
		if valid[i] && h.epoch == epoch {
			have[h.group]++
			want[h.group] = int(h.parts)
		}
	}
	for i, h := range heads {
		if valid[i] && h.epoch == epoch && h.prev != 0 && (have[h.prev] == 0 || have[h.prev] != want[h.prev]) {
			return fmt.Sprintf("group %d is not whole", h.prev)
		}
	}
	return ""
}

// read takes the records out of the valid sectors. A record goes on in the next sector of its group, or is lost.
func (out *scan) read(file []byte, heads []sector, valid []bool) {
	var stream []byte
	for i := range heads {
		h := heads[i]
		if !valid[i] || h.used == 0 {
			stream = nil
			continue
		}
		room := file[i*sectorSize+sectorHead:][:h.used]
		follows := i > 0 && valid[i-1] && heads[i-1].epoch == h.epoch && heads[i-1].group == h.group && heads[i-1].part+1 == h.part
		switch {
		case follows && len(stream) > 0:
			stream = append(stream, room...)
		case h.first == noFirst:
			stream = nil
			continue
		default:
			stream = append([]byte(nil), room[h.first:]...)
		}
		for {
			l, rest, ok := cutLogged(stream)
			if !ok {
				break
			}
			stream = rest
			out.take(l, h.epoch)
		}
	}
}

func (out *scan) take(l logged, epoch uint32) {
	seq, content, err := unseal(l.key, l.value)
	if err != nil {
		return
	}
	r, err := decodeLease(l.key, content)
	if err != nil {
		return
	}
	l.seq, l.epoch, l.addr, l.forgotten = seq, epoch, r.Address, r.State == lease.Forgotten
	out.records = append(out.records, l)
}

// missing tells why records that leases.db doesn't have may be lost; "" = none is. leases.db has those of all epochs
// up to folded.
func missing(logs [2]scan, folded uint32) string {
	newest := max(logs[0].epoch, logs[1].epoch)
	for n, l := range logs {
		switch {
		case !l.present && newest+folded > 0:
			return fmt.Sprintf("%s is gone", logName(n))
		case l.present && l.first && l.epoch <= folded:
			continue // all that was written here is in leases.db, damaged or not
		case l.hurt:
			return fmt.Sprintf("%s is damaged (%s)", logName(n), l.damage)
		}
	}
	for e := newest; e > folded; e-- {
		if logs[0].epoch != e && logs[1].epoch != e {
			return "a part of the log is gone"
		}
	}
	return ""
}
