package web

import (
	"net/http"
)

// firmwareView is the shelf.
type firmwareView struct {
	Shelf   Firmware
	Images  []FirmwareFile
	Problem string
}

func (s *Server) newFirmwareView(problem string) firmwareView {
	return firmwareView{Shelf: s.deps.Box.Firmware(), Images: s.deps.Shop.Images(), Problem: problem}
}

func (s *Server) firmwarePage(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "firmware", "Firmware", "/firmware", s.newFirmwareView(""))
}

func (s *Server) firmwarePost(w http.ResponseWriter, r *http.Request) error {
	verdicts, err := s.takeUpload(w, r)
	if err != nil {
		a := explain(err)
		if a.status != http.StatusUnprocessableEntity {
			return err
		}
		return s.show(w, r, a.status, "firmware", "Firmware", "/firmware", s.newFirmwareView(a.text))
	}
	text := "The files are on the shelf."
	if !anyTaken(verdicts) {
		text = "None of the files was taken."
	}
	http.Redirect(w, r, "/firmware?say="+s.says.put(flash{Text: text, Verdicts: verdicts}), http.StatusSeeOther)
	return nil
}
