package assemble

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"phonebox/appliance/site"
	"phonebox/services/provision"
	"phonebox/services/telnet"
	"phonebox/services/web"
)

// What a person reads of a phone that could not be asked is no chain of errors of the system.
func TestAskWords(t *testing.T) {
	broken := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("asking 10.77.0.50:23: %w", telnet.ErrPassword), "does not accept the password"},
		{fmt.Errorf("asking 10.77.0.50:23: %w: it closed the connection", telnet.ErrPassword), "does not accept the password"},
		{fmt.Errorf("asking 10.77.0.50:23: closed: %w", broken), "closed the connection"},
		{fmt.Errorf("asking 10.77.0.50:23: closed: %w", io.EOF), "closed the connection"},
		{errors.New("it asks for a user name"), "It asks for a user name."},
	} {
		if got := askWords(tt.err); !strings.Contains(got, tt.want) || strings.Contains(got, "tcp") || strings.Contains(got, "EOF") || strings.Contains(got, "asking 10") {
			t.Errorf("%v becomes %q, want %q in it", tt.err, got, tt.want)
		}
	}
}

// An error of a sound, of the disk and of a body that is too large are three things, and none is a chain.
func TestWhatIsSaidOfAnUpload(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	_, err := b.shop.AddRing(t.Context(), "bell.wav", strings.NewReader("no sound"))
	var public *web.PublicError
	if !errors.As(err, &public) || public.Status != 422 || !strings.HasPrefix(public.Text, "It is ") {
		t.Errorf("what is no sound gave %v", err)
	}
	if _, err = b.shop.SetLogo(t.Context(), strings.NewReader("no picture")); !errors.As(err, &public) || !strings.HasPrefix(public.Text, "It is no picture") {
		t.Errorf("what is no picture gave %v", err)
	}
	_, err = said("", fmt.Errorf("keeping the logo: %w: %w", provision.ErrStore, &fs.PathError{Op: "open", Path: "/perm/phonebox/tftp/x", Err: syscall.ENOSPC}))
	if !errors.As(err, &public) || public.Status != 507 || strings.Contains(public.Text, "/perm") {
		t.Errorf("a full disk gave %v", err)
	}
	if _, err = said("", fmt.Errorf("adding the ring: %w", &http.MaxBytesError{Limit: 5})); errors.As(err, &public) {
		t.Errorf("a body that is too large gave %v", err)
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{"": "", "it is empty": "It is empty.", "is it whole?": "Is it whole?", "Done.": "Done."} {
		if got := sentence(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestADialPlanOfAnotherSystemIsRead(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	p, err := b.shop.ReadDialPlan("<DIALTEMPLATE>\n<TEMPLATE MATCH=\"0,.\" Timeout=\"2\" Colour=\"red\"/>\n</DIALTEMPLATE>")
	if err != nil || len(p.Rules) != 1 || p.Rules[0].Match != "0,." || p.Rules[0].Timeout != "2" || len(p.Warnings) == 0 || !strings.HasPrefix(p.Warnings[0], "Line 2 of the file: ") {
		t.Errorf("the plan is %+v, %v", p, err)
	}
	for _, text := range []string{"hello", "<DIALTEMPLATE></DIALTEMPLATE>"} {
		var public *web.PublicError
		if p, err := b.shop.ReadDialPlan(text); !errors.As(err, &public) || public.Status != 422 {
			t.Errorf("%q gave %+v, %v", text, p, err)
		}
	}
}
