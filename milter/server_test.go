package milter

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

func listenConfig(t *testing.T, toml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.toml", []byte(toml))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func closeAll(t *testing.T, ls []net.Listener) {
	t.Helper()
	for _, l := range ls {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter.sock")
	cfg := listenConfig(t, `listen = ["unix:`+path+`", "inet:127.0.0.1:0"]`+"\nsocket_mode = \"0600\"\n")
	ls, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := Listen(cfg); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a second daemon on the socket: %v", err)
	}
	ls[0].(*net.UnixListener).SetUnlinkOnClose(false) // as when killed
	closeAll(t, ls)
	if ls, err = Listen(cfg); err != nil {
		t.Fatalf("on the socket of a killed daemon: %v", err)
	}
	closeAll(t, ls)
	if err := os.WriteFile(path, []byte("mail"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(cfg); err == nil || !strings.Contains(err.Error(), "a file that is no socket is in the way") {
		t.Errorf("on a file: %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "mail" {
		t.Errorf("the file was touched: %q, %v", b, err)
	}
}

func TestListenFailsWhole(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	path := filepath.Join(t.TempDir(), "milter.sock")
	_, err = Listen(listenConfig(t, `listen = ["unix:`+path+`", "inet:`+busy.Addr().String()+`"]`))
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("busy port: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket opened before is still there: %v", err)
	}
	_, err = Listen(listenConfig(t, `listen = ["unix:`+path+`"]`+"\nsocket_group = \"no-such-group\"\n"))
	if err == nil || !strings.Contains(err.Error(), "no-such-group") {
		t.Errorf("unknown group: %v", err)
	}
}

func TestListenNowhere(t *testing.T) {
	if _, err := Listen(listenConfig(t, "listen = []")); err == nil || !strings.Contains(err.Error(), "nothing to listen on") {
		t.Errorf("%v", err)
	}
}

func TestListenInet6(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no IPv6 on this machine: %v", err)
	}
	probe.Close()
	ls, err := Listen(listenConfig(t, `listen = ["inet6:[::1]:0"]`))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, ls)
	if !strings.HasPrefix(ls[0].Addr().String(), "[::1]:") {
		t.Errorf("on %v", ls[0].Addr())
	}
}

// A socket that systemd hands over is used in place of those configured. The
// test runs itself as the service.
func TestInheritedSocket(t *testing.T) {
	if os.Getenv("TEST_INHERITED") != "" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		ls, err := Listen(listenConfig(t, `listen = ["unix:/nonexistent/milter.sock"]`))
		if err != nil || len(ls) != 1 || ls[0].Addr().String() != os.Getenv("TEST_INHERITED") {
			t.Fatalf("%v, %v", ls, err)
		}
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestInheritedSocket$")
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "TEST_INHERITED="+l.Addr().String())
	cmd.ExtraFiles = []*os.File{f}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// One session object serves many clients when the MTA reuses its connection:
// nothing of the first, trusted, client may be left for the second.
func TestConnectionServesManyClients(t *testing.T) {
	b := start(t, "stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n")
	c := b.dial(t, mtatest.SendmailOffer())
	trusted := bounce("alice@example.com")
	trusted.Client, trusted.Auth = "198.51.100.7", "alice"
	for range 3 {
		if r := play(t, c, trusted); !r.Accepted() {
			t.Fatalf("trusted: %v", r.Reply)
		}
		if err := c.QuitNewConnection(); err != nil {
			t.Fatal(err)
		}
		r, err := c.RunSendmail(bounce("alice@example.com"))
		if err != nil {
			t.Fatal(err)
		}
		wantReply(t, "after a trusted client", r.Reply, 550, "5.7.1")
		if err := c.QuitNewConnection(); err != nil {
			t.Fatal(err)
		}
	}
}

// Recipients and verdict headers of one message are not left for the next,
// with and without the Abort between them that Sendmail leaves out.
func TestMessagesOfOneConnection(t *testing.T) {
	b := start(t, "")
	for _, mta := range []string{"postfix", "sendmail"} {
		c := b.dial(t, mtatest.PostfixOffer())
		run := c.Run
		if mta == "sendmail" {
			run = c.RunSendmail
		}
		first := bounce(b.tagged(t, "alice@example.com"))
		first.Headers = append(first.Headers, mtatest.Header{Name: policy.HeaderName, Value: "x"})
		for range 2 {
			if r, err := run(first); err != nil || len(r.Mods) != 4 {
				t.Fatalf("%s: %v, changes %v", mta, err, r.Mods)
			}
			second := mtatest.SampleOrdinary("bob@example.net", "alice@example.com")
			second.Client = first.Client
			if r, err := run(second); err != nil || len(r.Mods) != 0 || r.Stage != mtatest.StageEOH {
				t.Errorf("%s: %v, changes %v at %v", mta, err, r.Mods, r.Stage)
			}
		}
	}
}

// What an MTA does not offer is done without.
func TestNegotiationTakesWhatIsOffered(t *testing.T) {
	b := start(t, "[batv]\nsign = true\n")
	c := b.dial(t, mtatest.OldOffer())
	r := play(t, c, bounce(b.tagged(t, "alice@example.com")))
	if !r.Accepted() || r.Mod(mtatest.AddRcpt) == nil || r.Mod(mtatest.DelRcpt) == nil {
		t.Errorf("version 2: %v, changes %v", r.Reply, r.Mods)
	}
	out := mtatest.SampleOutbound("alice@example.com", "bob@example.net")
	out.Client = "198.51.100.7"
	r = play(t, b.dial(t, mtatest.OldOffer()), out)
	if !r.Accepted() || len(b.signed) != 1 || b.signed[0] != policy.NotPossible {
		t.Errorf("signing by version 2: %v, counted %v", r.Reply, b.signed)
	}
	none := b.dial(t, mtatest.Offer{Version: 6})
	r = play(t, none, bounce(b.tagged(t, "alice@example.com")))
	if !r.Accepted() || len(r.Mods) != 0 {
		t.Errorf("no change offered: %v, changes %v", r.Reply, r.Mods)
	}
}

// A rejection at the first recipient has no queue id to be known by.
func TestDecisionHasAnIDBeforeTheMessageHas(t *testing.T) {
	b := start(t, "stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n")
	tx := bounce("alice@example.com")
	tx.Macros = map[string]string{"i": ""}
	b.run(t, tx)
	first := b.last(t)
	b.run(t, tx)
	if second := b.last(t); first.ID == "" || first.ID == second.ID {
		t.Errorf("ids %q and %q", first.ID, second.ID)
	}
}

// A message is judged to its end by the settings it began with.
func TestReloadInMidMessage(t *testing.T) {
	b := start(t, "")
	c := b.dial(t, mtatest.PostfixOffer())
	steps(t,
		func() (mtatest.Reply, error) { return c.Connect("mx.example.net", '4', 40000, "192.0.2.25") },
		func() (mtatest.Reply, error) { return c.Mail("", nil) },
		func() (mtatest.Reply, error) { return c.Rcpt("bob@example.com", nil) })
	b.server.Reload(testSettings(t, baseConfig+"stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n", b.keys))
	steps(t,
		func() (mtatest.Reply, error) { return c.Rcpt("alice@example.com", nil) },
		c2(c.EndOfHeaders))
	if r, _, err := c.EndOfMessage(); err != nil || r.Action != mtatest.Accept {
		t.Errorf("%v, %v", r, err)
	}
	if r := b.run(t, bounce("alice@example.com")); r.Reply.Code != 550 {
		t.Errorf("the next message: %v", r.Reply)
	}
}

func c2(event func(...string) (mtatest.Reply, error)) func() (mtatest.Reply, error) {
	return func() (mtatest.Reply, error) { return event() }
}

// steps plays events that must go on.
func steps(t *testing.T, events ...func() (mtatest.Reply, error)) {
	t.Helper()
	for _, e := range events {
		if r, err := e(); err != nil || !r.GoesOn() {
			t.Fatalf("%v, %v", r, err)
		}
	}
}

// A transaction that is under way when the server stops is finished; the MTA
// gets its whole answer; nobody new is served.
func TestStopFinishesTransactions(t *testing.T) {
	b := start(t, "")
	c := b.dial(t, mtatest.PostfixOffer())
	tagged := b.tagged(t, "alice@example.com")
	steps(t,
		func() (mtatest.Reply, error) { return c.Connect("mx.example.net", '4', 40000, "192.0.2.25") },
		func() (mtatest.Reply, error) { return c.Mail("", nil) },
		func() (mtatest.Reply, error) { return c.Rcpt(tagged, nil) })
	stopped := make(chan error, 1)
	go func() { stopped <- b.server.Stop(context.Background()) }()
	for !b.server.Stopping() {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	if _, err := net.Dial("tcp", b.address); err == nil {
		t.Error("a new connection was taken")
	}
	steps(t, c2(c.EndOfHeaders))
	r, mods, err := c.EndOfMessage()
	if err != nil || r.Action != mtatest.Accept || len(mods) != 3 {
		t.Errorf("%v, changes %v, %v", r, mods, err)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// When the context ends, what is left is cut.
func TestStopCutsWhenTold(t *testing.T) {
	b := start(t, "")
	c := b.dial(t, mtatest.PostfixOffer())
	steps(t,
		func() (mtatest.Reply, error) { return c.Connect("mx.example.net", '4', 40000, "192.0.2.25") },
		func() (mtatest.Reply, error) { return c.Mail("", nil) },
		func() (mtatest.Reply, error) { return c.Rcpt("alice@example.com", nil) })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := b.server.Stop(ctx); err != nil {
		t.Error(err)
	}
	if n := b.server.Connections(); n != 0 {
		t.Errorf("%d connections left", n)
	}
	if _, _, err := c.EndOfMessage(); err == nil {
		t.Error("the connection was not cut")
	}
}
