package provision

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"phonebox/services/phone"
)

// What the editors of the page keep in the folder besides what phones fetch; neither is ever sent.
const (
	orderFile      = ".ringorder"  // the files of rings in the order of the phones' menu, one a line
	logoBeforeFile = ".logobefore" // the logo before the last change: its BMP, or drawnBefore
	drawnBefore    = "drawn"       // the name of the site was drawn
)

// maxRingRead bounds what is read of a ring, in bytes: a good one has 16080.
const maxRingRead = 64 << 10

// readOrder reads the order of rings; what can't be read is none.
func readOrder(root *os.Root) []string {
	content := readSmall(root, orderFile)
	var order []string
	for line := range strings.Lines(string(content)) {
		if file := strings.ToLower(strings.TrimSpace(line)); file != "" {
			order = append(order, file)
		}
	}
	return order
}

// readSmall reads a file of ours; nil where it is not there or can't be read.
func readSmall(root *os.Root, name string) []byte {
	f, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxLoads*16))
	if err != nil {
		return nil
	}
	return content
}

// OrderRings puts the rings of the phones' menu into the order of these files; others come behind them by file. Names that
// are no rings are left out.
func (p *Provisioner) OrderRings(files []string) error {
	p.adding.Lock()
	defer p.adding.Unlock()
	shelf := p.shelf.Load()
	var b strings.Builder
	seen := map[string]bool{}
	for _, file := range files {
		e, ok := shelf.lookUp(file)
		if !ok || e.file.Kind != phone.KindRing || seen[e.name] {
			continue
		}
		seen[e.name] = true
		b.WriteString(strings.ToLower(e.name) + "\n")
	}
	if b.Len() == 0 {
		return nil
	}
	if err := p.keep(orderFile, []byte(b.String())); err != nil {
		return fmt.Errorf("keeping the order of rings: %w", err)
	}
	return p.Rescan()
}

// RingSound returns the bytes of a ring as phones get them; false where there is no such ring.
func (p *Provisioner) RingSound(file string) ([]byte, bool) {
	e, ok := p.shelf.Load().lookUp(file)
	if !ok || e.file.Kind != phone.KindRing {
		return nil, false
	}
	f, err := p.root.Open(e.name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxRingRead))
	return raw, err == nil
}

// RingList returns RINGLIST.DAT.
func (p *Provisioner) RingList() []byte { return p.shelf.Load().listed() }

// rememberLogo keeps the logo of now, so that it can be had back; p.adding is held.
func (p *Provisioner) rememberLogo() error {
	content := []byte(drawnBefore)
	if e, ok := p.shelf.Load().lookUp(logoFile); ok && e.logo != nil {
		content = e.logo
	}
	if err := p.keep(logoBeforeFile, content); err != nil {
		return fmt.Errorf("keeping the logo of before: %w", err)
	}
	return nil
}

// LogoBefore returns the logo before the last change, as a BMP; false where nothing was changed yet.
func (p *Provisioner) LogoBefore() (bmp []byte, ok bool) {
	switch content := readSmall(p.root, logoBeforeFile); {
	case len(content) == 0:
		return nil, false
	case string(content) == drawnBefore:
		return p.settings.Load().logo, true
	default:
		return content, true
	}
}

// RestoreLogo takes the logo of before the last change again, and keeps the one of now in its place.
func (p *Provisioner) RestoreLogo() error {
	before := readSmall(p.root, logoBeforeFile)
	if len(before) == 0 {
		return errors.New("the logo was not changed yet, so there is none of before")
	}
	var picture io.Reader
	if string(before) != drawnBefore {
		picture = bytes.NewReader(before)
	}
	_, err := p.SetLogo(picture)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("taking the logo of before: %w: %w", ErrStore, err)
	}
	return err
}
