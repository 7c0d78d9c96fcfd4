// Package provision decides which bytes a phone gets for a name now: from the site's settings, from the folder of files
// and from what the phone was seen running. It knows no protocol; tftp and web ask it through interfaces of their own,
// which the appliance adapts.
//
// It keeps the promises on passwords (a file with a MAC in its name goes to that phone only), on firmware (a load is
// served only whole) and on strangers (a phone that the site does not list is never flashed). Which load a phone is told
// is its [Guide]'s to say, within these promises; without one, each is told what it runs.
//
// Settings lie over each other: the site, the model, the lines, the phone. [Provisioner.Effective] says what holds for a
// phone and where that comes from, [Provisioner.Explain] what it would get for each name and what that means.
package provision
