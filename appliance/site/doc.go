// Package site is the user's settings: one TOML file, one struct, strict validation that names every fault at once with
// its line, its key, what was found and what is allowed.
//
// [Parse] turns the text into a [Site] with the defaults filled in; [Site.TOML] writes it back in canonical order, and the
// two are inverse. The page's form goes through [Site.Fields] and [Site.SetFields], which convert with the same code as the
// file. [Save] keeps the file over a power cut with the five versions before it.
//
// A key is described once, in keys.go and phonekeys.go: its name, how its text becomes a value and back, what is allowed,
// and the sentence that the form shows. docs/site.md explains the same keys to people, and a test holds the two together.
package site
