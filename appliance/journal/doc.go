// Package journal keeps what each phone did: events go in, a bounded timeline and the phone's current step come out.
//
//	j, err := journal.New(journal.Config{}, store, log)
//	go j.Run(ctx)
//	j.Add(journal.Event{MAC: mac, Service: "dhcp", Kind: journal.Lease, Address: addr, Text: "got the address 10.77.1.5"})
//	p, ok := j.Phone(mac) // its step, what it waits for, what is wrong
//
// The rules that turn events into steps are in step.go and request.go and are pure; what lasts is written through [Store]
// at least every five seconds and when the box stops. Timelines live in the store, not in memory: what is kept in
// memory of an event is its number and size.
//
// Of each MAC the last search for an address by DHCP and the last other request are kept as well, with what was sent
// ([Journal.Exchanges]). They are in the store, too, and count into the bytes.
//
// How much is kept (promise 8 of the design): the last 1,000 events of each of up to 2,000 listed or leased phones, 200
// other MACs besides, and 32 MB in all. When that is full, unlisted MACs that have no lease go first, the one that was
// silent for longest before the others; then the phone that takes most loses the older quarter of its events.
package journal
