package milter

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// today is when tests sign: deadlines are set on the same clock, so that it
// has to be the real one.
var today = time.Now()

// baseConfig has one domain of ours, signs, and trusts 198.51.100.0/24.
const baseConfig = `
domains = ["example.com"]
trusted_networks = ["198.51.100.0/24", "127.0.0.0/8"]
`

func TestMain(m *testing.M) {
	LogLibrary(func(string) {})
	os.Exit(m.Run())
}

// A witness is an Observer that remembers.
type witness struct {
	mu          sync.Mutex
	verdicts    []policy.Record
	signed      []string
	sent        []policy.Sent
	accepted    []string
	classes     []string
	tagsRefused []string
	rejected    map[string]int
	panics      []string
	failures    []string
	connections int
	callouts    []netip.Addr
	outscatter  []string
	onVerdict   func(policy.Record)
	onSent      func(policy.Sent)
}

func (w *witness) Verdict(r policy.Record) {
	w.mu.Lock()
	r.To = append([]string(nil), r.To...)
	w.verdicts = append(w.verdicts, r)
	w.mu.Unlock()
	if w.onVerdict != nil {
		w.onVerdict(r)
	}
}

func (w *witness) Classified(class string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.classes = append(w.classes, class)
}

func (w *witness) Accepted(recipient string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accepted = append(w.accepted, recipient)
}

func (w *witness) TagRefused(recipient string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tagsRefused = append(w.tagsRefused, recipient)
}

func (w *witness) Sent(s policy.Sent) {
	if w.onSent != nil {
		w.onSent(s)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, s)
	w.signed = append(w.signed, s.Result)
}

func (w *witness) Callout(client netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callouts = append(w.callouts, client)
}

func (w *witness) Outscatter(recipient string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outscatter = append(w.outscatter, recipient)
}

func (w *witness) Connections(change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connections += change
}

func (w *witness) Rejected(why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rejected == nil {
		w.rejected = make(map[string]int)
	}
	w.rejected[why]++
}

func (w *witness) Panicked(stage string, _ any, _ []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.panics = append(w.panics, stage)
}

func (w *witness) Failed(what string, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, what)
}

// last returns the last verdict given.
func (w *witness) last(t *testing.T) policy.Record {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.verdicts) == 0 {
		t.Fatal("no verdict was given")
	}
	return w.verdicts[len(w.verdicts)-1]
}

func (w *witness) count(why string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rejected[why]
}

// bench is a server under test.
type bench struct {
	*witness
	server  *Server
	address string
	keys    *batv.Keyring
	scheme  batv.Scheme
}

func testKeys(t testing.TB) *batv.Keyring {
	t.Helper()
	keys, err := batv.NewKeyring(batv.Key{Number: 3, Secret: []byte("0123456789abcdef"), Signing: true})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func testSettings(t testing.TB, toml string, keys *batv.Keyring) *Settings {
	t.Helper()
	cfg, err := config.Parse("test.toml", []byte(toml))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSettings(policy.NewSettings(cfg, keys, policy.Sources{Site: &policy.Unknown{}}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start serves with the base configuration and the given lines after it.
func start(t testing.TB, toml string) *bench {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	b := startOn(t, toml, l, w, 4096, nil)
	b.witness = w
	return b
}

// hurried serves with time limits short enough to be tested.
func hurried(t testing.TB, limits timing) *bench {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	b := startOn(t, "", l, w, 64, func(s *Server) { s.timing = limits })
	b.witness = w
	return b
}

func startOn(t testing.TB, toml string, l net.Listener, o Observer, maxConnections int, adjust func(*Server)) *bench {
	t.Helper()
	b := &bench{keys: testKeys(t), address: l.Addr().String()}
	settings := testSettings(t, baseConfig+toml, b.keys)
	b.scheme = settings.Tags
	b.server = NewServer(Options{
		Settings:       settings,
		Observer:       o,
		Now:            time.Now,
		MaxConnections: maxConnections,
	})
	if adjust != nil {
		adjust(b.server)
	}
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := b.server.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return b
}

func (b *bench) dial(t testing.TB, o mtatest.Offer) *mtatest.Client {
	t.Helper()
	c, err := mtatest.Dial("tcp", b.address, o)
	if err != nil {
		t.Fatal(err)
	}
	c.Timeout = 10 * time.Second
	t.Cleanup(func() { c.Close() })
	return c
}

// run plays one transaction on a connection of its own.
func (b *bench) run(t testing.TB, tx mtatest.Transaction) mtatest.Result {
	t.Helper()
	return play(t, b.dial(t, mtatest.PostfixOffer()), tx)
}

func play(t testing.TB, c *mtatest.Client, tx mtatest.Transaction) mtatest.Result {
	t.Helper()
	r, err := c.Run(tx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tagged is the address as outgoing mail would carry it.
func (b *bench) tagged(t testing.TB, address string) string {
	t.Helper()
	s, err := b.scheme.Sign(address, today)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// forge changes the signature of a tagged address.
func forge(tagged string) string {
	digit := "0"
	if tagged[9] == '0' {
		digit = "1"
	}
	return tagged[:9] + digit + tagged[10:]
}

func bounce(rcpts ...string) mtatest.Transaction {
	return mtatest.Transaction{
		Client: "192.0.2.25", Port: 40000, Helo: "mx.example.net", QueueID: "4TabcD99999",
		Rcpts:   mtatest.To(rcpts...),
		Headers: []mtatest.Header{{Name: "From", Value: "MAILER-DAEMON@mx.example.net"}, {Name: "Subject", Value: "Undelivered Mail Returned to Sender"}},
		Body:    []byte("It could not be delivered.\r\n"),
	}
}

// mark returns the verdict header that was added, "" if there was none.
func mark(r mtatest.Result) string {
	if m := r.Mod(mtatest.InsertHeader, policy.HeaderName); m != nil {
		return m.Value
	}
	return ""
}

func wantReply(t *testing.T, what string, got mtatest.Reply, code int, text string) {
	t.Helper()
	if got.Action != mtatest.ReplyCode || got.Code != code || !strings.HasPrefix(got.Text, text) {
		t.Errorf("%s: got %v, want %d %s…", what, got, code, text)
	}
}
