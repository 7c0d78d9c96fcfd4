package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// orderWords say an order in the timeline of the box.
var orderWords = map[string]string{
	"go": "Its conversion goes on.", "skip": "Its conversion is left out.", "stop": "Its conversion was stopped.", "next": "Its conversion comes next.",
	"after": "Its conversion stops after this step.",
}

// ordersWords say it of many phones.
var ordersWords = map[string]string{
	"go": "The conversion of %d phones goes on.", "skip": "%d phones are left out of the conversion.", "stop": "The conversion of %d phones was stopped at once.",
	"next": "The conversion of %d phones comes next.", "after": "The conversion of %d phones stops after their step.",
}

const unknownOrder = "That is no order for a conversion; allowed are go, skip, stop, next and after."

// askView asks a person once more.
type askView struct {
	Title, Text  string
	Points       []string // what it means, a sentence each
	Hot          []string // phones whose power must not be cut
	Steps        []ConversionStep
	Action       string
	Fields       url.Values
	Button, Keep string
	Back         string // where Keep leads
}

func (s *Server) ask(w http.ResponseWriter, r *http.Request, v askView) error {
	return s.show(w, r, http.StatusOK, "conversionask", v.Title, "/conversions", v)
}

// conversionBack is where the page of conversions was when an order was given.
func conversionBack(r *http.Request, otherwise string) string {
	back := r.PostForm.Get("back")
	if back == "conversions" {
		return "/conversions"
	}
	if u, err := url.Parse(back); err == nil && u.Scheme == "" && u.Host == "" && u.Path == "/conversions" {
		return back
	}
	return otherwise
}

// doneAt is done for a path with a query.
func (s *Server) doneAt(w http.ResponseWriter, r *http.Request, target, text string) error {
	sign := "?"
	if strings.Contains(target, "?") {
		sign = "&"
	}
	http.Redirect(w, r, target+sign+"say="+s.says.put(flash{Text: text}), http.StatusSeeOther)
	return nil
}

// conversionOrder gives an order to one phone.
func (s *Server) conversionOrder(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	order, back := r.PostForm.Get("order"), conversionBack(r, "/phones/"+p.MAC.Name())
	c, known := s.deps.Shop.Conversion(p.MAC)
	sure := r.PostForm.Get("sure") == "1"
	switch {
	case order == "back" && !sure:
		return s.askBack(w, r, c, back)
	case order == "back":
		return s.sendBack(w, r, c, back)
	case order == "stop" && !sure && known && c.inMiddle():
		return s.askStop(w, r, []Conversion{c}, "/phones/"+p.MAC.Name()+"/conversion", url.Values{}, back)
	}
	if err := s.direct(r, p.MAC, order); err != nil {
		return err
	}
	return s.doneAt(w, r, back, "That is done. "+orderWords[order])
}

func (s *Server) direct(r *http.Request, mac phone.MAC, order string) error {
	what, ok := orderWords[order]
	if !ok {
		return public(http.StatusUnprocessableEntity, unknownOrder)
	}
	if err := s.deps.Shop.Direct(r.Context(), mac, order); err != nil {
		return orElse(err, http.StatusInternalServerError, "The order could not be kept.")
	}
	s.report(r, Event{Kind: EventChanged, MAC: mac, What: what, Code: http.StatusOK})
	return nil
}

// askStop asks before phones are stopped that are in the middle of a step, and says what that means for them.
func (s *Server) askStop(w http.ResponseWriter, r *http.Request, list []Conversion, action string, fields url.Values, back string) error {
	v := askView{
		Title: "Stop at once?", Action: action, Fields: fields, Back: back,
		Button: "Stop at once", Keep: "Go on as before",
		Text: fmt.Sprintf("%d phones are stopped, whatever they do now.", len(list)),
		Points: []string{
			"From now on no load is named, and no image is sent.",
			"An image that is on its way now goes on: to break it off would be worse. A phone that has its image whole writes it all the same.",
			"A phone that is stopped between its loader and its application has no application. Its display says Protocol Application Invalid until you press Go on. It is not broken.",
			"Stop after this step leaves no phone in such a state, and takes a few minutes.",
		},
	}
	if len(list) == 1 {
		v.Text = "The phone is stopped, whatever it does now."
	}
	for i := range list {
		if c := newConversionView(list[i]); c.inMiddle() {
			v.Hot = append(v.Hot, c.Name)
		}
	}
	v.Fields.Set("order", "stop")
	v.Fields.Set("sure", "1")
	v.Fields.Set("back", back)
	return s.ask(w, r, v)
}

// askBack shows the way back to the load that a phone came from.
func (s *Server) askBack(w http.ResponseWriter, r *http.Request, c Conversion, back string) error {
	if c.Back == "" {
		return public(http.StatusConflict, "No way back is known for this phone, or its files are not on the shelf.")
	}
	v := newConversionView(c)
	a := askView{
		Title: "Send it back?", Action: v.Path + "/conversion", Back: back, Button: "Send it back", Keep: "Leave it as it is",
		Text: fmt.Sprintf("%s goes back to %s, which it ran before.", v.Name, c.Back),
		Points: []string{
			"The settings then name that load for this phone alone, so that it stays on it. You take that back on its page, under Change.",
			"Leave its power on while its page says don't unplug.",
		},
		Fields: url.Values{"order": {"back"}, "sure": {"1"}, "back": {back}},
	}
	if plan, err := s.deps.Shop.Plan(c.Runs, c.Back); err == nil {
		a.Steps = plan.Steps
	}
	return s.ask(w, r, a)
}

// sendBack names the load that a phone came from as its own, and lets it go there.
func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, c Conversion, back string) error {
	settings := s.deps.Box.Settings()
	entry, etag, ok := settings.Phone(c.MAC)
	if c.Back == "" || !ok {
		return public(http.StatusConflict, "No way back is known for this phone any more.")
	}
	entry.Load = c.Back
	if err := settings.PutPhone(r.Context(), c.MAC, entry, etag); err != nil {
		return orElse(err, http.StatusInternalServerError, "The settings could not be saved; the old ones hold.")
	}
	s.report(r, Event{Kind: EventChanged, MAC: c.MAC, What: "It is sent back to " + c.Back + ".", Code: http.StatusOK})
	if err := s.direct(r, c.MAC, "go"); err != nil {
		return err
	}
	return s.doneAt(w, r, back, "That is done. The phone goes back to "+c.Back+" when it asks for its files next.")
}

// conversionOrders gives an order to all phones, or to those that are ticked.
func (s *Server) conversionOrders(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	order, back := r.PostForm.Get("order"), conversionBack(r, "/conversions")
	if orderWords[order] == "" {
		return public(http.StatusUnprocessableEntity, unknownOrder)
	}
	all := r.PostForm.Get("all") == "1"
	macs, err := readMACs(r.PostForm["mac"])
	if err != nil {
		return err
	}
	if !all && len(macs) == 0 {
		return public(http.StatusUnprocessableEntity, "No phone is ticked. Tick those that the order is for, then press the button again.")
	}
	list, passed := s.orderable(macs, all, order)
	if len(list) == 0 {
		return s.doneAt(w, r, back, "There is no phone for which that makes sense now, so nothing was changed.")
	}
	if order == "stop" && r.PostForm.Get("sure") != "1" && slices.ContainsFunc(list, func(c Conversion) bool { return c.inMiddle() }) {
		fields := url.Values{}
		for _, c := range list {
			fields.Add("mac", c.MAC.String())
		}
		return s.askStop(w, r, list, "/conversions/orders", fields, back)
	}
	n, err := s.directAll(r, list, order)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(ordersWords[order], n)
	if n == 1 {
		text = "That is done. " + orderWords[order]
	}
	if passed > 0 && !all {
		text += fmt.Sprintf(" Passed over, for it makes no sense there now: %d.", passed)
	}
	return s.doneAt(w, r, back, text)
}

// orderable are the phones for which an order makes sense; passed counts the others.
func (s *Server) orderable(macs []phone.MAC, all bool, order string) (list []Conversion, passed int) {
	wanted := make(map[phone.MAC]bool, len(macs))
	for _, mac := range macs {
		wanted[mac] = true
	}
	for _, c := range s.deps.Shop.Conversions() {
		if !all && !wanted[c.MAC] {
			continue
		}
		sense := slices.ContainsFunc(c.orders(), func(o orderView) bool { return o.Order == order })
		if order == "after" && c.Phase == "waiting" { // of those that wait it means: do not begin
			sense = true
		}
		if sense {
			list = append(list, c)
		} else {
			passed++
		}
	}
	return list, passed
}

func (s *Server) directAll(r *http.Request, list []Conversion, order string) (int, error) {
	if s.deps.Converter == nil {
		for i, c := range list {
			if err := s.direct(r, c.MAC, order); err != nil {
				return i, err
			}
		}
		return len(list), nil
	}
	macs := make([]phone.MAC, len(list))
	for i, c := range list {
		macs[i] = c.MAC
	}
	n, err := s.deps.Converter.DirectAll(r.Context(), macs, order)
	if err != nil {
		return n, orElse(err, http.StatusInternalServerError, "The order could not be kept for every phone. Look at the list, and give it again.")
	}
	s.changed(r, fmt.Sprintf(ordersWords[order], n))
	return n, nil
}

func (s *Server) apiConversionOrder(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	var in struct {
		Order string `json:"order"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := s.direct(r, p.MAC, in.Order); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// apiConversionOrders gives an order to many phones for which it makes sense: {"order": "go", "macs": [...]}, none = all.
func (s *Server) apiConversionOrders(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Order string   `json:"order"`
		MACs  []string `json:"macs"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if orderWords[in.Order] == "" {
		return public(http.StatusUnprocessableEntity, unknownOrder)
	}
	macs, err := readMACs(in.MACs)
	if err != nil {
		return err
	}
	list, passed := s.orderable(macs, len(macs) == 0, in.Order)
	n := 0
	if len(list) > 0 {
		if n, err = s.directAll(r, list, in.Order); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, map[string]int{"told": n, "passed": passed})
	return nil
}
