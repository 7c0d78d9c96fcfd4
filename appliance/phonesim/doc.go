// Package phonesim is a virtual Cisco 7940/7960: real packets, the boot orders and timers of the real phones (phones.md a
// and b), as a package and (in phonesim/cmd/phonesim) as a command. It judges by itself whether a phone is ready.
//
// It shares the names of files with the package phone and wire codecs with libraries. It never imports a server, and its
// TFTP client and its readers of .cnf, XML and firmware are its own, so that a mistake of the server cannot hide behind
// the same mistake here.
//
// A phone sits on a [Link]: [NewLoopback] needs no privilege, since each phone is its own DHCP relay on 127/8;
// [NewWire] speaks raw frames on an interface, each phone with its own hardware address. One phone:
//
//	link, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: box, Ports: ports})
//	...
//	p, err := phonesim.New(phonesim.Config{Link: link, MAC: mac, State: phonesim.StateSIP})
//	...
//	result, err := p.Run(ctx) // until it is ready, or ctx ends
//
// [Storm] boots many at once and sums them up.
//
// A phone has a [Flash], which outlives resets and power cuts ([Phone.Cut], [Phone.Restore]) and can be given to another
// Phone. It obeys the headers of images and refuses what a real phone refuses (phones.md c.2, c.3); a step that c.4 does not
// allow, and a power cut in a moment that [Phone.Writing] calls fatal, leave it dead, so that no test overlooks them.
// [Phone.Display] tells what it shows. Behind SIP it registers its lines, takes telnet where telnet_level says so, and on a
// wire it announces itself by CDP where Config.CDP says so.
package phonesim
