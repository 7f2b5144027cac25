package origin

import (
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// Whatever a message holds there is an answer, and it is Foreign only of an
// original that came back with its id, in covered time, without a signature.
func FuzzAsk(f *testing.F) {
	header := signing{ed: true}.sign(f, letter())
	for _, message := range []string{
		returned(header, true), returned(letter(), false), qmail(letter(), true), quoted(letter(), false),
		returned(letter("From: =?x?q?=?= <@@>,,", "Date: Fri, 20 Nov 2026 10:00:00 +0100 (((", "Message-ID: <<<>@>"), false),
		returned(append([]string{"Received: by by by for for <@>", "Return-Path: <>"}, letter()...), false),
		strings.ReplaceAll(returned(header, false), "\r\n", "\r"), "",
	} {
		f.Add([]byte(message), "alice@example.com", "bob@example.net", "1@x")
	}
	keys := ourKeys()
	f.Fuzz(func(t *testing.T, message []byte, recipient, reporter, id string) {
		r, err := classify.Classify(strings.NewReader(string(message)), classify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r.InReplyTo, r.Original.Received = append(r.InReplyTo, id), append(r.Original.Received, reporter)
		known := record("sent alice@example.com one@example.com")
		o := options(known)
		o.Keys = keys
		q := Question{Recipient: recipient, Signable: true, Reporters: []string{reporter}, Message: &r, Now: now, All: true}
		a := New(o).Ask(t.Context(), q)
		if a.Evidence != Foreign {
			return
		}
		if date := dateOf(r.Original.Date); !known.Covers(domainOf(recipient), date) || r.Original.MessageID == "" || len(a.Spoke) > 0 {
			t.Errorf("%+v", a)
		}
	})
}
