package web

// place is an entry of the navigation.
type place struct {
	Path, Name string
	Sub        []place // the pages of a section, itself among them; nil = it is one page
}

// sections is the map of the page. A page that stands in none of them, such as that of one phone, is shown with the path of
// one that does.
var sections = []place{
	{Path: "/", Name: "Overview"},
	{Path: "/phones", Name: "Phones", Sub: []place{
		{Path: "/phones", Name: "All phones"},
		{Path: "/phones/new", Name: "Add phones"},
		{Path: "/phones/lines", Name: "Lines that wait"},
		{Path: "/import", Name: "Import and export"},
		{Path: "/help", Name: "When a phone does not work"},
	}},
	{Path: "/conversions", Name: "Conversion", Sub: []place{
		{Path: "/conversions", Name: "Conversion"},
		{Path: "/conversions/target", Name: "Target"},
		{Path: "/firmware", Name: "Firmware"},
		{Path: "/conversions/report", Name: "Hand-over report"},
	}},
	{Path: "/settings", Name: "Settings", Sub: []place{
		{Path: "/settings", Name: "Network"},
		{Path: "/settings/phones", Name: "Phones and provider"},
		{Path: "/time", Name: "Time"},
		{Path: "/names", Name: "Names"},
		{Path: "/directory", Name: "Directory"},
		{Path: "/media", Name: "Rings and logo"},
		{Path: "/dialplan", Name: "Dial plan"},
		{Path: "/settings/page", Name: "This page"},
		{Path: "/settings/file", Name: "As a file"},
	}},
	{Path: "/system", Name: "System", Sub: []place{
		{Path: "/system", Name: "System"},
		{Path: "/system/log", Name: "Log"},
		{Path: "/system/backup", Name: "Backup"},
		{Path: "/system/changes", Name: "Changes"},
		{Path: "/system/versions", Name: "Earlier settings"},
		{Path: "/system/diagnostics", Name: "Diagnostics"},
		{Path: "/system/certificate", Name: "Certificate"},
		{Path: "/password", Name: "Password"},
	}},
}

// navView is the navigation around one page.
type navView struct {
	Sections []place
	Section  string  // the path of the section that the page is in; "" = none
	Sub      []place // what else is in it
	Page     string
}

// navAt makes the navigation for a page; "" = nobody is logged in, and there is none.
func navAt(page string) *navView {
	if page == "" {
		return nil
	}
	v := &navView{Sections: sections, Page: page}
	for _, s := range sections {
		if s.Path == page {
			v.Section, v.Sub = s.Path, s.Sub
		}
		for _, p := range s.Sub {
			if p.Path == page {
				v.Section, v.Sub = s.Path, s.Sub
			}
		}
	}
	return v
}
