// Package convert walks phones up and down the ladder: it decides which phone may take its next step when, and what the
// files name to it until then. It keeps promises 6 and 9 of the design over power cuts of the phone and of the box.
package convert
