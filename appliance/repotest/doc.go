// Package repotest holds the repository's own rules as tests: who may import whom, that every package says what it is for,
// that the image's config.json agrees with the overlay, and that only the clock can set a clock.
package repotest
