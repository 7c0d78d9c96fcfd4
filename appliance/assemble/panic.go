package assemble

import "fmt"

// PanicNext is for the end-to-end test: the next packet, request or exchange of that service (dhcp, tftp, sntp, dns, web
// or sip) panics inside its handler. Nothing but a call of it arms that; the daemon never calls it.
func (b *Box) PanicNext(service string) {
	arm, ok := map[string]func(){
		"dhcp": b.dhcp.PanicNext, "tftp": b.tftp.PanicNext, "sntp": b.sntp.PanicNext, "dns": b.dns.PanicNext,
		"web": b.web.PanicNext, "sip": b.sip.PanicNext,
	}[service]
	if !ok {
		panic(fmt.Sprintf("assemble: there is no service %q", service))
	}
	arm()
}
