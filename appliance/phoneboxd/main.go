// Command phoneboxd is the daemon of the box.
package main

func main() {}
