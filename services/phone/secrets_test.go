package phone_test

import (
	"strings"
	"testing"

	"phonebox/services/phone"
)

func TestPasswordsAreHidden(t *testing.T) {
	for _, tt := range []struct{ line, shown, secret string }{
		{`line1_password: "hunter2"`, `line1_password: ********`, `"hunter2"`},
		{`  phone_password : cisco ; the default`, `  phone_password : ********`, `cisco ; the default`},
		{`# line1_password: "old one"`, `# line1_password: ********`, `"old one"`},
		{`line2_password: ""`, `line2_password: ""`, ``},
		{`line2_password: UNPROVISIONED`, `line2_password: UNPROVISIONED`, ``},
		{`line1_pasword: x`, `line1_pasword: ********`, `x`},
		{`line1_name: 208`, `line1_name: 208`, ``},
		{`proxy1_address: "pbx.voice.home.arpa"`, `proxy1_address: "pbx.voice.home.arpa"`, ``},
		{`<authPassword>hunter2</authPassword><name>x</name>`, `<authPassword>********</authPassword><name>x</name>`, `hunter2`},
		{`<user name="a" password='hunter2'/>`, `<user name="a" password='********'/>`, `hunter2`},
		{`<authPassword></authPassword>`, `<authPassword></authPassword>`, ``},
		{`line1_password "hunter2"`, `line1_password "********`, `hunter2"`},
		{`password=hunter2`, `password=********`, `hunter2`},
		{`note: the password is hunter2`, `note: the password ********`, `is hunter2`},
		{``, ``, ``},
	} {
		shown, secret := phone.HideSecrets(tt.line)
		if shown != tt.shown || secret != tt.secret {
			t.Errorf("HideSecrets(%q) = %q, %q; want %q, %q", tt.line, shown, secret, tt.shown, tt.secret)
		}
	}
}

// Every secret of the catalogue is hidden in a file as phonebox writes it.
func TestTheFileOfAPhoneShowsNoPassword(t *testing.T) {
	values := map[string]string{}
	for _, p := range phone.Parameters() {
		if p.Secret && p.PhoneFile {
			values[p.Name] = "tell-nobody"
		}
	}
	if len(values) < 6 {
		t.Fatalf("the catalogue has %d secrets, want those of six lines", len(values))
	}
	for name, value := range values {
		if shown, secret := phone.HideSecrets(name + ": \"" + value + "\""); strings.Contains(shown, value) || !strings.Contains(secret, value) {
			t.Errorf("%s: %q, %q", name, shown, secret)
		}
	}
}

func FuzzHideSecrets(f *testing.F) {
	for _, seed := range []string{`line1_password: "x"`, `<a password="x">`, `# pwd`, "passwd \xff", `a="b" pwd='`, `<secret>x`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		shown, secret := phone.HideSecrets(line)
		if (secret == "") != (shown == line) && !strings.Contains(line, phone.HiddenSecret) {
			t.Errorf("HideSecrets(%q) = %q, %q: hidden and not said, or the other way round", line, shown, secret)
		}
		again, more := phone.HideSecrets("line1_password: " + line)
		if more != "" && strings.Join(strings.Fields(again), " ") != "line1_password: "+phone.HiddenSecret && !strings.ContainsAny(line, "\n<") {
			t.Errorf("of the password %q is left %q", line, again)
		}
	})
}
