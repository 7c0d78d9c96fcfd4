// Package load makes load from raw frames: many DHCP clients and many TFTP downloads on one packet socket, with few system
// calls beside the protocol, so that the server is what is measured. Every client has a hardware address of its own, and an
// IP address that the kernel does not know; ARP is answered for it here. It shares no code with a server.
//
//	w, err := load.Open("eth0")
//	clients := load.NewClients(w, load.ClientsConfig{Count: 1000})
//	err = clients.Run(ctx, load.Boot, 0, 1000, 500)
package load
