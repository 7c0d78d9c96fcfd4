package udp

import "unsafe"

// ptr gives the control message's bytes as the kernel's struct; the caller checked the length.
func ptr(b []byte) unsafe.Pointer { return unsafe.Pointer(&b[0]) }
