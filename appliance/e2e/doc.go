// Package e2e holds the end-to-end tests: the daemon as it is built, in a network namespace of its own, against clients
// that nobody here wrote and against the virtual phones of phonesim. It has no code of its own.
//
//	go test ./appliance/e2e -run TestStorm -v
//
// Lines that begin with FIGURE are measurements; "go test -v ./appliance/e2e | grep FIGURE" lists them. Who may skip and
// who must fail says [phonebox/services/testkit.Need].
package e2e
