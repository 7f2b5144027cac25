package mtaconf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Settings are parameters of Postfix with their values, and the services of
// its master.cf.
type Settings struct {
	values   map[string]string
	services []Service
}

// Service is one line of master.cf.
type Service struct {
	Name, Type string            // "smtp", "inet"
	Chroot     bool              // whether it runs below the queue directory
	Command    string            // "smtpd"
	Options    map[string]string // of -o
}

// asked are the parameters whose defaults matter, too.
func asked() []string {
	return []string{
		"mail_version", "myhostname", "mydomain", "mydestination", "queue_directory", "relay_domains",
		"virtual_alias_domains", "virtual_alias_maps", "virtual_mailbox_domains", "alias_maps",
		"local_recipient_maps", "virtual_mailbox_maps", "relay_recipient_maps",
		"milter_default_action", "milter_protocol", "recipient_delimiter", "in_flow_delay",
		"internal_mail_filter_classes", "smtpd_milters", "non_smtpd_milters",
	}
}

const (
	askTimeout = 5 * time.Second
	maxOutput  = 4 << 20 // octets of postconf's output that are read
)

// AskPostfix runs postconf(1), which is at path. A program that fails or hangs
// is an error; what it says beside the settings is ignored.
func AskPostfix(ctx context.Context, path string) (*Settings, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	set, err := run(ctx, path, "-n")
	if err != nil {
		return nil, err
	}
	inForce, err := run(ctx, path, asked()...)
	if err != nil {
		return nil, err
	}
	services, err := run(ctx, path, "-M")
	if err != nil {
		return nil, err
	}
	return ParsePostfix(set+"\n"+inForce, services), nil
}

func run(ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second // for what it may have left behind
	out := limited{}
	cmd.Stdout = &out
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s gave no answer within %v", path, askTimeout)
	case err != nil && errors.As(err, new(*exec.ExitError)):
		return "", fmt.Errorf("%s %s: %w", path, args[0], err)
	}
	return out.String(), err
}

// limited keeps the beginning of what is written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// ParsePostfix reads the output of "postconf -n", or a main.cf, and that of
// "postconf -M", or a master.cf. Lines that it cannot read are left out; of a
// parameter that stands twice the last counts, as for Postfix.
func ParsePostfix(parameters, services string) *Settings {
	s := &Settings{values: map[string]string{}}
	for _, line := range logicalLines(parameters) {
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if ok && name != "" && !strings.ContainsAny(name, " \t") {
			s.values[name] = strings.TrimSpace(value)
		}
	}
	for _, line := range logicalLines(services) {
		if service, ok := parseService(line); ok {
			s.services = append(s.services, service)
		}
	}
	return s
}

// logicalLines joins lines that begin with white space to the one before, and
// leaves out comments (postconf(5)).
func logicalLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case line != strings.TrimLeft(line, " \t") && len(lines) > 0:
			lines[len(lines)-1] += " " + trimmed
		default:
			lines = append(lines, trimmed)
		}
	}
	return lines
}

// parseService reads a line of master(5).
func parseService(line string) (Service, bool) {
	words := split(line)
	if len(words) < 8 {
		return Service{}, false
	}
	s := Service{Name: words[0], Type: words[1], Chroot: words[4] == "y", Command: words[7], Options: map[string]string{}}
	for i := 8; i+1 < len(words); i++ {
		if words[i] != "-o" {
			continue
		}
		i++
		name, value, _ := strings.Cut(strings.Trim(words[i], "{}"), "=")
		s.Options[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return s, true
}

// split separates at commas and white space, but not within braces.
func split(list string) []string {
	var parts []string
	depth, begin := 0, -1
	end := func(i int) {
		if begin >= 0 {
			parts = append(parts, list[begin:i])
		}
		begin = -1
	}
	for i, c := range list {
		switch {
		case strings.ContainsRune(", \t", c) && depth == 0:
			end(i)
			continue
		case c == '{':
			depth++
		case c == '}':
			depth = max(0, depth-1)
		}
		if begin < 0 {
			begin = i
		}
	}
	end(len(list))
	return parts
}

// Get is the value of a parameter, in which $name, ${name} and $(name) are
// replaced by the values of these, once. It is "" for what is not known.
func (s *Settings) Get(name string) string { return s.expand(s.values[name]) }

// In is Get for a service, whose own options come first.
func (s *Settings) In(service Service, name string) string {
	if value, ok := service.Options[name]; ok {
		return s.expand(value)
	}
	return s.Get(name)
}

func (s *Settings) expand(value string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(value, "$")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, rest := reference(after)
		b.WriteString(s.values[name])
		value = rest
	}
}

// reference splits what follows a "$" into the name and the rest.
func reference(after string) (name, rest string) {
	for open, closing := range map[string]string{"{": "}", "(": ")"} {
		if inner, ok := strings.CutPrefix(after, open); ok {
			name, rest, _ = strings.Cut(inner, closing)
			return name, rest
		}
	}
	n := strings.IndexFunc(after, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
	if n < 0 {
		n = len(after)
	}
	return after[:n], after[n:]
}
