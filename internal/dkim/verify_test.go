package dkim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type changes map[string]string

// TestStatus has each way in which a signature can end.
func TestStatus(t *testing.T) {
	k := testKeys()
	tests := []struct {
		name string
		s    signing
		want string // status, and a part of the error behind ": "
	}{
		{"RSA", signing{}, "pass"},
		{"RSA of 1024 bits", signing{key: k.rsa1024}, "pass"},
		{"Ed25519", signing{key: k.ed}, "pass"},
		{"simple", signing{simple: true}, "pass"},
		{"simple, Ed25519", signing{key: k.ed, simple: true}, "pass"},
		{"c= for the header alone", signing{tags: changes{"c": "relaxed"}}, "pass"},
		{"no c=", signing{simple: true, tags: changes{"c": "-"}}, "pass"},
		{"folded tags", signing{sep: " ;\r\n\t"}, "pass"},
		{"folded tags, simple", signing{sep: ";\r\n ", simple: true}, "pass"},
		{"name in capitals", signing{name: "DKIM-SIGNATURE"}, "pass"},
		{"unknown tags", signing{tags: changes{"zz_9": "a=b", "Q": ""}}, "pass"},
		{"domain in capitals", signing{tags: changes{"d": "Example.COM", "s": "RSA", "a": "RSA-SHA256", "c": "Relaxed/Simple"}}, "pass"},
		{"i= below d=", signing{tags: changes{"i": "alice@News.example.com"}}, "pass"},
		{"l=", signing{tags: changes{"l": strings.Repeat("9", 76)}}, "pass"},
		{"q= of several", signing{tags: changes{"q": "other : dns/txt"}}, "pass"},
		{"h= with spaces", signing{tags: changes{"h": "from :\r\n Date\t: to"}}, "pass"},
		{"oversigned", signing{tags: changes{"h": "From:From:Subject:Subject:Cc:Cc:To:Date:Message-ID"}}, "pass"},
		{"x= after Date", signing{tags: changes{"t": "1795165210", "x": "1795770010"}}, "pass"},
		{"beyond ASCII", signing{tags: changes{"i": "café@example.com"}}, "pass"},

		{"v=2", signing{tags: changes{"v": "2"}}, "malformed: v="},
		{"no v=", signing{tags: changes{"v": "-"}}, "malformed: v="},
		{"no d=", signing{tags: changes{"d": "-"}}, "malformed: no d="},
		{"no s=", signing{tags: changes{"s": "-"}}, "malformed: no s="},
		{"no a=", signing{tags: changes{"a": "-"}}, "malformed: no a="},
		{"no bh=", signing{tags: changes{"bh": "-"}}, "malformed: no bh="},
		{"empty b=", signing{tags: changes{"b": ""}}, "malformed: no b="},
		{"empty h=", signing{tags: changes{"h": ""}}, "malformed: no h="},
		{"b= is junk", signing{tags: changes{"b": "!!!!"}}, "malformed: b= is no base64"},
		{"bh= is short", signing{tags: changes{"bh": "AAAA"}}, "malformed: bh="},
		{"bh= is junk", signing{tags: changes{"bh": "#"}}, "malformed: bh="},
		{"d= is no domain", signing{tags: changes{"d": "exa mple.com"}}, "malformed: d="},
		{"d= ends with a dot", signing{tags: changes{"d": "example.com."}}, "malformed: d="},
		{"s= is no selector", signing{tags: changes{"s": "a/b"}}, "malformed: s="},
		{"s= is too long", signing{tags: changes{"s": strings.Repeat("abcdefg.", 30) + "a"}}, "malformed: s="},
		{"i= elsewhere", signing{tags: changes{"i": "alice@badexample.com"}}, "malformed: i="},
		{"i= above d=", signing{tags: changes{"d": "a.example.com", "i": "alice@example.com"}}, "malformed: i="},
		{"i= without @", signing{tags: changes{"i": "example.com"}}, "malformed: i="},
		{"h= without From", signing{tags: changes{"h": "To:Subject"}}, "malformed: h= leaves out From"},
		{"h= with a hole", signing{tags: changes{"h": "From::To"}}, "malformed: h= holds"},
		{"h= too long", signing{tags: changes{"h": "From" + strings.Repeat(":A", 256)}}, "malformed: h= names more"},
		{"l= is no number", signing{tags: changes{"l": "-1"}}, "malformed: l="},
		{"t= is no time", signing{tags: changes{"t": "now"}}, "malformed: t="},
		{"x= is too long", signing{tags: changes{"x": "1234567890123"}}, "malformed: x="},
		{"x= before t=", signing{tags: changes{"t": "1795165210", "x": "1795165210"}}, "malformed: x= is not after"},
		{"tag twice", signing{tags: changes{"d": "example.com; d=example.com"}}, "malformed: d= comes twice"},
		{"empty tag", signing{tags: changes{"h": "From;"}}, "malformed: \"\" is no tag"},
		{"no tag", signing{tags: changes{"h": "From; x"}}, "malformed: \"x\" is no tag"},
		{"no tag, and long", signing{tags: changes{"h": "From; " + strings.Repeat("x", 61)}}, "malformed: \"" + strings.Repeat("x", 60) + "...\" is no tag"},
		{"name of a tag", signing{tags: changes{"h": "From; 1x=2"}}, "malformed: \"1x\" is no name"},
		{"control", signing{tags: changes{"i": "a\x01@example.com"}}, "malformed: the value of i="},
		{"too many tags", signing{tags: manyTags(60)}, "malformed: too many tags"},
		{"too long", signing{tags: changes{"z": strings.Repeat("z", 17<<10)}}, "malformed: longer"},

		{"another's", signing{tags: changes{"d": "example.net"}}, "not ours"},
		{"another's, malformed", signing{tags: changes{"d": "example.net", "h": "To"}}, "not ours"},
		{"RSA with SHA-1", signing{tags: changes{"a": "rsa-sha1"}}, "unsupported: a="},
		{"unknown algorithm", signing{tags: changes{"a": "dsa-sha256"}}, "unsupported: a="},
		{"unknown canonicalization", signing{tags: changes{"c": "nowsp"}}, "unsupported: c="},
		{"unknown body canonicalization", signing{tags: changes{"c": "relaxed/nowsp"}}, "unsupported: c="},
		{"unknown query", signing{tags: changes{"q": "http"}}, "unsupported: q="},
		{"x= before Date", signing{tags: changes{"x": "1795165199"}}, "expired: expired on 2026-11-20"},

		{"no key", signing{tags: changes{"s": "none"}}, "key missing: "},
		{"key withdrawn", signing{tags: changes{"s": "gone"}}, "key revoked: "},
		{"DNS down", signing{tags: changes{"s": "down"}}, "key unavailable: no server"},
		{"key is junk", signing{tags: changes{"s": "junk"}}, "key unfit: key record: no p="},
		{"key of another kind", signing{tags: changes{"s": "ed"}}, "key unfit: the key is not one for rsa"},
		{"strict key", signing{tags: changes{"s": "strict", "i": "a@x.example.com"}}, "key unfit: the key does not allow"},
		{"strict key, obeyed", signing{tags: changes{"s": "strict", "i": "a@Example.com"}}, "pass"},
		{"strict key, no i=", signing{tags: changes{"s": "strict"}}, "pass"},
		{"testing key", signing{tags: changes{"s": "testing"}}, "pass"},
		{"weak key", signing{tags: changes{"s": "weak"}}, "weak key: an RSA key of 1023 bits"},
		{"another key", signing{tags: changes{"s": "old"}}, "fail: the header is not"},
		{"another's signature", signing{tags: changes{"b": b64(make([]byte, 256))}}, "fail: the header is not"},
	}
	o := ourOptions()
	keys := ourKeys()
	keys["gone._domainkey.example.com"] = "v=DKIM1; p="
	keys["down._domainkey.example.com"] = "down"
	keys["junk._domainkey.example.com"] = "v=DKIM1"
	keys["strict._domainkey.example.com"] = recordOf(k.rsa2048, "t=y : S; ")
	keys["testing._domainkey.example.com"] = recordOf(k.rsa2048, "t=y; ")
	keys["weak._domainkey.example.com"] = recordOf(weak(1023), "")
	o.Keys = keys
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := one(t, block(tt.s.sign(t, letter())), o)
			status, text, _ := strings.Cut(tt.want, ": ")
			if s.Status.String() != status || (s.Err != nil) != (text != "" || strings.HasSuffix(tt.want, ": ")) || text != "" && !strings.Contains(s.Err.Error(), text) {
				t.Fatalf("%s, want %s", s.line(), tt.want)
			}
			if s.Status != Pass && (s.Signed.From != nil || s.BodyHash != nil || s.KeyBits != 0) {
				t.Errorf("%s, with %+v", s.line(), s)
			}
			if s.Status == Pass && (s.Algorithm == "" || s.KeyBits == 0 || len(s.BodyHash) != 32 || len(s.Signed.From) != 1 || s.Repaired) {
				t.Errorf("passes with %+v", s)
			}
		})
	}
}

func manyTags(n int) changes {
	c := changes{}
	for i := range n {
		c[fmt.Sprintf("t%d", i)] = "1"
	}
	return c
}

// TestExpiry judges x= at the Date if that is signed, else at the given time.
func TestExpiry(t *testing.T) {
	sent := time.Date(2026, 11, 20, 10, 0, 0, 0, time.FixedZone("", 3600))
	x := fmt.Sprint(sent.Add(time.Hour).Unix())
	for _, tt := range []struct {
		h    string
		at   time.Time
		want Status
	}{
		{"From:Date", sent.Add(9999 * time.Hour), Pass},
		{"From:Date", time.Time{}, Pass},
		{"From", sent.Add(2 * time.Hour), Expired},
		{"From", sent.Add(time.Hour), Pass},
		{"From", time.Time{}, Pass},
	} {
		o := ourOptions()
		o.At = tt.at
		if s := one(t, block(signing{tags: changes{"h": tt.h, "x": x}}.sign(t, letter())), o); s.Status != tt.want {
			t.Errorf("h=%s at %v: %s, want %v", tt.h, tt.at, s.line(), tt.want)
		}
	}
}

// replace gives the header with each first old replaced by the new behind it.
func replace(header []byte, pairs ...string) []byte {
	s := string(header)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			panic("there is no " + pairs[i])
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	return []byte(s)
}

// TestReturned has what a header may have gone through on its way back.
func TestReturned(t *testing.T) {
	relaxed := block(signing{}.sign(t, letter()))
	simple := block(signing{simple: true}.sign(t, letter()))
	over := block(signing{tags: changes{"h": "From:From:To:Subject:Date:Message-ID"}}.sign(t, letter()))
	wide := slices.Concat(letter(), []string{"References: <a@example.com> <b@example.com>"})
	refs := block(signing{tags: changes{"h": "From:References:To"}, sep: ";\r\n "}.sign(t, wide))
	const top = "Return-Path: <alice@example.com>\r\nReceived: from a by b; now\r\n\tTo: nobody\r\nX-Spam: no\r\n"
	tests := []struct {
		name   string
		header []byte
		want   string
	}{
		{"hops on top", append([]byte(top), relaxed...), "pass"},
		{"hops on top, simple", append([]byte(top), simple...), "pass"},
		{"another subject on top", append([]byte("Subject: [list] hello\r\n"), relaxed...), "pass"},
		{"another subject below", replace(relaxed, "MIME-Version", "Subject: x\r\nMIME-Version"), "fail"},
		{"a field below", replace(relaxed, "MIME-Version", "Status: RO\r\nMIME-Version"), "pass"},
		{"a From on top", append([]byte("From: bob@example.com\r\n"), relaxed...), "from unsigned"},
		{"a From on top, oversigned", append([]byte("From: bob@example.com\r\n"), over...), "fail"},
		{"a From with a space on top", append([]byte("FROM \t: bob@example.com\r\n"), relaxed...), "from unsigned"},
		{"postmark", append([]byte("From alice@example.com Fri Nov 20 10:00:00 2026\r\n"), relaxed...), "pass"},
		{"remark", append([]byte("--- Below is a copy of the header: ---\r\n folded\r\n\r\n"), relaxed...), "pass"},
		{"folded anew", replace(relaxed, "Bob <bob@example.net>,\r\n\tCarol", "Bob\r\n  <bob@example.net>, Carol"), "pass"},
		{"folded anew, simple", replace(simple, "Bob <bob@example.net>,\r\n\tCarol", "Bob\r\n  <bob@example.net>, Carol"), "fail"},
		{"white space lost at an end", replace(relaxed, "a fold \r\n", "a fold\r\n"), "pass"},
		{"white space in an empty line", replace(relaxed, "spaces\r\n", "spaces\r\n \t\r\n"), "pass"},
		{"names in another case", replace(relaxed, "\r\nMessage-ID", "\r\nMessage-Id", "\r\nSubject:", "\r\nSUBJECT :", "DKIM-S", "Dkim-s"), "pass"},
		{"names in another case, simple", replace(simple, "\r\nMessage-ID", "\r\nMessage-Id"), "fail"},
		{"indentation lost", replace(relaxed, "\r\n\tCarol", "\r\nCarol", "\r\n and a", "\r\nand a"), "pass, repaired"},
		{"indentation lost, of the signature too", []byte(strings.ReplaceAll(string(refs), "\r\n ", "\r\n")), "pass, repaired"},
		{"stray line", replace(relaxed, "MIME-Version", "*** snip ***\r\n folded\r\nMIME-Version"), "pass"},
		{"stray line within", replace(relaxed, "\r\nSubject", "\r\n*** snip ***\r\n folded\r\nSubject"), "pass"},
		{"cut behind what is signed", relaxed[:len(relaxed)-10], "pass"},
		{"cut in the last field", relaxed[:strings.Index(string(relaxed), "one@example.com")], "fail"},
		{"ends early", replace(relaxed, "\r\nSubject", "\r\n\r\nSubject"), "fail"},
		{"cut in the signature", relaxed[:200], "malformed"},
		{"address rewritten", replace(relaxed, "alice@", "prvs=alice@"), "fail"},
		{"word encoded", replace(relaxed, "Two ", "=?us-ascii?q?Two?= "), "fail"},
		{"body hash changed", replace(relaxed, "bh=AA", "bh=BA"), "fail"},
		{"a tag added", replace(relaxed, "v=1;", "v=1; l=1;"), "fail"},
		{"another body behind", append(slices.Clone(relaxed), "From: bob@example.com\r\n"...), "pass"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := one(t, tt.header, ourOptions())
			got := s.Status.String()
			if s.Repaired {
				got += ", repaired"
			}
			if got != tt.want {
				t.Errorf("%s, want %s", s.line(), tt.want)
			}
		})
	}
}

// TestSigned wants the signed values and no others.
func TestSigned(t *testing.T) {
	sent := time.Date(2026, 11, 20, 10, 0, 0, 0, time.FixedZone("", 3600))
	all := Signed{
		From: []string{"Alice <alice@example.com>"}, To: "Bob <bob@example.net>,\tCarol <carol@example.org>",
		Date: "Fri, 20 Nov 2026 10:00:00 +0100", MessageID: "<one@example.com>", Sent: sent,
	}
	top := "To: x@example.com\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <two@example.com>\r\n"
	twoFroms := slices.Insert(letter(), 1, "From: bob@example.com")
	noFrom := slices.Delete(letter(), 1, 2)
	for _, tt := range []struct {
		name   string
		header []string
		h      string
		want   Signed
		status Status
	}{
		{"all", letter(), "From:To:Date:Message-ID", all, Pass},
		{"From alone", letter(), "From", Signed{From: all.From}, Pass},
		{"oversigned", letter(), "From:From:Date:Date", Signed{From: all.From, Date: all.Date, Sent: sent}, Pass},
		{"two of From, both signed", twoFroms, "From:From", Signed{From: []string{"Alice <alice@example.com>", "bob@example.com"}}, Pass},
		{"two of From, one signed", twoFroms, "From", Signed{}, FromUnsigned},
		{"no From", noFrom, "From:To", Signed{}, FromUnsigned},
		{"Date that is none", replaceField(letter(), 4, "Date: yesterday"), "From:Date", Signed{From: all.From, Date: "yesterday"}, Pass},
	} {
		signed := signing{tags: changes{"h": tt.h}}.sign(t, tt.header)
		if !strings.Contains(tt.h, "Date:Date") {
			signed = append([]string{strings.TrimSuffix(top, "\r\n")}, signed...)
		}
		s := one(t, block(signed), ourOptions())
		if diff := cmp.Diff(tt.want, s.Signed); diff != "" || s.Status != tt.status {
			t.Errorf("%s: %s\n%s", tt.name, s.line(), diff)
		}
	}
}

func replaceField(header []string, at int, field string) []string {
	header[at] = field
	return header
}

// TestSeveral has several signatures in a header: each has its own outcome, and
// one that another covers is not the one that is being verified.
func TestSeveral(t *testing.T) {
	header := signing{key: testKeys().ed}.sign(t, letter())
	header = signing{tags: changes{"h": "From:DKIM-Signature"}}.sign(t, header)
	header = signing{tags: changes{"d": "example.net"}}.sign(t, header)
	r := Verify(t.Context(), block(header), ourOptions())
	if got := statuses(r); got != "[pass pass not ours]" || r.Signatures[0].Algorithm != "ed25519" {
		t.Errorf("%s", got)
	}
	first, ok := r.Passed()
	if !ok || first.Selector != "ed" || !r.Claimed() {
		t.Errorf("passed: %+v, %v; claimed: %v", first, ok, r.Claimed())
	}
	both := signing{tags: changes{"h": "From:DKIM-Signature:DKIM-Signature"}}.sign(t, signing{}.sign(t, letter()))
	if got := statuses(Verify(t.Context(), block(both), ourOptions())); got != "[pass pass]" {
		t.Errorf("oversigned signatures: %s", got)
	}
	foreign := Verify(t.Context(), block(signing{tags: changes{"d": "example.net"}}.sign(t, letter())), ourOptions())
	if _, ok := foreign.Passed(); ok || foreign.Claimed() {
		t.Errorf("%+v", foreign)
	}
	if r := Verify(t.Context(), block(letter()), ourOptions()); len(r.Signatures) != 0 || r.Claimed() {
		t.Errorf("unsigned: %+v", r)
	}
	if r := Verify(t.Context(), []byte("DKIM-Signature: v=1; a=rsa"), ourOptions()); !r.Claimed() || statuses(r) != "[malformed]" {
		t.Errorf("cut before d=: %+v", r)
	}
	broken := Verify(t.Context(), []byte("DKIM-Signature: v=1; d=example.com; h=fro"), ourOptions())
	if !broken.Claimed() || statuses(broken) != "[malformed]" {
		t.Errorf("cut: %+v", broken)
	}
}

func statuses(r Result) string {
	var list []Status
	for _, s := range r.Signatures {
		list = append(list, s.Status)
	}
	return fmt.Sprint(list)
}

func TestAligned(t *testing.T) {
	for _, tt := range []struct {
		d, domain string
		want      bool
	}{
		{"example.com", "example.com", true}, {"example.com", "a.example.com", true}, {"a.example.com", "example.com", true},
		{"a.example.com", "b.example.com", false}, {"example.com", "badexample.com", false}, {"", "example.com", false}, {"example.com", "", false},
	} {
		if got := (Signature{Domain: tt.d}).Aligned(tt.domain); got != tt.want {
			t.Errorf("%q for %q: %v", tt.d, tt.domain, got)
		}
	}
}
