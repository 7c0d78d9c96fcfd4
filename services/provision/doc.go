// Package provision decides which bytes a phone gets for a name now: from the site's settings, from the firmware store
// and from what the phone was seen running. It knows no protocol; tftp and web ask it through interfaces of their own,
// which the appliance adapts.
//
// It keeps the promises on passwords (a file with a MAC in its name goes to that phone only), on firmware (a load is
// served only whole) and on strangers (a phone that the site does not list is never flashed).
package provision
