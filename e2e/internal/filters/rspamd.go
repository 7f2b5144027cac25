//go:build linux

package filters

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// rspamdAt is where rspamd listens.
const rspamdAt = "127.0.0.1:11333"

// rspamdRules is where Debian's configuration has rspamd look for rules of the
// site.
const rspamdRules = "/etc/rspamd/rspamd.local.lua"

// rspamdConf runs these rules and nothing else: what rspamd does beside them
// takes half a minute to start and asks hosts that are not there. The list of
// top-level domains is there because there must be one.
const rspamdConf = `options {
    pidfile = "/tmp/rspamd.pid";
    control_socket = "/tmp/rspamd.sock";
    hs_cache_dir = "/tmp";
    disable_hyperscan = true;
    filters = "";
    url_tld = "/tmp/tld";
    dns { nameserver = ["127.0.0.1"]; }
}
logging { type = "console"; level = "warning"; }
lua = "` + rspamdRules + `";
worker "normal" { bind_socket = "` + rspamdAt + `"; count = 1; }
`

// Rspamd is a running rspamd.
type Rspamd struct{ stop func() }

// StartRspamd has rspamd check its configuration as Debian ships it, with a file
// of Lua rules added to that, and starts it with these rules alone, in a box that
// holds the packages.
func StartRspamd(b *box.Box, rules string) (*Rspamd, error) {
	err := errors.Join(
		b.Write(rspamdRules, rules, 0o644),
		b.Write("/tmp/rspamd.conf", rspamdConf, 0o644),
		b.Write("/tmp/tld", "com\nnet\norg\n", 0o644),
		b.MakeDir("nobody", "nobody", 0o755, "/var/lib/rspamd"),
	)
	if err != nil {
		return nil, fmt.Errorf("rspamd: %w", err)
	}
	if err := b.Run("/usr/bin/rspamadm", "configtest"); err != nil {
		return nil, err
	}
	return startRspamd(b)
}

func startRspamd(b *box.Box) (*Rspamd, error) {
	cmd := b.Command("/usr/bin/rspamd", "--no-fork", "--config", "/tmp/rspamd.conf", "--user", "nobody", "--group", "nobody")
	cmd.SysProcAttr.Setpgid = true
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("rspamd: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	stop := func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the whole process group
		<-ended
	}
	if err := awaitListener(ended); err != nil {
		stop()
		return nil, fmt.Errorf("rspamd: %w: %v\n%s", err, cmd.ProcessState, output.String())
	}
	return &Rspamd{stop}, nil
}

func awaitListener(ended <-chan struct{}) error {
	const patience = 30 * time.Second
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		conn, err := net.DialTimeout("tcp", rspamdAt, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ended:
			return errors.New("it ended at once")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("it does not listen within %v", patience)
}

// Stop ends rspamd and all its processes at once.
func (r *Rspamd) Stop() { r.stop() }

// Scan returns the score of each symbol that a message got.
func (r *Rspamd) Scan(message string) (map[string]float64, error) {
	client := http.Client{Timeout: 10 * time.Second}
	reply, err := client.Post("http://"+rspamdAt+"/checkv2", "message/rfc822", strings.NewReader(message))
	if err != nil {
		return nil, fmt.Errorf("rspamd: %w", err)
	}
	defer func() { _ = reply.Body.Close() }()
	var result struct {
		Symbols map[string]struct {
			Score float64 `json:"score"`
		} `json:"symbols"`
	}
	if err := json.NewDecoder(reply.Body).Decode(&result); err != nil || reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("rspamd: %s: %w", reply.Status, err)
	}
	if result.Symbols == nil {
		return nil, errors.New("rspamd: no list of symbols")
	}
	found := make(map[string]float64)
	for name, symbol := range result.Symbols {
		found[name] = symbol.Score
	}
	return found, nil
}
