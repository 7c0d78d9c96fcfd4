package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// otherView is another DHCP server in words.
type otherView struct {
	OtherDHCP
	Times string // when it was seen
	Told  string // what it tells its clients
}

func othersView(others []OtherDHCP, now time.Time) []otherView {
	out := make([]otherView, len(others))
	for i, o := range others {
		v := otherView{OtherDHCP: o, Told: toldWords(o.Options)}
		first, last := timeWords(o.First, now), timeWords(o.Seen, now)
		switch {
		case first != "" && last != "" && first != last:
			v.Times = fmt.Sprintf("First seen %s, last %s.", first, last)
		case last != "":
			v.Times = fmt.Sprintf("Seen %s.", last)
		}
		out[i] = v
	}
	return out
}

// toldWords lists the options that a server sends, without those that only DHCP itself needs.
func toldWords(options []DHCPOption) string {
	var out []string
	for _, o := range options {
		if slices.Contains([]uint8{53, 54, 58, 59, 82}, o.Code) {
			continue
		}
		name := o.Name
		if name == "" {
			name = fmt.Sprintf("option %d", o.Code)
		}
		out = append(out, name+" "+firstOf(o.Value))
	}
	return strings.Join(out, ", ")
}

// shownOfOption is how much of a long value a person is shown, in characters: enough to know whose it is. Programs get the whole.
const shownOfOption = 40

func firstOf(value string) string {
	runes := []rune(value)
	if len(runes) <= shownOfOption {
		return value
	}
	return string(runes[:shownOfOption]) + "…"
}

// heldByOthers reports whether another DHCP server, about which nobody decided, holds up the box.
func heldByOthers(status Status) bool {
	return status.Services["dhcp"].State == "held" && slices.ContainsFunc(status.Others, func(o OtherDHCP) bool { return !o.Accepted })
}

// decisionSentence says what a person decided; "" = nothing.
func decisionSentence(d DHCPDecision, now time.Time) string {
	if !d.Serve {
		return ""
	}
	text := "It was decided"
	if at := timeWords(d.Time, now); at != "" {
		text += " (" + at + ")"
	}
	text += " that the box hands out addresses"
	switch {
	case d.Every:
		text += " beside any other DHCP server"
	case len(d.Servers) > 0:
		text += " beside the DHCP " + map[bool]string{true: "server ", false: "servers "}[len(d.Servers) == 1] + and(d.Servers)
	}
	if d.Blind {
		text += ", also while the network cannot be searched for others"
	}
	return text + "."
}

func (s *Server) serveAnyway(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if err := s.decide(r, true, r.PostForm["server"]); err != nil {
		return err
	}
	return s.done(w, r, "/", "The box hands out addresses now, beside the other DHCP server.")
}

func (s *Server) holdBack(w http.ResponseWriter, r *http.Request) error {
	if err := s.decide(r, false, nil); err != nil {
		return err
	}
	return s.done(w, r, "/", "The box holds back again while another DHCP server answers.")
}

// decide takes a person's decision about other DHCP servers.
func (s *Server) decide(r *http.Request, serve bool, servers []string) error {
	addrs := make([]netip.Addr, len(servers))
	for i, text := range servers {
		a, err := netip.ParseAddr(text)
		if err != nil || !a.Is4() {
			return public(http.StatusUnprocessableEntity, fmt.Sprintf("The server %q is no IPv4 address.", text))
		}
		addrs[i] = a
	}
	if !serve {
		if err := s.deps.Box.HoldBack(r.Context()); err != nil {
			return orElse(err, http.StatusInternalServerError, "The box holds back, but could not write that to its card: after a restart it will have forgotten.")
		}
		s.changed(r, "The box was told to hold back while another DHCP server answers.")
		return nil
	}
	if err := s.deps.Box.ServeAnyway(r.Context(), addrs); err != nil {
		return orElse(err, http.StatusInternalServerError, "The box hands out addresses, but could not write that to its card: after a restart it will have forgotten.")
	}
	s.changed(r, "The box was told to hand out addresses although another DHCP server answers.")
	return nil
}

func (s *Server) lookAgain(w http.ResponseWriter, r *http.Request) error {
	s.deps.Box.LookAgain()
	return s.done(w, r, "/", "The box looks for other DHCP servers now. That takes three seconds.")
}

// apiDHCPDecision is for programs what the buttons of the overview are for people.
func (s *Server) apiDHCPDecision(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Serve   *bool    `json:"serve"`
		Servers []string `json:"servers"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Serve == nil {
		return public(http.StatusUnprocessableEntity, "The key serve is missing: true to hand out addresses beside other DHCP servers, false to hold back.")
	}
	if !*in.Serve && len(in.Servers) > 0 {
		return public(http.StatusUnprocessableEntity, "Holding back is for all servers: leave the key servers out.")
	}
	if err := s.decide(r, *in.Serve, in.Servers); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiDHCPLook(w http.ResponseWriter, _ *http.Request) error {
	s.deps.Box.LookAgain()
	w.WriteHeader(http.StatusNoContent)
	return nil
}
