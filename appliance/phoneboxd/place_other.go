//go:build linux && !gokrazy

package main

// On any other machine the daemon touches nothing that it was not told to.
const (
	onBox       = false
	defaultData = ""
	defaultSite = ""
)
