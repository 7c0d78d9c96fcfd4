package assemble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"phonebox/appliance/journal"
	"phonebox/appliance/netdev"
	"phonebox/appliance/served"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/tftp"
	"phonebox/services/web"
)

// desk is what the page of one phone needs: what phones got last, and their recordings.
type desk struct {
	b       *Box
	kept    *served.Keeper
	records *netdev.Records // nil with -try

	mu   sync.Mutex
	open map[transferOf][]byte // contents of the transfers that run
}

// transferOf is a transfer: a phone has one from a port.
type transferOf struct {
	from netip.AddrPort
	name string
}

// maxOpened bounds the contents that are held for transfers that run; the transfers hold them as well.
const maxOpened = 4096

// keyServed is the key of the marks of passwords in the store.
const keyServed = "served/key"

func newDesk(b *Box) (*desk, error) {
	ctx := context.Background()
	key, err := b.store.Value(ctx, keyServed)
	if err != nil || len(key) != 32 {
		if err != nil {
			b.log.Warn("the key of what phones got last is not readable; it is made anew", "err", err)
		}
		key = newKey()
		if err := b.store.SetValue(ctx, keyServed, key); err != nil {
			b.log.Warn("the key of what phones got last is not kept", "err", err)
		}
	}
	d := &desk{b: b, open: map[transferOf][]byte{}}
	if d.kept, err = served.New(served.Config{}, b.store, key, b.log.With("svc", "served")); err != nil {
		return nil, err
	}
	if b.netdev != nil {
		d.records = b.netdev.Records(b.clock.Now)
	}
	return d, nil
}

func (d *desk) run(ctx context.Context) error {
	err := d.kept.Run(ctx)
	if d.records != nil {
		d.records.Close()
	}
	return err
}

// isConfiguration reports whether a file is kept once a phone got it: text that is made of settings, or that a person wrote.
func isConfiguration(k phone.Kind) bool {
	switch k {
	case phone.KindLoads, phone.KindLoader, phone.KindApplication, phone.KindRing, phone.KindLocale, phone.KindTrustList:
		return false
	}
	return true
}

// opened notes what a transfer that begins is about to send.
func (d *desk) opened(from netip.AddrPort, a provision.Answer) {
	if !isConfiguration(a.File.Kind) || a.Size > served.MaxFile {
		return
	}
	content := a.Bytes
	if content == nil {
		content = make([]byte, a.Size)
		if _, err := io.ReadFull(io.NewSectionReader(a.Content, 0, a.Size), content); err != nil {
			return // the transfer meets the same fault and tells it
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.open) >= maxOpened {
		clear(d.open)
	}
	d.open[transferOf{from, a.File.Clean}] = content
}

// ended notes what a phone got: a transfer whose last block was acknowledged.
func (d *desk) ended(e tftp.Event, mac phone.MAC) {
	if e.Kind != tftp.EventSent && e.Kind != tftp.EventAborted {
		return
	}
	name := phone.ParseFileName(e.Name).Clean
	d.mu.Lock()
	content, ok := d.open[transferOf{e.From, name}]
	delete(d.open, transferOf{e.From, name})
	d.mu.Unlock()
	if ok && e.Kind == tftp.EventSent && int64(len(content)) == e.Size {
		d.kept.Got(mac, name, d.b.clock.Now().Round(0).UTC(), content)
	}
}

// Compare implements [web.Desk].
func (d *desk) Compare(mac phone.MAC, name string, now []byte) (web.Comparison, bool) {
	d.b.settle()
	at, same, known := d.kept.Same(mac, name, now)
	if same {
		return web.Comparison{Time: at, Size: len(now), Equal: true}, true
	}
	f, ok := d.kept.File(mac, name)
	if !ok {
		return web.Comparison{}, false
	}
	c := web.Comparison{Time: f.Time, Size: f.Size, Got: keptLines(f.Lines), Now: keptLines(d.kept.Lines(now))}
	c.Equal = !known && f.Size == len(now) && slices.Equal(c.Got, c.Now)
	return c, true
}

func keptLines(lines []served.Line) []web.KeptLine {
	out := make([]web.KeptLine, len(lines))
	for i, l := range lines {
		out[i] = web.KeptLine(l)
	}
	return out
}

// cannotRecord says why the frames of a phone cannot be recorded; "" = they can.
func (d *desk) cannotRecord(mac phone.MAC) string {
	if d.records == nil {
		return "This box runs on loopback (-try), where there are no frames of phones to record. On a real network this is where they are recorded."
	}
	if addr, ok := d.b.addressOf(mac); ok && !d.b.index.Load().site.Network.Address.Contains(addr) {
		return fmt.Sprintf("This phone is behind a relay, at %s: its frames do not come to the box as it sends them. Record at the switch beside it.", addr)
	}
	return ""
}

// Recording implements [web.Desk].
func (d *desk) Recording(mac phone.MAC) web.Recording {
	out := web.Recording{Why: d.cannotRecord(mac)}
	out.Possible = out.Why == ""
	if d.records == nil {
		return out
	}
	if s, ok := d.records.State(mac); ok {
		out.Running, out.Began, out.Ends = s.Running, s.Began.Round(0).UTC(), s.Ends.Round(0).UTC()
		out.Frames, out.Bytes, out.Dropped, out.Cut = s.Frames, s.Bytes, s.Dropped, s.Cut
	}
	return out
}

// Record implements [web.Desk].
func (d *desk) Record(_ context.Context, mac phone.MAC, length time.Duration) error {
	if why := d.cannotRecord(mac); why != "" {
		return &web.PublicError{Status: http.StatusConflict, Text: why}
	}
	err := d.records.Start(mac, length)
	if errors.Is(err, netdev.ErrTooManyRecord) || errors.Is(err, netdev.ErrNoWire) {
		return &web.PublicError{Status: http.StatusConflict, Text: sentence(err.Error())}
	}
	return err
}

// StopRecording implements [web.Desk].
func (d *desk) StopRecording(mac phone.MAC) {
	if d.records != nil {
		d.records.Stop(mac)
	}
}

// WriteRecording implements [web.Desk].
func (d *desk) WriteRecording(mac phone.MAC, w io.Writer) error {
	if d.records == nil {
		return &web.PublicError{Status: http.StatusConflict, Text: d.cannotRecord(mac)}
	}
	if _, ok := d.records.State(mac); !ok {
		return &web.PublicError{Status: http.StatusNotFound, Text: "Nothing was recorded of this phone."}
	}
	out := pcapgo.NewWriter(w)
	if err := out.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		return err
	}
	for _, f := range d.records.Frames(mac) {
		info := gopacket.CaptureInfo{Timestamp: f.Time, CaptureLength: len(f.Data), Length: f.Length}
		if err := out.WritePacket(info, f.Data); err != nil {
			return err
		}
	}
	return nil
}

// eventFacts are what an event says beside its sentence.
func eventFacts(e *journal.Event) web.EventFacts {
	return web.EventFacts{
		File: e.File.Clean, Load: e.Load, Phase: string(e.Phase), Transfer: e.Transfer, Size: e.Size, Bytes: e.Bytes,
		Harmless: e.Harmless, Renewal: e.Renewal, Count: e.Count, Since: e.Since,
		// As journal has it: a search for an address begins a boot.
		Boot: e.Kind == journal.Packet && e.Service == "dhcp" && !e.Renewal && !e.Address.IsValid(),
	}
}
