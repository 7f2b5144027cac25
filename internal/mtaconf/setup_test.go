package mtaconf

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPostfix(t *testing.T) {
	bare := ParsePostfix("mydestination = $myhostname, example.com\nmyhostname = mx\nalias_maps = hash:/etc/aliases\nvirtual_alias_maps = $virtual_maps\n"+
		"local_recipient_maps = proxy:unix:passwd.byname $alias_maps\nrecipient_delimiter = +", "")
	got, err := Postfix(Request{Site: site()}, bare)
	if err != nil {
		t.Fatal(err)
	}
	want := `# main.cf
smtpd_milters = inet:127.0.0.1:8895
non_smtpd_milters = $smtpd_milters
internal_mail_filter_classes = bounce
milter_default_action = tempfail
milter_connect_timeout = 5s
milter_command_timeout = 5s
milter_content_timeout = 10s

# While the milter is away, no mail is taken, and clients try again later.

# Takes the tag off recipients whom Postfix knows, and off nobody else. Set
# [batv] sign = true once mail to a tagged address arrives.
untagged_alias_maps =
known_maps = $untagged_alias_maps, $virtual_mailbox_maps, $relay_recipient_maps,
    pipemap:{regexp:/etc/postfix/local.re, unionmap:{proxy:unix:passwd.byname hash:/etc/aliases}}
virtual_alias_maps = $untagged_alias_maps,
    pipemap:{regexp:/etc/postfix/untag.re, unionmap:{regexp:/etc/postfix/plain.re, $known_maps,
    pipemap:{regexp:/etc/postfix/bare.re, unionmap:{$known_maps}}}, regexp:/etc/postfix/known.re},
    regexp:/etc/postfix/untag-any.re

# /etc/postfix/untag.re
/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@example\.com)$/ $1

# /etc/postfix/untag-any.re
# (here belong domains of which Postfix takes every recipient, so that only
# the next server knows them)

# /etc/postfix/plain.re
/^(.+)$/ $1

# /etc/postfix/bare.re
/^([^@+]+)\+[^@]*@(.+)$/ $1@$2

# /etc/postfix/local.re
/^(.+)@example\.com$/ $1

# /etc/postfix/known.re
/^([^,]+),/ $1
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Each domain stands in the table of its class.
func TestPostfixClasses(t *testing.T) {
	settings := `mydestination = local.example.com, open.example.com
virtual_alias_domains = alias.example.com
virtual_mailbox_domains = box.example.com
virtual_mailbox_maps = hash:/etc/postfix/boxes
relay_domains = relay.example.com
relay_recipient_maps =
virtual_alias_maps = hash:/etc/postfix/virtual
alias_maps = hash:/etc/aliases
local_recipient_maps = unix:passwd.byname $alias_maps
smtpd_recipient_restrictions = reject_unverified_recipient
`
	r := Request{Site: site()}
	r.Domains = []string{"local.example.com", "ALIAS.example.com", "box.example.com", "relay.example.com"}
	got, err := Postfix(r, ParsePostfix(settings, ""))
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{}
	for _, part := range strings.Split(got, "\n\n") {
		name, rest, _ := strings.Cut(part, "\n")
		tables[strings.TrimPrefix(name, "# /etc/postfix/")] = rest + "\n"
	}
	const tag = "/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@"
	for name, want := range map[string]string{
		"untag.re":     tag + "local\\.example\\.com)$/ $1\n" + tag + "ALIAS\\.example\\.com)$/ $1\n" + tag + "box\\.example\\.com)$/ $1\n",
		"untag-any.re": tag + "relay\\.example\\.com)$/ $1\n",
		"local.re":     "/^(.+)@local\\.example\\.com$/ $1\n",
		"bare.re":      "# (recipient_delimiter has no +, and no other has been run)\n",
	} {
		if d := cmp.Diff(want, tables[name]); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	for _, want := range []string{
		"\nuntagged_alias_maps = hash:/etc/postfix/virtual\n", "unionmap:{unix:passwd.byname hash:/etc/aliases}}\n",
		"# What virtual_alias_maps was, hash:/etc/postfix/virtual, is what",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "Signing should stay off") {
		t.Errorf("it warns of what its lines mend:\n%s", got)
	}
	// Once they have been added, the same lines come again.
	after := settings + lines(got)
	if again, err := Postfix(r, ParsePostfix(after, "")); err != nil || lines(again) != lines(got) {
		t.Errorf("%v, second time (-first +second):\n%s", err, cmp.Diff(lines(got), lines(again)))
	}
	open := Request{Site: Site{Milters: r.Milters, Domains: []string{"open.example.com"}}}
	got, err = Postfix(open, ParsePostfix(settings+"local_recipient_maps =\n", ""))
	if err != nil || !strings.Contains(got, "# /etc/postfix/untag-any.re\n"+tag+"open") || !strings.Contains(got, "unionmap:{proxy:unix:passwd.byname hash:/etc/aliases}}") {
		t.Errorf("%v\n%s", err, got)
	}
}

// lines are those of a page that are not remarks.
func lines(page string) string {
	var all []string
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") && line != "\n" {
			all = append(all, line)
		}
	}
	return strings.Join(all, "")
}

// Where no test has been run there are words, and no lines.
func TestPostfixWithoutLines(t *testing.T) {
	const mine = "mydestination = example.com\n"
	for name, c := range map[string]struct {
		settings string
		change   func(*Request)
		want     string
	}{
		"no domain":    {mine, func(r *Request) { r.Domains = nil }, "name your domains"},
		"sub-domains":  {mine, func(r *Request) { r.Domains = []string{"*.example.com"} }, "sub-domains have not been run"},
		"elsewhere":    {"mydestination = hash:/x", nil, "example.com: no lines, as it is named in none of mydestination,"},
		"delimiter":    {mine + "recipient_delimiter = +", func(r *Request) { r.Subaddress = true }, "There is nothing to add."},
		"no delimiter": {mine, func(r *Request) { r.Subaddress = true }, "are accepted where recipient_delimiter has + in it"},
	} {
		r := Request{Site: site()}
		if c.change != nil {
			c.change(&r)
		}
		got, err := Postfix(r, ParsePostfix(c.settings, ""))
		if err != nil {
			t.Fatal(err)
		}
		if flat := strings.Join(strings.Fields(strings.ReplaceAll(got, "\n#", "")), " "); !strings.Contains(flat, c.want) {
			t.Errorf("%s: no %q in\n%s", name, c.want, got)
		}
		if l := lines(got); strings.Contains(l, "pipemap") || strings.Contains(l, "prvs") || !strings.Contains(l, "smtpd_milters") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

func TestPostfixRemarks(t *testing.T) {
	r := Request{Site: site(), FailOpen: true}
	r.Milters = []string{"unix:/run/m/sock"}
	got, err := Postfix(r, ParsePostfix(sound+"relayhost = [x]\nsmtpd_milters = inet:localhost:8891", services))
	if err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(strings.ReplaceAll(got, "\n#", "")), " ")
	for _, want := range []string{
		"smtpd_milters = unix:/run/m/sock ", "milter_default_action = accept ",
		"smtpd_milters is set already, to inet:localhost:8891: keep what is there",
		"Signing should stay off ([batv] sign = false) until this is dealt with: - relayhost = [x]: ",
		"smtp inet (chroot): smtpd runs below /var/spool/postfix and does not see /run/m/sock",
	} {
		if !strings.Contains(flat, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for milters, want := range map[string]string{"inet:0.0.0.0:7": "smtpd_milters = inet:127.0.0.1:7\n", "inet:192.0.2.9:7": "smtpd_milters = inet:192.0.2.9:7\n"} {
		r.Milters = []string{milters}
		if got, err := Postfix(r, nil); err != nil || !strings.Contains(got, want) || !strings.HasPrefix(got, "# Postfix could not be asked") {
			t.Errorf("%s: %v\n%s", milters, err, got)
		}
	}
	r.Milters = []string{"inet6:[::1]:8895", "inet:mx.example.com:8895"}
	if _, err := Postfix(r, nil); !errors.Is(err, ErrNoAddress) {
		t.Errorf("%v", err)
	}
	if _, err := ForSendmail(r, nil); !errors.Is(err, ErrNoAddress) {
		t.Errorf("%v", err)
	}
}

func TestForSendmail(t *testing.T) {
	got, err := ForSendmail(Request{Site: site()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const (
		filter = "INPUT_MAIL_FILTER(`backscatter', `S=inet:8895@127.0.0.1, F=T, T=C:5s;S:5s;R:5s;E:10s')dnl\n"
		table  = "LOCAL_CONFIG\nKprvs regex -s1 ^prvs=[0-9]{4}[0-9a-f]{6}=(.+)$\n"
		rules  = "LOCAL_RULE_0\nR$+ < @ $=w . > $*\t$: $(prvs $1 $: $1 $) < @ $2 . > $3\nR$+ < @ $={VirtHost} . > $*\t$: $(prvs $1 $: $1 $) < @ $2 . > $3\n"
		tagged = "R$+ < @ $={Tagged} . > $*\t$: $(prvs $1 $: $1 $) < @ $2 . > $3\nR$+ < @ $={Tagged} > $*\t$: $(prvs $1 $: $1 $) < @ $2 > $3\n"
	)
	want := filter + table + "C{Tagged}example.com\n" + rules + tagged
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	r := Request{Site: site()}
	r.Domains = []string{"*.example.com"}
	if got, err = ForSendmail(r, ParseSendmail("Kvirtuser hash -o /etc/mail/virtusertable\n")); err != nil || lines(got) != filter+table+rules {
		t.Errorf("%v\n%s", err, got)
	}
	if !strings.Contains(got, "# *.example.com: sub-domains have not been run") || strings.Contains(got, "Signing should stay off") {
		t.Errorf("%s", got)
	}
	r = Request{Site: site(), FailOpen: true}
	r.Milters, r.Subaddress = []string{"unix:/run/m/sock"}, true
	got, err = ForSendmail(r, ParseSendmail("DSrelay:mail.example.net\n"))
	want = "INPUT_MAIL_FILTER(`backscatter', `S=local:/run/m/sock, T=C:5s;S:5s;R:5s;E:10s')dnl\n"
	if err != nil || lines(got) != want || !strings.Contains(got, "# - SMART_HOST relay:mail.example.net: ") {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestCheckSendmail(t *testing.T) {
	const cf = `# built by m4
DSrelay:mail.example.net
DMexample.com
Kmailertable hash -o /etc/mail/mailertable
O InputMailFilters=clamav,backscatter
Xclamav, S=local:/run/clamav, F=
Xbackscatter, S=inet:8895@localhost, T=C:5s
`
	var got []string
	for _, f := range CheckSendmail(ParseSendmail(cf), site()) {
		got = append(got, strings.SplitN(f.String(), ":", 2)[0])
	}
	if d := cmp.Diff([]string{"FEATURE(`mailertable')", "MASQUERADE_AS example.com", "SMART_HOST relay", "INPUT_MAIL_FILTER(`backscatter') without F=T"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if found := CheckSendmail(ParseSendmail("Kmailertable hash -o /x\nKprvs regex -s1 ^x\n"), Site{}); len(found) != 0 {
		t.Errorf("with the tag taken off: %v", found)
	}
	for text, want := range map[string]string{
		"O InputMailFilters=b\nXb, S=local:/run/m/sock, F=T\n":     "",
		"Xb, S=inet:8895@127.0.0.1, F=T\n":                         "INPUT_MAIL_FILTER: Sendmail does not ask this milter, which is at inet:127.0.0.1:8895, unix:/run/m/sock: add the lines of: backscatter-milter setup sendmail",
		"O InputMailFilters=b\nXb, S=inet:8896@127.0.0.1, F=T\n":   "INPUT_MAIL_FILTER: Sendmail does not ask",
		"O InputMailFilters = b\nXb, S=inet:8895@127.0.0.1, F=R\n": "",
	} {
		found := CheckSendmail(ParseSendmail(text), site())
		if want == "" && len(found) != 0 || want != "" && (len(found) != 1 || !strings.HasPrefix(found[0].String(), want)) {
			t.Errorf("%q: %v", text, found)
		}
	}
}
