// Package site is the user's settings: one TOML file, one struct, strict validation that names every fault at once with
// its line, its key, what was found and what is allowed.
package site
