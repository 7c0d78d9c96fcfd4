package provision

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"phonebox/services/phone/media"
)

// logoFile is where the logo of the site is kept; without it phonebox draws the site's name.
const logoFile = "logo.bmp"

// maxPicture bounds what is read as a logo, in bytes.
const maxPicture = 10 << 20

func (e *entry) isLogo() bool { return strings.EqualFold(e.name, logoFile) }

// checkLogo makes of a picture what phones take; one that was uploaded is that already.
func (e *entry) checkLogo(content []byte) {
	bmp, _, err := media.Logo(bytes.NewReader(content))
	if err != nil {
		e.off = "the site's name is drawn instead of it: " + err.Error()
		return
	}
	e.logo = bmp
}

// Logo returns the picture that phones show, as a BMP, and whether it is one that somebody put there.
func (p *Provisioner) Logo() (bmp []byte, own bool) {
	if e, ok := p.shelf.Load().lookUp(logoFile); ok && e.logo != nil {
		return e.logo, true
	}
	return p.settings.Load().logo, false
}

// SetLogo makes a picture (PNG, JPEG, GIF or BMP) the logo of the phones; nil takes the drawn name again. said tells what
// was changed; the error is a sentence for people unless it is [ErrStore].
func (p *Provisioner) SetLogo(picture io.Reader) (said string, err error) {
	p.adding.Lock()
	defer p.adding.Unlock()
	if picture == nil {
		if err := p.rememberLogo(); err != nil {
			return "", err
		}
		for _, e := range p.shelf.Load().byName[logoFile] {
			if err := p.root.Remove(e.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("removing the logo: %w: %w", ErrStore, err)
			}
		}
		return "The phones show the name of the site.", errors.Join(p.syncDir("."), p.Rescan())
	}
	bmp, changes, err := media.Logo(picture)
	if err != nil {
		return "", err
	}
	if err := p.rememberLogo(); err != nil {
		return "", err
	}
	if err := p.keep(logoFile, bmp); err != nil {
		return "", fmt.Errorf("keeping the logo: %w", err)
	}
	return strings.Join(append([]string{"The logo is stored."}, changes...), " "), p.Rescan()
}

// keep stores one small file; p.adding is held.
func (p *Provisioner) keep(name string, content []byte) error {
	u := &upload{p: p, seen: map[string]string{}}
	if err := u.store(name, bytes.NewReader(content)); err != nil {
		return err
	}
	if v := u.verdicts[len(u.verdicts)-1]; !v.OK {
		return errors.New(v.Why)
	}
	return nil
}
