package assemble

// namesOfPeople are the names that people gave to the site, its phones and lines, and to each other, with the version of the
// settings that they are from.
func (b *Box) namesOfPeople() (version string, names func() []string) {
	cur := b.current()
	return cur.etag, func() []string {
		s := cur.site
		out := []string{s.Name}
		for _, p := range s.Phones {
			out = append(out, p.Label)
			for _, l := range p.Lines {
				out = append(out, l.DisplayName, l.ShortName)
			}
		}
		for _, l := range s.Lines {
			out = append(out, l.Label, l.DisplayName, l.ShortName)
		}
		for _, c := range s.Contacts {
			out = append(out, c.Name)
		}
		return out
	}
}
