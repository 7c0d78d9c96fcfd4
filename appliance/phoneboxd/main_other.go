//go:build !linux

// Command phoneboxd is the daemon of the box.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "phoneboxd runs on Linux only: use a Linux machine or a virtual one, or flash the image on a Raspberry Pi "+
		"(go run ./appliance/image works here).")
	os.Exit(1)
}
