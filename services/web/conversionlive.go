package web

import (
	"bytes"
	"reflect"
)

// conversionParts remembers what a browser was sent of the page of conversions. The rows of 2,000 phones are a megabyte, so
// that only those that changed are sent.
type conversionParts struct {
	sum, title, chips string
	rows              map[string]conversionView // by id
	order             []string                  // of the rows
	all               int                       // phones in all when the rows were sent
}

// changes returns the parts that differ from what was sent before: single rows while the phones are the same, and the
// whole table when they are not. Rows keep their places until then, so that none jumps away under the finger; a page that
// is loaded anew is sorted anew.
func (c *conversionParts) changes(p *pages, v conversionsView) ([]byte, error) {
	var out, b bytes.Buffer
	if err := p.part(&b, "conversions", "sum", v); err != nil {
		return nil, err
	}
	if b.String() != c.sum {
		c.sum = b.String()
		partial(&out, "#conversions-sum", "innerMorph", b.Bytes())
	}
	if v.Title != c.title {
		c.title = v.Title
		partial(&out, "title", "textContent", []byte(v.Title+" · phonebox")) // it is made of numbers and our own words
	}
	b.Reset()
	if err := p.part(&b, "conversions", "chips", v); err != nil {
		return nil, err
	}
	if len(v.Chips) > 0 && b.String() != c.chips {
		c.chips = b.String()
		partial(&out, "#conversions-show", "innerMorph", b.Bytes())
	}
	if !c.samePhones(v.Rows) {
		c.remember(v)
		b.Reset()
		if err := p.part(&b, "conversions", "rows", v.Rows); err != nil {
			return nil, err
		}
		partial(&out, "#conversions", "innerMorph", b.Bytes())
		return out.Bytes(), nil
	}
	for _, row := range v.Rows {
		if !row.differs(c.rows[row.ID]) {
			continue
		}
		c.rows[row.ID] = row
		b.Reset()
		if err := p.part(&b, "conversions", "row", row); err != nil {
			return nil, err
		}
		partial(&out, "#"+row.ID, "outerMorph", b.Bytes())
	}
	return out.Bytes(), nil
}

func (c *conversionParts) samePhones(rows []conversionView) bool {
	if c.rows == nil || len(rows) != len(c.rows) {
		return false
	}
	for _, row := range rows {
		if _, there := c.rows[row.ID]; !there {
			return false
		}
	}
	return true
}

func (c *conversionParts) remember(v conversionsView) {
	c.rows, c.order, c.all = make(map[string]conversionView, len(v.Rows)), nil, v.All
	for _, row := range v.Rows {
		c.rows[row.ID] = row
		c.order = append(c.order, row.ID)
	}
}

// places puts the rows of a browser's page where they are there; nil = the page has to be made anew, because phones came or
// went, or because it shows only those in a certain state.
func (c *conversionParts) places(q conversionQuery, all []conversionView) []conversionView {
	if c == nil || c.order == nil || c.all != len(all) || q.Show != "" {
		return nil
	}
	byID := make(map[string]*conversionView, len(all))
	for i := range all {
		byID[all[i].ID] = &all[i]
	}
	rows := make([]conversionView, 0, len(c.order))
	for _, id := range c.order {
		row := byID[id]
		if row == nil {
			return nil
		}
		rows = append(rows, *row)
	}
	return rows
}

// differs reports whether a row looks other than before.
func (v conversionView) differs(before conversionView) bool {
	v.left, before.left = 0, 0
	return !reflect.DeepEqual(v, before)
}
