package milter

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// kindOfMail is one of the four kinds of transaction that a server meets most,
// and the most that one of them may cost: the MTA opens a connection for each,
// as Postfix does.
type kindOfMail struct {
	name string
	toml string
	tx   func(b *bench, t testing.TB) mtatest.Transaction
	want mtatest.Action

	reads, writes float64 // system calls of the server on the connection
	allocs        float64 // of server and client together, connection included
}

func kindsOfMail() []kindOfMail {
	const refuse = "stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n"
	return []kindOfMail{
		{
			name: "flood", toml: refuse, want: mtatest.ReplyCode, reads: 4, writes: 2, allocs: 115,
			tx: func(*bench, testing.TB) mtatest.Transaction {
				tx := mtatest.SampleBounce("alice@example.com", "alice@example.com")
				tx.Client = "192.0.2.25"
				return tx
			},
		},
		{
			name: "bounce", toml: refuse, want: mtatest.Accept, reads: 8, writes: 5, allocs: 375,
			tx: func(b *bench, t testing.TB) mtatest.Transaction {
				tx := mtatest.SampleBounce(b.tagged(t, "alice@example.com"), "alice@example.com")
				tx.Client = "192.0.2.25"
				return tx
			},
		},
		{
			name: "ordinary", toml: refuse, want: mtatest.Accept, reads: 5, writes: 3, allocs: 335,
			tx: func(*bench, testing.TB) mtatest.Transaction {
				tx := mtatest.SampleOrdinary("bob@example.net", "alice@example.com")
				tx.Client = "203.0.113.9"
				return tx
			},
		},
		{
			name: "outbound", toml: "[batv]\nsign = true\n", want: mtatest.Accept, reads: 8, writes: 5, allocs: 345,
			tx: func(*bench, testing.TB) mtatest.Transaction {
				tx := mtatest.SampleOutbound("alice@example.com", "bob@example.net")
				tx.Client, tx.Auth = "203.0.113.9", "alice"
				return tx
			},
		},
	}
}

// countingListener counts the system calls of the connections it accepts.
type countingListener struct {
	net.Listener
	reads, writes atomic.Int64
}

type countingConn struct {
	net.Conn
	l *countingListener
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countingConn{c, l}, err
}

func (c *countingConn) Read(p []byte) (int, error) {
	c.l.reads.Add(1)
	return c.Conn.Read(p)
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.l.writes.Add(1)
	return c.Conn.Write(p)
}

// quiet is an Observer that keeps nothing.
type quiet struct{}

func (quiet) Verdict(policy.Record)        {}
func (quiet) Classified(string)            {}
func (quiet) Accepted(string)              {}
func (quiet) Sent(policy.Sent)             {}
func (quiet) TagRefused(string)            {}
func (quiet) Connections(int)              {}
func (quiet) Callout(netip.Addr)           {}
func (quiet) Outscatter(string)            {}
func (quiet) Rejected(string)              {}
func (quiet) Panicked(string, any, []byte) {}
func (quiet) Failed(string, error)         {}

// player plays one kind of mail, a connection each, over unix sockets.
func player(t testing.TB, k kindOfMail) (once func(), l *countingListener) {
	inner, err := net.Listen("unix", t.TempDir()+"/milter")
	if err != nil {
		t.Fatal(err)
	}
	l = &countingListener{Listener: inner}
	b := startOn(t, k.toml, l, quiet{}, 64, nil)
	tx := k.tx(b, t)
	client := &mtatest.Client{}
	return func() {
		conn, err := net.Dial("unix", b.address)
		if err != nil {
			t.Fatal(err)
		}
		if client, err = renew(client, conn); err != nil {
			t.Fatal(err)
		}
		r := play(t, client, tx)
		if r.Reply.Action != k.want {
			t.Fatalf("%s: %v", k.name, r.Reply)
		}
		if err := client.Quit(); err != nil {
			t.Fatal(err)
		}
	}, l
}

// renew negotiates on a new connection with the client's old buffers.
func renew(c *mtatest.Client, conn net.Conn) (*mtatest.Client, error) {
	if c.Negotiated().Version != 0 {
		return c, c.Reset(conn)
	}
	return mtatest.NewClient(conn, mtatest.PostfixOffer())
}

// What a transaction costs in system calls and allocations does not depend on
// the machine; what it costs in time is for the benchmark and `make bench-load`.
func TestTransactionCost(t *testing.T) {
	for _, k := range kindsOfMail() {
		t.Run(k.name, func(t *testing.T) {
			once, l := player(t, k)
			for range 20 {
				once()
			}
			time.Sleep(20 * time.Millisecond) // for the last connection's end
			const runs = 200
			reads, writes := l.reads.Load(), l.writes.Load()
			allocs := testing.AllocsPerRun(runs, once)
			time.Sleep(20 * time.Millisecond)
			r := float64(l.reads.Load()-reads) / (runs + 1)
			w := float64(l.writes.Load()-writes) / (runs + 1)
			t.Logf("%.1f reads, %.1f writes, %.0f allocations", r, w, allocs)
			if r > k.reads || w > k.writes || (!raceDetector && allocs > k.allocs) {
				t.Errorf("more than %v reads, %v writes, %v allocations", k.reads, k.writes, k.allocs)
			}
		})
	}
}

func BenchmarkTransaction(b *testing.B) {
	for _, k := range kindsOfMail() {
		b.Run(k.name, func(b *testing.B) {
			once, l := player(b, k)
			once()
			b.ReportAllocs()
			reads, writes := l.reads.Load(), l.writes.Load()
			for b.Loop() {
				once()
			}
			b.ReportMetric(float64(l.reads.Load()-reads)/float64(b.N), "reads/op")
			b.ReportMetric(float64(l.writes.Load()-writes)/float64(b.N), "writes/op")
		})
	}
}
