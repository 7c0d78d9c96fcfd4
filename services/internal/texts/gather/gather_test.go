package gather_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"phonebox/services/internal/texts/gather"
)

const code = `package x

import "some text/in a path"

type T struct {
	A int ` + "`json:\"not for people\"`" + `
}

var rows = []row{{"done", "Arrived"}, {Name: "Waiting"}}

var stateWords = map[string]string{a: "ahead"}

func phaseWords() (string, string) { return "gone", "good" }

func f() {
	log.Warn("what is logged", "key", 1)
	s.warn("what is logged too", "err", err)
	v.warn(line, "what people are warned of")
	counter("x_total", "What a metric says.")
	panic("a mistake of ours")
	refuse("code", "%s is used by %d%% of all", a, b)
	say("the name " + name + " is taken")
	v.Word = "soon"
	count(3, "file")
	return fmt.Errorf("%w: the file is damaged", errOne)
}
`

func TestGo(t *testing.T) {
	files := fstest.MapFS{"a.go": {Data: []byte(code)}, "a_test.go": {Data: []byte("package x\n\nconst a = \"what a test says\"")}}
	for _, tt := range []struct {
		name   string
		folder gather.Folder
		want   []string
	}{
		{"sentences alone", gather.Folder{}, []string{"what people are warned of", "{1} is used by {2}% of all", "the name {1} is taken"}},
		{
			"with errors and labels",
			gather.Folder{Words: true, Errors: func(file string) bool { return file == "a.go" }},
			[]string{
				"Arrived", "Waiting", "ahead", "gone", "what people are warned of", "{1} is used by {2}% of all", "the name {1} is taken", "soon", "file",
				"files", "the file is damaged",
			},
		},
		{
			"without what is skipped",
			gather.Folder{Silent: func(_, text string) bool { return text == "the name {1} is taken" }},
			[]string{"what people are warned of", "{1} is used by {2}% of all"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.folder.Go(files)
			slices.Sort(got)
			slices.Sort(tt.want)
			if got = slices.Compact(got); err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("found %q, %v, wanted %q", got, err, tt.want)
			}
		})
	}
}

func TestTemplate(t *testing.T) {
	const page = `{{define "x"}}<p class="no text" title="What it is">{{printf "%d are free, %d %%" .A .B}} are {{if .C}}here{{else}}gone{{end}}.</p>
<b aria-label="Remove {{.N}}" data-key="{{printf "not a text"}}">{{.D}}</b><code>not this</code>
{{template "field" (.F "label" "Caller's name" .V "Name")}}{{end}}`
	want := []string{"What it is", "{1} are", "here", "gone", "{1} are free, {2} %", "Remove {1}", "Caller's name", "Name"}
	got := gather.Template(page)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found %q, wanted %q", got, want)
	}
}
