package web

import (
	"archive/zip"
	"net/http"
	"time"
)

// diagnosticsView is the preview of the bundle.
type diagnosticsView struct{ Parts []DiagnosticsPart }

func (s *Server) diagnosticsPage(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "systemdiagnostics", "Diagnostics", "/system/diagnostics", diagnosticsView{s.deps.System.Diagnostics()})
}

// diagnosticsPart shows one file of the bundle as it would be in it.
func (s *Server) diagnosticsPart(w http.ResponseWriter, r *http.Request) error {
	for _, p := range s.deps.System.Diagnostics() {
		if p.Name != r.PathValue("name") {
			continue
		}
		body, err := p.Make(r.Context())
		if err != nil {
			return orElse(err, http.StatusInternalServerError, "This part of the bundle could not be made; the log says why.")
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(body)
		return nil
	}
	return public(http.StatusNotFound, "The bundle has no such part.")
}

// diagnosticsBundle sends the parts as they are made: never more than one of them is in memory. A part that cannot be made
// says so in its place, for the others help all the same.
func (s *Server) diagnosticsBundle(w http.ResponseWriter, r *http.Request) error {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(uploadTime))
	attach(w, "phonebox-diagnostics-"+s.deps.Now().UTC().Format("20060102-1504")+".zip", "application/zip")
	z := zip.NewWriter(w)
	for _, p := range s.deps.System.Diagnostics() {
		body, err := p.Make(r.Context())
		if err != nil {
			s.deps.Log.Warn("a part of the diagnostics could not be made", "part", p.Name, "err", err)
			body = []byte("This part could not be made.\n")
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: p.Name, Method: zip.Deflate, Modified: s.deps.Now().UTC()})
		if err != nil {
			return nil //nolint:nilerr // nobody is there any more
		}
		if _, err := f.Write(body); err != nil {
			return nil //nolint:nilerr // nobody is there any more
		}
	}
	_ = z.Close()
	return nil
}
