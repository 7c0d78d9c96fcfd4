// Package sip speaks to the SIP application of a phone: OPTIONS tells whether it runs, NOTIFY with Event check-sync
// makes it read its configuration anew (phones.md f.1). It carries no calls.
//
// A [Client] asks every phone of its [Targets] once in a while by itself, and one phone at once with [Client.Ask]; it
// restarts one with [Client.Restart] and many with [Client.RestartAll]. Whatever a phone answers to OPTIONS, an error
// included, says that its SIP application runs. [Client.CheckLine] registers a line at its proxy, as its phone would, and
// takes that back.
//
// Messages are written and read by emiago/sipgo; its transactions are not used, for they open sockets of their own,
// and a phone must see every request come from the box's one address. Ours is: send, repeat, wait (RFC 3261
// section 17.1.2), without a transport that could fail later.
package sip
