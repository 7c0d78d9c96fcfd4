// Package journal keeps what each phone did: events go in, a bounded timeline and the phone's current step come out.
//
// The rules that turn events into steps are in step.go and are pure; what lasts is written through [Store] at least
// every five seconds and when the box stops.
package journal
