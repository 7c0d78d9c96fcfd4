package assemble

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"

	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/tftp"
	"phonebox/services/web"
)

// tftpFiles asks provision what is behind a name and tells the journal what the phone asked and got.
type tftpFiles struct{ b *Box }

// Open implements [tftp.Files].
func (f tftpFiles) Open(ctx context.Context, r tftp.Request) (tftp.File, error) {
	from := r.From.Addr()
	who := &tftpAsker{from: r.From}
	a := f.b.provision.Answer(askedBy(ctx, who), provision.Query{Name: r.Name, From: from})
	if who.unknown {
		if a.Close != nil {
			_ = a.Close() // it is only read
		}
		return tftp.File{}, fmt.Errorf("%s: %w", a.File.Clean, tftp.ErrLater)
	}
	holder, _ := f.b.dhcp.LeaseOf(from)
	f.b.record(answered(a, from, f.b.whose(from), holder.MAC))
	if a.Status != provision.OK {
		return tftp.File{}, fmt.Errorf("%s: %w", a.Why, fs.ErrNotExist)
	}
	f.b.desk.opened(r.From, a)
	return tftp.File{Content: a.Content, Bytes: a.Bytes, Size: a.Size, Close: a.Close}, nil
}

// answered tells what became of a request for a name. A name with a MAC belongs to that phone, any other to the phone
// last seen at the address (phones.md a.8). When a lease of ours gives the address to another device, the request is told
// in the phone's timeline and says nothing about what the phone itself does.
func answered(a provision.Answer, from netip.Addr, at, holder phone.MAC) journal.Event {
	ev := journal.Event{
		MAC: a.MAC, Service: "tftp", Kind: journal.Request, Address: from, File: a.File, Load: a.Load,
		Text: fmt.Sprintf("asks for %s", a.File.Clean),
	}
	if ev.MAC.IsZero() {
		ev.MAC = at
	}
	if !a.File.MAC.IsZero() {
		ev.MAC = a.File.MAC
	}
	if a.Why != "" {
		ev.Details = map[string]string{"why": a.Why}
	}
	switch a.Status {
	case provision.Harmless:
		ev.Kind, ev.Harmless = journal.FileMissing, true
		ev.Text = fmt.Sprintf("asked for %s: there is none, and it does not need it", a.File.Clean)
	case provision.Missing:
		ev.Kind, ev.Text = journal.FileMissing, fmt.Sprintf("asked for %s: %s", a.File.Clean, a.Why)
	case provision.Refused:
		ev.Kind, ev.Text = journal.FileRefused, fmt.Sprintf("%s was asked for from %s and refused: %s", a.File.Clean, from, a.Why)
	case provision.OK:
		if a.Why != "" {
			ev.Text += " (" + a.Why + ")"
		}
	}
	if ev.Kind != journal.FileRefused && !holder.IsZero() && holder != ev.MAC {
		ev.Kind, ev.Address = journal.Note, netip.Addr{}
		ev.Text = fmt.Sprintf("%s was asked for by another device, %s at %s", a.File.Clean, holder, from)
	}
	return ev
}

// phoneFiles answers what phones fetch over HTTP.
type phoneFiles struct{ b *Box }

// PhoneFile implements [web.PhoneFiles].
func (f phoneFiles) PhoneFile(ctx context.Context, from netip.Addr, name, query string) (web.FileAnswer, http.Header) {
	a, header := f.b.provision.HTTP(ctx, from, name, query)
	out, err := fileAnswer(a)
	if err != nil {
		f.b.log.Warn("reading a file for a phone", "file", name, "err", err)
		return web.FileAnswer{Status: string(provision.Missing), Why: "the file could not be read"}, nil
	}
	return out, header
}

// fileAnswer reads the whole of an answer.
func fileAnswer(a provision.Answer) (web.FileAnswer, error) {
	out := web.FileAnswer{Status: string(a.Status), Why: a.Why, ContentType: a.ContentType}
	if a.Status != provision.OK {
		return out, nil
	}
	if a.Close != nil {
		defer a.Close()
	}
	out.Body = make([]byte, a.Size)
	if _, err := io.ReadFull(io.NewSectionReader(a.Content, 0, a.Size), out.Body); err != nil {
		return web.FileAnswer{}, fmt.Errorf("reading %s: %w", a.File.Clean, err)
	}
	return out, nil
}
