package udp

// lost tells how many datagrams the kernel dropped because the socket's buffer was full, from the count that it gives
// with later ones (socket(7), SO_RXQ_OVFL): 32 bits that may wrap, and none before the first drop.
func (c *Conn) lost(total uint32) (since int) {
	since = int(total - c.overflow)
	c.overflow = total
	return since
}
