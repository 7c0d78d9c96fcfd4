//go:build imagedeps

package main

// What goes into the image besides our own daemon is built by gok from the versions in our go.mod. These imports keep
// them there; nothing is ever built with this tag.
import (
	_ "github.com/gokrazy/firmware"
	_ "github.com/gokrazy/gokrazy"
	_ "github.com/gokrazy/gokrazy/cmd/heartbeat"
	_ "github.com/gokrazy/gokrazy/cmd/randomd"
	_ "github.com/gokrazy/kernel.amd64"
	_ "github.com/gokrazy/kernel.rpi"
)
