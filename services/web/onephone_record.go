package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// recordTime is how long a recording goes on; recordLongest is what a program may ask for.
const (
	recordTime    = 10 * time.Minute
	recordLongest = time.Hour
)

// recordingView is the part of a phone's page about its recording.
type recordingView struct {
	Recording
	Path    string
	Said    string
	Warning string // of what is lacking
	Some    bool   // there is something to download
}

func (s *Server) recordingView(p Phone) recordingView {
	rec := s.desk().Recording(p.MAC)
	now := s.deps.Now()
	v := recordingView{Recording: rec, Path: "/phones/" + p.MAC.Name(), Some: !rec.Began.IsZero()}
	frames := fmt.Sprintf("%s, %s", count(rec.Frames, "frame"), exactBytes(int64(rec.Bytes)))
	switch {
	case rec.Running:
		v.Said = fmt.Sprintf("Recording since %s; it stops by itself at %s. So far: %s.", timeWords(rec.Began, now), timeWords(rec.Ends, now), frames)
	case v.Some:
		v.Said = fmt.Sprintf("Recorded from %s to %s: %s. It is kept in memory for an hour.", timeWords(rec.Began, now), timeWords(rec.Ends, now), frames)
	}
	if rec.Dropped > 0 {
		v.Warning = fmt.Sprintf("%s had to give way to newer ones, or came too fast.", count(rec.Dropped, "frame"))
	}
	return v
}

// recordingPost starts and stops a recording and hands it out.
func (s *Server) recordingPost(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	back := "/phones/" + p.MAC.Name()
	switch r.PostForm.Get("what") {
	case "start":
		if err := s.record(r, p, recordTime); err != nil {
			return err
		}
		return s.done(w, r, back, "The frames of this phone are recorded for 10 minutes. Restart it now to see a whole boot.")
	case "stop":
		s.desk().StopRecording(p.MAC)
		return s.done(w, r, back, "The recording has stopped.")
	case "download":
		return s.sendRecording(w, r, p)
	}
	return public(http.StatusUnprocessableEntity, "That is nothing that can be done with a recording; allowed are start, stop and download.")
}

func (s *Server) record(r *http.Request, p Phone, length time.Duration) error {
	if err := s.desk().Record(r.Context(), p.MAC, length); err != nil {
		return orElse(err, http.StatusInternalServerError, "The recording could not be started.")
	}
	s.report(r, Event{Kind: EventChanged, MAC: p.MAC, What: "A recording of its frames was started.", Code: http.StatusOK})
	return nil
}

// sendRecording hands the capture out. It is made in memory first, so that a fault becomes an error and not half a file.
func (s *Server) sendRecording(w http.ResponseWriter, r *http.Request, p Phone) error {
	var b bytes.Buffer
	if err := s.desk().WriteRecording(p.MAC, &b); err != nil {
		return err
	}
	s.report(r, Event{Kind: EventSecrets, MAC: p.MAC, What: "The recording of its frames was downloaded, with the passwords in it.", Code: http.StatusOK})
	attach(w, p.MAC.Name()+".pcap", "application/vnd.tcpdump.pcap")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	_, _ = w.Write(b.Bytes())
	return nil
}

func (s *Server) apiRecording(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.desk().Recording(p.MAC))
	return nil
}

// apiRecord starts a recording: {"minutes": 10}.
func (s *Server) apiRecord(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	in := struct {
		Minutes float64 `json:"minutes"`
	}{recordTime.Minutes()}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	length := time.Duration(in.Minutes * float64(time.Minute))
	if !(in.Minutes > 0) || length > recordLongest || length <= 0 {
		return public(http.StatusUnprocessableEntity, "A recording lasts more than no and at most 60 minutes.")
	}
	if err := s.record(r, p, length); err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, s.desk().Recording(p.MAC))
	return nil
}

func (s *Server) apiStopRecording(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	s.desk().StopRecording(p.MAC)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiRecordingFile(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	return s.sendRecording(w, r, p)
}
