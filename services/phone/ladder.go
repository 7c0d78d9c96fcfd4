package phone

// Naming is what the files say to one phone so that it stays on its load or takes one step (phones.md c.5). An empty
// field means that the file names no load, or is not there.
type Naming struct {
	OS79XX          string // OS79XX.TXT, which only images without the universal loader read
	ImageVersion    string // image_version in SIPDefault.cnf and SIP<MAC>.cnf
	LoadInformation string // loadInformation in SEP<MAC>.cnf.xml and XMLDefault.cnf.xml
	// Needs is the file of the shelf with which the step begins, P0S3-8-12-00.loads or P0S3-05-3-00.bin: the load that it
	// belongs to must be whole before anything of this is said. "" for Stay.
	Needs string
	// Finish: the site does not list the phone any more, but the step began when it did, and without its end the phone has
	// no application.
	Finish bool
}

// Stay names the load that the phone runs in every file, so that it keeps it. With "" nothing names a load.
func Stay(running string) Naming {
	return Naming{OS79XX: running, ImageVersion: running, LoadInformation: running}
}
