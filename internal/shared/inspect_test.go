package shared

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// TestInspect names what keeps a store from being used.
func TestInspect(t *testing.T) {
	s := startServer(t)
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer func() { _ = c.Close() }()
	inspect := func() (text string) {
		for _, f := range Inspect(t.Context(), URL{Hosts: []string{s.Addr()}}) {
			if f.Level == Problem {
				text += f.Text + "\n"
			}
		}
		return text
	}
	a := start(t, "a", "redis://"+s.Addr(), &clock{})
	a.inState("shared")
	a.leave()
	if got := inspect(); got != "" {
		t.Errorf("of a good one: %s", got)
	}
	s.Del(siteKey)
	if got := inspect(); got != "" {
		t.Errorf("of one without a site: %s", got)
	}
	for key, put := range map[string]func(){
		siteKey:  func() { c.Set(t.Context(), siteKey, `{"version":1}`, 0) },
		liveKey:  func() { c.Set(t.Context(), liveKey, "x", 0) },
		floodKey: func() { c.LPush(t.Context(), floodKey, "x") },
		hostsKey: func() { c.Set(t.Context(), hostsKey, "x", 0) },
	} {
		s.FlushAll()
		put()
		if got := inspect(); !strings.Contains(got, key) {
			t.Errorf("%s is not named: %q", key, got)
		}
	}
	s.FlushAll()
	s.SetError("LOADING Redis is loading the dataset in memory")
	if got := inspect(); !strings.Contains(got, "it is still reading its data") {
		t.Errorf("%q", got)
	}
}

// TestJudge: what a server says of itself that is in the way.
func TestJudge(t *testing.T) {
	good := map[string]string{"redis_version": "7.0.15", "cluster_enabled": "0", "maxmemory_policy": "noeviction", "maxmemory": "0", "aof_enabled": "1"}
	for _, tt := range []struct {
		key, value string
		hosts      int
		level      Level
		want       string
	}{
		{"redis_version", "7.2.4", 1, Note, ""},
		{"redis_version", "6.0.16", 1, Problem, "too old"},
		{"cluster_enabled", "1", 1, Problem, "part of a cluster"},
		{"redis_version", "7.2.4", 3, Problem, "no cluster"},
		{"maxmemory_policy", "allkeys-lru", 1, Problem, "noeviction"},
		{"maxmemory_policy", "volatile-ttl", 1, Warning, "noeviction"},
		{"aof_enabled", "0", 1, Warning, "save its data"},
	} {
		info := map[string]string{}
		for key, value := range good {
			info[key] = value
		}
		info[tt.key] = tt.value
		found := judge(info, tt.hosts)
		if tt.want == "" && len(found) == 0 {
			continue
		}
		if len(found) != 1 || found[0].Level != tt.level || !strings.Contains(found[0].Text, tt.want) {
			t.Errorf("%s %s: %+v", tt.key, tt.value, found)
		}
	}
	full := map[string]string{"redis_version": "7", "maxmemory": "100", "used_memory": "91", "aof_enabled": "1"}
	if found := judge(full, 1); len(found) != 1 || !strings.Contains(found[0].Text, "91%") {
		t.Errorf("%+v", found)
	}
}

// TestPlainly: errors of a store in words that help.
func TestPlainly(t *testing.T) {
	for said, want := range map[string]string{
		"READONLY You can't write against a read only replica.":               "it is a replica",
		"OOM command not allowed when used memory > 'maxmemory'.":             "its memory is full",
		"LOADING Redis is loading the dataset in memory":                      "still reading its data",
		"CLUSTERDOWN Hash slot not served":                                    "the cluster has lost a part",
		"MISCONF Redis is configured to save RDB snapshots, but it is unable": "cannot write its data to disk",
		"MOVED 866 192.0.2.7:7001":                                            "name several of its hosts",
		"NOPERM User default has no permissions to run the 'xadd' command":    "the user may not do this",
		"NOAUTH Authentication required.":                                     "a password is needed",
		"ERR max number of clients reached":                                   "max number of clients",
	} {
		for _, said := range []string{said, "xadd key: " + said} {
			err := errors.New(said)
			if got := plainly(err); !strings.Contains(got.Error(), want) || !errors.Is(got, err) {
				t.Errorf("%s: %v", said, got)
			}
		}
	}
	if err := plainly(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}); !strings.Contains(err.Error(), "does not answer within 200ms") {
		t.Error(err)
	}
}
