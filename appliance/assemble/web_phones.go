package assemble

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// fleet is what the pages of many phones need.
type fleet struct{ b *Box }

// WaitingLines implements [web.Fleet].
func (f fleet) WaitingLines() ([]web.WaitingLine, string) {
	cur := f.b.current()
	texts := cur.site.WaitingTexts()
	out := make([]web.WaitingLine, len(texts))
	for i, t := range texts {
		out[i] = web.WaitingLine{Label: t.Label, LineEntry: web.LineEntry(t.LineText)}
	}
	return out, cur.etag
}

// ChangePhones implements [web.Fleet].
func (f fleet) ChangePhones(ctx context.Context, change web.PhonesChange, etag string) error {
	c := site.PhoneChange{Remove: change.Remove, Front: change.Front, Drop: change.Drop}
	for _, e := range change.Put {
		c.Put = append(c.Put, phoneText(e))
	}
	for _, w := range change.Wait {
		c.Wait = append(c.Wait, site.WaitingText{Label: w.Label, LineText: site.LineText(w.LineEntry)})
	}
	var order []phone.MAC
	_, err := settings(f).change(ctx, etag, func(old *site.Site) (*site.Site, []site.Fault) {
		next, macs, faults := old.Change(c, site.Catalogue())
		order = macs
		return next, faults
	})
	return keysOfMany(err, order)
}

// keysOfMany turns the keys of the file into those of [web.Fleet]: phones[3].load is phones[00:06:D7:AA:2A:2E].load.
func keysOfMany(err error, order []phone.MAC) error {
	var r *web.Refused
	if !errors.As(err, &r) {
		return err
	}
	for i, f := range r.Faults {
		r.Faults[i].Line = 0
		rest, ok := strings.CutPrefix(f.Key, "phones[")
		if !ok {
			continue
		}
		digits, within, _ := strings.Cut(rest, "]")
		if at, err := strconv.Atoi(digits); err == nil && at < len(order) {
			r.Faults[i].Key = "phones[" + order[at].String() + "]" + within
		}
	}
	return err
}

// ReadRows implements [web.Fleet].
func (f fleet) ReadRows(ctx context.Context, text string) (web.ImportReport, error) {
	file, err := f.b.shop.spool(strings.NewReader(text))
	if err != nil {
		return web.ImportReport{}, err
	}
	return f.b.shop.show(ctx, &pendingImport{name: "Pasted rows", file: file, rows: true})
}

// ExportSome implements [web.Fleet].
func (f fleet) ExportSome(format string, secrets bool, macs []phone.MAC) ([]byte, string, string, error) {
	s := f.b.current().site.Clone()
	s.Lines = nil
	s.Phones = slices.DeleteFunc(s.Phones, func(p site.Phone) bool { return !slices.Contains(macs, p.MAC) })
	return exportOf(s, format, secrets)
}

// numbers are the numbers of a phone's lines, as the table shows them.
func numbers(p *site.Phone) string {
	names := make([]string, len(p.Lines))
	for i, l := range p.Lines {
		names[i] = l.Name
	}
	return strings.Join(names, ", ")
}

// readRows makes the plan of pasted rows against the present site.
func (s *shop) readRows(p *pendingImport, size int64, opts adopt.Options) (*adopt.Plan, error) {
	if size > adopt.MaxList {
		return nil, fmt.Errorf("found %d bytes, allowed are up to %d", size, adopt.MaxList)
	}
	content := make([]byte, size)
	if n, err := p.open.ReadAt(content, 0); n < len(content) {
		return nil, err
	}
	opts.Lines = true
	return adopt.ReadList("rows", content, opts)
}
