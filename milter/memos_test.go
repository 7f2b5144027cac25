package milter

import (
	"context"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// foreigner finds every original foreign.
type foreigner struct{}

func (foreigner) Ask(context.Context, origin.Question) origin.Answer {
	return origin.Answer{Evidence: origin.Foreign}
}

// A memo about a foreign original is refused, but not where it has recipients
// who are not judged: it is theirs, too.
func TestForeignMemo(t *testing.T) {
	const toml = baseConfig + "[policy]\norigin-foreign = \"reject\"\n"
	b := start(t, "")
	cfg, err := config.Parse("test.toml", []byte(strings.Replace(toml, `["example.com"]`, `["example.com", "example.org"]`, 1)+
		"[[domain]]\nname = \"example.org\"\nmode = \"off\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSettings(policy.NewSettings(cfg, b.keys, policy.Sources{Site: &policy.Unknown{}, Origins: foreigner{}}))
	if err != nil {
		t.Fatal(err)
	}
	b.server.Reload(s)
	report := mtatest.SampleBounce("alice@example.com", "alice@example.com")
	report.From, report.Client = "postmaster@mx.example.net", "192.0.2.25"
	for _, k := range []struct {
		to      []string
		refused bool
	}{
		{[]string{"alice@example.com"}, true},
		{[]string{"alice@example.com", "bob@example.com"}, true},
		{[]string{"alice@example.com", "carol@example.net"}, false}, // not ours
		{[]string{"carol@example.net", "alice@example.com"}, false},
		{[]string{"alice@example.com", "dave@example.org"}, false}, // hands off
	} {
		report.Rcpts = mtatest.To(k.to...)
		r := b.run(t, report)
		if r.Accepted() == k.refused || !k.refused && !strings.HasPrefix(mark(r), "mark; reason=origin-foreign; ") {
			t.Errorf("to %v: %v, header %q, want refused %v", k.to, r.Reply, mark(r), k.refused)
		}
	}
}
