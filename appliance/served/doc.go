// Package served remembers the configuration that each phone got last, so that the page can show what has changed since.
//
// No password is stored here a second time. A line that holds one is kept with [phone.HiddenSecret] in its place, and beside
// it stands a mark: a keyed digest of what was hidden, of which the key never leaves the store. Two equal marks say that the
// password is still the same, and nothing else. What many phones get alike (SIPDefault.cnf, the dial plan) is kept once.
//
// Text files of at most [MaxFile] bytes are kept, [MaxNames] of each phone, and of all phones so many bytes as
// [Config.MaxBytes] says; what was sent longest ago goes first. What is new is on disk [Config.WriteEvery] later at the latest.
package served
