package phone

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// What this file makes is synthetic firmware for tests and for the virtual phone: the containers have the shape that
// phones.md c.2 describes, the signature is zeros, the payload is a counter. No phone would accept it.

// SyntheticLoaderID is the id that synthetic loaders carry and synthetic lists name.
const SyntheticLoaderID = "PAS30830"

// syntheticApplicationID is the id in what is no loader (phones.md c.2).
const syntheticApplicationID = "PAS3ARM1"

// MakeContainer wraps a payload in the header of a signed image that names the file. The header has 404 bytes, as
// measured, or more where the name is longer than 20 characters. Synthetic firmware for tests; no phone would accept
// its signature.
func MakeContainer(name string, payload []byte) []byte {
	var h []byte
	tlv := func(tag byte, value []byte) {
		h = append(h, tag)
		h = binary.BigEndian.AppendUint16(h, uint16(len(value)))
		h = append(h, value...)
	}
	tlv(tagVersion, []byte{1, 1})
	tlv(tagHeaderLength, []byte{0, 0}) // set below
	tlv(tagSigner, append([]byte{0x04, 0, 88}, []byte("CN=Synthetic;OU=Tests"+strings.Repeat("\x00", 88-21))...))
	tlv(tagAlgorithms, []byte{0x08, 0, 1, 1, 0x09, 0, 8, 0x0a, 0, 1, 0, 0x0b, 0, 1, 2})
	tlv(tagSignature, make([]byte, 256))
	tlv(tagName, append([]byte(name), 0))
	for len(h) < 404 || len(h)%4 != 0 {
		h = append(h, tagPad)
	}
	binary.BigEndian.PutUint16(h[8:], uint16(len(h)))
	return append(h, payload...)
}

// MakePayload makes the payload of an image: its name at 0x20, the id at 0x120, the rest a counter. It has at least
// 0x128 bytes. Unsigned images (.bin) are this payload alone.
func MakePayload(name, id string, size int) []byte {
	p := make([]byte, max(size, payloadLoaderID+loaderIDLength))
	for i := payloadLoaderID + loaderIDLength; i < len(p); i++ {
		p[i] = byte(i) ^ byte(i>>8)
	}
	copy(p[payloadName:payloadLoaderID], name)
	copy(p[payloadLoaderID:], id)
	return p
}

// MakeLoads makes a .loads list that names files and the id of their loader.
func MakeLoads(name string, files []string, id string) []byte {
	var b bytes.Buffer
	for _, f := range files {
		b.WriteString(f + "\n")
	}
	b.WriteString("LA_VERSION=" + id + "\n")
	return MakeContainer(name, b.Bytes())
}

// SyntheticIDOf returns an id for the loader in a load's bundle that differs from release to release, as those of real
// loaders do: [SyntheticLoaderID] for 8.12, whose id is known (phones.md c.2), and a made-up one for the others, PAS37040
// for 7.4. It is "" for a name that [ParseLoad] does not know.
func SyntheticIDOf(load string) string {
	l, ok := ParseLoad(load)
	switch {
	case !ok:
		return ""
	case l.Version[0] == 8 && l.Version[1] == 12:
		return SyntheticLoaderID
	}
	return fmt.Sprintf("PAS3%d%02d%d", l.Version[0]%10, l.Version[1]%100, l.Version[2]%10)
}

// MakeBundle makes the files of a whole load by name. For a load of the universal loader: the loader as .bin and .sbn,
// the application as .sb2, the .loads list; a SIP load's loader is named P003-<version>, an SCCP load's like the load.
// For an earlier load: the one image, as .bin and from 5.0 on as .sbn too. The images have the given sizes in bytes, without header;
// 130552 and 756120 are those of 8.12. The map is nil for a name that [ParseLoad] does not know. Every loader has
// [SyntheticLoaderID]; where the loaders of several releases must differ, use [MakeBundleWithID].
func MakeBundle(load string, loaderSize, applicationSize int) map[string][]byte {
	return MakeBundleWithID(load, SyntheticLoaderID, loaderSize, applicationSize)
}

// MakeBundleWithID is [MakeBundle] with an id of up to eight characters for the loader and LA_VERSION of the list, such as
// [SyntheticIDOf] the load. Loads from before the universal loader have no such id.
func MakeBundleWithID(load, id string, loaderSize, applicationSize int) map[string][]byte {
	l, ok := ParseLoad(load)
	if !ok || l.Loader {
		return nil
	}
	if !l.Universal() {
		payload := MakePayload(load, syntheticApplicationID, applicationSize)
		if l.Signed() {
			return map[string][]byte{load + ".bin": payload, load + ".sbn": MakeContainer(load+".sbn", payload)}
		}
		return map[string][]byte{load + ".bin": payload}
	}
	loader := load
	if l.Protocol == SIP {
		loader = "P003" + load[4:]
	}
	image := MakePayload(loader, id, loaderSize)
	return map[string][]byte{
		loader + ".bin": image,
		loader + ".sbn": MakeContainer(loader+".sbn", image),
		load + ".sb2":   MakeContainer(load+".sb2", MakePayload(load, syntheticApplicationID, applicationSize)),
		load + ".loads": MakeLoads(load+".loads", []string{loader + ".sbn", load + ".sb2"}, id),
	}
}
