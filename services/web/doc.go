// Package web is the page and the API of the box: health, phones, the site's settings, firmware, the clock; and the
// XML and the logo that phones fetch over HTTP. People log in, phones do not.
//
// It knows the box only through [Box] and the phones' files only through [PhoneFiles]. Two ports are served: the plain
// one answers phones, health checks and Prometheus and leads people to the other; the encrypted one has the page, the
// login and /api. With [Config].PlainHTTP or Single the plain port has everything.
//
// A request passes through the same layers on both ports, outermost first: recovery of panics, security headers, the
// check of the Host header, the check against other origins (RFC 6454, [net/http.CrossOriginProtection]), a limit of
// the body, and, for all that is not open, the login. Handlers return errors; [Server] turns them into a status and a
// sentence in one place, so that no cause and no secret reaches a page or a log by accident.
//
//	server, err := web.New(cfg, deps)
//	...
//	err = server.Run(ctx) // listens until ctx ends
package web
