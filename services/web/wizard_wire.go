package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
)

// wireView is what was seen on the wire, as the wizard shows it.
type wireView struct {
	Verdict, Mood string // does it look like the voice VLAN?
	Link          string
	LinkMood      string
	Neighbours    []neighbourView
	Others        []otherView
	Held          bool
	Decided       string
	Duplicate     string
	Foreign       string
	Phones        int
	PhonesText    string
}

// neighbourView is a device on the wire in words.
type neighbourView struct {
	Neighbour
	Kind string // Switch, Device
	VLAN string // a sentence; "" = it tells no VLAN
	Mood string
}

func (s *Server) wireView() wireView {
	status, now := s.status(), s.deps.Now()
	v := wireView{
		Link: status.Network.Text, LinkMood: "bad", Others: othersView(status.Others, now), Held: heldByOthers(status),
		Decided: decisionSentence(status.Decision, now), Duplicate: status.Network.Duplicate,
	}
	switch status.Network.Condition {
	case "ready":
		v.LinkMood = "good"
	case "":
		v.Link, v.LinkMood = "This box has no network of its own to look at.", "quiet"
	}
	if f := status.Network.Foreign; f != "" {
		v.Foreign = fmt.Sprintf("Devices of the network %s are on this wire, which is not the network of the box.", f)
		if gw := status.Network.ForeignGateway; gw != "" {
			v.Foreign = fmt.Sprintf("Devices of the network %s are on this wire, with the router %s. That is not the network of the box.", f, gw)
		}
	}
	for _, n := range s.deps.Start.Neighbours() {
		v.Neighbours = append(v.Neighbours, newNeighbour(n))
	}
	for _, p := range s.deps.Box.Phones() {
		if p.Step != "" {
			v.Phones++
		}
	}
	switch v.Phones {
	case 0:
		v.PhonesText = "No phone has asked for anything yet. Plug one in: within a minute it should show up here."
	case 1:
		v.PhonesText = "One phone has asked for something here. Phones do so in their own VLAN only."
	default:
		v.PhonesText = fmt.Sprintf("%d phones have asked for something here. Phones do so in their own VLAN only.", v.Phones)
	}
	v.judge()
	return v
}

// judge says what it all means. It never decides: the person knows the house.
func (v *wireView) judge() {
	otherVLAN := slices.ContainsFunc(v.Neighbours, func(n neighbourView) bool { return n.Mood == "warn" })
	sameVLAN := slices.ContainsFunc(v.Neighbours, func(n neighbourView) bool { return n.Mood == "good" })
	switch {
	case v.LinkMood == "bad":
		v.Verdict, v.Mood = "The box has no working link, so nothing can be seen yet.", "bad"
	case v.Duplicate != "":
		v.Verdict, v.Mood = "Another device uses the address of the box. Give the box another one in the next step, or that device.", "bad"
	case otherVLAN && v.Phones == 0:
		v.Verdict, v.Mood = "This does not look like the voice VLAN: the switch has another one for phones.", "warn"
	case v.Phones > 0 || sameVLAN:
		v.Verdict, v.Mood = "This looks like the voice VLAN.", "good"
	case v.Foreign != "" || len(v.Others) > 0:
		v.Verdict, v.Mood = "Another network lives on this wire. Look whether the box is plugged into the right port.", "warn"
	default:
		v.Verdict, v.Mood = "Nothing speaks against it, and nothing for it: this wire is quiet.", "quiet"
	}
}

func newNeighbour(n Neighbour) neighbourView {
	v := neighbourView{Neighbour: n, Kind: "Device", Mood: "quiet"}
	if n.Switch {
		v.Kind = "Switch"
	}
	switch {
	case n.Voice > 0 && n.VLAN > 0 && n.Voice != n.VLAN:
		v.Mood = "warn"
		v.VLAN = fmt.Sprintf("The box is in VLAN %d here, and the switch tells phones to use VLAN %d. The box uses no tags: make VLAN %d the access VLAN of this port.", n.VLAN, n.Voice, n.Voice)
	case n.Voice > 0 && n.VLAN == n.Voice:
		v.Mood = "good"
		v.VLAN = fmt.Sprintf("The box is in VLAN %d here, which is the VLAN that the switch tells phones to use.", n.VLAN)
	case n.Voice > 0:
		v.VLAN = fmt.Sprintf("The switch tells phones to use VLAN %d. It does not say in which one the box is.", n.Voice)
	case n.VLAN > 0:
		v.VLAN = fmt.Sprintf("The box is in VLAN %d here. No other VLAN for phones is set on this port.", n.VLAN)
	}
	return v
}

// wireStream keeps what was seen up to date: a switch announces itself once a minute, a phone boots.
func (s *Server) wireStream(w http.ResponseWriter, r *http.Request) error {
	sent := startParts{}
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		var out, b bytes.Buffer
		if err := s.startPart(&b, "seen", s.wireView()); err != nil {
			return nil, err
		}
		sent.add(&out, "#start-wire", "innerMorph", b.Bytes())
		return out.Bytes(), nil
	})
}

func (s *Server) startLook(w http.ResponseWriter, r *http.Request) error {
	s.deps.Box.LookAgain()
	return s.done(w, r, "/start/wire", "The box looks for other DHCP servers now. That takes three seconds; what it finds appears here by itself.")
}

func (s *Server) startServe(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if err := s.decide(r, true, r.PostForm["server"]); err != nil {
		return err
	}
	return s.done(w, r, "/start/wire", "The box hands out addresses now, beside the other DHCP server.")
}

func (s *Server) startHoldBack(w http.ResponseWriter, r *http.Request) error {
	if err := s.decide(r, false, nil); err != nil {
		return err
	}
	return s.done(w, r, "/start/wire", "The box holds back again while another DHCP server answers.")
}

// apiNeighbours lists the devices that announced themselves.
func (s *Server) apiNeighbours(w http.ResponseWriter, _ *http.Request) error {
	if s.deps.Start == nil {
		writeJSON(w, http.StatusOK, []Neighbour{})
		return nil
	}
	writeJSON(w, http.StatusOK, orEmpty(s.deps.Start.Neighbours()))
	return nil
}

// addressOfBox reads the address of the setting network.address; not valid where it is wrong.
func addressOfBox(value string) netip.Addr {
	p, err := netip.ParsePrefix(value)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
