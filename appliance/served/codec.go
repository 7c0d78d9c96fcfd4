package served

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"phonebox/services/phone"
)

// Keys of the store: what a phone got under a name, and the contents by their digests.
const (
	filePrefix = "gf"
	bodyPrefix = "gb"
)

func fileKey(mac phone.MAC, name string) string { return filePrefix + string(mac[:]) + name }

func bodyKey(d digest) string { return bodyPrefix + string(d[:]) }

type stored struct {
	Time int64  `json:"t"` // ns since 1970
	Size int    `json:"z"`
	Body []byte `json:"b"`
}

func (e *entry) encode() []byte {
	// A struct of numbers and bytes can always be written.
	b, _ := json.Marshal(stored{e.at.UnixNano(), e.size, e.body[:]})
	return b
}

func decode(key string, value []byte) (*entry, error) {
	e := &entry{}
	if len(key) <= len(filePrefix)+len(e.mac) {
		return nil, fmt.Errorf("a key of %d bytes", len(key))
	}
	var s stored
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, err
	}
	if len(s.Body) != len(e.body) {
		return nil, fmt.Errorf("a digest of %d bytes", len(s.Body))
	}
	copy(e.mac[:], key[len(filePrefix):])
	e.name, e.at, e.size = key[len(filePrefix)+len(e.mac):], time.Unix(0, s.Time).UTC(), s.Size
	copy(e.body[:], s.Body)
	e.told = e.at
	return e, nil
}

// restore reads the store back; contents that no phone has any more are removed.
func (k *Keeper) restore(ctx context.Context) error {
	err := k.store.ScanJournal(ctx, bodyPrefix, func(key string, value []byte) bool {
		if len(key) == len(bodyPrefix)+len(digest{}) {
			k.bodies[digest([]byte(key[len(bodyPrefix):]))] = &body{size: len(value)}
			k.bytes += len(value)
		}
		return true
	})
	if err != nil {
		return err
	}
	err = k.store.ScanJournal(ctx, filePrefix, func(key string, value []byte) bool {
		e, err := decode(key, value)
		if err != nil || k.bodies[e.body] == nil {
			k.remove[key], k.waits = true, true
			return true
		}
		k.bodies[e.body].uses++
		k.files[e.mac] = append(k.files[e.mac], e)
		k.count++
		return true
	})
	for d, b := range k.bodies {
		if b.uses == 0 {
			b.uses = 1
			k.release(d)
		}
	}
	return err
}

// Lines is a content as it is kept. A content that is no text has no lines.
func (k *Keeper) Lines(content []byte) []Line {
	if bytes.IndexByte(content, 0) >= 0 || len(content) == 0 {
		return nil
	}
	text := strings.TrimSuffix(phone.Text(content), "\n")
	var out []Line
	for line := range strings.SplitSeq(text, "\n") {
		shown, secret := phone.HideSecrets(strings.TrimSuffix(line, "\r"))
		out = append(out, Line{Text: shown, Mark: k.mark(secret)})
	}
	return out
}

// mark is a keyed digest of a secret, long enough that two differ.
func (k *Keeper) mark(secret string) string {
	if secret == "" {
		return ""
	}
	h := hmac.New(sha256.New, k.key)
	h.Write([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// pack writes lines as one text; a mark stands behind a zero byte, which no line holds.
func pack(lines []Line) []byte {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l.Text)
		if l.Mark != "" {
			b.WriteString("\x00" + l.Mark)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func unpack(packed []byte) []Line {
	var out []Line
	for line := range strings.Lines(string(packed)) {
		text, mark, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\x00")
		out = append(out, Line{text, mark})
	}
	return out
}
