package web

import (
	"context"
	"net/http"
)

// Editors is what the editors of the directory, of the rings and of the logo need besides [Workshop]: the very bytes that
// phones get, and what changes them. Errors for people are *PublicError.
type Editors interface {
	// SiteName is the name of the office.
	SiteName() string
	// DirectoryLines are the entries of the phones' directory that stand there by themselves: the lines of the site.
	DirectoryLines() []Contact
	// DirectoryXML is a page of directory.xml as phones would get it with these contacts, the first being 1; next is the page
	// behind it, 0 on the last one.
	DirectoryXML(contacts []Contact, page int) (content []byte, next int)
	// CheckContacts finds what saving would refuse: keys are contacts[2].number, counted from 0.
	CheckContacts(contacts []Contact) []Fault

	// RingList is RINGLIST.DAT; RingSound the bytes of a ring file; false = there is none.
	RingList() []byte
	RingSound(file string) ([]byte, bool)
	// NameRing gives a ring another name in the phones' menu; OrderRings puts these files first, in their order.
	NameRing(ctx context.Context, file, name string) error
	OrderRings(ctx context.Context, files []string) error
	// RingUsers are the names of the phones that fetched a ring, as far as the journal goes back.
	RingUsers(file string) []string

	// LogoBMP is the logo that phones get; own = a person put it there.
	LogoBMP() (bmp []byte, own bool)
	// LogoBefore is the logo that RestoreLogo brings back; false = there is none.
	LogoBefore() (bmp []byte, ok bool)
	RestoreLogo(ctx context.Context) error
}

// editors is what Deps has, or why the page is not there.
func (s *Server) editors() (Editors, error) {
	if s.deps.Editors == nil {
		return nil, public(http.StatusNotFound, "This box has no directory, rings or logo to edit.")
	}
	return s.deps.Editors, nil
}

// editorRoutes are what the editors of directory, dial plan, rings and logo need besides their pages.
func (s *Server) editorRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"POST /directory/preview":  s.directoryPreview,
		"POST /dialplan/preview":   s.dialPlanPreview,
		"POST /media/logo/preview": s.logoPreview,
		"POST /media/restore-logo": s.logoRestore,
		"POST /media/menu":         s.ringMenuPost,
		"POST /media/menu/preview": s.ringMenuPreview,
		"GET /media/menu":          backTo("/media"),
		"GET /media/remove-ring":   backTo("/media"),
		"GET /media/ring.wav":      s.ringPlay,
	}
}
