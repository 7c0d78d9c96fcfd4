package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// readSiteForm reads what a browser sent of a page's form. Boxes that are not ticked are not sent; lists are sent a field
// for each entry, maps two: KEY/name and KEY/value. A parameter that is not set is sent as KEY/maybe/NAME.
func readSiteForm(posted url.Values, form SiteForm) (values map[string]string, faults []Fault) {
	values = map[string]string{}
	for _, f := range form.Fields {
		faults = append(faults, readField(posted, f, values)...)
	}
	for _, t := range form.Tables {
		n := entries(posted.Get(t.Key))
		values[t.Key] = strconv.Itoa(n)
		for i := range n {
			for _, f := range t.entry(i) {
				faults = append(faults, readField(posted, f, values)...)
			}
		}
	}
	return values, faults
}

// readField reads one field.
func readField(posted url.Values, f Field, values map[string]string) (faults []Fault) {
	switch f.Kind {
	case "bool":
		values[f.Key] = strconv.FormatBool(posted.Get(f.Key) == "true")
	case "list":
		var lines []string
		for _, sent := range posted[f.Key] {
			for _, row := range listRows(unixLines(sent)) {
				lines = append(lines, row.Value)
			}
		}
		values[f.Key] = strings.Join(lines, "\n")
	case "map":
		values[f.Key], faults = readMap(posted, f)
	default:
		values[f.Key] = unixLines(posted.Get(f.Key))
		if !f.Secret {
			values[f.Key] = strings.TrimSpace(values[f.Key])
		}
		if f.Key == zoneKey {
			values[f.Key] = phone.FindZone(values[f.Key])
		}
	}
	return faults
}

// readMap joins names and values; rows without both mean nothing. A map may also come as one text, as a textarea sends it.
func readMap(posted url.Values, f Field) (string, []Fault) {
	var lines []string
	var faults []Fault
	add := func(name, value string) {
		name, value = strings.TrimSpace(name), strings.TrimSpace(inlined(value))
		switch {
		case name == "" && value == "":
		case name == "" || strings.ContainsAny(name, "=\n\r"):
			// It would be read as another name, or as none.
			faults = append(faults, Fault{Key: f.Key, Found: fmt.Sprintf("the name %q", name), Allowed: "a name without ="})
			if name = strings.TrimSpace(strings.ReplaceAll(inlined(name), "=", "")); name+value != "" {
				lines = append(lines, name+" = "+value)
			}
		default:
			lines = append(lines, name+" = "+value)
		}
	}
	for _, text := range posted[f.Key] {
		for _, row := range mapLines(unixLines(text)) {
			add(row.Name, row.Value)
		}
	}
	given := posted[f.Key+"/value"]
	for i, name := range posted[f.Key+"/name"] {
		value := ""
		if i < len(given) {
			value = given[i]
		}
		add(name, value)
	}
	if f.Catalogue {
		prefix := f.Key + "/maybe/"
		var maybe []string
		for key := range posted {
			if name, ok := strings.CutPrefix(key, prefix); ok && posted.Get(key) != "" {
				maybe = append(maybe, name)
			}
		}
		slices.Sort(maybe)
		for _, name := range maybe {
			add(name, posted.Get(prefix+name))
		}
	}
	return strings.Join(lines, "\n"), faults
}

func inlined(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

// maxRowOrder bounds the number in an order to add or remove.
const maxRowOrder = 10000

// order does what a button beside a row asks: "add KEY" one more row, "del KEY 2" without the second, "param KEY NAME" with
// that parameter of the catalogue. It reports whether it understood.
func (st *formState) order(text string, form SiteForm) bool {
	words := strings.Fields(text)
	if len(words) < 2 {
		return false
	}
	key, i := words[1], slices.IndexFunc(form.Tables, func(t SiteTable) bool { return t.Key == words[1] })
	switch {
	case words[0] == "add" && i >= 0:
		st.values[key] = strconv.Itoa(min(entries(st.values[key])+1, maxEntries))
		return true
	case words[0] == "add":
		st.add = map[string]int{key: 1}
		return true
	case words[0] == "param" && len(words) == 3:
		st.params = append(st.params, key+" "+words[2])
		return true
	case words[0] == "pick":
		return true // the name stands in a field of its own: see pick
	case words[0] == "del" && len(words) == 3:
		n, err := strconv.Atoi(words[2])
		if err != nil || n < 1 || n > maxRowOrder {
			return false
		}
		if i >= 0 {
			removeEntry(st.values, form.Tables[i], n-1)
		}
		return true // a row of a list was taken out before it was read: see removeRow
	}
	return false
}

// removeRow takes the row out of what was sent that a "del KEY 2" names: rows are counted as they were sent, empty ones too.
func removeRow(posted url.Values, order string) {
	words := strings.Fields(order)
	if len(words) != 3 || words[0] != "del" {
		return
	}
	n, err := strconv.Atoi(words[2])
	if err != nil || n < 1 {
		return
	}
	for _, part := range []string{"", "/name", "/value"} {
		if key := words[1] + part; n <= len(posted[key]) && !isCount(posted, key) {
			posted[key] = slices.Delete(posted[key], n-1, n)
		}
	}
}

// isCount reports whether a key is that of a table, which is sent with the number of its entries.
func isCount(posted url.Values, key string) bool {
	for name := range posted {
		if strings.HasPrefix(name, key+"[") {
			return true
		}
	}
	return false
}

// pick shows the parameter whose name was typed beside a map.
func (st *formState) pick(posted url.Values, order string) error {
	key, ok := strings.CutPrefix(order, "pick ")
	if !ok {
		return nil
	}
	p, known := phone.LookUpParameter(strings.TrimSpace(posted.Get(key + "/pick")))
	if !known || p.Reserved {
		return public(http.StatusUnprocessableEntity, "There is no such parameter. Go back, and choose one of the list.")
	}
	st.params = append(st.params, key+" "+p.Name)
	return nil
}

// removeEntry takes an entry of a table out; those behind it move up.
func removeEntry(values map[string]string, t SiteTable, at int) {
	n := entries(values[t.Key])
	if at >= n {
		return
	}
	for i := at; i < n; i++ {
		for _, f := range t.Blank {
			key := func(i int) string { return fmt.Sprintf("%s[%d].%s", t.Key, i, f.Key) }
			delete(values, key(i))
			if next, ok := values[key(i+1)]; ok && i+1 < n {
				values[key(i)] = next
			}
		}
	}
	values[t.Key] = strconv.Itoa(n - 1)
}

// readWas reads what stood in the form when it was loaded; nil = that is not known.
func readWas(text string) map[string]string {
	var was map[string]string
	if json.Unmarshal([]byte(text), &was) != nil {
		return nil
	}
	return was
}

// mergeUntouched gives the fields that a person did not touch the values that somebody else set meanwhile.
func mergeUntouched(values, was, current map[string]string, form SiteForm) {
	if was == nil {
		return
	}
	for _, f := range form.Fields {
		if before, ok := was[f.Key]; ok && values[f.Key] == before {
			values[f.Key] = current[f.Key]
		}
	}
	for _, t := range form.Tables {
		mergeTable(values, was, current, t)
	}
}

// mergeTable does the same for a table as a whole, for its entries may have moved.
func mergeTable(values, was, current map[string]string, t SiteTable) {
	within := func(m map[string]string) map[string]string {
		out := map[string]string{}
		for key, v := range m {
			if key == t.Key || strings.HasPrefix(key, t.Key+"[") {
				out[key] = v
			}
		}
		return out
	}
	mine, before := within(values), within(was)
	if len(mine) != len(before) {
		return
	}
	for key, v := range mine {
		if old, ok := before[key]; !ok || old != v {
			return
		}
	}
	for key := range mine {
		delete(values, key)
	}
	for key, v := range within(current) {
		values[key] = v
	}
}
