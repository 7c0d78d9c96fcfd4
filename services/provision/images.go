package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// FirmwareImage is a firmware file of the folder.
type FirmwareImage struct {
	Name     string   `json:"name"`
	Size     int64    `json:"size"`
	SHA256   string   `json:"sha256"`          // "" where the file can't be read
	Inside   string   `json:"inside"`          // the name that its signature covers; "" for unsigned images
	LoaderID string   `json:"loader"`          // of an image; of a list the one that it wants
	Loads    []string `json:"loads"`           // the loads that it is a part of
	Fault    string   `json:"fault,omitempty"` // why it is not sent
	Same     []string `json:"same,omitempty"`  // other files with the same content
}

// Images returns every firmware file of the folder by name. What a file's content comes to is computed once, so the first
// call may take seconds on a slow card.
func (p *Provisioner) Images() []FirmwareImage {
	sh := p.shelf.Load()
	var list []FirmwareImage
	bySum := map[string][]string{}
	for _, same := range sh.byName {
		for _, e := range same {
			if e.file.Kind != phone.KindLoads && !e.file.Kind.IsFirmware() {
				continue
			}
			img := FirmwareImage{Name: e.name, Size: e.size, SHA256: p.sum(e), Inside: e.in, LoaderID: e.id, Fault: e.bad}
			for _, l := range sh.inLoad[strings.ToLower(e.name)] {
				img.Loads = append(img.Loads, l.Name)
			}
			if strings.Contains(e.name, "/") && e.bad == "" {
				img.Fault = "it lies in a folder, and phones ask for firmware outside of folders only"
			}
			slices.Sort(img.Loads)
			list = append(list, img)
			bySum[img.SHA256] = append(bySum[img.SHA256], e.name)
		}
	}
	slices.SortFunc(list, func(a, b FirmwareImage) int { return strings.Compare(a.Name, b.Name) })
	for i, img := range list {
		if twins := bySum[img.SHA256]; img.SHA256 != "" && len(twins) > 1 {
			list[i].Same = slices.DeleteFunc(slices.Clone(twins), func(name string) bool { return name == img.Name })
			slices.Sort(list[i].Same)
		}
	}
	return list
}

// sum returns the SHA-256 of a file in hex, "" where it can't be read or changed since it was looked at.
func (p *Provisioner) sum(e *entry) string {
	if known := e.sum.Load(); known != nil {
		return *known
	}
	f, ok := p.unchanged(e)
	if !ok {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if n, err := io.Copy(h, f); err != nil || n != e.size {
		return ""
	}
	sum := hex.EncodeToString(h.Sum(nil))
	e.sum.Store(&sum)
	return sum
}

// Remove removes a firmware file, by the name that [Provisioner.Images] gives it. The loads that it is a part of are then
// no longer whole. A transfer of it that runs goes on.
func (p *Provisioner) Remove(name string) error {
	return p.remove(name, fmt.Errorf("there is no firmware file with the name %.100q", name), func(k phone.Kind) bool { return k == phone.KindLoads || k.IsFirmware() })
}

// Exclusively runs change, which may exchange files of the folder as a whole by renaming, while nothing is uploaded or removed, and
// looks at the folder afterwards.
func (p *Provisioner) Exclusively(change func() error) error {
	p.adding.Lock()
	defer p.adding.Unlock()
	return errors.Join(change(), p.Rescan())
}

// remove removes a file of the folder if it is of a kind; none says that there is none.
func (p *Provisioner) remove(name string, none error, of func(phone.Kind) bool) error {
	p.adding.Lock()
	defer p.adding.Unlock()
	e, ok := p.shelf.Load().lookUp(name)
	if !ok || e.name != name || !of(e.file.Kind) {
		return none
	}
	if err := p.root.Remove(e.name); err != nil {
		return fmt.Errorf("removing %s: %w", path.Base(name), err)
	}
	return errors.Join(p.syncDir(path.Dir(e.name)), p.Rescan())
}

// syncDir makes changes of a folder's names last.
func (p *Provisioner) syncDir(name string) error {
	dir, err := p.root.Open(name)
	if err != nil {
		return fmt.Errorf("opening the folder of files: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("syncing the folder of files: %w", err)
	}
	return nil
}
