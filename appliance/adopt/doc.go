// Package adopt takes over what a site already has: the TFTP root of the server that phonebox replaces, lists of phones
// from a spreadsheet, and contacts from a telephone or a mail program.
//
// Everything here is a dry run: [Read] and [ReadList] return a [Plan], which holds the site as it would become, the files
// that would be stored, and a verdict for each file or row. Nothing that was handed in is dropped in silence. Who wants
// the plan saves its site and stores its files ([Plan.Each]).
//
//	src, err := adopt.Archive("tftpboot.tar.gz", f, size)
//	plan, err := adopt.Read(src, adopt.Options{Site: present})
//	fmt.Println(plan.Summary()) // 3 phones added, 12 files stored, 2 left out
package adopt
