package web_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// fakeConverter is what the pages of conversions need beyond the workshop, in memory; what it is asked to do stands in the
// workshop's list.
type fakeConverter struct{ shop *fakeShop }

func (f *fakeConverter) Preview(target string) ([]web.Conversion, error) {
	if target == "nonsense" {
		return nil, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: `"nonsense" is not the name of a load.`}
	}
	list := f.shop.Conversions()
	for i := range list {
		c := &list[i]
		c.Phase, c.Target, c.Text = "arrived", target, "It runs "+target+", as it should."
		if len(c.Steps) > 0 {
			c.Phase, c.Text = "waiting", ""
			for _, st := range c.Steps {
				if len(st.Missing) > 0 {
					c.Phase, c.Text = "blocked", "Its next step needs files that are not on the firmware shelf. Upload them."
				}
			}
		}
		if c.Runs == "" {
			c.Phase, c.Text = "waiting", "It is not known yet what it runs. Its next start shows it: cut its power for a moment."
		}
	}
	return list, nil
}

func (f *fakeConverter) Places() int { return 8 }

func (f *fakeConverter) DirectAll(ctx context.Context, macs []phone.MAC, order string) (int, error) {
	for i, mac := range macs {
		if err := f.shop.Direct(ctx, mac, order); err != nil {
			return i, err
		}
	}
	return len(macs), nil
}

func (f *fakeConverter) Space() (free, total int64, err error) { return 1 << 30, 8 << 30, nil }

func (f *fakeConverter) Handover(mac phone.MAC) web.Handover {
	f.shop.mu.Lock()
	handover, ok := f.shop.handovers[mac]
	f.shop.mu.Unlock()
	if ok {
		return handover
	}
	h := web.Handover{Lines: []string{fmt.Sprint(200 + int(mac[5]))}, Time: mac[5] == 9}
	if mac[5]%2 == 1 {
		h.Port = web.PhonePort{Switch: "cellar-sw1", Port: fmt.Sprintf("Gi1/0/%d", mac[5])}
	}
	return h
}

// ladderOf is a way of four steps.
func ladderOf(target string) []web.ConversionStep {
	const display = "The screen says Upgrading Software and the three button lamps flash; then the phone restarts by itself."
	return []web.ConversionStep{
		{From: "P0S3-04-4-00", To: "P0S3-05-3-00", Files: []string{"P0S3-05-3-00.bin"}, Source: "written down by Cisco (docs/phones.md c.4)", Minutes: 1.5, Display: display},
		{From: "P0S3-05-3-00", To: "P0S3-06-3-00", Files: []string{"P0S3-06-3-00.sbn"}, Source: "written down by Cisco (docs/phones.md c.4)", Minutes: 1.5, Display: display},
		{From: "P0S3-06-3-00", To: target, Files: []string{"P003-8-12-00.sbn", target + ".loads", target + ".sb2"}, Source: "nobody wrote it down; it follows from which images such phones take (docs/phones.md c.5)", Minutes: 1.7, Display: display},
	}
}

// pallet puts n phones under conversion, in every state.
func (r *rig) pallet(n int) {
	const target = "P0S3-8-12-00"
	at := r.clock.Now()
	r.shop.mu.Lock()
	defer r.shop.mu.Unlock()
	for i := range n {
		c := web.Conversion{
			MAC: phone.MAC{0, 6, 0xD7, 1, byte(i >> 8), byte(i)}, Label: fmt.Sprintf("Desk %03d", i), Target: target, Unplug: true,
			Sure: "its User-Agent says so", Set: at.Add(-time.Hour), Start: "P0S3-04-4-00", Changed: at,
		}
		steps := ladderOf(target)
		taken := []web.ConversionTaken{{From: "P0S3-04-4-00", To: "P0S3-05-3-00", At: at}, {From: "P0S3-05-3-00", To: "P0S3-06-3-00", At: at}, {From: "P0S3-06-3-00", To: target, At: at}}
		switch i % 10 {
		case 0:
			c.Phase, c.Runs, c.Steps, c.Taken, c.Done, c.Attempts = "failed", "P0S3-05-3-00", steps[1:], taken[:1], 1, 3
			c.Text, c.Back = "Three tries of the step to P0S3-06-3-00 failed, so it is left alone. The transfer of P0S3-06-3-00.sbn broke off three times: look at its cable, the duplex setting of the switch port, and the link. Put that right, then press Go on.", "P0S3-04-4-00"
		case 1:
			c.Phase, c.Runs, c.Steps, c.Taken, c.Done, c.LeftS = "going", "P0S3-05-3-00", steps[1:], taken[:1], 1, 180
			c.Text, c.Unplug, c.File, c.Sent, c.Size, c.Sending = "It takes the step to P0S3-06-3-00: P0S3-06-3-00.sbn is being sent to it. Don't cut its power: it writes its firmware, and a cut now could be the end of it.", false, "P0S3-06-3-00.sbn", 171_000, 398_000, true
		case 2:
			c.Phase, c.Runs, c.Steps, c.LeftS, c.Start, c.Set = "waiting", "P0S3-04-4-00", steps, 282, "", time.Time{}
			c.Text = "Its next step is from P0S3-04-4-00 to P0S3-05-3-00. It waits for its turn: eight phones are converted at once, and all places are taken."
		case 3:
			c.Phase, c.Runs, c.Text = "blocked", "P00303020214", "Its next step, from P00303020214 to P00305000500, needs files that are not on the firmware shelf: P00305000500.bin. Upload them."
			c.Steps = []web.ConversionStep{{From: "P00303020214", To: "P00305000500", Files: []string{"P00305000500.bin"}, Missing: []string{"P00305000500.bin"}, Minutes: 1.5, Source: "written down by Cisco", Display: "lamps flash"}, steps[2]}
		case 4:
			c.Phase, c.Order, c.Runs, c.Steps, c.Text = "skipped", "skip", "P0S3-04-4-00", steps, "It was left out of the conversion by a person. Press Go on to convert it."
		case 5:
			c.Phase, c.ByHand, c.Runs, c.Steps, c.LeftS = "waiting", true, "P00305000500", steps[2:], 102
			c.Text = "Its next step is from P00305000500 to P0S3-8-12-00. It takes it when it asks for its files: at its next start. Cut its power for a moment if that takes longer than three minutes."
		default:
			c.Phase, c.Runs, c.Taken, c.Done, c.Text = "arrived", target, taken, 3, "It runs P0S3-8-12-00, as it should."
		}
		r.shop.converts = append(r.shop.converts, c)
		mac := c.MAC
		r.box.mu.Lock()
		r.box.phones = append(r.box.phones, web.Phone{MAC: mac, Label: c.Label, Model: "7960", Address: fmt.Sprintf("10.77.1.%d", i%250), Load: c.Runs, Known: true, Step: phone.Ready})
		r.box.mu.Unlock()
		r.box.site.mu.Lock()
		r.box.site.phones[mac] = web.PhoneEntry{MAC: mac.String(), Label: c.Label, Lines: []web.LineEntry{{Name: fmt.Sprint(200 + i), Password: "sip-secret-line"}}}
		r.box.site.mu.Unlock()
	}
}

// change changes one phone's conversion and tells the page.
func (r *rig) change(t *testing.T, mac phone.MAC, change func(c *web.Conversion)) {
	t.Helper()
	r.shop.mu.Lock()
	for i := range r.shop.converts {
		if r.shop.converts[i].MAC == mac {
			change(&r.shop.converts[i])
		}
	}
	r.shop.mu.Unlock()
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: mac, Step: phone.Upgrading}, nil)
}
