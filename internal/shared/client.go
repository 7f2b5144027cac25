package shared

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Timeout is how long one operation may take.
const Timeout = 200 * time.Millisecond

// URL is a parsed store setting, see config.Config.Store.
type URL struct {
	Hosts          []string // host:port; several: a cluster
	DB             int
	TLS            bool
	user, password string
}

// Is reports whether a store setting names a shared store.
func Is(setting string) bool { return strings.Contains(setting, "://") }

// ParseURL reads redis://[user:password@]host[:port][,host...][/db] and the same
// with rediss. What of user and password is written as in a URL, %40 for @, is
// decoded (RFC 3986, section 2.1); it need not be. Its error does not show the setting, which has a password in it.
func ParseURL(setting string) (u URL, err error) {
	scheme, rest, _ := strings.Cut(setting, "://")
	if scheme != "redis" && scheme != "rediss" {
		return u, errors.New("not redis:// or rediss://")
	}
	u.TLS = scheme == "rediss"
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		var ok bool
		if u.user, u.password, ok = strings.Cut(rest[:at], ":"); !ok {
			u.user, u.password = "", u.user // a password alone
		}
		u.user, u.password = decoded(u.user), decoded(u.password)
		rest = rest[at+1:]
	}
	hosts, db, _ := strings.Cut(rest, "/")
	if db != "" {
		if u.DB, err = strconv.Atoi(db); err != nil {
			return u, errors.New("no number of a database after the last /")
		}
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "6379")
		}
		u.Hosts = append(u.Hosts, host)
	}
	return u, nil
}

// decoded is s without percent-encoding, or as it is where that is none.
func decoded(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// String is the setting without user and password.
func (u URL) String() string {
	scheme := "redis"
	if u.TLS {
		scheme = "rediss"
	}
	s := scheme + "://" + strings.Join(u.Hosts, ",")
	if len(u.Hosts) == 1 {
		s += fmt.Sprintf("/%d", u.DB)
	}
	return s
}

// client makes a client, which tells of each connection that it makes to a single
// host. Of a cluster it makes some to look around.
func (u URL) client(connected func()) redis.UniversalClient {
	o := &redis.UniversalOptions{
		Addrs: u.Hosts, DB: u.DB, Username: u.user, Password: u.password,
		DialTimeout: Timeout, ReadTimeout: Timeout, WriteTimeout: Timeout, PoolTimeout: Timeout,
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1, PoolSize: 4,
		DisableIdentity: true, IsClusterMode: len(u.Hosts) > 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if u.TLS {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if connected != nil && len(u.Hosts) == 1 {
		o.OnConnect = func(context.Context, *redis.Conn) error { connected(); return nil }
	}
	return redis.NewUniversalClient(o)
}

// Quiet silences the log of the library, which writes to stderr by itself. What
// matters is reported by the Link.
func Quiet() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// late reports whether an operation took longer than Timeout.
func late(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// plainly says what an error means for a postmaster.
func plainly(err error) error {
	text := err.Error()
	for prefix, meaning := range map[string]string{
		"WRONGPASS": "user or password is wrong", "NOAUTH": "a password is needed",
		"NOPERM": "the user may not do this", "OOM": "its memory is full, and it takes no more",
		"WRONGTYPE": "a key is taken by something else", "MISCONF": "it cannot write its data to disk, and takes no more",
		"READONLY": "it is a replica, and takes nothing", "LOADING": "it is still reading its data",
		"CLUSTERDOWN": "the cluster has lost a part", "MOVED": "it is part of a cluster: name several of its hosts",
	} {
		if strings.HasPrefix(text, prefix) || strings.Contains(text, ": "+prefix+" ") {
			return fmt.Errorf("%s (%w)", meaning, err)
		}
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("it closed the connection (%w)", err)
	}
	if late(err) {
		return fmt.Errorf("it does not answer within %v (%w)", Timeout, err)
	}
	return err
}
