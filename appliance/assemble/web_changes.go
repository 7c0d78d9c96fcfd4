package assemble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/web"
)

// Changes implements [web.Changelog].
func (k *keeper) Changes() ([]web.AuditEntry, int) { return k.b.audit.entries(), maxAudit }

// formerTexts are the versions of the settings that are kept, the newest first; those that cannot be read are left out.
func (b *Box) formerTexts() [][]byte {
	var out [][]byte
	for i := range site.OldCopies {
		if text, err := site.LoadFile(b.formerFile(i + 1)); err == nil {
			out = append(out, text)
		}
	}
	return out
}

func (b *Box) formerFile(i int) string {
	return filepath.Join(b.opt.Data, fmt.Sprintf("%s.%d", site.FileName, i))
}

// Versions implements [web.Changelog].
func (k *keeper) Versions() ([]web.SiteVersion, error) {
	var out []web.SiteVersion
	cur := k.b.current()
	for i := range site.OldCopies {
		file := k.b.formerFile(i + 1)
		text, err := site.LoadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		v := versionOf(text, cur)
		v.File = filepath.Base(file)
		if info, err := os.Stat(file); err == nil {
			v.Until = info.ModTime()
		}
		out = append(out, v)
	}
	return out, nil
}

// versionOf says what a former text of the settings is. It is found again by its content: its number changes with the next
// version that is saved.
func versionOf(text []byte, cur applied) web.SiteVersion {
	v := web.SiteVersion{ID: strings.Trim(site.ETag(text), `"`), ETag: cur.etag}
	s, faults := site.Parse(text, site.Catalogue())
	if s == nil {
		v.Fault = "This version was never in force: it was refused."
		for _, f := range faults {
			if !f.Warning {
				v.Fault = "This version cannot be in force now. " + sentence(f.String())
				break
			}
		}
		return v
	}
	v.Phones, v.Keys, v.Text = len(s.Phones), keyChanges(site.Diff(cur.site, s)), string(s.TOML(false))
	return v
}

// Version implements [web.Changelog].
func (k *keeper) Version(id string) (web.SiteVersion, bool, error) {
	list, err := k.Versions()
	if err != nil {
		return web.SiteVersion{}, false, err
	}
	for _, v := range list {
		if v.ID == id {
			return v, true, nil
		}
	}
	return web.SiteVersion{}, false, nil
}

// BringBack implements [web.Changelog].
func (k *keeper) BringBack(ctx context.Context, id, etag string) error {
	for _, text := range k.b.formerTexts() {
		if strings.Trim(site.ETag(text), `"`) == id {
			_, err := settings{k.b}.Replace(ctx, text, etag)
			return err
		}
	}
	return &web.PublicError{Status: http.StatusNotFound, Text: "This version of the settings is no longer kept: the box keeps the last five."}
}
