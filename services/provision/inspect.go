package provision

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// leastImage is the smallest image that is taken for a whole one, in bytes, unless [Deps] say otherwise: half of the
// smallest that is known, a loader of 128 KB (phones.md c.2). An image does not say how long it should be.
const leastImage = 64 << 10

// payloadStart is how much of a payload an image must have at least: up to the end of its loader id (phones.md c.2).
const payloadStart = 0x128

// loaderIDLength is the length of LA_VERSION: PAS30830.
const loaderIDLength = 8

// inspect reads the header of a firmware file, and the whole of a list, a ring or the logo. Other files are what they are.
func inspect(root *os.Root, e *entry, least int64) {
	e.seen = true
	firmware := e.file.Kind == phone.KindLoads || e.file.Kind.IsFirmware()
	if !firmware && e.file.Kind != phone.KindRing && !e.isLogo() {
		return
	}
	f, err := root.Open(e.name)
	if err != nil {
		e.bad = "it can't be read"
		return
	}
	defer f.Close()
	start, err := io.ReadAll(io.LimitReader(f, e.startLength()))
	if err != nil {
		e.bad = "it can't be read"
		return
	}
	switch {
	case e.isLogo():
		e.checkLogo(start)
	case e.file.Kind == phone.KindRing:
		e.seconds, e.off = checkRing(start, e.size)
	default:
		if err = check(e, start, least); err != nil {
			e.bad = err.Error()
		}
	}
}

// startLength is how many bytes check wants.
func (e *entry) startLength() int64 {
	switch {
	case e.isLogo():
		return maxPicture
	case e.file.Kind == phone.KindLoads, e.file.Kind == phone.KindRing:
		return maxLoads
	}
	return phone.MaxHeader
}

// check says whether a firmware file is what its name says: signed with that name inside, and not cut off. start is its
// beginning: a whole list, or MaxHeader bytes of an image. It fills in what the entry knows of the inside.
func check(e *entry, start []byte, least int64) error {
	base := path.Base(e.name)
	suffix := strings.ToLower(path.Ext(base))
	if suffix == ".loads" {
		return checkList(e, start, base)
	}
	img, err := phone.ParseImage(start)
	switch {
	case err != nil:
		return fmt.Errorf("it is damaged: %w", err)
	case !img.Signed && suffix != ".bin":
		return errors.New("it is not a signed image: the signature header is missing")
	case img.Signed && e.size < int64(img.HeaderLength+payloadStart):
		return fmt.Errorf("it is cut off: it ends after %d bytes, of which its header alone has %d", e.size, img.HeaderLength)
	case img.Signed && sameName(img.Name, base) != nil:
		return sameName(img.Name, base)
	case !img.Signed && otherLoad(img.Bears, e.file.Load):
		return fmt.Errorf("it was renamed: the image inside is %s", img.Bears.Name)
	case e.size < least:
		return fmt.Errorf("it is cut off: it has %d bytes, and no image of these phones is known to have less than %d", e.size, least)
	}
	e.id, e.head, e.in = img.LoaderID, img.HeaderLength, img.Name
	return nil
}

// otherLoad reports whether an unsigned image from before the universal loader bears the name of another load than its file:
// nothing else would keep a phone from writing it, and the ladder would take it for what it is not. Where it bears none,
// nothing can be said; of loaders it is not known how those of SCCP bundles spell theirs, and no step gives one unsigned.
func otherLoad(bears phone.LoadName, file string) bool {
	load, ok := phone.ParseLoad(file)
	return ok && !load.Universal() && !load.Loader && !bears.IsZero() && !bears.Same(load)
}

// checkList reads a .loads list. That of a 7940/7960 ends in the line of LA_VERSION (phones.md c.2, seen in 8.12),
// which is the first to go when it is cut off; the universal loader wants two files, itself and the application.
func checkList(e *entry, content []byte, base string) error {
	if e.size > maxLoads {
		return errors.New("it is too long for a .loads list")
	}
	list, err := phone.ParseLoads(content)
	if err != nil {
		return err
	}
	e.list, e.in, e.id = list, list.Name, list.LoaderID
	if err := sameName(list.Name, base); err != nil {
		return err
	}
	whole := bytes.HasSuffix(content, []byte("\n"))
	var loader, application bool
	for i, name := range list.Files {
		suffix := strings.ToLower(path.Ext(name))
		loader, application = loader || suffix == ".sbn", application || suffix == ".sb2"
		if suffix != ".sbn" && suffix != ".sb2" && !whole {
			e.list.Files = slices.Delete(slices.Clone(list.Files), i, i+1)
			return fmt.Errorf("it is cut off: it ends in the middle of the name %q", name)
		}
	}
	load, known := phone.ParseLoad(e.file.Load)
	switch {
	case !known || !load.Universal():
		return nil
	case !loader || !application:
		return errors.New("it is cut off: it does not name both a loader (.sbn) and an application (.sb2)")
	case list.LoaderID == "":
		return errors.New("it is cut off: the line LA_VERSION at its end is missing")
	case !whole && len(list.LoaderID) < loaderIDLength:
		return errors.New("it is cut off: the line LA_VERSION at its end is not whole")
	}
	return nil
}

// sameName refuses an image that was renamed: the phone would (phones.md c.2).
func sameName(signed, base string) error {
	if strings.EqualFold(signed, base) {
		return nil
	}
	return fmt.Errorf("it was renamed: the image inside is %s, and phones refuse it under another name", signed)
}
