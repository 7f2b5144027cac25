package mtaconf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const services = `
# a comment
smtp       inet  n       -       y       -       -       smtpd
submission inet  n       -       n       -       -       smtpd
  -o smtpd_milters=
127.0.0.1:10025 inet n   -       n       -       -       smtpd -o content_filter= -o { receive_override_options = no_unknown_recipient_checks }
broken
`

func TestParsePostfix(t *testing.T) {
	s := ParsePostfix(`a = 1
# comment
b = $a, ${a} $(a)
	$missing$
c =
a = 2
no value
 x
smtpd_milters = inet:localhost:8891,
    { inet:127.0.0.1:8895, default_action=accept }
`, services)
	for name, want := range map[string]string{"a": "2", "b": "2, 2 2", "c": "", "d": "", "smtpd_milters": "inet:localhost:8891, { inet:127.0.0.1:8895, default_action=accept }"} {
		if got := strings.TrimSpace(s.Get(name)); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	want := []Service{
		{"smtp", "inet", true, "smtpd", map[string]string{}},
		{"submission", "inet", false, "smtpd", map[string]string{"smtpd_milters": ""}},
		{"127.0.0.1:10025", "inet", false, "smtpd", map[string]string{"content_filter": "", "receive_override_options": "no_unknown_recipient_checks"}},
	}
	if d := cmp.Diff(want, s.services); d != "" {
		t.Errorf("services (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"inet:localhost:8891", "{ inet:127.0.0.1:8895, default_action=accept }"}, split(s.Get("smtpd_milters"))); d != "" {
		t.Errorf("list:\n%s", d)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a = $b\nb = $a ${", services)
	f.Add("smtpd_milters = {{}", "smtp inet n - y - - smtpd -o {")
	f.Add("x = $(", "Xa, S=inet:1@h\nO InputMailFilters=a\nDSx\nK\n")
	f.Fuzz(func(_ *testing.T, parameters, services string) {
		site := Site{Milters: []string{"inet:127.0.0.1:1", "unix:/s"}, Domains: []string{"example.com"}, Delimiter: "+"}
		s := ParsePostfix(parameters, services)
		CheckPostfix(s, site)
		_, _ = Postfix(Request{Site: site}, s)
		CheckSendmail(ParseSendmail(services), site)
	})
}

// sound is a Postfix that leaves nothing to say.
const sound = `mail_version = 3.7.11
queue_directory = /var/spool/postfix
mydestination = $myhostname, example.com
myhostname = mx.example.com
smtpd_milters = inet:127.0.0.1:8895
non_smtpd_milters = $smtpd_milters
internal_mail_filter_classes = bounce
milter_default_action = tempfail
in_flow_delay = 0
alias_maps =
`

func site() Site {
	return Site{Milters: []string{"inet:127.0.0.1:8895", "unix:/run/m/sock"}, Domains: []string{"example.com"}, Delimiter: "+"}
}

func TestCheckPostfix(t *testing.T) {
	const quiet = "milter_default_action = tempfail: while the milter is away no mail is taken, and clients try again later"
	subaddress := site()
	subaddress.Subaddress = true
	for name, c := range map[string]struct {
		added, services string
		site            Site
		want            string // how one finding begins
		warning, off    bool
	}{
		"relayhost":            {added: "relayhost = [smtp.example.net]", want: "relayhost = [smtp.example.net]: mail leaves by another host", warning: true, off: true},
		"generic":              {added: "smtp_generic_maps = hash:/x", want: "smtp_generic_maps = hash:/x: maps that know senders", warning: true, off: true},
		"canonical":            {added: "canonical_maps = hash:/x", want: "canonical_maps = hash:/x: they are applied again", warning: true, off: true},
		"recipient canonical":  {added: "recipient_canonical_maps = hash:/x", want: "recipient_canonical_maps = hash:/x: a map", warning: true},
		"masquerade":           {added: "masquerade_domains = example.com", want: "masquerade_domains = example.com: the host part", warning: true, off: true},
		"sender dependent":     {added: "sender_dependent_relayhost_maps = hash:/x", want: "sender_dependent_relayhost_maps = hash:/x: maps", warning: true, off: true},
		"proxy":                {added: "smtpd_proxy_filter = 127.0.0.1:10024", want: "smtpd_proxy_filter = 127.0.0.1:10024: a milter", warning: true},
		"not listed":           {added: "smtpd_milters = inet:localhost:8891", want: "smtpd_milters = inet:localhost:8891: Postfix does not ask this milter, which is at inet:127.0.0.1:8895, unix:/run/m/sock", warning: true},
		"not for sendmail(1)":  {added: "non_smtpd_milters =", want: "non_smtpd_milters = : mail by sendmail(1) is not signed", warning: true},
		"internal":             {added: "internal_mail_filter_classes = notify", want: "internal_mail_filter_classes = notify: Postfix's own bounces", warning: true},
		"accept":               {added: "milter_default_action = accept", want: "milter_default_action = accept: while the milter is away mail passes", warning: true},
		"reject":               {added: "milter_default_action = reject", want: "milter_default_action = reject: while the milter is away all mail is refused", warning: true},
		"quarantine":           {added: "milter_default_action = quarantine", want: "milter_default_action = quarantine:", warning: true},
		"shutdown":             {added: "milter_default_action = shutdown", want: "milter_default_action = shutdown: while the milter is away no mail is taken"},
		"its own action":       {added: "smtpd_milters = { inet:localhost:8895, default_action=accept }", want: "milter_default_action = accept:", warning: true},
		"filter":               {added: "content_filter = smtp:[127.0.0.1]:10024", services: services, want: "127.0.0.1:10025 inet: mail that the content filter brings back", warning: true},
		"filter, spared":       {added: "content_filter = smtp:[127.0.0.1]:10024", services: strings.ReplaceAll(services, "no_unknown_recipient_checks", "no_milters"), want: quiet},
		"filter, milter after": {added: "content_filter = smtp:[127.0.0.1]:10024", services: strings.ReplaceAll(services, "       smtpd\nsub", "       smtpd -o smtpd_milters=\nsub"), want: quiet},
		"delimiter":            {added: "recipient_delimiter = -", site: subaddress, want: "recipient_delimiter = -: tags stand behind +", warning: true, off: true},
		"pace":                 {added: "in_flow_delay = 1s", want: "in_flow_delay = 1s: when more mail arrives"},
		"soft bounce":          {added: "soft_bounce = yes", want: "soft_bounce = yes: every refusal", warning: true},
		"old protocol":         {added: "milter_protocol = 2", want: "milter_protocol = 2: the milter is made", warning: true},
		"probe":                {added: "smtpd_recipient_restrictions = permit_mynetworks, reject_unverified_recipient", want: "reject_unverified_recipient: recipients are probed", warning: true, off: true},
		"chroot":               {added: "smtpd_milters = unix:/run/m/sock", services: services, want: "smtp inet (chroot): smtpd runs below /var/spool/postfix and does not see /run/m/sock", warning: true},
		"nothing":              {added: "x = y", want: quiet},
		"delimiter there":      {added: "recipient_delimiter = +-", site: subaddress, want: quiet},
		"probe untagged":       {added: "smtpd_recipient_restrictions = reject_unverified_recipient\nvirtual_alias_maps = regexp:/etc/postfix/untag-any.re", want: quiet},
	} {
		if c.site.Milters == nil {
			c.site = site()
		}
		found := CheckPostfix(ParsePostfix(sound+c.added, c.services), c.site)
		matched := 0
		for _, f := range found {
			if strings.HasPrefix(f.String(), c.want) {
				matched++
				if f.Warning != c.warning || f.SignOff != c.off || f.Warning && f.Do == "" {
					t.Errorf("%s: %+v", name, f)
				}
			} else if f.String() != quiet {
				t.Errorf("%s: also found %s", name, f)
			}
		}
		if matched != 1 {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

func TestSameAddress(t *testing.T) {
	for _, c := range []struct {
		postfix, ours string
		want          bool
	}{
		{"inet:localhost:8895", "inet:127.0.0.1:8895", true},
		{"inet:[::1]:8895", "inet6:[::1]:8895", true},
		{"inet:127.0.0.1:8895", "inet:0.0.0.0:8895", true},
		{"inet:127.0.0.1:8896", "inet:127.0.0.1:8895", false},
		{"inet:192.0.2.1:8895", "inet:127.0.0.1:8895", false},
		{"unix:/run/m/sock", "unix:/run/m/sock", true},
		{"unix:m/sock", "unix:/var/spool/postfix/m/sock", true},
		{"unix:/m/sock", "unix:/var/spool/postfix/m/sock", true},
		{"unix:m/other", "unix:/var/spool/postfix/m/sock", false},
		{"inet:x", "unix:/x", false},
	} {
		if got := sameAddress(c.postfix, c.ours, "/var/spool/postfix"); got != c.want {
			t.Errorf("%s, %s: %v", c.postfix, c.ours, got)
		}
	}
}

// script writes a program that stands for postconf.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "postconf")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAskPostfix(t *testing.T) {
	s, err := AskPostfix(t.Context(), script(t, `case $1 in
-n) echo 'relayhost = [smtp.example.net]';;
-M) echo 'smtp inet n - y - - smtpd';;
*) echo 'postconf: warning: x: unknown parameter' >&2; echo 'myhostname = mx.example.com';;
esac`))
	if err != nil || s.Get("relayhost") != "[smtp.example.net]" || s.Get("myhostname") != "mx.example.com" || len(s.services) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := AskPostfix(t.Context(), script(t, "exit 3")); err == nil || !strings.HasSuffix(err.Error(), "postconf -n: exit status 3") {
		t.Errorf("a failure: %v", err)
	}
	if _, err := AskPostfix(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}
