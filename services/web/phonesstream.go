package web

import (
	"bytes"
	"net/http"

	"phonebox/services/phone"
)

// phonesStream sends what changed of the phones that are shown. The first message has all of them: the page may have been left
// open while the box was away.
func (s *Server) phonesStream(w http.ResponseWriter, r *http.Request) error {
	last := phonesParts{query: readPhonesQuery(r.URL.Query())}
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		view, err := s.phonesShown(last.query)
		if err != nil {
			return nil, err
		}
		return last.changes(s.pages, view)
	})
}

// phonesShown is phonesView for streams: those that show all phones, as most do, share it.
func (s *Server) phonesShown(q phonesQuery) (phonesView, error) {
	if q != (phonesQuery{}) {
		return s.phonesView(q), nil
	}
	return s.phonesShared.get(shareFor, func() (phonesView, error) { return s.phonesView(q), nil })
}

// phonesParts remembers what a browser was sent: its rows in the order in which they stand there. Rows keep their places, so that
// none jumps away under the finger, whatever the table is sorted by; one that comes is put where it belongs now.
type phonesParts struct {
	query  phonesQuery
	began  bool
	order  []phone.MAC
	rows   map[phone.MAC]Phone
	others map[string]string // the small parts by the place where they stand
}

// maxNewRows is how many rows may come at once one by one; more are sent as a whole.
const maxNewRows = 50

func (o *phonesParts) changes(p *pages, v phonesView) ([]byte, error) {
	var out bytes.Buffer
	if o.others == nil {
		o.others = map[string]string{"phones-sentence": v.Sentence}
		partial(&out, "#phones-sentence", "textContent", []byte(v.Sentence))
	} else if o.others["phones-sentence"] != v.Sentence {
		o.others["phones-sentence"] = v.Sentence
		partial(&out, "#phones-sentence", "textContent", []byte(v.Sentence))
	}
	for _, part := range []struct {
		id, name string
		data     any
	}{{"phones-chips", "chips", v.Chips}, {"strangers", "strangers", v.Strangers}, {"phones-all", "all", v}} {
		var b bytes.Buffer
		if err := p.part(&b, "phones", part.name, part.data); err != nil {
			return nil, err
		}
		if o.others[part.id] != b.String() || !o.began {
			o.others[part.id] = b.String()
			partial(&out, "#"+part.id, "innerMorph", b.Bytes())
		}
	}
	if err := o.rowChanges(&out, p, v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// rowChanges takes the rows away that are no longer shown, exchanges those that changed, and puts new ones in their places.
func (o *phonesParts) rowChanges(out *bytes.Buffer, p *pages, v phonesView) error {
	wanted := make(map[phone.MAC]bool, len(v.Rows))
	fresh := 0
	for _, r := range v.Rows {
		wanted[r.phone.MAC] = true
		if _, there := o.rows[r.phone.MAC]; !there {
			fresh++
		}
	}
	if !o.began || fresh > maxNewRows || (len(o.order) == 0) != (len(v.Rows) == 0) {
		return o.wholeTable(out, p, v)
	}
	kept := o.order[:0]
	for _, mac := range o.order {
		if wanted[mac] {
			kept = append(kept, mac)
			continue
		}
		delete(o.rows, mac)
		partial(out, "#p-"+mac.Name(), "delete", nil)
	}
	o.order = kept
	for _, r := range v.Rows {
		if old, there := o.rows[r.phone.MAC]; there && old != r.phone {
			if err := o.send(out, p, "#"+r.ID, "outerMorph", []rowView{r}); err != nil {
				return err
			}
			o.rows[r.phone.MAC] = r.phone
		}
	}
	if fresh > 0 {
		return o.insert(out, p, v)
	}
	return nil
}

// wholeTable sends all rows.
func (o *phonesParts) wholeTable(out *bytes.Buffer, p *pages, v phonesView) error {
	o.began, o.order, o.rows = true, o.order[:0], make(map[phone.MAC]Phone, len(v.Rows))
	for _, r := range v.Rows {
		o.order = append(o.order, r.phone.MAC)
		o.rows[r.phone.MAC] = r.phone
	}
	var b bytes.Buffer
	if err := p.part(&b, "phones", "rows", v); err != nil {
		return err
	}
	partial(out, "#phones", "innerMorph", b.Bytes())
	return nil
}

// insert puts the new rows behind the row after which they come now, as many as follow each other at once: htmx looks for all
// places before it puts anything there.
func (o *phonesParts) insert(out *bytes.Buffer, p *pages, v phonesView) error {
	place := make(map[phone.MAC]int, len(o.order))
	for i, mac := range o.order {
		place[mac] = i
	}
	after := map[int][]rowView{} // by the place behind which they come; -1 = before all
	at := -1
	var places []int
	for _, r := range v.Rows {
		if i, there := place[r.phone.MAC]; there {
			at = i
			continue
		}
		if len(after[at]) == 0 {
			places = append(places, at)
		}
		after[at] = append(after[at], r)
	}
	for _, at := range places {
		target, swap := "#phones", "afterbegin"
		if at >= 0 {
			target, swap = "#p-"+o.order[at].Name(), "afterend"
		}
		if err := o.send(out, p, target, swap, after[at]); err != nil {
			return err
		}
	}
	var order []phone.MAC
	for i := -1; i < len(o.order); i++ {
		if i >= 0 {
			order = append(order, o.order[i])
		}
		for _, r := range after[i] {
			order = append(order, r.phone.MAC)
			o.rows[r.phone.MAC] = r.phone
		}
	}
	o.order = order
	return nil
}

func (o *phonesParts) send(out *bytes.Buffer, p *pages, target, swap string, rows []rowView) error {
	var b bytes.Buffer
	for _, r := range rows {
		if err := p.part(&b, "phones", "row", r); err != nil {
			return err
		}
	}
	partial(out, target, swap, b.Bytes())
	return nil
}
