//go:build linux

package e2e

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

const (
	senders    = 20 // clients at once
	perSession = 4  // messages that a client brings before it connects anew
)

// parcel is one message of the traffic: how it is sent, and how it must arrive.
type parcel struct {
	client, from, to string
	deliveredFrom    string // "" is the null sender, signed any valid tag of alice's
	deliveredTo      string
	mark             string // begins X-Backscatter; "" for none
	bounce           bool   // else ordinary mail
	refusable        bool   // 550 5.7.1 is right, too: then it must not arrive
}

const signed = "(signed)"

// The kinds of mail.
func ordinaryParcel() parcel {
	return parcel{client: outsideClient, from: stranger, to: alice, deliveredFrom: stranger, deliveredTo: alice}
}

func outboundParcel() parcel {
	return parcel{client: ownClient, from: alice, to: stranger, deliveredFrom: signed, deliveredTo: stranger}
}

func bounceParcel(tagged string) parcel {
	return parcel{client: outsideClient, to: tagged, deliveredTo: alice, mark: "accept; reason=tag-valid", bounce: true}
}

func untaggedParcel() parcel {
	return parcel{client: outsideClient, to: alice, deliveredTo: alice, mark: "mark; reason=tag-missing", bounce: true, refusable: true}
}

// traffic is many clients that bring mail at once.
type traffic struct {
	*desk
	door mta.Door
	next func(i int) parcel // the i-th message, from 0; called by many at once

	mu      sync.Mutex
	parcels map[int]parcel // those that have been accepted
	wrong   int            // replies that should not have been
	begun   atomic.Int64   // messages
	total   atomic.Int64   // that are to be sent
	wait    sync.WaitGroup
}

// openTraffic begins to send total messages through a door, fewer if end is called.
func (d *desk) openTraffic(door mta.Door, total int, next func(i int) parcel) *traffic {
	t := &traffic{desk: d, door: door, next: next, parcels: make(map[int]parcel)}
	t.total.Store(int64(total))
	for range senders {
		t.wait.Go(func() {
			for t.session() {
			}
		})
	}
	d.Cleanup(func() {
		t.end()
		t.wait.Wait()
	})
	return t
}

// end has no more messages sent.
func (t *traffic) end() { t.total.Store(0) }

// reach waits until so many messages have begun.
func (t *traffic) reach(count int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); t.begun.Load() < int64(count); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages have begun in a minute, want %d", t.begun.Load(), count)
		}
	}
}

// session brings some messages on one connection, all from one kind of client,
// and reports whether there are more to bring.
func (t *traffic) session() bool {
	var client *smtp.Client
	var said smtp.Transcript // not of interest but for the one reply
	at := ""
	defer func() {
		if client != nil {
			client.Close()
		}
	}()
	for range perSession {
		i := int(t.begun.Add(1)) - 1
		if int64(i) >= t.total.Load() {
			return false
		}
		p := t.next(i)
		if at != p.client {
			if client != nil {
				client.Close()
			}
			var err error
			if client, err = smtp.Dial(p.client, t.mta.Door(t.door), &said); err != nil {
				client = nil
				t.complain("message %d: %v", i, err)
				return true
			}
			at = p.client
			if reply := client.Hello(); !reply.Is("250") {
				t.complain("message %d: EHLO: %q", i, reply)
				return true
			}
		}
		if !t.bring(client, i, p) {
			return true
		}
	}
	return true
}

// bring sends one message and reports whether the connection is still of use.
func (t *traffic) bring(client *smtp.Client, i int, p parcel) bool {
	message := t.ordinary(p.from, p.to)
	if p.bounce {
		message = t.desk.bounce()
	}
	reply := firstRefusal(client, p.from, p.to, "X-Parcel: "+strconv.Itoa(i)+"\r\n"+message)
	switch {
	case reply.Is("250"):
		t.mu.Lock()
		t.parcels[i] = p
		t.mu.Unlock()
		return true
	case p.refusable && reply.Is("550 5.7.1"):
		return client.Do("RSET").Is("250")
	}
	t.complain("message %d from <%s> to <%s>: %q", i, p.from, p.to, reply)
	return false
}

// complain fails the case, but does not fill the screen.
func (t *traffic) complain(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrong++; t.wrong <= 10 {
		t.Errorf(format, args...)
	}
}

// finish waits until all is sent, and wants everything that was accepted to
// have arrived, once, as it should. It returns the signed reverse-paths.
func (t *traffic) finish() (reversePaths []string) {
	t.Helper()
	t.wait.Wait()
	if t.wrong > 0 {
		t.Errorf("%d messages in all were refused", t.wrong)
	}
	seen := map[string]bool{}
	for range len(t.parcels) {
		delivery := t.claim()
		number := delivery.Fields("X-Parcel")
		if len(number) != 1 {
			t.Fatalf("X-Parcel: %q", number)
		}
		i, err := strconv.Atoi(number[0])
		p, ok := t.parcels[i]
		if err != nil || !ok {
			t.Fatalf("message %q arrived twice, or was refused", number[0])
		}
		delete(t.parcels, i)
		if from := delivery.From.Address; p.deliveredFrom == signed {
			seen[from] = true
		} else if from != p.deliveredFrom {
			t.Errorf("message %d: reverse-path <%s>, want <%s>", i, from, p.deliveredFrom)
		}
		if len(delivery.To) != 1 || delivery.To[0].Address != p.deliveredTo {
			t.Errorf("message %d: delivered to %v, want <%s>", i, delivery.To, p.deliveredTo)
		}
		if got := strings.Join(delivery.Fields("X-Backscatter"), " + "); (got == "") != (p.mark == "") || !strings.HasPrefix(got, p.mark) {
			t.Errorf("message %d: X-Backscatter %q, want %q", i, got, p.mark)
		}
	}
	for address := range seen {
		v, err := t.daemon.Verify(address)
		if err != nil || v.Result != "valid" || v.Bare != alice {
			t.Errorf("reverse-path <%s>: verify says %+v, %v", address, v, err)
		}
		reversePaths = append(reversePaths, address)
	}
	return reversePaths
}

// mixed is ordinary mail, our own mail and bounces of it in turn. A client that
// sends for us keeps to that for a whole session.
func mixed(tagged string) func(i int) parcel {
	return func(i int) parcel {
		switch i % 3 {
		case 0:
			return ordinaryParcel()
		case 1:
			return bounceParcel(tagged)
		}
		return outboundParcel()
	}
}
