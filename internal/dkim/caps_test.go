package dkim

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCaps has more than is looked at: the lowest eight of ours are tried, the
// lowest hundred of all read.
func TestCaps(t *testing.T) {
	own := signing{}.sign(t, letter())
	fake := "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=none; h=From; b=AAAA; bh=" + b64(make([]byte, 32))
	theirs := strings.Replace(fake, "d=example.com", "d=example.org", 1)
	asked := &counting{KeySource: ourKeys()}
	o := ourOptions()
	o.Keys = asked
	junk := func(s string, n int) []string { return slices.Repeat([]string{s}, n) }

	r := Verify(t.Context(), block(slices.Concat(junk(fake, 1000), own)), o)
	if len(r.Signatures) != 100 || r.Unread != 901 || r.Signatures[0].Status != Pass || asked.n != 8 ||
		r.Signatures[7].Status != KeyMissing || r.Signatures[8].Status != Untried || !r.Claimed() {
		t.Errorf("%d read, %d unread, %d keys asked for: %s", len(r.Signatures), r.Unread, asked.n, statuses(r))
	}
	asked.n = 0
	r = Verify(t.Context(), block(slices.Concat(own[:1], junk(fake, 8), own[1:])), o)
	if _, ok := r.Passed(); ok || asked.n != 8 || r.Signatures[8].Status != Untried {
		t.Errorf("above eight others of ours: %s", statuses(r))
	}
	asked.n = 0
	r = Verify(t.Context(), block(slices.Concat(own[:1], junk(theirs, 99), own[1:])), o)
	if s, ok := r.Passed(); !ok || asked.n != 1 || s.Domain != "example.com" {
		t.Errorf("above 99 others: %s", statuses(r))
	}
	pad := strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 300)
	if s := Verify(t.Context(), append([]byte(pad), block(own)...), o); len(s.Signatures) != 0 {
		t.Errorf("behind 300 KB: %+v", s)
	}
	many := strings.Repeat("X:\r\n", 4096)
	if s := Verify(t.Context(), append([]byte(many), block(own)...), o); len(s.Signatures) != 0 {
		t.Errorf("behind 4096 fields: %+v", s)
	}
	if s := Verify(t.Context(), append([]byte(many[5*len("X:\r\n"):]), block(own[:5])...), o); len(s.Signatures) != 1 {
		t.Errorf("behind 4091 fields: %+v", s)
	}
}

type counting struct {
	KeySource
	n int
}

func (c *counting) Key(ctx context.Context, selector, domain string) (*Key, error) {
	c.n++
	return c.KeySource.Key(ctx, selector, domain)
}

// waiting is a KeySource that never answers.
type waiting struct{}

func (waiting) Key(ctx context.Context, _, _ string) (*Key, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestWait: all keys together are waited for two seconds.
func TestWait(t *testing.T) {
	t.Parallel()
	o := ourOptions()
	o.Keys = waiting{}
	header := signing{}.sign(t, letter())
	begun := time.Now()
	r := Verify(t.Context(), block(slices.Concat(slices.Repeat(header[:1], 8), letter())), o)
	if took := time.Since(begun); took < time.Second || took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	for _, s := range r.Signatures {
		if s.Status != KeyUnavailable {
			t.Error(s.line())
		}
	}
}

// TestLinear: no header takes long, of whatever it consists.
func TestLinear(t *testing.T) {
	for _, piece := range []string{"\r", "\n", "\r\n", "\r\r\n", "a", " ", ":", "a:\r", "a:\n", "a:\n\n", "a:\nb\n", "a:\n \r", "DKIM-Signature:\n", "DKIM-Signature:d=example.com;\n", "a=b;"} {
		for _, start := range []string{"", "From:", "DKIM-Signature: "} {
			header := []byte(start + strings.Repeat(piece, 300<<10/len(piece)))
			begun := time.Now()
			Verify(t.Context(), header, ourOptions())
			if took := time.Since(begun); took > 500*time.Millisecond {
				t.Errorf("%q and %q took %v", start, piece, took)
			}
		}
	}
}
