package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/proc"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// A run of the smallest size, over everything: both programs, both networks, all workloads, a crowd.
func TestRun(t *testing.T) {
	args := []string{"-n", "20", "-rounds", "2", "-conns", "50", "-timeout", "3m", "-out", t.TempDir() + "/report.md", "-flood-minutes", "0.02"}
	if program := os.Getenv("BACKSCATTER_E2E_PROGRAM"); program != "" {
		args = append(args, "-daemon", program)
	}
	var stdout, stderr bytes.Buffer
	if status := command(args, &stdout, &stderr); status != 0 {
		t.Fatalf("exit %d: %s", status, stderr.String())
	}
	written, err := os.ReadFile(args[9])
	if err != nil || string(written) != stdout.String() {
		t.Errorf("-out holds %q, %v", written, err)
	}
	for _, want := range []string{
		"`go run ./load -conns=50 -flood-minutes=0.02 -n=20 -rounds=2 -timeout=3m0s` in e2e/",
		"| tcp | flood: refused at RCPT |", "| unix | outbound, 8 KB: signed |",
		"| tcp | daemon | 3 × 50 | 0 |", "| unix | stock | 3 × 50 | 0 |",
		"0.0 minutes over the unix socket", "all accepted and restored", "resident memory from the middle to the end:",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, stdout.String())
		}
	}
}

// What a program answers must be what it ought to answer, or the run fails.
func TestExpectations(t *testing.T) {
	daemon, stock := &server{name: "daemon", tagged: "prvs=0=" + user}, &server{name: "stock", tagged: "prvs=0=" + user}
	ok := mtatest.Reply{Action: mtatest.Accept}
	no := mtatest.Reply{Action: mtatest.ReplyCode, Code: 550, Text: "no"}
	later := mtatest.Reply{Action: mtatest.ReplyCode, Code: 451, Text: "later"}
	taken := mtatest.Result{Stage: mtatest.StageEOM, Reply: ok}
	refusedAt := func(st mtatest.Stage, r mtatest.Reply) mtatest.Result { return mtatest.Result{Stage: st, Reply: r} }
	with := func(mods ...mtatest.Mod) mtatest.Result {
		return mtatest.Result{Stage: mtatest.StageEOM, Reply: ok, Mods: mods}
	}
	untag := []mtatest.Mod{{Kind: mtatest.DelRcpt, Value: daemon.tagged}, {Kind: mtatest.AddRcpt, Value: user}}
	sign := mtatest.Mod{Kind: mtatest.ChangeFrom, Value: "prvs=0730576ed6=" + user}
	all := workloads()
	for _, tc := range []struct {
		workload int
		server   *server
		result   mtatest.Result
		want     string
	}{
		{0, daemon, refusedAt(mtatest.StageRcpt, no), ""},
		{0, daemon, refusedAt(mtatest.StageRcpt, later), "want 550 at rcpt, got 451 later at rcpt"},
		{0, daemon, refusedAt(mtatest.StageEOM, no), "want 550 at rcpt, got 550 no at eom"},
		{0, stock, taken, "want 550 at rcpt, got accept at eom"},
		{1, daemon, with(untag...), ""},
		{1, daemon, taken, "want the recipient user@example.com restored"},
		{1, stock, taken, ""},
		{1, stock, refusedAt(mtatest.StageRcpt, no), "want accept, got 550 no at rcpt"},
		{2, daemon, taken, ""},
		{2, daemon, with(sign), "want no change"},
		{2, daemon, refusedAt(mtatest.StageEOM, no), "want accept"},
		{3, daemon, with(sign), ""},
		{3, daemon, taken, "want the sender user@example.com signed"},
		{3, stock, taken, ""},
	} {
		w := all[tc.workload]
		err := w.expect(tc.server, w.make(tc.server), tc.result)
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s, %s: got %v, want %q", tc.server.name, w.name, err, tc.want)
		}
	}
}

func TestMissedTargets(t *testing.T) {
	all := workloads()
	measured := func(w workload, daemon, stock, rate float64) row {
		return row{"tcp", w, figures{[]float64{daemon, 100 * daemon, daemon}, []float64{rate, 1, rate}}, figures{[]float64{stock, stock, stock}, []float64{1, 1, 1}}}
	}
	good := report{
		rows:   []row{measured(all[0], 10, 10, 10000), measured(all[1], 90, 10, 1), measured(all[2], 10, 10, 1), measured(all[3], 13, 10, 1)},
		crowds: []crowd{{program: "daemon", each: []float64{99, 25, 1}}, {program: "stock", each: []float64{99}}},
	}
	if missed := good.missed(); len(missed) > 0 || strings.Contains(good.markdown(), "missed") {
		t.Errorf("missed: %q\n%s", missed, good.markdown())
	}
	bad := report{
		rows:   []row{measured(all[0], 10.2, 10, 9999), measured(all[2], 11, 10, 1), measured(all[3], 14, 10, 1)},
		crowds: []crowd{{network: "unix", program: "daemon", each: []float64{25.2}}},
	}
	want := []string{
		"tcp, flood: refused at RCPT: ratio 1.02, want 1.0 at most", "tcp: 9999 refusals a second, want 10000",
		"tcp, ordinary mail, 20 KB: accepted: ratio 1.10, want 1.0 at most", "tcp, outbound, 8 KB: signed: ratio 1.40, want 1.3 at most",
		"unix: 25.2 KiB a connection, want 25 at most",
	}
	if got := bad.missed(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if n := strings.Count(bad.markdown(), "**missed**"); n != len(want) {
		t.Errorf("%d targets missed in the report, want %d:\n%s", n, len(want), bad.markdown())
	}
}

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		list []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(tc.list); got != tc.want {
			t.Errorf("median of %v: %v", tc.list, got)
		}
	}
}

func TestBadFlags(t *testing.T) {
	for _, tc := range []struct{ flag, want string }{
		{"-n=0", "-n: 0: want 1 to 1000000"},
		{"-rounds=101", "-rounds: 101: want 1 to 100"},
		{"-conns=4001", "-conns: 4001: want 1 to 4000"},
		{"-flood-minutes=61", "-flood-minutes: 61: want 0 to 60"},
		{"-flood-rate=0", "-flood-rate: 0: want 1 to 1000000"},
		{"stray", `"stray": want flags only`},
	} {
		var stderr bytes.Buffer
		if status := command([]string{tc.flag}, &bytes.Buffer{}, &stderr); status != 2 || !strings.Contains(stderr.String(), tc.want) {
			t.Errorf("%s: exit %d, %q", tc.flag, status, stderr.String())
		}
	}
}

// The process's own account must agree with what it has burnt.
func TestCPU(t *testing.T) {
	before, err := proc.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for time.Since(start) < 100*time.Millisecond {
	}
	after, err := proc.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if used := after - before; used <= 0 || used > 10*time.Second {
		t.Errorf("used %v in %v", used, time.Since(start))
	}
	if kib, err := proc.Resident(os.Getpid()); err != nil || kib < 1000 {
		t.Errorf("resident: %d KiB, %v", kib, err)
	}
	if _, err := proc.CPU(1 << 30); err == nil {
		t.Error("a process that does not exist used CPU")
	}
}
