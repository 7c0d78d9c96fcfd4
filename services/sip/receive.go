package sip

import (
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"

	"phonebox/services/internal/udp"
)

// handle takes one packet in: an answer goes to whoever waits for it, an OPTIONS of the box to itself is answered, and
// all else is dropped with a reason.
func (c *Client) handle(p *udp.Packet, replies []udp.Reply) []udp.Reply {
	if keepAlive(p.Payload) {
		c.drop(p, dropKeepAlive, "it only keeps a path open")
		return replies
	}
	msg, err := c.reader.ParseSIP(p.Payload)
	if err != nil {
		c.drop(p, dropMalformed, "it is no SIP message: "+clip(err.Error()))
		return replies
	}
	switch m := msg.(type) {
	case *sip.Response:
		a, err := readAnswer(m)
		if err != nil {
			c.drop(p, dropMalformed, clip(err.Error()))
			return replies
		}
		if reason, why := c.deliver(p, a); reason != "" {
			c.drop(p, reason, why)
		}
	case *sip.Request:
		if b := c.answerSelf(p, m); b != nil {
			return append(replies, udp.Reply{Payload: b, To: p.From})
		}
		c.drop(p, dropUnsolicited, fmt.Sprintf("the box takes no %s: it is no proxy", clip(string(m.Method))))
	}
	return replies
}

// answerSelf answers an OPTIONS that comes from the box itself (Probe), and nothing else.
func (c *Client) answerSelf(p *udp.Packet, req *sip.Request) []byte {
	if req.Method != sip.OPTIONS || p.From.Addr() != c.Addr().Addr() {
		return nil
	}
	full, err := sip.ParseMessage(p.Payload) // with the headers that an answer repeats
	if err != nil {
		return nil
	}
	res := sip.NewResponseFromRequest(full.(*sip.Request), 200, "OK", nil)
	res.AppendHeader(sip.NewHeader("Allow", "OPTIONS"))
	return []byte(res.String())
}

// drop counts and reports a packet that led to nothing.
func (c *Client) drop(p *udp.Packet, reason, why string) {
	c.metrics.dropped.WithLabelValues(reason).Inc()
	c.deps.Log.Debug("packet dropped", "peer", p.From, "reason", reason, "why", why)
	c.deps.Report(Event{Kind: EventDropped, Time: time.Now(), Address: p.From, Reason: why})
}
