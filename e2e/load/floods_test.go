package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

func flooded(minutes float64, rate int64, kib ...int) *deluge {
	d := &deluge{took: time.Duration(minutes * float64(time.Minute)), genuine: []time.Duration{time.Millisecond}}
	d.flood = int64(d.took.Seconds())*rate - 1
	for i, k := range kib {
		d.samples = append(d.samples, sample{time.Duration(i+1) * time.Second, int64(i+1) * rate, k})
	}
	return d
}

func TestFloodTargets(t *testing.T) {
	for _, tc := range []struct {
		deluge *deluge
		want   []string
	}{
		{flooded(5, 10000, 10000, 50000, 100000, 109000, 100000), nil},
		{flooded(5, 9999, 100000, 100000, 100000, 112000, 100000), []string{
			"flood: 9999 transactions a second, want 10000", "flood: memory grew by 12 % in the second half, want 10 % at most",
		}},
		{flooded(1, 10000, 1, 2, 3, 4, 5), nil}, // memory is still to be filled
	} {
		if got := tc.deluge.missed(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tc.want) {
			t.Errorf("got %q, want %q", got, tc.want)
		}
		if text := (report{flood: tc.deluge}).markdown(); strings.Count(text, "**missed**") != len(tc.want) {
			t.Errorf("%d targets missed in the report, want %d:\n%s", strings.Count(text, "**missed**"), len(tc.want), text)
		}
	}
}

// Of the transactions of a flood most are from one network, others from ever new ones; none is proven.
func TestFloodMix(t *testing.T) {
	p := &pour{player: newPlayer("unix", workloads()[floodWorkload], &server{})}
	clients, recipients, first := map[string]bool{}, map[string]bool{}, 0
	const n = 100_000
	for i := range int64(n) {
		tx := p.unproven(i)
		if strings.HasPrefix(tx.Client, "192.0.2.") {
			first++
		}
		clients[tx.Client], recipients[tx.Rcpts[0].Addr] = true, true
	}
	if first != n*7/10 || len(clients) != n*3/10+200 || len(recipients) != n/10+1000+1 {
		t.Errorf("%d from one network, %d clients, %d recipients", first, len(clients), len(recipients))
	}
}

// What is answered otherwise than a flood, or what is genuine, has to be ends the run.
func TestFloodExpectations(t *testing.T) {
	s := &server{name: "daemon", tagged: "prvs=0=" + user}
	bounce := mtatest.SampleBounce(s.tagged, user)
	later := mtatest.Reply{Action: mtatest.ReplyCode, Code: 451, Text: "later"}
	taken := mtatest.Result{Stage: mtatest.StageEOM, Reply: mtatest.Reply{Action: mtatest.Accept}}
	home := taken
	home.Mods = []mtatest.Mod{{Kind: mtatest.DelRcpt, Value: s.tagged}, {Kind: mtatest.AddRcpt, Value: user}}
	p := &pour{deluge: &deluge{}, player: &player{server: s}}
	for _, tc := range []struct {
		genuine bool
		result  mtatest.Result
		want    string
	}{
		{true, home, ""},
		{true, taken, "restored"},
		{true, mtatest.Result{Stage: mtatest.StageRcpt, Reply: later}, "want"},
		{false, taken, ""},
		{false, mtatest.Result{Stage: mtatest.StageRcpt, Reply: later}, ""},
		{false, mtatest.Result{Stage: mtatest.StageEOM, Reply: later}, "want 451 at rcpt, got 451 later at eom"},
		{false, mtatest.Result{Stage: mtatest.StageRcpt, Reply: mtatest.Reply{Action: mtatest.ReplyCode, Code: 550, Text: "no"}}, "want 451 at rcpt, got 550 no at rcpt"},
	} {
		err := p.note(tc.genuine, time.Millisecond, bounce, tc.result)
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("genuine %t: got %v, want %q", tc.genuine, err, tc.want)
		}
	}
	if p.flood != 2 || p.passed != 1 || len(p.genuine) != 3 {
		t.Errorf("%d of a flood, %d of them passed, %d genuine; want 2, 1 and 3", p.flood, p.passed, len(p.genuine))
	}
}
