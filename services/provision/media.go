package provision

import "phonebox/services/phone"

func (p *Provisioner) Logo() (bmp []byte, own bool) {
	return phone.WriteLogo(p.settings.Load().SiteName), false
}
