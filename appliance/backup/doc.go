// Package backup puts all of the box that lasts and is no cache into one file, and takes it back as a whole.
//
// A backup is a .tar.gz, encrypted with age (https://age-encryption.org) where a passphrase was given. Its first entry,
// backup.json, says which format it has; its last, manifest.json, has the size and the SHA-256 of each entry between.
// Nothing of it is believed before the last byte was read.
//
// [Folder.Stage] reads a backup into a folder beside the data, [Folder.Restore] makes it the data. A restore is one step:
// whatever happens in the middle of it, [Folder.Recover] at the next start finds either nothing begun, or a plan that was on
// the card whole before the first file moved, and carries it out. What was there before is kept, so that [Folder.Undo] works
// once.
package backup
