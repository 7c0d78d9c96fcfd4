// Package texts puts what people read into their language.
//
// Programs here write English: in templates, in sentences made in Go, in events that are stored. A catalogue (a file of GNU
// gettext, .po) has a translation for each of those texts, found by the English text itself. Values in a text stand in it as
// {1}, {2}, ...:
//
//	msgid "{1} of {2} phones are ready."
//	msgstr "{1} von {2} Telefonen sind bereit."
//
// A page is translated after it was made: [Catalogue.HTML] reads it and exchanges its texts. So nothing that makes texts
// has to know of languages, what was stored in English can be read in all of them, the API and the log stay in one, and
// English costs nothing. What is not in the catalogue stays English. Elements with translate="no" (HTML 3.2.6.2), code, pre
// and what people typed into fields stay as they are.
//
//	c, err := texts.Parse(po)
//	c.HTML(&out, page)
package texts
