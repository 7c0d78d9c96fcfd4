package web_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

var tellButtons = flag.Bool("buttons", false, "tell in the end which buttons were shown and not pressed, whichever tests ran")

// TestMain ends the Chromium that the tests share, and fails a whole run in which a button was not pressed.
func TestMain(m *testing.M) {
	flag.Parse()
	_, err := exec.LookPath("chromium")
	whole := err == nil
	for _, narrower := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		whole = whole && flag.Lookup(narrower).Value.String() == ""
	}
	pressed.on = whole || *tellButtons
	code := m.Run()
	endChromium()
	if pressed.on && (code == 0 || *tellButtons) {
		buttons, routes, all := pressed.missing()
		fmt.Printf("FIGURE buttons: %d were shown in the two ways of pressing them, %d of these were pressed\n", all, all-len(buttons))
		if len(buttons)+len(routes) > 0 {
			fmt.Printf("no test presses these buttons in Chromium:\n\t%s\nno test has these routes do something:\n\t%s\n", strings.Join(buttons, "\n\t"), strings.Join(routes, "\n\t"))
			if whole {
				code = 1
			}
		}
	}
	os.Exit(code)
}
