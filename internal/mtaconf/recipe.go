package mtaconf

import (
	"regexp"
	"strings"
)

// Recipe is a set of lines for one file of an MTA. A word between @ is filled
// in. A recipe stands here only if the end-to-end tests run a server with its
// very lines; Run names their file, below e2e/internal/mta/conf.
type Recipe struct {
	Name  string
	File  string // where the lines go
	Run   string
	Lines []string
}

// The recipes by name.
const (
	postfixMilter   = "postfix-milter"
	postfixTimeouts = "postfix-timeouts"
	postfixTempfail = "postfix-tempfail"
	postfixAccept   = "postfix-accept"
	postfixLocal    = "postfix-local"
	postfixUntag    = "postfix-untag"
	postfixUser     = "postfix-user"
	sendmailMilter  = "sendmail-milter"
	sendmailAccept  = "sendmail-accept"
	sendmailUntag   = "sendmail-untag"
)

// Recipes are all lines that can be printed.
func Recipes() []Recipe {
	return []Recipe{
		{postfixMilter, "main.cf", "main.cf", []string{
			"smtpd_milters = @MILTER@",
			"non_smtpd_milters = $smtpd_milters",
			"internal_mail_filter_classes = bounce",
		}},
		{postfixTempfail, "main.cf", "main.cf", []string{"milter_default_action = tempfail"}},
		{postfixAccept, "main.cf", "master.cf", []string{"milter_default_action = accept"}},
		{postfixTimeouts, "main.cf", "main.cf", []string{
			"milter_connect_timeout = 5s",
			"milter_command_timeout = 5s",
			"milter_content_timeout = 10s",
		}},
		{postfixLocal, "main.cf", "main.cf", []string{
			"virtual_alias_maps = pipemap:{regexp:/etc/postfix/untag.re, unix:passwd.byname, regexp:/etc/postfix/user.re}",
		}},
		{postfixUntag, "/etc/postfix/untag.re", "untag.re", []string{
			`/^prvs=[0-9]{4}[0-9a-f]{6}=([^@]+)@@DOMAIN_RE@$/ $1`,
		}},
		{postfixUser, "/etc/postfix/user.re", "user.re", []string{"/^([^:]+):/ $1@@DOMAIN@"}},
		{sendmailMilter, "sendmail.mc, before the MAILER lines", "sendmail.mc", []string{
			"INPUT_MAIL_FILTER(`backscatter', `S=@MILTER@, F=T, T=C:5s;S:5s;R:5s;E:10s')dnl",
		}},
		{sendmailAccept, "sendmail.mc, before the MAILER lines", "sendmail.mc", []string{
			"INPUT_MAIL_FILTER(`backscatter', `S=@MILTER@, T=C:5s;S:5s;R:5s;E:10s')dnl",
		}},
		{sendmailUntag, "sendmail.mc, at its end (the white space before the second $: is a tab)", "sendmail.mc", []string{
			"LOCAL_CONFIG",
			"Kprvs regex -s1 ^prvs=[0-9]{4}[0-9a-f]{6}=(.+)$",
			"LOCAL_RULE_0",
			"R$+ < @ $=w . > $*\t$: $(prvs $1 $: $1 $) < @ $2 . > $3",
		}},
	}
}

// recipe finds one by its name.
func recipe(name string) Recipe {
	for _, r := range Recipes() {
		if r.Name == name {
			return r
		}
	}
	return Recipe{}
}

// fill puts the site's own words into lines. In the pattern of a domain, which
// has letters, digits, "-", "_" and ".", only the dots mean something else.
func (r Recipe) fill(milter, domain string) []string {
	words := strings.NewReplacer("@MILTER@", milter, "@DOMAIN_RE@", regexp.QuoteMeta(domain), "@DOMAIN@", domain)
	lines := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		lines[i] = words.Replace(line)
	}
	return lines
}
