package daemon

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// wallClock is a clock that somebody sets.
type wallClock struct {
	mu   sync.Mutex
	time time.Time
}

func (c *wallClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *wallClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

const (
	alice    = "alice@example.com"
	stranger = "carol@example.net"
)

// clocked is a daemon with a clock that can be set, and a listener in memory:
// deadlines of the network follow the real time only.
type clocked struct {
	*daemon
	t      *testing.T
	clock  *wallClock
	memory *mtatest.Memory
}

func startClocked(t *testing.T) *clocked {
	dir, err := os.MkdirTemp("", "clock-") // short: sockets are in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg, err := config.Parse("test.toml", []byte(`listen = ["unix:`+filepath.Join(dir, "mail")+`"]
domains = ["example.com"]
all_mail_here = true
[batv]
sign = true
[admin]
listen = ""
`))
	if err != nil {
		t.Fatal(err)
	}
	c := &clocked{
		t:      t,
		clock:  &wallClock{time: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)},
		memory: mtatest.NewMemory(),
	}
	c.daemon, err = open(Options{
		Version: "test", Log: maillog.NewLive(io.Discard, cfg.Log), Now: c.clock.now, RealTime: time.Now,
		Start: Loaded{
			Config: cfg, From: "test.toml", State: dir, Keys: filepath.Join(dir, cfg.BATV.Keys), Control: filepath.Join(dir, cfg.Admin.Control),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- c.server.Serve(append(c.mail, c.memory)...) }()
	go c.control.Serve(c.socket)
	t.Cleanup(func() {
		if err := c.stop(func() {}); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		answer := httptest.NewRecorder()
		c.metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		if !strings.Contains(answer.Body.String(), "backscatter_panics_total 0\n") {
			t.Error("the daemon has panicked")
		}
	})
	return c
}

func (c *clocked) dial() *mtatest.Client {
	c.t.Helper()
	client, err := c.memory.Dial(mtatest.PostfixOffer())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = client.Close() })
	return client
}

func (c *clocked) play(tx mtatest.Transaction) mtatest.Result {
	c.t.Helper()
	client := c.dial()
	r, err := client.Run(tx)
	if err == nil {
		err = client.Quit()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	_ = client.Close()
	return r
}

// letter sends one from alice and returns its reverse-path.
func (c *clocked) letter() string {
	c.t.Helper()
	tx := mtatest.SampleOutbound(alice, stranger)
	from := c.play(tx).Apply(tx).From
	if from == alice {
		c.t.Errorf("at %v a letter left unsigned", c.clock.now())
	}
	return from
}

// live lets days go by, with a heartbeat every ten minutes and a letter a day.
func (c *clocked) live(days int) {
	c.t.Helper()
	for range days {
		c.letter()
		for range 24 * 6 {
			c.clock.jump(10 * time.Minute)
			c.known.Heartbeat()
		}
	}
}

// bounce brings one to an address and tells whether it is taken, and for what
// reason.
func (c *clocked) bounce(what, to string, taken bool, reason string) {
	c.t.Helper()
	r := c.play(mtatest.SampleBounce(to, to))
	got := ""
	if m := r.Mod(mtatest.InsertHeader, "X-Backscatter"); m != nil {
		got = m.Value
	}
	if r.Accepted() != taken || taken && !strings.Contains(got, "reason="+reason+";") {
		c.t.Errorf("%s, at %v: %v, %q; want taken: %v, for %s", what, c.clock.now(), r.Reply, got, taken, reason)
	}
}

// The clock jumps while the daemon runs, and back a while later. From that
// moment on nothing is refused for want of a tag: not in the minute before the
// next heartbeat either. Mail stays signed, a message that is under way ends
// well, and the record is strict again after a lifetime without a jump.
func TestClockJumpsWhileMailComes(t *testing.T) {
	const day = 24 * time.Hour
	for _, jump := range []time.Duration{day, -day, 365 * day, -365 * day} {
		t.Run(jump.String(), func(t *testing.T) {
			c := startClocked(t)
			c.live(11)
			tagged := c.letter()
			c.bounce("before", tagged, true, "tag-valid")
			c.bounce("before, untagged", alice, false, "")

			under := c.underWay(tagged)
			c.clock.jump(jump)
			afterwards := "tag-valid"
			if jump.Abs() > day {
				afterwards = "tag-missing" // out of date, as far as can be known
			}
			c.bounce("after the jump", tagged, true, afterwards)
			c.bounce("after the jump, untagged", alice, true, "tag-missing")
			under()
			c.bounce("a new letter's", c.letter(), true, "tag-valid")
			c.clock.jump(time.Minute)
			c.known.Heartbeat()
			c.bounce("a minute later, untagged", alice, true, "tag-missing")

			c.clock.jump(-jump)
			c.bounce("when it is set right", tagged, true, "tag-valid")
			c.bounce("when it is set right, untagged", alice, true, "tag-missing")
			c.live(9)
			c.bounce("nine days later, untagged", alice, true, "tag-missing")
			c.live(2)
			c.bounce("eleven days later, untagged", alice, false, "")
			var status strings.Builder
			if err := c.status(c.clock.now()).Write(&status); err != nil || !strings.Contains(status.String(), "the clock ") {
				t.Errorf("status: %v\n%s", err, status.String())
			}
		})
	}
}

// underWay begins a bounce; what it returns brings it to its end and wants it
// restored.
func (c *clocked) underWay(tagged string) (finish func()) {
	c.t.Helper()
	client := c.dial()
	must := func(r mtatest.Reply, err error) {
		c.t.Helper()
		if err != nil || r.Refuses() {
			c.t.Fatalf("under way: %v, %v", r, err)
		}
	}
	must(client.Connect("mx.example.net", mtatest.FamilyInet, 40000, "192.0.2.17"))
	must(client.Mail("", nil))
	must(client.Rcpt(tagged, nil))
	return func() {
		c.t.Helper()
		must(client.Header("From", "MAILER-DAEMON@mx.example.net"))
		must(client.EndOfHeaders())
		r, mods, err := client.EndOfMessage()
		must(r, err)
		if added := (mtatest.Result{Mods: mods}).Mod(mtatest.AddRcpt); added == nil || added.Value != alice {
			c.t.Errorf("under way: changes %+v", mods)
		}
		_ = client.Close()
	}
}
