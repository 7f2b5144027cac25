//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
)

func recordCases() []testCase {
	return []testCase{
		{name: "record-killed", settings: strictByRecord, run: recordKilled},
		{name: "record-shared", settings: strictByRecord, run: recordShared},
		{name: "record-damaged", settings: settings{top: "all_mail_here = true", prepare: damagedStore}, run: recordless("state.db: damaged, or not a store file at all (invalid database): kept as ")},
		{name: "record-of-others", settings: settings{top: "all_mail_here = true", prepare: foreignStore}, run: recordless("state.db: a database of another program: kept as ")},
		{name: "record-disk-full", settings: settings{top: "all_mail_here = true", prepare: fullDisk}, run: recordless("state.db: no space left on device")},
		{name: "record-disk-read-only", settings: settings{top: "all_mail_here = true", prepare: readOnlyDisk}, run: recordReadOnly},
		{name: "record-disk-fills", settings: settings{prepare: fillingDisk}, run: recordDiskFills},
	}
}

// A daemon that is killed has lost at most the last second of its record. The
// time in which it did not run is a gap: nothing of it is called foreign.
func recordKilled(d *desk) {
	const messages = 15
	own := d.connect(ownClient)
	var sent []original
	for i := range messages {
		o := original{from: alice, to: stranger, id: fmt.Sprintf("sent-%d-%s@example.com", i, d.token), date: time.Now()}
		d.send(own, alice, stranger, o.message())
		sent = append(sent, o)
	}
	for range sent {
		d.claimFor(stranger)
	}
	time.Sleep(1200 * time.Millisecond)
	d.kill()
	d.restart()
	for _, o := range sent {
		x, err := d.daemon.Explain(outsideClient, "", alice, d.bounceOf(o))
		if err != nil || len(x.Recipients) != 1 || x.Recipients[0].Origin.Evidence != "ledger" {
			d.Errorf("%s: %+v, %v", o.id, x, err)
		}
	}
	client := d.connect(outsideClient)
	d.wantMarked(client, "", alice, d.bounceOf(sent[messages-1]), "accept", "origin-proven", "ledger")
	lately := d.forgery()
	lately.date = time.Now()
	d.wantMarked(client, "", alice, d.bounceOf(lately), "mark", "tag-missing", "unknown")
}

// A second daemon that is given the store of a running one does not get it, says
// so, and works from memory: it holds nothing against anybody. The first goes on.
func recordShared(d *desk) {
	dir, err := box.TempDir("second")
	if err != nil {
		d.Fatal(err)
	}
	other := *d.site
	other.milter, other.admin, other.socket = otherPort(d.milter), otherPort(d.admin), filepath.Join(dir, "state", "socket")
	store := filepath.Join(d.daemon.State(), "state.db")
	second, err := daemon.Install(here.Program, dir, other.config(settings{top: fmt.Sprintf("store = %q", store)}), other.admin)
	if err != nil {
		d.Fatal(err)
	}
	if err := second.Start(); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		if err := second.Kill(); err != nil {
			d.Error(err)
		}
	})
	wantLogged(d, second, store+": in use by another process, probably a second backscatter-milter")
	x, err := second.Explain(outsideClient, "", alice, d.bounceOf(d.forgery()))
	if err != nil || len(x.Recipients) != 1 || x.Recipients[0].ByRecord || x.Recipients[0].Origin.Evidence != "unknown" || x.Verdict.Action != "mark" {
		d.Errorf("the second would do %+v, %v", x, err)
	}
	client := d.connect(outsideClient)
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
}

// damagedStore leaves half of a file of a daemon that was strict.
func damagedStore(t *testing.T, state string) {
	history{span: 12 * day, alone: true}.write(t, state)
	path := filepath.Join(state, "state.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range content[:len(content)/2] {
		content[i] ^= 0x5a
	}
	if err := os.WriteFile(path, content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
}

// foreignStore puts the file of another program there.
func foreignStore(t *testing.T, state string) {
	db, err := bbolt.Open(filepath.Join(state, "state.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("users"))
		if err != nil {
			return err
		}
		return bucket.Put([]byte("alice"), []byte("1"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// disk makes the state folder a file system of its own. It goes with the
// namespaces.
func disk(t *testing.T, state, size string) {
	t.Helper()
	if err := unix.Mount("state", state, "tmpfs", 0, "mode=700,uid=65534,gid=65534,size="+size); err != nil {
		t.Fatal(err)
	}
}

// fill leaves no room on the disk of the state folder.
func fill(t *testing.T, state string) {
	t.Helper()
	file, err := os.Create(filepath.Join(state, "something else"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	block := make([]byte, 4096)
	for err == nil {
		_, err = file.Write(block)
	}
	if !strings.Contains(err.Error(), unix.ENOSPC.Error()) {
		t.Fatal(err)
	}
}

// fullDisk has keys, and no room for anything.
func fullDisk(t *testing.T, state string) {
	disk(t, state, "1m")
	history{span: time.Hour}.write(t, state)
	if err := os.Remove(filepath.Join(state, "state.db")); err != nil {
		t.Fatal(err)
	}
	fill(t, state)
}

// readOnlyDisk has the store of a daemon that was strict, and takes nothing more,
// as a disk does that has failed.
func readOnlyDisk(t *testing.T, state string) {
	disk(t, state, "8m")
	history{span: 12 * day, alone: true}.write(t, state)
	for _, name := range []string{"state.db", "keys.toml"} {
		if err := os.Chown(filepath.Join(state, name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	// A process that another case is starting may hold a file for a moment.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Mount("", state, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// fillingDisk has the store of a strict daemon, and room that will be used up.
func fillingDisk(t *testing.T, state string) {
	disk(t, state, "8m")
	history{span: 12 * day, alone: true}.write(t, state)
}

// Without a store that it can use the daemon starts, says so, and knows nothing:
// mail flows, what it sees from now on proves, and nothing is refused because it
// is not on record.
func recordless(says string) func(*desk) {
	return func(d *desk) {
		wantLogged(d, d.daemon, says)
		sent := original{from: alice, to: stranger, id: "sent-" + d.token + "@example.com", date: time.Now()}
		d.send(d.connect(ownClient), alice, stranger, sent.message())
		d.wantSigned(d.claimFor(stranger))
		client := d.connect(outsideClient)
		d.send(client, stranger, alice, d.ordinary(stranger, alice))
		d.wantNoMark(d.claimFor(alice))
		d.wantMarked(client, "", alice, d.bounceOf(sent), "accept", "origin-proven", "ledger")
		d.wantMarked(client, "", alice, d.bounceOf(d.forgery()), "mark", "tag-missing", "unknown")
		d.wantMarked(client, "", alice, d.bounce(), "mark", "tag-missing", "unknown")
	}
}

// On a disk that takes nothing the daemon starts, by what is on it: mail flows,
// what is seen proves, what is not on record is refused as before.
func recordReadOnly(d *desk) {
	wantLogged(d, d.daemon, "no control socket: commands do not reach this daemon")
	wantLogged(d, d.daemon, "state.db: cannot be written")
	sent := original{from: alice, to: stranger, id: "sent-" + d.token + "@example.com", date: time.Now()}
	d.send(d.connect(ownClient), alice, stranger, sent.message())
	d.wantSigned(d.claimFor(stranger))
	client := d.connect(outsideClient)
	d.send(client, stranger, alice, d.ordinary(stranger, alice))
	d.wantNoMark(d.claimFor(alice))
	d.wantMarked(client, "", alice, d.bounceOf(sent), "accept", "origin-proven", "ledger")
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
	d.settle()
	if err := d.daemon.Terminate(); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Wait(10 * time.Second); err == nil {
		d.Error("it stopped as if nothing had been lost")
	}
	wantLogged(d, d.daemon, "state.db: cannot be written; what is learned now will be lost at the next stop\n")
}

// wantLogged waits for a text in a daemon's log.
func wantLogged(d *desk, who *daemon.Daemon, text string) {
	d.Helper()
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(who.Log(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.Fatalf("no %q in the log:\n%s", text, who.Log())
		}
	}
}

// The disk fills up while the daemon runs: no mail waits for it, and what comes
// is proven from memory.
func recordDiskFills(d *desk) {
	fill(d.T, d.daemon.State())
	own, client := d.connect(ownClient), d.connect(outsideClient)
	begun := time.Now()
	for i := range 5 {
		sent := original{from: alice, to: stranger, id: fmt.Sprintf("sent-%d-%s@example.com", i, d.token), date: time.Now()}
		d.send(own, alice, stranger, sent.message())
		d.claimFor(stranger)
		d.wantMarked(client, "", alice, d.bounceOf(sent), "accept", "origin-proven", "ledger")
	}
	if took := time.Since(begun); took > 10*time.Second {
		d.Errorf("it took %v", took)
	}
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
}

// otherPort is a port of the same address that no site uses.
func otherPort(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), a.Port()+200)
}
