package main

import (
	"fmt"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// Who writes and is written to.
const (
	user = "user@example.com"
	peer = "b@example.org"
)

// workload is one kind of transaction, and how it must end.
type workload struct {
	name   string
	target float64 // daemon's CPU to stock's, at most; 0: none was set
	make   func(s *server) mtatest.Transaction
	expect func(s *server, tx mtatest.Transaction, r mtatest.Result) error
}

func workloads() []workload {
	return []workload{
		{"flood: refused at RCPT", 1.0, flood, refused},
		{"bounce to a tagged address: accepted", 0, bounce, restored},
		{"ordinary mail, 20 KB: accepted", 1.0, ordinary, untouched},
		{"outbound, 8 KB: signed", 1.3, outbound, signed},
	}
}

func flood(*server) mtatest.Transaction    { return mtatest.SampleBounce(user, user) }
func bounce(s *server) mtatest.Transaction { return mtatest.SampleBounce(s.tagged, user) }
func ordinary(*server) mtatest.Transaction { return mtatest.SampleOrdinary(peer, user) }
func outbound(*server) mtatest.Transaction { return mtatest.SampleOutbound(user, peer) }

// fromMany is a transaction as it comes from many clients of one network.
func fromMany(tx mtatest.Transaction) []mtatest.Transaction {
	txs := make([]mtatest.Transaction, 200)
	network := tx.Client[:strings.LastIndexByte(tx.Client, '.')+1]
	for i := range txs {
		txs[i] = tx
		txs[i].Client = fmt.Sprint(network, i+1)
	}
	return txs
}

func refused(_ *server, _ mtatest.Transaction, r mtatest.Result) error {
	if r.Stage != mtatest.StageRcpt || r.Reply.Code != 550 {
		return fmt.Errorf("want 550 at rcpt, got %v at %v", r.Reply, r.Stage)
	}
	return nil
}

func accepted(r mtatest.Result) error {
	if !r.Accepted() {
		return fmt.Errorf("want accept, got %v at %v", r.Reply, r.Stage)
	}
	return nil
}

func untouched(_ *server, _ mtatest.Transaction, r mtatest.Result) error {
	if len(r.Mods) > 0 {
		return fmt.Errorf("want no change, got %v", r.Mods)
	}
	return accepted(r)
}

// restored wants the daemon to take the tag off; stock leaves it.
func restored(s *server, tx mtatest.Transaction, r mtatest.Result) error {
	after := r.Apply(tx)
	if s.name == "daemon" && (len(after.Rcpts) != 1 || after.Rcpts[0].Addr != user) {
		return fmt.Errorf("want the recipient %s restored, got %v after %v", user, after.Rcpts, r.Mods)
	}
	return accepted(r)
}

// signed wants the daemon to tag the sender; stock leaves it.
func signed(s *server, tx mtatest.Transaction, r mtatest.Result) error {
	from := r.Apply(tx).From
	if s.name == "daemon" && (!strings.HasPrefix(from, "prvs=") || !strings.HasSuffix(from, "="+user)) {
		return fmt.Errorf("want the sender %s signed, got %q after %v", user, from, r.Mods)
	}
	return accepted(r)
}
