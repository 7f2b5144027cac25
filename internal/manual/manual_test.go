package manual

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/examples"
)

// plain takes back what roff makes of a text.
func plain(text string) string {
	return strings.NewReplacer(`\-`, "-", `\e`, `\`, `\(aq`, "'", `\(ga`, "`", `\(ha`, "^", `\(ti`, "~", `\(dq`, `"`, `\&`, "").Replace(text)
}

func configPage(t *testing.T) string {
	t.Helper()
	text, err := Config("backscatter-milter", examples.Config(), Header{Version: "1.2", Date: "2026-11-22"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sections gives what stands below each .SS, by the first word of its name.
func sections(page string) map[string]string {
	found := map[string]string{}
	for _, part := range strings.Split(page, "\n.SS \"")[1:] {
		part, _, _ = strings.Cut(part, "\n.SH ")
		name, _, _ := strings.Cut(part, " ")
		found[plain(name)] = part
	}
	return found
}

// TestEveryKeyHasItsSection wants of each key that the file may have a summary,
// the default, what is allowed, and an example that is taken as it stands.
func TestEveryKeyHasItsSection(t *testing.T) {
	found := sections(configPage(t))
	for _, k := range config.Keys() {
		path := k.Path
		if rest, ok := strings.CutPrefix(path, "domain.policy."); ok {
			path = "domain.policy.REASON"
			if !strings.Contains(plain(found[path]), rest) {
				t.Errorf("%s does not name %s", path, rest)
			}
			continue
		}
		section := found[path]
		words := strings.Join(strings.Fields(plain(section)), " ")
		title, rest, _ := strings.Cut(words, ")\" ")
		if !strings.Contains(title, "(default: ") && !strings.HasSuffix(title, " (required") {
			t.Errorf("%s: %q has no default", k.Path, title)
		}
		summary, rest, _ := strings.Cut(rest, " .PP Allowed: ")
		if len(summary) < 5 {
			t.Errorf("%s: summary %q", k.Path, summary)
		}
		if allowed, _, _ := strings.Cut(rest, " .PP Example:"); !strings.Contains(allowed, k.Allowed) {
			t.Errorf("%s: allowed is %q", k.Path, allowed)
		}
		_, shown, _ := strings.Cut(section, ".EX\n")
		shown, _, _ = strings.Cut(shown, ".EE")
		shown = plain(shown)
		_, err := config.Parse("config.toml", []byte(shown))
		if err != nil && !strings.HasSuffix(err.Error(), "not available yet") || !strings.Contains(shown, k.Example) {
			t.Errorf("%s: the example gives %v:\n%s", k.Path, err, shown)
		}
	}
}

// The example and the reader must speak of the same keys.
func TestConfigDiffers(t *testing.T) {
	for text, complaint := range map[string]string{
		strings.Replace(examples.Config(), "\nstage = ", "\nstages = ", 1):    "stages is in the example, and is no key\nstage is not in the example",
		strings.Replace(examples.Config(), "\nstage = ", "\nWhat is this", 1): "no comment, table or setting",
	} {
		_, err := Config("backscatter-milter", text, Header{})
		if err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("got %v, want %q", err, complaint)
		}
	}
}

func TestConfigHead(t *testing.T) {
	page := configPage(t)
	for _, want := range []string{
		`.TH "BACKSCATTER\-MILTER.TOML" 5 2026-11-22 "backscatter\-milter 1.2" "System administration"`,
		"\nLengths of time: ", "\n.SH \"[batv]\"\n", `(default: \(dqkeys.toml\(dq)`, `(default: that of batv.sign)`, "As exempt.clients, added.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in it", want)
		}
	}
	if strings.Contains(page, "A line that is active") {
		t.Error("it tells how the example is laid out")
	}
}

func TestCommands(t *testing.T) {
	root := &cobra.Command{Use: "tool", Short: "Do things", Long: "What it is for.\n\n  tool run > \"file\"\n  .hidden"}
	root.PersistentFlags().String("config", "a.toml", "configuration `file`")
	run := &cobra.Command{Use: "run PATH...", Short: "Run it", Run: func(*cobra.Command, []string) {}}
	run.Flags().BoolP("fast", "f", false, "don't wait")
	secret := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	group := &cobra.Command{Use: "keys", Short: "Keys"}
	group.PersistentFlags().String("keys", "", "key `file`")
	group.AddCommand(&cobra.Command{Use: "list", Short: "List them", Example: "  tool keys list", Run: func(*cobra.Command, []string) {}})
	root.AddCommand(run, secret, group)
	page := Commands(root, Header{})
	for _, want := range []string{
		"tool \\- do things\n",
		"\\fBtool run\\fR [OPTION...] PATH...\n", "\\fBtool keys list\\fR\n",
		".SS \"run [OPTION...] PATH...\"\nRun it.\n.TP\n\\fB\\-f, \\-\\-fast\\fR\ndon\\(aqt wait\n",
		".SS \"keys list\"\nList them.\n.TP\n\\fB\\-\\-keys FILE\\fR\nkey file\n.PP\n.RS 4\n.EX\ntool keys list\n.EE\n",
		".EX\ntool run > \"file\"\n\\&.hidden\n.EE\n",
		".TP\n\\fB\\-\\-config FILE\\fR\nconfiguration file (default a.toml)\n",
		".SH \"EXIT STATUS\"\n", ".SH \"SIGNALS\"\n",
		"last decisions of 14 days, with the client,\nsender and recipients of each",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if strings.Contains(page, "secret") || strings.Contains(page, ".SS \"help") {
		t.Error("what is hidden is shown")
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		`a\b`:         `a\eb`,
		".TH":         `\&.TH`,
		"'quoted'":    `\(aqquoted\(aq`,
		"--a `b` ^c~": `\-\-a \(gab\(ga \(hac\(ti`,
		"xn--…":       `xn\-\-\[u2026]`,
	} {
		if got := escapeLine(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := quote(`say "x"`); got != `"say \(dqx\(dq"` {
		t.Error(got)
	}
}
