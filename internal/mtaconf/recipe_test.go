package mtaconf

import (
	"maps"
	"os"
	"strings"
	"testing"
)

// TestRecipesAreRun holds every line that can be printed to the files that the
// end-to-end tests run servers with.
func TestRecipesAreRun(t *testing.T) {
	for _, r := range Recipes() {
		content, err := os.ReadFile("../../e2e/internal/mta/conf/" + r.Run)
		if err != nil {
			t.Fatal(err)
		}
		run := "\n" + strings.NewReplacer(
			"\nMAIL_FILTER(`backscatteropen'", "\nINPUT_MAIL_FILTER(`backscatter'", // further doors of the same server
			"  -o milter_default_action=accept", "milter_default_action = accept", // a setting of one service
			"inet:@MILTER@", "@MILTER@",
		).Replace(string(content)) + "\n"
		w := words{"ALIASES": "hash:/etc/postfix/virtual", "LOCAL_MAPS": "proxy:unix:passwd.byname hash:/etc/aliases", "DOMAINS": "relay.example.net"}
		domain := "example.com"
		if r.Name == postfixUntagAny {
			domain = "verify.example.net"
		}
		maps.Copy(w, inDomain(domain))
		for _, line := range r.fill(w) {
			if !strings.Contains(run, "\n"+line+"\n") {
				t.Errorf("%s: %s does not run\n%s", r.Name, r.Run, line)
			}
		}
		if len(r.Lines) == 0 || r.File == "" {
			t.Errorf("%s: %+v", r.Name, r)
		}
	}
	// A unix socket is run, too, in the form that each server has for it.
	for file, want := range map[string]string{"master.cf": "smtpd_milters=unix:@SOCKET_PATH@", "sendmail.mc": "S=local:@SOCKET_PATH@, F=T"} {
		content, err := os.ReadFile("../../e2e/internal/mta/conf/" + file)
		if err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s does not run %s: %v", file, want, err)
		}
	}
}

func TestFill(t *testing.T) {
	got := recipe(postfixUntag).fill(inDomain("a-b.example.com"))[0]
	if want := `/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@a-b\.example\.com)$/ $1`; got != want {
		t.Errorf("%s", got)
	}
}
