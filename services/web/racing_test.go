//go:build race

package web_test

// racing says that the race detector looks on. It finds nothing in pictures, and they take most of the time.
const racing = true
