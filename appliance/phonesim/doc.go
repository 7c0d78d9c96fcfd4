// Package phonesim is a virtual Cisco 7940/7960: real packets, the boot orders and timers of the real phones, as a package
// and (in phonesim/cmd/phonesim) as a command. It judges by itself whether the phone is ready.
//
// It shares the names of files with the package phone and wire codecs with nobody: it never imports a server.
package phonesim
