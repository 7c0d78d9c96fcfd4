package phonesim

// What the phone shows (phones.md a.3, c.6). The words for registering are not confirmed.
const (
	displayVLAN      = "Configuring VLAN"
	displayIP        = "Configuring IP"
	displayFiles     = "Requesting Configuration"
	displayUpgrading = "Upgrading Software"
	displayInvalid   = "Protocol Application Invalid"
	displayRefused   = "Image Authentication Failed"
	displayNoConfig  = "Phone Unprovisioned"
	displayCallAgent = "Registering"
)

// Display returns what the phone shows, for people and logs: "" while it is off or dead.
func (p *Phone) Display() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.display
}

// show changes what the phone shows.
func (p *Phone) show(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.display = text
}

// showFirst shows the text unless the phone says that it has no application: that stays until one is written.
func (p *Phone) showFirst(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.display != displayInvalid {
		p.display = text
	}
}
