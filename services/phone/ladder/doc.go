// Package ladder knows how a 7940/7960 gets from one load to another: what each clue says of what a phone runs, the graph
// of the steps that are safe with their sources (phones.md c.4, c.5), and the plan of a conversion with the files that
// each step needs.
//
// It is pure: clues, a belief and a shelf go in, a plan comes out. Who may take a step when is decided elsewhere.
package ladder
