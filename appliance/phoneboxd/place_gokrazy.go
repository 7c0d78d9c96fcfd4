//go:build linux && gokrazy

package main

// On the box the daemon owns the address and the clock.
const (
	onBox       = true
	defaultData = "/perm/phonebox"
	defaultSite = "/etc/phonebox/site.toml"
)
