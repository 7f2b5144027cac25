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
	postfixAliases  = "postfix-aliases"
	postfixKnown    = "postfix-known"
	postfixUntag    = "postfix-untag"
	postfixUntagAny = "postfix-untag-any"
	postfixPlain    = "postfix-plain"
	postfixBare     = "postfix-bare"
	postfixLocal    = "postfix-local"
	postfixFound    = "postfix-found"
	sendmailMilter  = "sendmail-milter"
	sendmailAccept  = "sendmail-accept"
	sendmailMap     = "sendmail-map"
	sendmailClass   = "sendmail-class"
	sendmailRules   = "sendmail-rules"
	sendmailTagged  = "sendmail-tagged"
)

// Recipes are all lines that can be printed.
func Recipes() []Recipe {
	const atEnd = "sendmail.mc, at its end (the white space before the second $: is a tab)"
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
		{postfixAliases, "main.cf", "main.cf", []string{"untagged_alias_maps = @ALIASES@"}},
		{postfixKnown, "main.cf", "main.cf", []string{
			"known_maps = $untagged_alias_maps, $virtual_mailbox_maps, $relay_recipient_maps,",
			"    pipemap:{regexp:/etc/postfix/local.re, unionmap:{@LOCAL_MAPS@}}",
			"virtual_alias_maps = $untagged_alias_maps,",
			"    pipemap:{regexp:/etc/postfix/untag.re, unionmap:{regexp:/etc/postfix/plain.re, $known_maps,",
			"    pipemap:{regexp:/etc/postfix/bare.re, unionmap:{$known_maps}}}, regexp:/etc/postfix/known.re},",
			"    regexp:/etc/postfix/untag-any.re",
		}},
		{postfixUntag, "/etc/postfix/untag.re", "untag.re", []string{`/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@@DOMAIN_RE@)$/ $1`}},
		{postfixUntagAny, "/etc/postfix/untag-any.re", "untag-any.re", []string{`/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@@DOMAIN_RE@)$/ $1`}},
		{postfixPlain, "/etc/postfix/plain.re", "plain.re", []string{"/^(.+)$/ $1"}},
		{postfixBare, "/etc/postfix/bare.re", "bare.re", []string{`/^([^@+]+)\+[^@]*@(.+)$/ $1@$2`}},
		{postfixLocal, "/etc/postfix/local.re", "local.re", []string{"/^(.+)@@DOMAIN_RE@$/ $1"}},
		{postfixFound, "/etc/postfix/known.re", "known.re", []string{"/^([^,]+),/ $1"}},
		{sendmailMilter, "sendmail.mc, before the MAILER lines", "sendmail.mc", []string{
			"INPUT_MAIL_FILTER(`backscatter', `S=@MILTER@, F=T, T=C:5s;S:5s;R:5s;E:10s')dnl",
		}},
		{sendmailAccept, "sendmail.mc, before the MAILER lines", "sendmail.mc", []string{
			"INPUT_MAIL_FILTER(`backscatter', `S=@MILTER@, T=C:5s;S:5s;R:5s;E:10s')dnl",
		}},
		{sendmailMap, atEnd, "sendmail.mc", []string{
			"LOCAL_CONFIG",
			"Kprvs regex -s1 ^prvs=[0-9]{4}[0-9a-f]{6}=(.+)$",
		}},
		{sendmailClass, atEnd, "sendmail.mc", []string{"C{Tagged}@DOMAINS@"}},
		{sendmailRules, atEnd, "sendmail.mc", []string{
			"LOCAL_RULE_0",
			"R$+ < @ $=w . > $*\t$: $(prvs $1 $: $1 $) < @ $2 . > $3",
			"R$+ < @ $={VirtHost} . > $*\t$: $(prvs $1 $: $1 $) < @ $2 . > $3",
		}},
		{sendmailTagged, atEnd, "sendmail.mc", []string{
			"R$+ < @ $={Tagged} . > $*\t$: $(prvs $1 $: $1 $) < @ $2 . > $3",
			"R$+ < @ $={Tagged} > $*\t$: $(prvs $1 $: $1 $) < @ $2 > $3",
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

// words are what a site puts into lines, by the words between @.
type words map[string]string

// inDomain is the word for lines that name a domain. In its pattern, which has
// letters, digits, "-", "_" and ".", only the dots mean something else.
func inDomain(domain string) words { return words{"DOMAIN_RE": regexp.QuoteMeta(domain)} }

// fill puts the site's own words into lines.
func (r Recipe) fill(w words) []string {
	var pairs []string
	for word, value := range w {
		pairs = append(pairs, "@"+word+"@", value)
	}
	replace := strings.NewReplacer(pairs...)
	lines := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		lines[i] = strings.TrimRight(replace.Replace(line), " ")
	}
	return lines
}
