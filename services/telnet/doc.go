// Package telnet asks a phone what it thinks of itself: it logs in to the command line that the phone has where telnet_level
// is 1 or 2 (phones.md f.3), runs show register and show config, and reads the answers.
//
//	report, err := telnet.Ask(ctx, netip.MustParseAddrPort("10.77.1.2:23"), "cisco")
//	for _, s := range report.Sentences() {
//		fmt.Println(s) // line 1 is registered at 10.77.0.10:5060
//	}
//
// No answer of a real phone is known word for word: only that a password is asked for, that the prompt is phone_prompt and
// "> ", and which columns show register has. So nothing here relies on more than that: prompts are recognised by their
// shape, lines of a table by a line number and a word of state, and what is not understood is left to the reader in
// [Report.Output]. Whether show config exists is unconfirmed; an error answer to it does no harm.
package telnet
