package assemble

import (
	"context"
	"fmt"
	"net/http"

	"phonebox/appliance/convert"
	"phonebox/appliance/machine"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// converter is what the pages of conversions need beyond the workshop.
type converter struct{ s *shop }

// Preview implements [web.Converter].
func (c converter) Preview(target string) ([]web.Conversion, error) {
	if target != "" {
		if l, ok := phone.ParseLoad(target); !ok || l.Loader {
			return nil, &web.PublicError{
				Status: http.StatusUnprocessableEntity, Text: fmt.Sprintf("%.60q is not the name of a load of the 7940 and 7960, such as P0S3-8-12-00.", target),
			}
		}
	}
	states := c.s.b.director.Preview(target)
	out := make([]web.Conversion, len(states))
	for i, st := range states {
		out[i] = c.s.conversion(st)
	}
	return out, nil
}

// Places implements [web.Converter].
func (c converter) Places() int { return c.s.b.director.Places() }

// DirectAll implements [web.Converter].
func (c converter) DirectAll(ctx context.Context, macs []phone.MAC, order string) (int, error) {
	if macs == nil {
		macs = c.s.b.director.Listed()
	}
	n, err := c.s.b.director.OrderAll(ctx, macs, convert.Order(order))
	if err != nil {
		return n, fmt.Errorf("keeping an order for %d phones: %w", n, err)
	}
	return n, nil
}

// Space implements [web.Converter].
func (c converter) Space() (free, total int64, err error) { return machine.Room(c.s.b.opt.Data) }

// Handover implements [web.Converter].
func (c converter) Handover(mac phone.MAC) (h web.Handover) {
	if p := c.s.b.index.Load().byMAC[mac]; p != nil {
		for _, l := range p.Lines {
			if l.Name != "" {
				h.Lines = append(h.Lines, l.Name)
			}
		}
	}
	for _, x := range c.s.b.journal.Exchanges(mac) {
		if h.Port == (web.PhonePort{}) && (x.Circuit != "" || x.Remote != "") { // the newest is first
			h.Port = web.PhonePort{Switch: x.Remote, Port: x.Circuit, At: x.Time}
		}
	}
	if t, ok := c.s.Time(mac); ok && t.Asked != nil {
		h.Time = t.Asked.Stratum > 0 && t.Asked.Stratum < 16
	}
	return h
}

// progressOf tells how far a phone is, for bars and reports.
func progressOf(c *web.Conversion, st convert.State) {
	c.Start, c.Set, c.Order, c.Pinned, c.Back = st.Start, st.Set, string(st.Order), st.Pinned, st.Back
	c.ByHand = st.ByHand
	c.File, c.Sent, c.Size, c.Sending, c.LeftS = st.File, st.Sent, st.Size, st.Sending, st.Left.Seconds()
	for _, t := range st.Taken {
		c.Taken = append(c.Taken, web.ConversionTaken(t))
	}
}
