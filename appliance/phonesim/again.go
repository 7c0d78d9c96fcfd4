package phonesim

// frameCounter is a NIC that knows what its link lost on purpose, and counts what came too late.
type frameCounter interface {
	// LostFrames returns how many frames from and to this phone the link lost on purpose so far.
	LostFrames() uint64
	// LateFrame counts a frame that came when the phone no longer waited for it.
	LateFrame()
}

// lostFrames returns what the link lost of this phone's on purpose so far; a link without faults loses nothing.
func (p *Phone) lostFrames() uint64 {
	if c, ok := p.nic.(frameCounter); ok {
		return c.LostFrames()
	}
	return 0
}

// sentAgain counts something that has to be sent again. lost is what [Phone.lostFrames] said before it was sent last: where the
// link lost a frame of the phone's since then, that is taken for the reason, else the servers are.
func (p *Phone) sentAgain(lost uint64, change func(*Retransmissions)) {
	injected := p.lostFrames() != lost
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.res.Retransmits)
	if injected {
		change(&p.res.RetransmitsByLoss)
		return
	}
	change(&p.res.RetransmitsByServers)
}
