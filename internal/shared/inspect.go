package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Level says how bad a Finding is.
type Level int

// The levels.
const (
	Note Level = iota
	Warning
	Problem
)

// Finding is something to know of a store.
type Finding struct {
	Level Level
	Text  string
}

// leastVersion has streams that are trimmed by ID, and ranges that exclude.
const leastMajor, leastMinor = 6, 2

// Inspect looks whether the store can be used, and is set up for it.
func Inspect(ctx context.Context, u URL) (found []Finding) {
	client := u.client(nil)
	defer func() { _ = client.Close() }()
	add := func(level Level, format string, a ...any) {
		found = append(found, Finding{level, fmt.Sprintf(format, a...)})
	}
	info, err := inform(ctx, client)
	switch {
	case err != nil && redis.HasErrorPrefix(err, "NOPERM"):
		add(Warning, "the user may not ask for INFO, so that its version, memory and eviction policy are not known")
	case err != nil && errors.Is(err, io.EOF) && !u.TLS:
		add(Problem, "%v: if it speaks nothing but TLS, the setting has to begin with rediss://", plainly(err))
		return found
	case err != nil:
		add(Problem, "%v", plainly(err))
		return found
	default:
		add(Note, "version %s, %s of memory in use", info["redis_version"], info["used_memory_human"])
		found = append(found, judge(info, len(u.Hosts))...)
	}
	if err := tryWrite(ctx, client); err != nil {
		add(Problem, "it cannot be written: %v", plainly(err))
	}
	if err := tryKeys(ctx, client); err != nil {
		add(Problem, "%v", plainly(err))
	}
	return found
}

// judge says what is wrong with a server by what it says of itself.
func judge(info map[string]string, hosts int) (found []Finding) {
	add := func(level Level, format string, a ...any) {
		found = append(found, Finding{level, fmt.Sprintf(format, a...)})
	}
	if !recent(info["redis_version"]) {
		add(Problem, "version %s is too old: %d.%d is needed", info["redis_version"], leastMajor, leastMinor)
	}
	switch cluster := info["cluster_enabled"] == "1"; {
	case cluster && hosts == 1:
		add(Problem, "it is part of a cluster: name several of its hosts, with commas between them")
	case !cluster && hosts > 1:
		add(Problem, "several hosts are named, and they are no cluster")
	}
	switch policy := info["maxmemory_policy"]; {
	case strings.HasPrefix(policy, "allkeys"):
		add(Problem, "maxmemory-policy is %s: when memory is short it throws away what hosts have told each other; set noeviction", policy)
	case strings.HasPrefix(policy, "volatile"):
		add(Warning, "maxmemory-policy is %s, and all keys here have a time to live: when memory is short it throws them away; noeviction is better", policy)
	}
	if limit, used := number(info["maxmemory"]), number(info["used_memory"]); limit > 0 && used > limit/10*8 {
		add(Warning, "%d%% of its memory (maxmemory %s) is in use; when it is full nothing is shared any more", used*100/limit, info["maxmemory_human"])
	}
	if info["aof_enabled"] == "0" && info["rdb_last_bgsave_status"] != "ok" {
		add(Warning, "it could not save its data lately")
	}
	return found
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64) // absent: 0
	return n
}

// inform asks for what INFO says, of a cluster the node that has our slot.
func inform(ctx context.Context, client redis.UniversalClient) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*Timeout)
	defer cancel()
	asked := client
	if c, ok := client.(*redis.ClusterClient); ok {
		node, err := c.MasterForKey(ctx, siteKey)
		if err != nil {
			return nil, err
		}
		asked = node
	}
	text, err := asked.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	return info, nil
}

// recent reports whether a version, of Redis or one that Valkey gives for it, is
// new enough. What is no version is not held against it.
func recent(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(major)
	b, errMinor := strconv.Atoi(minor)
	return err != nil || errMinor != nil || a > leastMajor || a == leastMajor && b >= leastMinor
}

// tryWrite looks whether the key that all depends on is ours, or can be.
func tryWrite(ctx context.Context, client redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, 5*Timeout)
	defer cancel()
	if _, err := client.Get(ctx, siteKey).Result(); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	const try = prefix + "check"
	return errors.Join(client.Set(ctx, try, "", Timeout*5).Err(), client.Del(ctx, try).Err())
}

// tryKeys looks whether the keys that all hosts use are of the types that they
// have to be, or not there.
func tryKeys(ctx context.Context, client redis.UniversalClient) error {
	for key, want := range map[string]string{liveKey: "stream", floodKey: "stream", hostsKey: "hash", siteKey: "string"} {
		ctx, cancel := context.WithTimeout(ctx, 5*Timeout)
		is, err := client.Type(ctx, key).Result()
		cancel()
		switch {
		case err != nil:
			return err
		case is != want && is != "none":
			return fmt.Errorf("%s is a %s, and has to be a %s: is the database used by another program?", key, is, want)
		}
	}
	text, err := client.Get(ctx, siteKey).Result()
	if s, ok := decodeSite(text); err == nil && (!ok || s.Version != version) {
		return fmt.Errorf("%s holds something else than the secrets of a site, or those of another version", siteKey)
	}
	return nil
}
