package adopt

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// tarOverhead is what a .tar of [MaxFiles] files may have besides their bytes: headers, long names, padding.
const tarOverhead = MaxFiles * 4096

// Archive is the source of a .zip, .tar or .tar.gz of size bytes; what it is shows by its first bytes, not by its name,
// which only errors use. The error says that it is none of them.
func Archive(name string, r io.ReaderAt, size int64) (Source, error) {
	start := make([]byte, 512)
	n, err := r.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	start = start[:n]
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")), bytes.HasPrefix(start, []byte("PK\x05\x06")):
		z, err := zip.NewReader(r, size)
		if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // paths are judged by Read
			return nil, fmt.Errorf("reading the .zip archive %q: %w", name, err)
		}
		return zipped{z}, nil
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return tarred{r, size, true}, nil
	case isTar(start):
		return tarred{r, size, false}, nil
	}
	return nil, fmt.Errorf("found %q, which is no archive, allowed are .zip, .tar and .tar.gz", name)
}

// isTar reports whether a file starts like a .tar: with the magic of POSIX and GNU, or for older ones with a header
// whose checksum is right.
func isTar(start []byte) bool {
	if len(start) < 512 {
		return false
	}
	if string(start[257:262]) == "ustar" {
		return true
	}
	h, err := tar.NewReader(bytes.NewReader(start)).Next()
	return err == nil && h.Name != "" || errors.Is(err, tar.ErrInsecurePath)
}

type zipped struct{ z *zip.Reader }

// Walk implements [Source].
func (s zipped) Walk(visit func(Entry) error) error {
	var count counter
	for _, part := range s.z.File {
		if part.Mode().IsDir() {
			if err := count.add(0); err != nil {
				return err
			}
			continue
		}
		size := int64(min(part.UncompressedSize64, 1<<62))
		if err := count.add(size); err != nil {
			return err
		}
		e := Entry{Path: part.Name, Size: size}
		if !part.Mode().IsRegular() {
			e.Size, e.Fault = 0, notRegular(part.Mode())
		}
		lazy := &opener{open: part.Open}
		e.Content = &exactly{lazy, size}
		err := visit(e)
		lazy.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

type tarred struct {
	r    io.ReaderAt
	size int64
	gzip bool
}

// Walk implements [Source].
func (s tarred) Walk(visit func(Entry) error) error {
	var stream io.Reader = bufio.NewReaderSize(io.NewSectionReader(s.r, 0, s.size), 64<<10)
	if s.gzip {
		z, err := gzip.NewReader(stream)
		if err != nil {
			return fmt.Errorf("reading the compressed archive, which is damaged or was cut off: %w", err)
		}
		defer z.Close()
		stream = &exactly{z, MaxTotal + tarOverhead}
	}
	t := tar.NewReader(stream)
	var count counter
	for {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return drain(stream)
		case errors.Is(err, errSize):
			return errTooMuch
		case err != nil && !errors.Is(err, tar.ErrInsecurePath): // paths are judged by Read
			return fmt.Errorf("reading the .tar archive, which is damaged or was cut off: %w", err)
		}
		if err := count.add(h.Size); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		e := Entry{Path: h.Name, Size: h.Size, Content: t}
		switch h.Typeflag {
		case tar.TypeReg, '\x00', tar.TypeGNUSparse:
		case tar.TypeLink, tar.TypeSymlink:
			e.Size, e.Fault = 0, notRegular(fs.ModeSymlink)
		default:
			e.Size, e.Fault = 0, notRegular(fs.ModeDevice)
		}
		if err := visit(e); err != nil {
			return err
		}
	}
}

// drain reads what follows the last file, so that the checksum of the compression is looked at. Other bytes behind it
// are no damage.
func drain(stream io.Reader) error {
	_, err := io.Copy(io.Discard, stream)
	switch {
	case err == nil, errors.Is(err, gzip.ErrHeader):
		return nil
	case errors.Is(err, errSize):
		return errTooMuch
	}
	return fmt.Errorf("reading the .tar archive, which is damaged or was cut off: %w", err)
}
