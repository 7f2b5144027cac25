//go:build linux

package filters

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// SpamAssassin is Debian's, with its own rules and one more file of them.
type SpamAssassin struct{ box *box.Box }

const spamassassinProgram = "/usr/bin/spamassassin"

// NewSpamAssassin adds a file of rules to SpamAssassin in a box that holds the
// packages, and has it look for mistakes in them.
func NewSpamAssassin(b *box.Box, rules string) (*SpamAssassin, error) {
	err := errors.Join(
		b.Write("/etc/spamassassin/backscatter.cf", rules, 0o644),
		b.Write("/etc/spamassassin/zz-e2e.cf", "clear_headers\nadd_header all Scores _TESTSSCORES(,)_\n", 0o644),
	)
	if err != nil {
		return nil, fmt.Errorf("spamassassin: %w", err)
	}
	return &SpamAssassin{b}, b.Run(spamassassinProgram, "--lint", "--local")
}

// Scan returns the score of each symbol that each message got. One run looks at
// all of them, because the program takes longer to start than to scan.
func (s *SpamAssassin) Scan(messages []string) ([]map[string]float64, error) {
	const number = "X-E2E-Number: "
	var mbox strings.Builder
	for i, m := range messages {
		fmt.Fprintf(&mbox, "From e2e Sat Nov 21 09:31:00 2026\n%s%d\n%s\n", number, i, strings.ReplaceAll(m, "\r\n", "\n"))
	}
	cmd := s.box.Command(spamassassinProgram, "--local", "--mbox")
	cmd.Stdin = strings.NewReader(mbox.String())
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("spamassassin: %w", err)
	}
	results := make([]map[string]float64, len(messages))
	for part := range bytes.SplitSeq(out, []byte("From e2e ")) {
		if len(part) == 0 {
			continue
		}
		header, _, _ := strings.Cut(strings.ReplaceAll(string(part), "\n\t", " "), "\n\n")
		i, err := strconv.Atoi(field(header, number))
		if err != nil || i < 0 || i >= len(results) || results[i] != nil {
			return nil, fmt.Errorf("spamassassin: unexpected message %q", part)
		}
		if results[i], err = scores(field(header, "X-Spam-Scores: ")); err != nil {
			return nil, err
		}
	}
	for i := range results {
		if results[i] == nil {
			return nil, fmt.Errorf("spamassassin: no answer for %q", messages[i])
		}
	}
	return results, nil
}

// field is the value of the first line of a header that begins so.
func field(header, begin string) string {
	_, rest, _ := strings.Cut("\n"+header, "\n"+begin)
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// scores reads "NAME=1.5, OTHER=-2".
func scores(list string) (map[string]float64, error) {
	found := make(map[string]float64)
	for one := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(one), "=")
		if !ok {
			continue // "none"
		}
		score, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("spamassassin: score %q", one)
		}
		found[name] = score
	}
	return found, nil
}
