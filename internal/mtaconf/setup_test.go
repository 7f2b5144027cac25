package mtaconf

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPostfix(t *testing.T) {
	bare := ParsePostfix("mydestination = $myhostname, example.com\nmyhostname = mx\nalias_maps =\nvirtual_alias_maps = $virtual_maps", "")
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

# For the users of the password file in example.com: takes the tag off those
# who exist, and off nobody else. Set [batv] sign = true once mail to a tagged
# address arrives.
virtual_alias_maps = pipemap:{regexp:/etc/postfix/untag.re, unix:passwd.byname, regexp:/etc/postfix/user.re}

# /etc/postfix/untag.re
/^prvs=[0-9]{4}[0-9a-f]{6}=([^@]+)@example\.com$/ $1

# /etc/postfix/user.re
/^([^:]+):/ $1@example.com
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
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
		"no domain":       {mine, func(r *Request) { r.Domains = nil }, "name your domains"},
		"two domains":     {mine, func(r *Request) { r.Domains = append(r.Domains, "example.net") }, "several domains have not been run"},
		"sub-domains":     {mine, func(r *Request) { r.Domains = []string{"*.example.com"} }, "sub-domains have not been run"},
		"aliases":         {mine + "virtual_alias_maps = hash:/x", nil, "virtual_alias_maps is set already, to hash:/x"},
		"virtual mailbox": {"virtual_mailbox_domains = example.com", nil, "virtual mailboxes have not been run"},
		"virtual alias":   {"virtual_alias_domains = example.com", nil, "virtual aliases have not been run"},
		"relayed":         {"relay_domains = $x\nx = example.com", nil, "relayed domains have not been run"},
		"elsewhere":       {"mydestination = hash:/x", nil, "example.com is not named in mydestination"},
		"everybody":       {mine + "local_recipient_maps =", nil, "local_recipient_maps is empty"},
		"delimiter":       {mine + "recipient_delimiter = +", func(r *Request) { r.Subaddress = true }, "There is nothing to add."},
		"no delimiter":    {mine, func(r *Request) { r.Subaddress = true }, "are accepted where recipient_delimiter has + in it"},
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
	want := "INPUT_MAIL_FILTER(`backscatter', `S=inet:8895@127.0.0.1, F=T, T=C:5s;S:5s;R:5s;E:10s')dnl\n" +
		"LOCAL_CONFIG\nKprvs regex -s1 ^prvs=[0-9]{4}[0-9a-f]{6}=(.+)$\nLOCAL_RULE_0\n" +
		"R$+ < @ $=w . > $*\t$: $(prvs $1 $: $1 $) < @ $2 . > $3\n"
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	r := Request{Site: site(), FailOpen: true}
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
Kprvs regex -s1 ^x
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
