package web

import (
	"net/http"
	"strings"
)

// maxRestore bounds a backup that is uploaded, in bytes: it goes to the disk as it comes, which is asked for room.
const maxRestore = 1 << 30

func isRestore(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == "/system/restore" || r.URL.Path == "/api/v1/restore")
}

// acting notes in the request who does what follows.
func acting(r *http.Request) *http.Request {
	a := &Actor{From: remoteAddr(r), How: "page"}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		a.How = "api"
	}
	return r.WithContext(WithActor(r.Context(), a))
}
