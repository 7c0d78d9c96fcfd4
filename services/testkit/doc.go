// Package testkit is for tests only: network namespaces that act as a small LAN, programs and Go code inside them,
// captures, and the rule which tests may be skipped. Tests of services and of the appliance import it, nothing else
// may.
//
// A [LAN] is a switch (a bridge in a namespace of its own) with hosts around it, each in its own namespace with one
// interface, eth0. Nothing of the machine's own interfaces, addresses or settings is touched, names are unique, and
// everything goes with the test:
//
//	lan := testkit.NewLAN(t,
//		testkit.Host{Name: "box", Addr: netip.MustParsePrefix("10.77.0.1/16")},
//		testkit.Host{Name: "phone", MAC: "00:06:d7:aa:2a:2e"})
//	lan.Node("box").Start(t, "phoneboxd", "-data", t.TempDir())
//	lan.Node("phone").Run(t, "udhcpc", "-n", "-q", "-i", "eth0")
//
// Go code that opens sockets in a namespace runs either through [In], on one thread that is not used again, or, where
// it starts goroutines that open more, in a test that [Reexec] runs once more inside the namespace.
package testkit
