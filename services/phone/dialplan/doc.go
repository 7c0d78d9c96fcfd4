// Package dialplan knows the dial plan of the 7940/7960, dialplan.xml (phones.md g.3): it reads old files tolerantly,
// writes right ones, says which rule wins for a number, after what delay and what is sent, finds rules that can never
// win, and has ready-made plans for countries.
//
// What a phone does with a plan is known from its guides and from related open code, which may differ slightly from the
// firmware of the 7940/7960 (phones.md g.3). Where the two readings differ, the ready-made plans send the same.
//
//	plan, _ := dialplan.Country("BE")
//	r := dialplan.Test(plan, "02 345 67 89")
//	// r.Sent is "023456789", r.After is 0: it is sent with the last digit.
package dialplan
